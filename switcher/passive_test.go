package switcher_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

func TestOneFailedRequestIsEnoughToFindADeadSlot(t *testing.T) {
	b := apptest.Start(t, "chat", func(s *switcher.Settings) { s.Health.Interval = time.Hour })
	b.Deploy(t, "a")
	table, err := proxy.NewTable(proxy.TableOptions{
		Services: map[string]*proxy.Service{"chat.test": b.App.Service(switcher.Production)},
	})
	if err != nil {
		t.Fatal(err)
	}
	blue := func() switcher.SlotStatus { return b.App.Status().Slots[switcher.Blue] }
	edge := proxy.New(proxy.Options{Table: table})
	apptest.Eventually(t, "a request fails", func() bool { // the recovery at the start may still bring the instance back
		if err := b.Stop(t.Context(), blue().Instance); err != nil {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		edge.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://chat.test/", nil))
		return answer.Code == http.StatusBadGateway
	})
	failed := time.Now()
	apptest.Eventually(t, "the slot is found dead and its instance is brought back", func() bool {
		h := b.App.History()
		last := h[len(h)-1]
		return last.Kind == switcher.KindRecover && last.Began.After(failed) && blue().Health.Status == switcher.Healthy
	})
}
