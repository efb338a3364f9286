// Package browsertest drives a real Chromium for tests of pages, and notices
// what the browser complains about.
//
// It must not know which pages are tested.
package browsertest

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Page is a tab of a browser of its own. Whatever the browser complains about
// fails the test: an error on the console, or a violation of a policy.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	expected []string // parts of complaints that are meant to be
}

// Open starts a browser that ends with the test. Without Chromium the test is
// skipped, or fails when CI is set. It finds the hosts on loopback, and takes
// any certificate for theirs.
func Open(t testing.TB, hosts ...string) *Page {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not installed: scripts/prepare.sh does")
		}
		t.Skip("chromium is not installed: scripts/prepare.sh does")
	}
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(dir), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("lang", "en"))
	if len(hosts) > 0 {
		var rules []string
		for _, host := range hosts {
			rules = append(rules, "MAP "+host+" 127.0.0.1")
		}
		options = append(options, chromedp.Flag("host-resolver-rules", strings.Join(rules, ",")), chromedp.Flag("ignore-certificate-errors", true))
	}
	allocator, closeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	p := &Page{t: t, ctx: ctx, expected: []string{networkChanged}}
	heard := make(chan struct{})
	complaints := chromedp.Console(ctx)
	go func() {
		defer close(heard)
		for m, err := range complaints {
			if err != nil {
				return
			}
			if kind := string(m.Type); m.IsException() || kind == "error" || kind == "warning" || m.Source == "security" {
				p.complain(m.String())
			}
		}
	}()
	t.Cleanup(func() {
		closeBrowser()
		closeAllocator()
		<-heard
		_ = os.RemoveAll(dir)
	})
	p.do("starting the browser")
	return p
}

func (p *Page) complain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.expected {
		if strings.Contains(text, part) {
			return
		}
	}
	p.t.Errorf("the browser complains: %s", text)
}

// Expect lets complaints pass that contain the part.
func (p *Page) Expect(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, part)
}

// networkChanged is what the browser answers when an interface comes or goes on
// this machine, as with every container that another test starts.
const networkChanged = "ERR_NETWORK_CHANGED"

// patience bounds a single step.
const patience = 30 * time.Second

func (p *Page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := p.try(steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

func (p *Page) try(steps ...chromedp.Action[chromedp.Void]) error {
	ctx := p.ctx
	if len(steps) > 0 { // the first run makes the browser, which must outlive it
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(p.ctx, patience)
		defer cancel()
	}
	return chromedp.Do(ctx, steps...)
}

// Go opens an address.
func (p *Page) Go(url string) {
	p.t.Helper()
	for range 3 {
		err := p.try(chromedp.Navigate(url))
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), networkChanged) {
			p.t.Fatalf("opening %s: %v", url, err)
		}
	}
	p.t.Fatalf("opening %s: %s, again and again", url, networkChanged)
}

// Click clicks what a CSS selector finds, once it can be seen.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.do("clicking "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Type writes into what a CSS selector finds.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.do("typing into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Press sends keys to whatever has the focus.
func (p *Page) Press(keys string) {
	p.t.Helper()
	p.do("pressing keys", chromedp.KeyEvent(keys))
}

// Eval runs a script in the page and reads its result.
func Eval[T any](p *Page, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("JSON.stringify("+script+") ?? 'null'"))
	if err != nil {
		p.t.Fatalf("evaluating %s: %v", script, err)
	}
	var result T
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		p.t.Fatalf("evaluating %s: %v", script, err)
	}
	return result
}

// Text is what is visible of what a CSS selector finds; empty when it finds
// nothing.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	quoted, _ := json.Marshal(selector)
	return Eval[string](p, "document.querySelector("+string(quoted)+")?.innerText ?? ''")
}

// Wait polls until what a CSS selector finds shows a text. Where the browser
// gave up because the network changed, it is told to ask again.
func (p *Page) Wait(selector, text string) {
	p.t.Helper()
	var found string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if found = p.Text(selector); strings.Contains(found, text) {
			return
		}
		if strings.Contains(p.Text("#main-frame-error"), networkChanged) {
			_ = p.try(chromedp.Reload()) // if it changes once more, the next look sees it
		}
	}
	p.t.Fatalf("waited in vain for %q in %s, which shows %q", text, selector, found)
}

// Look sets the size of the window and the preferred colours, light or dark.
func (p *Page) Look(width, height int64, scheme string) {
	p.t.Helper()
	p.look(width, height, 1, scheme)
}

// LookSharp is Look with two pixels for each.
func (p *Page) LookSharp(width, height int64, scheme string) {
	p.t.Helper()
	p.look(width, height, 2, scheme)
}

func (p *Page) look(width, height int64, scale float64, scheme string) {
	p.t.Helper()
	p.do("setting the window", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: height, DeviceScaleFactor: scale,
		})
		if err == nil {
			_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
		}
		return err
	}))
}

// WithoutScripts makes pages run no JavaScript of their own.
func (p *Page) WithoutScripts() {
	p.t.Helper()
	p.do("turning JavaScript off", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
}

// Screenshot is a PNG of the whole page, or of the window.
func (p *Page) Screenshot(whole bool) []byte {
	p.t.Helper()
	take := chromedp.CaptureScreenshot()
	if whole {
		take = chromedp.FullScreenshot(100)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, take)
	if err != nil {
		p.t.Fatalf("taking a screenshot: %v", err)
	}
	return png
}
