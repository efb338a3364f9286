package proxy

import (
	"fmt"
	"strings"
)

// ambiguousFields are field lines (RFC 9112 §5, RFC 9110 §5).
func ambiguousFields() []ambiguity {
	served := []string{"GET /"}
	return []ambiguity{
		{"9112 §5.1", "a space before the colon", get("X : y"), refused, nil},
		{"9112 §5.1", "a tab before the colon", get("X\t: y"), refused, nil},
		{"9112 §5.1", "a space in the name", get("X Y: z"), refused, nil},
		{"9112 §5", "no colon", get("X"), refused, nil},
		{"9112 §5", "no name", get(": y"), refused, nil},
		{"9112 §5", "no name and no value", get(":"), refused, nil},
		{"9112 §5", "a colon before the name", get(":X: y"), refused, nil},
		{"9112 §5", "a pseudo-header field", get(":path: /hidden"), refused, nil},
		{"9110 §5.1", "every token character in the name", get("!#$%&'*+-.^_`|~09azAZ: y"), "200", served},
		{"9110 §5.1", "a parenthesis in the name", get("X(Y): z"), refused, nil},
		{"9110 §5.1", "a slash in the name", get("X/Y: z"), refused, nil},
		{"9110 §5.1", "a quote in the name", get("\"X\": z"), refused, nil},
		{"9110 §5.1", "an equals sign in the name", get("X=Y: z"), refused, nil},
		{"9110 §5.1", "a brace in the name", get("{X}: z"), refused, nil},
		{"9110 §5.1", "a backslash in the name", get("X\\Y: z"), refused, nil},
		{"9110 §5.1", "a byte above ASCII in the name", get("X\xe9: y"), refused, nil},
		{"9110 §5.5", "an empty value", get("X:"), "200", served},
		{"9110 §5.5", "no space after the colon", get("X:y"), "200", served},
		{"9110 §5.5", "bytes above ASCII in the value", get("X: caf\xc3\xa9 \xff"), "200", served},
		{"9110 §5.5", "a tab in the value", get("X: a\tb"), "200", served},
		{"9110 §5.5", "quotes that do not close", get("X: \"y"), "200", served},
		{"9112 §5.2", "folded", get("X: y", " z"), "200", served},
		{"9112 §5.2", "folded with a tab", get("X: y", "\tz"), "200", served},
		{"9112 §5.2", "folded with an empty line", get("X: y", " ", "Y: z"), "200", served},
		{"9112 §5.2", "folded text that looks like a field", get("X: y", " Content-Length: 50") + hidden, "200 200", []string{"GET /", "GET /hidden"}},
		{"9112 §5.2", "folded text that looks like an end", get("X: y", " ", " GET /hidden HTTP/1.1"), "200", served},
		{"9112 §5.2", "folded with LF", get("X: y\n z"), "200", served},
		{"9112 §2.2", "LF ends a field", get("X: y\nZ: a"), "200", served},
		{"9112 §2.2", "LF hides a field", get("X: y\nTransfer-Encoding: chunked") + "0\r\n\r\n", "200 close", served},
		{"9112 §2.2", "CR ends a field", get("X: y\rZ: a"), refused, nil},
		{"9112 §2.2", "CR hides a framing", get("X: y\rContent-Length: 50") + hidden, refused, nil},
		{"9112 §2.2", "two CR end a field", get("X: y\r"), "400 close", nil},
		{"9112 §2.2", "two CR end the header", "GET / HTTP/1.1\r\nHost: app.test\r\n\r\r\n", refused, nil},
		{"9112 §2.2", "LF CR ends a field", get("X: y\n\rZ: a"), refused, nil},
		{"9112 §2.2", "LF LF ends the header and hides a request", "GET / HTTP/1.1\r\nHost: app.test\r\nX: y\n\n" + hidden, "200 200", []string{"GET /", "GET /hidden"}},
		{"9110 §5.3", "the same field twice", get("X: y", "X: z"), "200", served},
		{"9110 §5.4", "1,000 fields", get(slicesRepeat("X: y", 1000)...), "200", served},
		{"9110 §5.4", "20,000 fields", get(slicesRepeat("X: y", 20_000)...), "431 close", nil},
		{"9110 §5.4", "a name of 60,000 bytes", get(strings.Repeat("X", 60_000) + ": y"), "200", served},
		{"9110 §5.4", "a name of 100,000 bytes", get(strings.Repeat("X", 100_000) + ": y"), "431 close", nil},
		{"9110 §5.4", "a value of 100,000 bytes", get("X: " + strings.Repeat("y", 100_000)), "431 close", nil},
		{"9110 §5.4", "a folded value of 100,000 bytes", get("X: y" + strings.Repeat("\r\n y", 25_000)), "431 close", nil},

		// Fields with which a client claims to be somebody else; verify sees
		// to what arrives.
		{"CWE-348", "X-Forwarded-For", get("X-Forwarded-For: 203.0.113.1"), "200", served},
		{"CWE-348", "X-Forwarded-For twice", get("X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 203.0.113.2"), "200", served},
		{"CWE-348", "X-Real-IP", get("X-Real-IP: 203.0.113.1"), "200", served},
		{"CWE-348", "X_Forwarded_For", get("X_Forwarded_For: forged"), "200", served},
		{"CWE-348", "X-Forwarded_For", get("X-Forwarded_For: forged"), "200", served},
		{"CWE-348", "x_real_ip", get("x_real_ip: forged"), "200", served},
		{"CWE-348", "X_Request_Id", get("X_Request_Id: forged"), "200", served},
		{"9112 §6.3", "Content_Length", get("Content_Length: forged"), "200", served},
		{"9112 §6.3", "Transfer_Encoding", get("Transfer_Encoding: forged"), "200", served},
	}
}

func slicesRepeat(line string, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = line
	}
	return lines
}

// controlBytes are every control byte in every part of the header (RFC 9110
// §5.5). A tab within a value and line ends, which have cases of their own, are
// left out.
func controlBytes() (cases []ambiguity) {
	for c := range 0x80 {
		if c >= ' ' && c != 0x7f || c == '\n' {
			continue
		}
		in := func(part, send string) {
			cases = append(cases, ambiguity{"9110 §5.5", fmt.Sprintf("0x%02x in %s", c, part), send, refused, nil})
		}
		b := string(rune(c))
		in("a name", get("X"+b+"Y: z"))
		in("front of a name", "GET / HTTP/1.1\r\nHost: app.test\r\nZ: a\r\n"+front(b)+"X: y\r\n\r\n")
		in("the host", "GET / HTTP/1.1\r\nHost: app"+b+".test\r\n\r\n")
		in("the target", "GET /a"+b+"b HTTP/1.1\r\nHost: app.test\r\n\r\n")
		in("the query", "GET /?a"+b+"b HTTP/1.1\r\nHost: app.test\r\n\r\n")
		if c != '\t' {
			in("a value", get("X: y"+b+"z"))
			in("front of a value", get("X: "+b+"y"))
		}
	}
	return cases
}

// front keeps a tab from making a folded line.
func front(b string) string {
	if b == "\t" {
		return "A\t"
	}
	return b
}
