package notify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

// mailbox stands in for the internet: it keeps what the services would have
// sent, and answers each as it expects.
type mailbox struct {
	mu    sync.Mutex
	posts []string
	fail  error
}

func (b *mailbox) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.fail != nil {
		return nil, b.fail
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var document any
	if err := json.Unmarshal(body, &document); err != nil {
		return nil, fmt.Errorf("no JSON: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", "  "); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.posts = append(b.posts, fmt.Sprintf("%s %s %s %s\n%s\n", r.Method, r.URL, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), indented.String()))
	status, answer := http.StatusOK, "ok"
	if r.URL.Host == "discord.com" {
		status, answer = http.StatusNoContent, ""
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(strings.NewReader(answer)), Request: r, Header: http.Header{}}, nil
}

// intercept leads what the library sends to a mailbox. It has no other seam:
// most of its services know one address only.
func intercept(t *testing.T) *mailbox {
	t.Helper()
	b, before := &mailbox{}, http.DefaultTransport
	http.DefaultTransport = b
	t.Cleanup(func() { http.DefaultTransport = before })
	return b
}

func rolledBack() *message {
	return &message{ID: "message-1", Stage: Event, Notice: switcher.Notice{
		Kind: switcher.NoticeRolledBack, Time: moment0, App: "chat", Colour: switcher.Green, Release: candidate(), Actor: switcher.Self,
		Cause: "<too> many_requests_failed & more", Verdict: verdict(switcher.Bad),
		Previous: &switcher.Release{ID: "20261124-3", Commit: "9bad000"},
	}}
}

func TestWhatEachServiceSends(t *testing.T) {
	b := intercept(t)
	n := speaker(t)
	for _, url := range []string{
		"slack://hook:TAAAAAAAA-BAAAAAAAA-123456789123456789abcdef@webhook",
		"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawd@telegram?chats=-1001234:5,@ops&preview=no",
		"discord://token@123456789012",
		"teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2ESyij_extra?host=example.webhook.office.com",
		"generic+https://hooks.example.com/alerts?@Authorization=Bearer+TOKEN",
		"generic://example.com/hook?titlekey=subject&messagekey=body&$team=chat&@X-Key=k&disabletls=yes&kept=1",
	} {
		for _, one := range recipients(url, "it") {
			if err := n.deliver(&service{url: one}, rolledBack(), Settings{}); err != nil {
				t.Errorf("%s: %v", schemeOf(url), err)
			}
		}
	}
	golden(t, "services.txt", strings.Join(b.posts, "\n"))
}

// The library's own service takes an answer that never came for a good one.
func TestTelegramThatCannotBeReachedIsAFailure(t *testing.T) {
	b := intercept(t)
	b.fail = errors.New("no route to host")
	const url = "telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawd@telegram?chats=@ops"
	err := speaker(t).deliver(&service{url: url}, rolledBack(), Settings{})
	if err == nil || !strings.Contains(err.Error(), "no route to host") || strings.Contains(err.Error(), "AAHdq") {
		t.Errorf("the error is %v", err)
	}
}

// mailServer is one that takes mail, and keeps what was said to it.
func mailServer(t *testing.T) (address string, heard func() string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all strings.Builder
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.WriteString(conn, "220 mail\r\n")
				lines, inData := bufio.NewScanner(conn), false
				for lines.Scan() {
					mu.Lock()
					fmt.Fprintln(&all, lines.Text())
					mu.Unlock()
					switch {
					case inData && lines.Text() == ".":
						inData = false
					case inData:
						continue
					case lines.Text() == "DATA":
						inData = true
						_, _ = io.WriteString(conn, "354 go on\r\n")
						continue
					case strings.HasPrefix(lines.Text(), "EHLO"):
						_, _ = io.WriteString(conn, "250-mail\r\n250 8BITMIME\r\n")
						continue
					case lines.Text() == "QUIT":
						return // as some do, without a word
					}
					_, _ = io.WriteString(conn, "250 ok\r\n")
				}
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); served.Wait() })
	return listener.Addr().String(), func() string {
		mu.Lock()
		defer mu.Unlock()
		return all.String()
	}
}

func TestMailHasAnEncodedSubjectAndOneRecipientEach(t *testing.T) {
	address, heard := mailServer(t)
	n := New(Options{Dir: t.TempDir(), Settings: Settings{Language: "es", Apps: map[string]App{"chat": {
		Services: []string{"smtp://" + address + "/?from=edge@example.com&to=maria@example.com,ops@example.com&starttls=no"},
	}}}})
	results := n.Test(t.Context(), "chat")
	if len(results) != 2 || results[0].Service != "smtp #1 (1 of 2)" || results[1].Service != "smtp #1 (2 of 2)" {
		t.Fatalf("results %+v", results)
	}
	for _, r := range results {
		if r.Error != "" { // a mail that was taken must not be sent again
			t.Errorf("%s: %s", r.Service, r.Error)
		}
	}
	m := rolledBack()
	for _, id := range n.order {
		_ = n.deliver(n.services[id], m, n.settings)
	}
	said := heard()
	for _, want := range []string{
		"RCPT TO:<maria@example.com>", "RCPT TO:<ops@example.com>", "Subject: =?utf-8?q?chat:_producci=C3=B3n_ha_vuelto_de_9bad000_a_8f2c1ab?=",
		"Motivo: <too> many_requests_failed & more", "Esto es una prueba.",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the mail lacks %q:\n%s", want, said)
		}
	}
}

func TestATestSaysHowEachServiceDid(t *testing.T) {
	alive, broken := newWebhook(t), newWebhook(t, 500)
	n := New(Options{Dir: t.TempDir(), Settings: settingsFor(alive.url, broken.url)})
	results := n.Test(t.Context(), "chat")
	if len(results) != 2 {
		t.Fatalf("results %+v", results)
	}
	if r := results[0]; r.Service != "generic #1" || r.Error != "" || r.Took <= 0 {
		t.Errorf("the first is %+v", r)
	}
	if r := results[1]; r.Service != "generic #2" || !strings.Contains(r.Error, "500") || strings.Contains(r.Error, "s3cr3t") {
		t.Errorf("the second is %+v", r)
	}
	if got := alive.documents()[0]; got["kind"] != "test" || got["stage"] != "test" || got["app"] != "chat" {
		t.Errorf("the test message is %v", got)
	}
}
