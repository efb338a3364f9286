package language_test

import (
	"testing"
	"time"

	"sofiacall.com/bluegreen/language"
)

func TestNumbersAndTimesAreWrittenAsTheLanguageDoes(t *testing.T) {
	en, es := language.Of("en"), language.Of("es")
	for _, c := range []struct{ got, want string }{
		{en.Whole(-1234567), "-1,234,567"}, {en.Whole(999), "999"}, {en.Whole(1000), "1,000"}, {es.Whole(9999), "9999"}, {es.Whole(1234567), "1\u202f234\u202f567"},
		{en.Figure(0.5), "0.50"}, {es.Figure(0.5), "0,50"}, {en.Figure(42.3), "42.3"}, {es.Figure(1234), "1234"}, {en.Figure(123456), "123,456"},
		{en.Percent(0), "0\u202f%"}, {es.Percent(0.0123), "1,23\u202f%"}, {en.Percent(0.00001), "<\u202f0.01\u202f%"}, {en.Percent(0.5), "50.0\u202f%"},
		{en.Latency(1500 * time.Microsecond), "1.50\u202fms"}, {es.Latency(2500 * time.Millisecond), "2,50\u202fs"},
		{en.Bytes(212e6), "212\u202fMB"}, {es.Bytes(1.5e9), "1,50\u202fGB"}, {en.Bytes(999.9e6), "1.00\u202fGB"}, {en.Bytes(64e3), "64\u202fkB"},
		{en.Span(9*time.Minute + 58*time.Second), "9 min 58 s"}, {es.Span(90 * time.Minute), "1 h 30 min"}, {es.Span(time.Minute), "1 min"},
		{en.Span(-time.Second), "0 s"}, {es.Span(25 * time.Hour), "25 h"}, {es.Span(50 * time.Hour), "2 días"}, {en.About(90 * time.Minute), "1 h"},
		{en.Ago(time.Unix(100, 0), time.Unix(40, 0)), "1 min ago"}, {es.Ago(time.Unix(100, 0), time.Unix(99, 0)), "ahora mismo"},
		{es.Took(250 * time.Millisecond), "250\u202fms"}, {en.Took(3 * time.Minute), "3 min"},
	} {
		if c.got != c.want {
			t.Errorf("wrote %q, want %q", c.got, c.want)
		}
	}
}
