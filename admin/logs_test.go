package admin

import (
	"net/url"
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

func TestAQueryForLogsMeansTheSameOnBothSides(t *testing.T) {
	now := time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)
	for text, want := range map[string]LogQuery{
		"":          {Lines: 100},
		"since=10m": {Since: now.Add(-10 * time.Minute)},
		"since=2026-11-24T13:00:00.5Z&lines=7&colour=green&access=true&follow=true": {
			Colour: switcher.Green, Access: true, Lines: 7, Since: now.Add(-time.Hour + time.Second/2), Follow: true,
		},
		"lines=0": {},
	} {
		query, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseLogs(query, now)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := parseLogs(want.values(), now); err != nil || again != want {
			t.Errorf("%+v asked for: %+v, %v", want, again, err)
		}
	}
	for _, text := range []string{"lines=-1", "lines=many", "lines=1000001", "since=-3m", "since=yesterday", "colour=red", "follow=perhaps", "tail=3"} {
		query, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseLogs(query, now); switcher.CodeOf(err) != switcher.CodeUsage {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
