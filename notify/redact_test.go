package notify

import (
	"errors"
	"strings"
	"testing"
)

// urls hold secret parts, all of which have "s3cr3t" in them.
var urls = []string{
	"slack://hook:TAAAAAAAA-BAAAAAAAA-s3cr3t789123456789abcdef@webhook",
	"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSs3cr3tPALDsaw@telegram?chats=@s3cr3tchannel",
	"discord://tokens3cr3ttoken@123456789012s3cr3t",
	"teams://11111111-4444-4444-8444-ccccccs3cr3t@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2ESyij_s3cr3t?host=example.webhook.office.com",
	"smtp://user:pa%20ss%2Fs3cr3t@mail.example.com:587/?from=bluegreen@example.com&to=ops@example.com",
	"generic://example.com/hooks/s3cr3tpath?token=s3cr3t%3Dvalue&@Authorization=Bearer+s3cr3tbearer&$team=s3cr3tteam",
	"generic+https://hooks.example.com/s3cr3talerts?@Authorization=Bearer+s3cr3tTOKEN",
	"generic+https://user:s3cr3tpass@example.com/hooks/s3cr3tpath?sig=as3cr3t%2Bb",
}

func TestServicesOfTheDocumentationAreTaken(t *testing.T) {
	for _, url := range urls {
		if err := Check(url); err != nil {
			t.Errorf("%s: %v", schemeOf(url), err)
		}
	}
	if err := Check("matrix://user:password@127.0.0.1:1/?rooms=!a"); err != nil { // asked for nothing
		t.Errorf("matrix: %v", err)
	}
}

func TestWhatIsWrongWithAURLIsToldWithoutItsSecrets(t *testing.T) {
	for _, url := range []string{
		"slack://hook:s3cr3t@webhook", "telegram://s3cr3t:tokens3cr3t@telegram?chats=@a", "telegram://110201543:AAHdqTcvCH1vGWJxfSeofSs3cr3tPALDsaw@telegram",
		"teams://s3cr3t@s3cr3t2/s3cr3tpath/b/c?host=x", "smtp://user:s3cr3t@host/", "smtp://user:s3cr3t@host/?from=a@b&to=c@d&s3cr3tkey=s3cr3t",
		"discord://s3cr3t", "pager://s3cr3t@x", "s3cr3t", "slack://%zzs3cr3t", "logger://s3cr3t", "ht tp://s3cr3t", "generic+ftp://\x7fs3cr3t",
	} {
		err := Check(url)
		if err == nil && !strings.HasPrefix(url, "generic") {
			t.Errorf("%s is taken", url)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") && !strings.Contains(err.Error(), "s3cr3tkey") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestErrorsOfServicesAreToldWithoutSecrets(t *testing.T) {
	for _, url := range urls {
		for _, said := range []string{
			`sending: Post "` + url + `": dial tcp 127.0.0.1:1: connect: connection refused`,
			`sending: Post "https://user:pa%20ss%2Fs3cr3t@x.example/bot110201543:AAHdqTcvCH1vGWJxfSeofSs3cr3tPALDsaw": EOF`,
			"redirected to https://elsewhere.example/s3cr3t123", "invalid token: " + url, url + " failed",
			"server said s3cr3t789123456789abcdef, pa ss/s3cr3t, tokens3cr3ttoken, V2ESyij_s3cr3t, s3cr3t=value, as3cr3t+b, ccccccs3cr3t, s3cr3tpath, s3cr3tchannel, s3cr3tbearer, s3cr3tteam, s3cr3tpass, 123456789012s3cr3t",
		} {
			got := redacted(errors.New(said), url).Error()
			if strings.HasPrefix(said, "server said") {
				for _, secret := range secrets(url) {
					if strings.Contains(secret, "s3cr3t") && strings.Contains(got, secret) {
						t.Errorf("%s: %q holds %q", schemeOf(url), got, secret)
					}
				}
				continue
			}
			if strings.Contains(got, "s3cr3t") {
				t.Errorf("%s: %q", schemeOf(url), got)
			}
		}
	}
}

func TestTheReasonIsKept(t *testing.T) {
	err := redacted(errors.New(`failed to send notification to generic webhook: sending HTTP request: Post "https://example.com/s3cr3t": dial tcp: lookup example.com: no such host`), "generic://example.com/s3cr3t")
	if want := "dial tcp: lookup example.com: no such host"; err.Error() != want {
		t.Errorf("the reason is %q, want %q", err, want)
	}
	if redacted(nil, urls[0]) != nil {
		t.Error("nil became an error")
	}
}
