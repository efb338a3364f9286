package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/switcher"
)

func TestOperationIsToldFromItsFirstEventToItsResult(t *testing.T) {
	e := startEdge(t)
	var events []switcher.Event
	result, err := e.client.Deploy(t.Context(), "chat", switcher.DeployRequest{Commit: "a"}, func(e switcher.Event) { events = append(events, e) })
	if err != nil || !result.OK {
		t.Fatalf("deploy: %+v, %v", result, err)
	}
	if len(events) < 3 || events[len(events)-1].Result == nil {
		t.Fatalf("events = %+v", events)
	}
	for _, event := range events[:len(events)-1] {
		if event.Result != nil || event.Operation != events[0].Operation {
			t.Errorf("event %+v", event)
		}
	}
	again, err := e.client.Follow(t.Context(), "chat", events[0].Operation, nil)
	if err != nil || again.Text != result.Text {
		t.Errorf("following the ended operation: %+v, %v", again, err)
	}
}

func TestStreamIsNDJSONThatBeginsAtOnce(t *testing.T) {
	e := startEdge(t)
	release := e.HoldFetch()
	defer release()
	answer := e.send(t, "POST", "/v1/apps/chat/deploy", `{"commit": "a"}`) // returns while the deploy is held
	if answer.Header.Get("Content-Type") != "application/x-ndjson" || answer.Header.Get("Operation-Id") == "" {
		t.Errorf("headers = %v", answer.Header)
	}
}

func TestFailureOfAnOperationArrivesWithItsHintAndOutput(t *testing.T) {
	e := startEdge(t)
	_, err := e.client.Deploy(t.Context(), "chat", switcher.DeployRequest{Commit: "unknown"}, nil)
	wantError(t, err, switcher.CodeFailed, "there is no image registry.test/chat:unknown")
	var told *switcher.Error
	if !errors.As(err, &told) || told.Hint != "push it first" || len(told.Output) != 1 {
		t.Errorf("error = %+v", told)
	}
}

func TestSecondOperationIsBusyAtOnce(t *testing.T) {
	e := startEdge(t)
	e.Deploy(t, "a")
	release := e.HoldFetch()
	defer release()
	e.send(t, "POST", "/v1/apps/chat/deploy", `{"commit": "b"}`)
	wantProblem(t, e.send(t, "POST", "/v1/apps/chat/cleanup", ""), http.StatusLocked, switcher.CodeBusy, "deploy by root@host is running")
}

func TestClientThatGoesAwayDoesNotStopTheOperation(t *testing.T) {
	e := startEdge(t)
	release := e.HoldFetch()
	defer release()
	ctx, leave := context.WithCancel(t.Context())
	_, err := e.client.Deploy(ctx, "chat", switcher.DeployRequest{Commit: "a"}, func(switcher.Event) { leave() })
	wantError(t, err, switcher.CodeUnreachable, "goes on")
	var lost *LostError
	if !errors.As(err, &lost) || lost.Operation == "" || !strings.Contains(err.Error(), lost.Operation) {
		t.Fatalf("error = %#v", err)
	}
	following := make(chan error, 1)
	go func() {
		_, err := e.client.Follow(t.Context(), "chat", "", nil) // the one that runs
		following <- err
	}()
	release()
	if _, err := e.client.Follow(t.Context(), "chat", lost.Operation, nil); err != nil {
		t.Errorf("the operation did not go on: %v", err)
	}
	if err := <-following; err != nil && switcher.CodeOf(err) != switcher.CodeRefused { // it may have ended already
		t.Errorf("following the running operation: %v", err)
	}
}

func TestAClientThatLeavesBeforeTheAnswerIsToldThatTheOperationMayGoOn(t *testing.T) {
	e := startEdge(t)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	_, err := e.client.Deploy(ctx, "chat", switcher.DeployRequest{Commit: "a"}, nil)
	wantError(t, err, switcher.CodeUnreachable, "may have begun, and then goes on")
	var lost *LostError
	if !errors.As(err, &lost) || lost.Operation != "" {
		t.Errorf("error = %#v", err)
	}
}

