package proxy

import (
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serving returns an edge that serves a folder of files under /files/.
func serving(t *testing.T, adjust func(*PathOptions), files ...string) (*edge, string) {
	t.Helper()
	dir := folder(t, files...)
	o := PathOptions{Path: "/files/", Static: os.DirFS(dir)}
	if adjust != nil {
		adjust(&o)
	}
	slot := startBackend(t, func(http.ResponseWriter, *http.Request) { t.Error("the slot was asked") })
	e := startEdge(t, slot)
	e.under(func(p *Policy) { p.Paths = NewPaths([]PathOptions{o}) })
	return e, dir
}

func TestFilesAreServedAndNothingElse(t *testing.T) {
	e, dir := serving(t, nil, "a.css", "index.html", "in/index.html", "bare/b.txt", ".env", ".git/config", ".well-known/security.txt", "c d.txt")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]string{
		"/files/":                          "200 index.html",
		"/files":                           "308 /files/",
		"/files/a.css":                     "200 a.css",
		"/files/a.css?v=1":                 "200 a.css",
		"/files/%61.css":                   "200 a.css",
		"/files/c%20d.txt":                 "200 c d.txt",
		"/files/in/":                       "200 in/index.html",
		"/files/in":                        "308 /files/in/",
		"/files/in?x=1":                    "308 /files/in/?x=1",
		"/files/.well-known/security.txt":  "200 .well-known/security.txt",
		"/files/bare":                      "404",
		"/files/bare/":                     "404",
		"/files/gone":                      "404",
		"/files/a.css/":                    "404",
		"/files/a.css/x":                   "404",
		"/files/.env":                      "404",
		"/files/%2eenv":                    "404",
		"/files/.git/config":               "404",
		"/files//a.css":                    "404",
		"/files/./a.css":                   "404",
		"/files/in/../a.css":               "404",
		"/files/in/%2e%2e/a.css":           "404",
		"/files/in%2f..%2fa.css":           "404",
		`/files/in\index.html`:             "404",
		"/files/a.css%00":                  "404",
		"/files/pipe":                      "404",
		"/files/../../../../../etc/passwd": "400",
	} {
		c := e.dial(appHost)
		c.send("GET "+uri+" HTTP/1.1", "Host: "+appHost, "")
		response, body := c.response()
		got := response.Status[:3]
		switch response.StatusCode {
		case 200:
			got += " " + body
		case 308:
			got += " " + response.Header.Get("Location")
		}
		if got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
	}
}

func TestFilesHaveValidatorsAndRanges(t *testing.T) {
	e, dir := serving(t, nil, "a.css")
	response, _ := e.get(true, "https://"+appHost+"/files/a.css")
	tag, modified := response.Header.Get("ETag"), response.Header.Get("Last-Modified")
	if tag == "" || modified == "" || response.Header.Get("Content-Type") != "text/css; charset=utf-8" ||
		response.Header.Get("Cache-Control") != "no-cache" || response.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header %v", response.Header)
	}
	for _, c := range []struct {
		field, value string
		status       int
		body         string
	}{
		{"If-None-Match", tag, 304, ""}, {"If-Modified-Since", modified, 304, ""}, {"Range", "bytes=2-", 206, "css"}, {"Range", "bytes=99-", 416, ""},
	} {
		response, body := e.get(true, "https://"+appHost+"/files/a.css", c.field, c.value)
		if response.StatusCode != c.status || c.status != 416 && body != c.body {
			t.Errorf("%s: %d %q", c.field, response.StatusCode, body)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, "a.css"), time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if response, _ := e.get(true, "https://"+appHost+"/files/a.css", "If-None-Match", tag); response.StatusCode != 200 {
		t.Errorf("a file that has changed: %d", response.StatusCode)
	}
	response, body := e.do(false, http.MethodHead, "https://"+appHost+"/files/a.css", nil)
	if response.StatusCode != 200 || response.ContentLength != 5 || body != "" {
		t.Errorf("HEAD: %d, length %d, %q", response.StatusCode, response.ContentLength, body)
	}
}

func TestFilesMayBeKeptAsLongAsSaid(t *testing.T) {
	e, _ := serving(t, func(o *PathOptions) { o.Cache = 90 * time.Minute }, "a.css")
	if response, _ := e.get(false, "https://"+appHost+"/files/a.css"); response.Header.Get("Cache-Control") != "max-age=5400" {
		t.Errorf("Cache-Control %q", response.Header.Get("Cache-Control"))
	}
	if response, _ := e.get(false, "https://"+appHost+"/files/gone"); response.StatusCode != 404 || response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d, Cache-Control %q", response.StatusCode, response.Header.Get("Cache-Control"))
	}
}

func TestFilesAreOnlyRead(t *testing.T) {
	e, _ := serving(t, nil, "a.css")
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		response, _ := e.do(true, method, "https://"+appHost+"/files/a.css", strings.NewReader("x"))
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, response.StatusCode, response.Header.Get("Allow"))
		}
	}
}

func TestFilesAreCompressedToo(t *testing.T) {
	e, dir := serving(t, nil, "a.css")
	if err := os.WriteFile(filepath.Join(dir, "a.css"), []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	e.under(compress)
	response, body := e.get(true, "https://"+appHost+"/files/a.css", "Accept-Encoding", "gzip")
	tag := response.Header.Get("ETag")
	if decoded(t, "gzip", body) != long || !strings.HasPrefix(tag, `W/"`) || response.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("%v", response.Header)
	}
	if response, _ := e.get(true, "https://"+appHost+"/files/a.css", "Accept-Encoding", "gzip", "If-None-Match", tag); response.StatusCode != 304 || response.Header.Get("ETag") != tag {
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
}

// shrinking is a file that is cut off after it was looked at.
type shrinking struct{ fs.File }

func (f shrinking) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return longer{info}, err
}

func (f shrinking) Seek(offset int64, whence int) (int64, error) {
	return f.File.(io.Seeker).Seek(offset, whence)
}

type longer struct{ fs.FileInfo }

func (l longer) Size() int64 { return l.FileInfo.Size() + 1 }

type shrinkingFS struct{ fs.FS }

func (f shrinkingFS) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return shrinking{file}, nil
}

func TestFileThatIsCutOffIsNotCompressedToAWholeOne(t *testing.T) {
	e, dir := serving(t, func(o *PathOptions) { o.Static = shrinkingFS{o.Static} }, "a.css")
	if err := os.WriteFile(filepath.Join(dir, "a.css"), []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	e.under(compress)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+appHost+"/files/a.css", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	response, err := e.client(true).Do(r)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	if err == nil {
		t.Error("the response looks whole")
	}
	if o := e.recorder.only(t); o.Failure != FailureBody {
		t.Errorf("recorded %+v", o)
	}
}

func TestMissingFileGetsAnOwnPage(t *testing.T) {
	e, _ := serving(t, nil, "a.css")
	e.under(func(p *Policy) { p.Pages = ownPages(t, "404.html") })
	if response, body := e.get(true, "https://"+appHost+"/files/gone"); response.StatusCode != 404 || body != "404.html" {
		t.Errorf("%d %q", response.StatusCode, body)
	}
	if o := e.recorder.only(t); o.Status != 404 || o.Failure != FailureNone || o.Path != "/files/" {
		t.Errorf("recorded %+v", o)
	}
}
