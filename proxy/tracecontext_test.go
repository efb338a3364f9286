package proxy

import (
	"strings"
	"testing"
)

const (
	aTrace  = "12345678901234567890123456789012"
	aSpan   = "1234567890123456"
	aParent = "00-" + aTrace + "-" + aSpan + "-01"
)

// The vectors are those of §3.2 and §4.3 of the recommendation and of its test
// suite (https://github.com/w3c/trace-context/tree/main/test).
func TestTraceParentsAreReadAsTheRecommendationSays(t *testing.T) {
	const ids = aTrace + "-" + aSpan
	for line, valid := range map[string]bool{
		aParent:              true,
		"00-" + ids + "-00":  true,
		"00-" + ids + "-ff":  true, // flags that are not known
		"01-" + ids + "-01":  true, // versions that are not known
		"cc-" + ids + "-01":  true,
		"fe-" + ids + "-01-": true,
		"cc-" + ids + "-01-what-the-future-will-be-like": true,

		"":                    false,
		"00-" + ids + "-01-":  false, // version 00 has no more
		"00-" + ids + "-01.":  false,
		"00-" + ids + "-01-x": false,
		"cc-" + ids + "-01.what-the-future-will-not-be-like": false,
		"ff-" + ids + "-01":                  false, // the version that is none
		".0-" + ids + "-01":                  false,
		"0.-" + ids + "-01":                  false,
		"0-" + ids + "-01":                   false,
		"000-" + ids + "-01":                 false,
		"0x-" + ids + "-01":                  false,
		"0A-" + ids + "-01":                  false,
		"00" + ids + "-01":                   false,
		"00-" + ids + "-0":                   false,
		"00-" + ids + "-.0":                  false,
		"00-" + ids + "-0.":                  false,
		"00-" + ids + "-0A":                  false,
		"00-" + ids + "-001":                 false,
		"00-" + ids:                          false,
		"00-" + ids + "-":                    false,
		" 00-" + ids + "-01":                 false,
		"00-" + ids + "-01 ":                 false,
		"00_" + ids + "_01":                  false,
		"00-" + aTrace + "_" + aSpan + "-01": false,

		"00-" + strings.Repeat("0", 32) + "-" + aSpan + "-01":  false,
		"00-" + aTrace + "-" + strings.Repeat("0", 16) + "-01": false,
		"00-." + aTrace[1:] + "-" + aSpan + "-01":              false,
		"00-" + aTrace[1:] + ".-" + aSpan + "-01":              false,
		"00-" + aTrace[1:] + "A-" + aSpan + "-01":              false,
		"00-" + aTrace[1:] + "-" + aSpan + "-01":               false,
		"00-" + aTrace + "a-" + aSpan + "-01":                  false,
		"00-" + aTrace + "-." + aSpan[1:] + "-01":              false,
		"00-" + aTrace + "-" + aSpan[1:] + "F-01":              false,
		"00-" + aTrace + "-" + aSpan[1:] + "-01":               false,
		"00-" + aTrace + "-" + aSpan + "a-01":                  false,
	} {
		p := parseTraceParent([]string{line})
		if got := p != ""; got != valid {
			t.Errorf("%q: valid is %v, want %v", line, got, valid)
		}
		if p != "" && (p.trace() != aTrace || p.span() != aSpan || p.sampled() != strings.ContainsAny(line[54:55], "1f")) {
			t.Errorf("%q: trace %s, span %s, sampled %v", line, p.trace(), p.span(), p.sampled())
		}
	}
	if parseTraceParent(nil) != "" || parseTraceParent([]string{aParent, aParent}) != "" {
		t.Error("a traceparent that is missing or doubled is taken for one")
	}
}

func TestTraceStatesAreReadAsTheRecommendationSays(t *testing.T) {
	members := func(n int) string { return strings.TrimSuffix(strings.Repeat("a=1,", n), ",") }
	for state, valid := range map[string]bool{
		"":                                true,
		"foo=1":                           true,
		"foo=1,bar=2":                     true,
		"foo=1 \t , \t bar=2, \tbaz=3":    true,
		"foo=1,,,bar=2,":                  true,
		"foo= 1":                          true, // a space inside of a value
		"foo=1\t":                         true, // around a member
		"foo=" + strings.Repeat("v", 256): true,
		strings.Repeat("z", 256) + "=1":   true,
		strings.Repeat("t", 241) + "@" + strings.Repeat("v", 14) + "=1": true,
		"0tenant@vendor=1":                        true,
		"a_-*/0=~!\"#$%&'()*+-./:;<>?@[\\]^_`{|}": true,
		members(32):                               true,
		"foo":                                     false,
		"foo=":                                    false,
		"=1":                                      false,
		"foo =1":                                  false,
		"FOO=1":                                   false,
		"foo.bar=1":                               false,
		"0foo=1":                                  false,
		"-foo=1":                                  false,
		"foo@=1,bar=2":                            false,
		"@foo=1,bar=2":                            false,
		"foo@@bar=1":                              false,
		"foo@bar@baz=1":                           false,
		"foo@0bar=1":                              false,
		"foo=bar=baz":                             false,
		"foo=ü":                                   false,
		"foo=a\tb":                                false,
		"foo=" + strings.Repeat("v", 257):         false,
		strings.Repeat("z", 257) + "=1":           false,
		strings.Repeat("t", 242) + "@v=1":         false,
		"t@" + strings.Repeat("v", 15) + "=1":     false,
		members(33):                               false,
	} {
		if got := validTraceState([]string{state}); got != valid {
			t.Errorf("%q: valid is %v, want %v", state, got, valid)
		}
	}
	if !validTraceState(nil) || !validTraceState([]string{"a=1", "b=2"}) || validTraceState([]string{members(17), members(16)}) {
		t.Error("the lines of a tracestate are not one list")
	}
}

func TestOwnTraceParentsAreValidAndDiffer(t *testing.T) {
	for _, trace := range []string{"", aTrace} {
		for _, sampled := range []bool{false, true} {
			a, b := newTraceParent(trace, sampled), newTraceParent(trace, sampled)
			if parseTraceParent([]string{string(a)}) != a || a.sampled() != sampled || a[:3] != "00-" {
				t.Errorf("%q is not valid, or not sampled=%v", a, sampled)
			}
			if a.span() == b.span() || (a.trace() == b.trace()) != (trace != "") || trace != "" && a.trace() != trace {
				t.Errorf("two requests of trace %q are told %s and %s", trace, a, b)
			}
		}
	}
}

func FuzzTraceParent(f *testing.F) {
	f.Add(aParent, "foo=1")
	f.Add("cc-"+aTrace+"-"+aSpan+"-01-what-will-be", "t@v=1,,b=2")
	f.Fuzz(func(t *testing.T, parent, state string) {
		validTraceState([]string{state})
		if p := parseTraceParent([]string{parent}); p != "" {
			if again := newTraceParent(p.trace(), p.sampled()); parseTraceParent([]string{string(again)}) != again {
				t.Errorf("%q became %q", parent, again)
			}
		}
	})
}