func TestStoppingTheServerCutsFollowersAndNotTheOperation(t *testing.T) {
	e := startEdge(t)
	release := e.HoldFetch()
	defer release()
	began := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := e.client.Deploy(context.Background(), "chat", switcher.DeployRequest{Commit: "a"}, func(e switcher.Event) {
			select {
			case began <- e.Operation:
			default:
			}
		})
		ended <- err
	}()
	id := <-began
	e.stop()
	wantError(t, <-ended, switcher.CodeUnreachable, id)
	op, known := e.App.Operation(id)
	if !known {
		t.Fatal("the operation is gone")
	}
	release()
	if err := op.Wait(t.Context()); err != nil {
		t.Errorf("the operation failed: %v", err)
	}
}

func TestIdempotencyKeyMakesARetrySafe(t *testing.T) {
	e := startEdge(t)
	deploy := func(key, commit string) *http.Response {
		return e.send(t, "POST", "/v1/apps/chat/deploy", fmt.Sprintf(`{"commit": %q}`, commit), "Idempotency-Key", key)
	}
	first := deploy("k1", "a").Header.Get("Operation-Id")
	if again := deploy("k1", "a").Header.Get("Operation-Id"); again == "" || again != first {
		t.Errorf("the retry got operation %q, the first %q", again, first)
	}
	wantProblem(t, deploy("k1", "b"), 422, switcher.CodeUsage, "was used for another request")
	e.wait(t, first)
	if other := deploy("k2", "b").Header.Get("Operation-Id"); other == "" || other == first {
		t.Errorf("another key got operation %q", other)
	}
	if n := len(e.App.History()); n > 2 {
		t.Errorf("%d operations were recorded, want at most 2", n)
	}
}

func TestRefusalIsNotRememberedForAKey(t *testing.T) {
	e := startEdge(t)
	confirm := func() *http.Response {
		return e.send(t, "POST", "/v1/apps/chat/confirm", "", "Idempotency-Key", "k")
	}
	wantProblem(t, confirm(), http.StatusConflict, switcher.CodeRefused, "nothing to confirm")
	e.Deploy(t, "a")
	e.Deploy(t, "b")
	e.Switch(t)
	if got := confirm(); got.StatusCode != 200 {
		t.Errorf("once it is possible: answered %s", got.Status)
	}
}

func TestKeysAreForgottenOldestFirst(t *testing.T) {
	ring := (&keys{}).ring("chat")
	for i := range keysKept + 3 {
		ring.remember(key{"maria@host", fmt.Sprint(i)}, started{operation: fmt.Sprint(i)})
	}
	if len(ring.known) != keysKept || len(ring.order) != keysKept {
		t.Errorf("%d keys are kept, in an order of %d, want %d", len(ring.known), len(ring.order), keysKept)
	}
	if _, kept := ring.known[key{"maria@host", "2"}]; kept {
		t.Error("an old key is still there")
	}
	if _, kept := ring.known[key{"maria@host", "3"}]; !kept {
		t.Error("a newer key is gone")
	}
}

func TestUnreachableEdgeSaysWhyAndWhatToDo(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	_, err := Dial(socket).Apps(t.Context())
	wantError(t, err, switcher.CodeUnreachable, "there is no socket at "+socket)

	ln, err := New(Options{}).Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	_, err = Dial(socket).Apps(t.Context())
	wantError(t, err, switcher.CodeUnreachable, "nobody answers on "+socket)

	err = Dial(socket).unreachable(&os.SyscallError{Syscall: "connect", Err: unix.EACCES})
	wantError(t, err, switcher.CodeUnreachable, "no permission to open")
	var told *switcher.Error
	if !errors.As(err, &told) || !strings.Contains(told.Hint, "group "+DefaultGroup) {
		t.Errorf("hint = %q", told.Hint)
	}
}

func (e *edge) wait(t *testing.T, id string) {
	t.Helper()
	apptest.Eventually(t, "operation "+id+" ends", func() bool {
		running := e.App.Status().Operation
		return running == nil || running.ID != id
	})
}
