package proxy

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// The header fields of W3C Trace Context (https://www.w3.org/TR/trace-context-1/).
const (
	traceParentHeader = "Traceparent"
	traceStateHeader  = "Tracestate"
)

// traceParent is the value of a traceparent field that has been found valid
// (§3.2): version, trace id, parent id and flags, each at its place.
type traceParent string

const traceParentSize = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-00")

// trace is the id of the trace, in hexadecimal digits.
func (p traceParent) trace() string { return string(p[3:35]) }

// span is the id of the span that the request comes from.
func (p traceParent) span() string { return string(p[36:52]) }

// sampled reports whether the caller may have recorded its span.
func (p traceParent) sampled() bool { return strings.IndexByte("13579bdf", p[54]) >= 0 }

// parseTraceParent returns the traceparent of a request, or an empty one where
// there is none, more than one, or one that is malformed. Of a version that is
// not known yet it returns what version 00 knows (§4.3).
func parseTraceParent(lines []string) traceParent {
	if len(lines) != 1 || len(lines[0]) < traceParentSize {
		return ""
	}
	line := lines[0]
	version, p := line[:2], traceParent(line[:traceParentSize])
	switch {
	case version == "ff", !isLowerHex(version),
		version == "00" && len(line) > traceParentSize,
		len(line) > traceParentSize && line[traceParentSize] != '-',
		line[2] != '-' || line[35] != '-' || line[52] != '-',
		!isLowerHex(p.trace()) || !isLowerHex(p.span()) || !isLowerHex(line[53:55]),
		strings.Trim(p.trace(), "0") == "" || strings.Trim(p.span(), "0") == "":
		return ""
	}
	return p
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// newTraceParent returns the traceparent of a span of our own in a trace;
// empty begins a new one. Flags other than sampled are zero (§3.2.2.5).
func newTraceParent(trace string, sampled bool) traceParent {
	text := [traceParentSize]byte{2: '-', 35: '-', 52: '-', 54: '0'}
	text[0], text[1], text[53] = '0', '0', '0'
	if trace == "" {
		randomHex(text[3:35])
	} else {
		copy(text[3:35], trace)
	}
	randomHex(text[36:52])
	if sampled {
		text[54] = '1'
	}
	return traceParent(text[:])
}

// randomHex fills text, whose length is a multiple of 16, with digits of which
// not all are zero.
func randomHex(text []byte) {
	for ; len(text) > 0; text = text[16:] {
		v := rand.Uint64()
		for v == 0 {
			v = rand.Uint64()
		}
		var random [8]byte
		for i := range random {
			random[i] = byte(v >> (8 * i))
		}
		hex.Encode(text, random[:])
	}
}

// mostTraceStates is how many members a tracestate may have (§3.3.1.1).
const mostTraceStates = 32

// validTraceState reports whether the lines of a tracestate are a list of
// members as §3.3.1 wants them.
func validTraceState(lines []string) bool {
	members := 0
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			if member = strings.Trim(member, " \t"); member == "" {
				continue
			}
			key, value, ok := strings.Cut(member, "=")
			if members++; !ok || members > mostTraceStates || !validStateKey(key) || !validStateValue(value) {
				return false
			}
		}
	}
	return true
}

// validStateKey accepts the key of one vendor, or that of one of its tenants
// (§3.3.1.3.1).
func validStateKey(key string) bool {
	tenant, system, multi := strings.Cut(key, "@")
	if !multi {
		return len(key) <= 256 && isStateName(key, false)
	}
	return len(tenant) <= 241 && len(system) <= 14 && isStateName(tenant, true) && isStateName(system, false)
}

// isStateName accepts lower-case letters, digits and _-*/, the first of which
// is a letter or, where that is allowed, a digit.
func isStateName(s string, digitFirst bool) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z':
		case '0' <= c && c <= '9' && (i > 0 || digitFirst):
		case i > 0 && strings.IndexByte("_-*/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// validStateValue accepts printable ASCII without equals signs; there is no
// comma left in it, and no space at its end.
func validStateValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '=' {
			return false
		}
	}
	return s != "" && len(s) <= 256
}
