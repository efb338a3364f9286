package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
	"slices"
)

// Digest is the same for schemas that mean the same to an app, and for a
// database that was restored from a dump and the one that was dumped. Object
// ids, sizes, the gaps that dropped columns leave, the version of the server and
// what no dump carries are not in it.
func (s *Schema) Digest() string { return s.digest(false) }

// DigestAll is Digest with what no dump carries: what belongs to the database
// itself, the server's roles, versions of extensions.
func (s *Schema) DigestAll() string { return s.digest(true) }

func (s *Schema) digest(all bool) string {
	h := sha256.New()
	sum(h, reflect.ValueOf(*s), all)
	return hex.EncodeToString(h.Sum(nil))
}

// sum writes a value so that no two values write the same: each text with its
// length, each map and list with its count. What is empty and what is not there
// are the same.
func sum(h io.Writer, v reflect.Value, all bool) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			switch mark := v.Type().Field(i).Tag.Get("digest"); {
			case mark == "-", mark == "all" && !all:
			default:
				sum(h, v.Field(i), all)
			}
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int {
			if a.String() < b.String() {
				return -1
			}
			return 1
		})
		number(h, int64(len(keys)))
		for _, key := range keys {
			text(h, key.String())
			sum(h, v.MapIndex(key), all)
		}
	case reflect.Slice:
		number(h, int64(v.Len()))
		for i := range v.Len() {
			sum(h, v.Index(i), all)
		}
	case reflect.String:
		text(h, v.String())
	case reflect.Bool:
		if v.Bool() {
			number(h, 1)
		} else {
			number(h, 0)
		}
	case reflect.Int, reflect.Int16, reflect.Int64:
		number(h, v.Int())
	default:
		panic(fmt.Sprintf("catalog: no digest of a %s", v.Kind()))
	}
}

func number(h io.Writer, n int64) {
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], uint64(n))
	_, _ = h.Write(bytes[:])
}

func text(h io.Writer, s string) {
	number(h, int64(len(s)))
	_, _ = io.WriteString(h, s)
}
