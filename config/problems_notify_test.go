package config

import (
	"errors"
	"strings"
	"testing"
)

func TestAlertMistakesAreExplained(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "services that are no URLs",
			app:  "notify: { services: [s3cr3t, 'slack:s3cr3t', '://s3cr3t', \"slack://a\\ns3cr3t\"] }",
			want: []string{
				`6: apps.a.notify.services[0]: must be the URL of a service, such as slack://… or generic+https://…; it is not cited, for it is a secret`,
				`6: apps.a.notify.services[1]: must be the URL of a service, such as slack://… or generic+https://…; it is not cited, for it is a secret`,
				`6: apps.a.notify.services[2]: must be the URL of a service, such as slack://… or generic+https://…; it is not cited, for it is a secret`,
				`6: apps.a.notify.services[3]: must be the URL of a service, such as slack://… or generic+https://…; it is not cited, for it is a secret`,
			},
		},
		{
			name: "a webhook as a browser writes it",
			app:  "notify: { services: ['https://hooks.example.com/s3cr3t'] }",
			want: []string{`6: apps.a.notify.services[0]: is the URL of a page: for a webhook write generic+https://…, for a chat the URL that shoutrrr documents`},
		},
		{
			name: "a service twice",
			app:  "notify:\n  services:\n    - slack://s3cr3t@a\n    - slack://s3cr3t@a",
			want: []string{`9: apps.a.notify.services[1]: is the same as services[0]: remove one, or everything is told twice`},
		},
		{
			name: "a service that is refused by its kind",
			app:  "notify: { services: ['pager://s3cr3t'] }",
			opts: Options{Service: func(url string) error {
				if url != "pager://s3cr3t" {
					return nil
				}
				return errors.New("nobody knows it")
			}},
			want: []string{`6: apps.a.notify.services[0]: is not a service that can be told: nobody knows it`},
		},
		{
			name: "times and shares",
			app:  "notify: { repeat: 0s, error_rate: 101 }",
			top:  "disk: { warn: 0 }",
			want: []string{
				`6: apps.a.notify.repeat: must be longer than zero, is "0s"`,
				`6: apps.a.notify.error_rate: must be a number of per cent from 0 to 100, such as 5 or 0.5, is "101"`,
				`7: disk.warn: must be above 0: write 100 for a disk that is quite full`,
			},
		},
		{
			name: "a share in words",
			app:  "notify: { error_rate: 5% }",
			top:  "disk: { warn: -1 }",
			want: []string{
				`6: apps.a.notify.error_rate: must be a number of per cent from 0 to 100, such as 5 or 0.5, is "5%"`,
				`7: disk.warn: must be a number of per cent from 0 to 100, such as 5 or 0.5, is "-1"`,
			},
		},
		{
			name: "one service instead of a list",
			app:  "notify: { services: slack://s3cr3t@a }",
			want: []string{`6: apps.a.notify.services: must be a list, such as [a, b]`},
		},
	})
}

func TestAServiceIsNeverCited(t *testing.T) {
	for _, service := range []string{"s3cr3t", "https://s3cr3t", "slack://%zzs3cr3t", "12", "true", "[s3cr3t]"} {
		source := oneApp + "    notify: { services: [" + service + ", " + service + "] }\n"
		_, err := Parse("bluegreen.yaml", []byte(source), Options{Env: testEnv})
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", service, err)
		}
	}
}
