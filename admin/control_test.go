package admin

import (
	"net/http"
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

func TestPauseAndResumeAnswerAtOnceAndTwiceTheSame(t *testing.T) {
	e := startEdge(t)
	e.Deploy(t, "a")
	for i, changed := range []bool{true, false} {
		answer, err := e.client.Pause(t.Context(), "chat", switcher.PauseRequest{Max: time.Minute})
		if err != nil || answer.Changed != changed || answer.Pause == nil || answer.Pause.By == "" {
			t.Errorf("pause %d: %+v, %v", i+1, answer, err)
		}
	}
	if st, err := e.client.Status(t.Context(), "chat"); err != nil || st.Pause == nil || time.Until(st.Pause.Until) > time.Minute {
		t.Errorf("status = %+v, %v", st.Pause, err)
	}
	for i, changed := range []bool{true, false} {
		answer, err := e.client.Resume(t.Context(), "chat")
		if err != nil || answer.Changed != changed || answer.Pause != nil {
			t.Errorf("resume %d: %+v, %v", i+1, answer, err)
		}
	}
}

func TestPauseThatIsTooLongIsAUsageError(t *testing.T) {
	e := startEdge(t)
	wantProblem(t, e.send(t, "POST", "/v1/apps/chat/pause", `{"max": 3600000000000}`), http.StatusBadRequest, switcher.CodeUsage, "1h0m0s is out of range")
	wantProblem(t, e.send(t, "POST", "/v1/apps/chat/pause", `{"maximum": 1}`), http.StatusBadRequest, switcher.CodeUsage, "not acceptable")
}

func TestPauseIsPossibleWhileAnOperationRuns(t *testing.T) {
	e := startEdge(t)
	e.Deploy(t, "a")
	release := e.HoldFetch()
	defer release()
	e.send(t, "POST", "/v1/apps/chat/deploy", `{"commit": "b"}`)
	if _, err := e.client.Pause(t.Context(), "chat", switcher.PauseRequest{}); err != nil {
		t.Error(err)
	}
	if st := e.App.Status(); st.Operation == nil || st.Pause == nil {
		t.Errorf("operation %v, pause %v", st.Operation, st.Pause)
	}
}
