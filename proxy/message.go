package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// unambiguous reports whether every recipient must understand r as we do, so
// that it may go upstream (RFC 9112 §11.2). net/http has seen to the framing of
// HTTP/1.1, to names and values of fields, and to the form of Host by now. The
// target of CONNECT is not looked at.
func unambiguous(r *http.Request) bool {
	return validTarget(r) && (r.ProtoMajor < 2 || validFrames(r))
}

// validTarget accepts the forms of a target that mean something to an edge
// (RFC 9112 §3.2): a path, an absolute http or https URL with a host and
// without a user (RFC 9110 §4.2.4), and * for OPTIONS. Bytes above ASCII pass,
// since clients send them and they can be encoded.
func validTarget(r *http.Request) bool {
	for i := range len(r.RequestURI) {
		if c := r.RequestURI[i]; c <= ' ' || c == '#' || c == 0x7f {
			return false
		}
	}
	switch u := r.URL; {
	case strings.HasPrefix(r.RequestURI, "/"):
		return true
	case r.RequestURI == "*":
		return r.Method == http.MethodOptions
	case r.ProtoMajor >= 2: // RFC 9113 §8.3.1
		return false
	default:
		return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
	}
}

// validFrames checks what only later versions can get wrong: the method, which
// comes as a field; a Host beside :authority; a length that is not that of the
// frames (RFC 9113 §8.1.1, §8.3.1).
func validFrames(r *http.Request) bool {
	if !httpguts.ValidHeaderFieldName(r.Method) { // the grammar of a method, too
		return false
	}
	if hosts, ok := r.Header["Host"]; ok && (len(hosts) > 1 || hosts[0] != r.Host) {
		return false
	}
	lengths, ok := r.Header["Content-Length"]
	if !ok {
		return true
	}
	n, err := strconv.ParseUint(lengths[0], 10, 63)
	return len(lengths) == 1 && err == nil && int64(n) == r.ContentLength
}

// mustClose reports whether the connection ends with this request. RFC 9112
// §6.1 wants that of a message with both Transfer-Encoding and Content-Length,
// and of Transfer-Encoding in HTTP/1.0. net/http takes care of neither and has
// removed the second field by now, so it is done for all that could have been
// such a message.
func mustClose(r *http.Request) bool {
	return r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0)
}

// asciiQuery encodes the bytes above ASCII, which RFC 3986 leaves to nobody
// and some backends refuse; everything else stays as it is.
func asciiQuery(query string) string {
	first := 0
	for first < len(query) && query[first] < 0x80 {
		first++
	}
	if first == len(query) {
		return query
	}
	out := slices.Grow([]byte(query[:first]), len(query)+16)
	for i := first; i < len(query); i++ {
		const digits = "0123456789ABCDEF"
		if c := query[i]; c < 0x80 {
			out = append(out, c)
		} else {
			out = append(out, '%', digits[c>>4], digits[c&0xf])
		}
	}
	return string(out)
}
