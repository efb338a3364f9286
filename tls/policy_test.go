package edgetls

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func internalEdge(t *testing.T, state string, hosts ...string) *edge {
	t.Helper()
	e := listen(t).serve(Options{Issuer: IssuerInternal, StateDir: state, Hosts: hosts}).run()
	e.awaitOK(hosts...)
	return e
}

func TestOnlyAEADSuitesAndModernVersionsAreNegotiated(t *testing.T) {
	e := internalEdge(t, t.TempDir(), production)
	attempt := func(config *tls.Config) error {
		config.ServerName, config.InsecureSkipVerify = production, true
		_, err := e.handshake(config)
		return err
	}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		aead := strings.Contains(suite.Name, "GCM") || strings.Contains(suite.Name, "POLY1305")
		wanted := aead && strings.Contains(suite.Name, "ECDHE_ECDSA") // the certificate is ECDSA
		err := attempt(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		if (err == nil) != wanted {
			t.Errorf("TLS 1.2 with %s alone: %v", suite.Name, err)
		}
	}
	if err := attempt(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	if err := attempt(&tls.Config{MinVersion: tls.VersionTLS13}); err != nil {
		t.Errorf("TLS 1.3 was refused: %v", err)
	}
}

func TestHTTP2IsPreferred(t *testing.T) {
	e := internalEdge(t, t.TempDir(), production)
	for _, offer := range [][]string{{"http/1.1", "h2"}, {"http/1.1"}} {
		config := &tls.Config{ServerName: production, InsecureSkipVerify: true, NextProtos: offer}
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", e.tlsAddr)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != offer[len(offer)-1] {
			t.Errorf("of %v the edge chose %q", offer, got)
		}
		_ = conn.Close()
	}
}

func TestHostNamesAreMatchedWhateverTheirCase(t *testing.T) {
	e := listen(t).serve(Options{
		Issuer: IssuerInternal, StateDir: t.TempDir(), Hosts: []string{production, strings.ToUpper(production)},
	}).run()
	e.awaitOK(production)
	if n := len(e.Status()); n != 1 {
		t.Errorf("one name in two spellings became %d hosts", n)
	}
	if _, err := e.shown(strings.ToUpper(production)); err != nil {
		t.Errorf("the name in capitals was refused: %v", err)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		opts   Options
		reason string
	}{
		"issuer":       {Options{Issuer: "letsencrypt", StateDir: dir}, "acme, internal or files"},
		"no state":     {Options{Issuer: IssuerInternal}, "state directory"},
		"no listener":  {Options{Issuer: IssuerACME, StateDir: dir}, "listener"},
		"missing root": {Options{Issuer: IssuerACME, StateDir: dir, TLSPort: 1, Root: dir + "/none.pem"}, "none.pem"},
		"credentials":  {Options{Issuer: IssuerACME, StateDir: dir, TLSPort: 1, Directory: "https://me:s3cret@ca/dir"}, "credentials"},
		"broken URL":   {Options{Issuer: IssuerACME, StateDir: dir, TLSPort: 1, Directory: "https://me:s3cret@ca:x/"}, "not a URL"},
		"wildcard":     {Options{Issuer: IssuerInternal, StateDir: dir, Hosts: []string{"*.example.test"}}, "*.example.test"},
	} {
		_, err := New(c.opts)
		if err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
}

func TestZapEntriesReachSlogOneLevelLower(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	zapped := zapLogger(log).Named("acme").With(zap.String("host", production))
	zapped.Info("detail")
	zapped.Warn("notable", zap.Int("n", 3))
	zapped.Error("trouble", zap.Error(context.Canceled))
	text := out.String()
	for _, want := range []string{"level=INFO msg=notable", "level=WARN msg=trouble", "n=3", "host=" + production, "part=acme", "context canceled"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "detail") {
		t.Errorf("a detail was written at the level of the edge's own news:\n%s", text)
	}
}
