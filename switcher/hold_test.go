package switcher_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// worker is a database whose operations a test makes up.
type worker struct {
	switcher.Database // that nothing else is asked of
	do                func(switcher.DatabaseWork)
}

func (w *worker) Do(_ context.Context, _ switcher.Kind, work switcher.DatabaseWork) (string, error) {
	w.do(work)
	return "done", nil
}

func (w *worker) Answers(context.Context) error                            { return nil }
func (w *worker) Migrate(context.Context, switcher.DatabaseWork) error     { return nil }
func (w *worker) Recover(context.Context, switcher.Teller) (string, error) { return "", nil }
func (w *worker) Status() switcher.DatabaseStatus                          { return switcher.DatabaseStatus{OK: true} }
func (w *worker) Fit(context.Context, string) (switcher.Fit, error)        { return switcher.Fit{}, nil }

// A request that comes while both routes are held waits and is answered; one
// that was there before is waited for; one that may write is refused while
// writes are frozen.
func TestRequestsWaitForTheDatabaseInsteadOfFailing(t *testing.T) {
	db := &worker{}
	b := apptest.Start(t, "chat", func(s *switcher.Settings) { s.Database = db })
	b.Deploy(t, "a")
	release := b.Occupy(t)
	status := b.App.Status
	service := b.App.Service(switcher.Production)
	table, err := proxy.NewTable(proxy.TableOptions{Services: map[string]*proxy.Service{"chat.test": service}})
	if err != nil {
		t.Fatal(err)
	}
	server := proxy.New(proxy.Options{Table: table})
	ask := func(method string) int {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "http://chat.test/health", strings.NewReader("")))
		return w.Code
	}
	answered := make(chan int, 1)
	db.do = func(work switcher.DatabaseWork) {
		work.Freeze(true)
		if got := ask(http.MethodPost); got != http.StatusServiceUnavailable {
			t.Errorf("a POST during the freeze: %d", got)
		}
		if got := ask(http.MethodGet); got != http.StatusOK {
			t.Errorf("a GET during the freeze: %d", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			apptest.Eventually(t, "the route is held", func() bool { return service.Route().Hold != nil })
			cancel()
		}()
		letGo := work.Hold(ctx)
		if ctx.Err() == nil || status().Slots[switcher.Blue].InFlight != 1 {
			t.Error("what was in flight was not waited for")
		}
		release()
		work.Hold(t.Context()) // now it comes to an end
		if n := status().Slots[switcher.Blue].InFlight; n != 0 {
			t.Errorf("%d in flight", n)
		}
		go func() { answered <- ask(http.MethodGet) }()
		hold := service.Route().Hold
		apptest.Eventually(t, "the request waits", func() bool { return hold.Waiting() == 1 })
		letGo()
	}
	op, err := b.App.Database("maria@host", switcher.KindRestore, switcher.DatabaseRequest{})
	if err == nil {
		err = op.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := <-answered; got != http.StatusOK {
		t.Errorf("the request that was held: %d", got)
	}
	if got := ask(http.MethodPost); got != http.StatusOK {
		t.Errorf("a POST afterwards: %d", got)
	}
}
