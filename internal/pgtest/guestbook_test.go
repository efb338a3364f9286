package pgtest_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sofiacall.com/bluegreen/internal/pgtest"
)

// guest runs the guestbook in versions on one database.
type guest struct {
	t       *testing.T
	d       *pgtest.Database
	program string
}

func (g guest) command(version, url string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(g.program, arguments...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+url, "GUESTBOOK_VERSION="+version)
	return cmd
}

// migrate runs a migration as the owner.
func (g guest) migrate(version, command string) (said string, ok bool) {
	text, err := g.command(version, g.d.OwnerURL, command).CombinedOutput()
	return string(text), err == nil
}

func (g guest) migrated(version, command, want string) {
	g.t.Helper()
	if said, ok := g.migrate(version, command); !ok || !strings.Contains(said, want) {
		g.t.Fatalf("%s of %s: %v\n%s", command, version, ok, said)
	}
}

// serve runs a version as the app and returns its address.
func (g guest) serve(version string) string {
	g.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	cmd := g.command(version, g.d.AppURL, "serve")
	cmd.Env = append(cmd.Env, "PORT="+port)
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			g.t.Errorf("version %s: %v", version, err)
		}
	})
	at := "http://127.0.0.1:" + port
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if code, _ := g.ask("GET", at+"/health"); code == http.StatusOK {
			return at
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("version %s does not answer", version)
		}
	}
}

func (g guest) ask(method, url string) (int, string) {
	request, err := http.NewRequestWithContext(g.t.Context(), method, url, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text)
}

func (g guest) write(at, message string) int {
	code, _ := g.ask("POST", at+"/entries?"+url.Values{"author": {"ana"}, "message": {message}}.Encode())
	return code
}

// What the end-to-end tests take for granted: which versions can live with what.
func TestVersionsOfTheGuestbookAreWhatTheyAreCalled(t *testing.T) {
	g := guest{t, pgtest.Start(t).Database(t), pgtest.Guestbook(t)}
	g.migrated("base", "migrate", "applied 1 steps")
	g.migrated("base", "migrate", "nothing to apply")
	g.migrated("same", "migrate", "nothing to apply")
	base := g.serve("base")
	if code := g.write(base, "first"); code != http.StatusCreated {
		t.Fatalf("writing: %d", code)
	}
	for version, want := range map[string]string{"broken": "division by zero", "half": "this works in a rehearsal only"} {
		if said, ok := g.migrate(version, "migrate"); ok || !strings.Contains(said, want) || strings.Contains(said, "secret") {
			t.Errorf("%s: %v\n%s", version, ok, said)
		}
	}
	g.migrated("data", "migrate", "applied 1 steps")
	g.migrated("expand", "migrate", "applied 2 steps")
	next := g.serve("expand")
	if old, new := g.write(base, "second"), g.write(next, "third"); old != http.StatusCreated || new != http.StatusCreated {
		t.Errorf("after expand: base %d, expand %d", old, new)
	}
	if _, text := g.ask("GET", next+"/entries"); text != "ana: third :glad\nana: second\nana: first :calm\n" {
		t.Errorf("entries: %q", text)
	}
	g.migrated("expand", "down", "applied 1 steps")
	if code := g.write(base, "fourth"); code != http.StatusCreated {
		t.Errorf("after down: %d", code)
	}
	g.migrated("expand", "migrate", "applied 1 steps")
	g.migrated("expand", "contract", "applied 1 steps")
	if old, new := g.write(base, "fifth"), g.write(next, "sixth"); old != http.StatusInternalServerError || new != http.StatusCreated {
		t.Errorf("after contract: base %d, expand %d", old, new)
	}
}

func TestGuestbookReconnectsAndTellsWhenItsDatabaseIsAway(t *testing.T) {
	c := pgtest.StartOwn(t)
	g := guest{t, c.Database(t), pgtest.Guestbook(t)}
	g.migrated("base", "migrate", "applied 1 steps")
	at := g.serve("base")
	ready := func() int { code, _ := g.ask("GET", at+"/ready"); return code }
	if code := ready(); code != http.StatusOK {
		t.Fatalf("ready: %d", code)
	}
	c.Stop(t)
	if code, _ := g.ask("GET", at+"/health"); code != http.StatusOK || ready() != http.StatusServiceUnavailable {
		t.Errorf("without its database: health %d, ready %d", code, ready())
	}
	c.Restart(t)
	for deadline := time.Now().Add(20 * time.Second); ready() != http.StatusOK; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not connect again")
		}
	}
	pgtest.Exec(t, g.d.SuperuserURL, fmt.Sprintf("ALTER DATABASE %s SET default_transaction_read_only = on", g.d.Name),
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	if code := ready(); code != http.StatusServiceUnavailable {
		t.Errorf("read-only: ready %d", code)
	}
}
