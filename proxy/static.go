package proxy

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const indexPage = "index.html"

// serveFile answers from the folder of the flight's path route. There are no
// listings of directories, and what is hidden stays so.
func (s *Server) serveFile(f *flight, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		f.Header().Set("Allow", "GET, HEAD")
		s.fail(f, r, FailureNone, http.StatusMethodNotAllowed)
		return
	}
	name, ok := f.path.fileName(r.URL.Path)
	if !ok {
		s.fail(f, r, FailureNone, http.StatusNotFound)
		return
	}
	info, err := fs.Stat(f.path.Static, name) // first, for opening a pipe could wait
	if err == nil && info.IsDir() && isFile(f.path.Static, name+"/"+indexPage) {
		target := *r.URL
		target.Path, target.RawPath = target.Path+"/", ""
		f.Header().Set("Cache-Control", redirectAge)
		writeRedirect(f, "", &target)
		return
	}
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	var file fs.File
	if err == nil {
		file, err = f.path.Static.Open(name)
	}
	if err == nil {
		defer func() { _ = file.Close() }()
		info, err = file.Stat() // it may have been replaced
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("static file not served", "host", r.Host, "path", f.path.Path, "file", name, "error", err, "request", f.id)
		}
		s.fail(f, r, FailureNone, http.StatusNotFound)
		return
	}
	s.serveContent(f, r, info, file.(io.ReadSeeker))
}

// serveContent sends a file, or the ranges of it that are asked for, or that
// it has not changed (RFC 9110 §13, §14).
func (s *Server) serveContent(f *flight, r *http.Request, info fs.FileInfo, content io.ReadSeeker) {
	h := f.Header()
	h.Set("Etag", `"`+strconv.FormatInt(info.ModTime().UnixNano(), 36)+"-"+strconv.FormatInt(info.Size(), 36)+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	if age := f.path.Cache; age > 0 {
		h.Set("Cache-Control", "max-age="+strconv.FormatInt(int64(age/time.Second), 10))
	}
	if f.route.Policy.Compress {
		c := f.compressor(r)
		defer c.release()
		http.ServeContent(c, r, info.Name(), info.ModTime(), content)
		if c.encoder != nil && c.taken < info.Size() && f.writeErr == nil {
			// Cut off while it was read: it must not look whole.
			f.failure = FailureBody
			panic(http.ErrAbortHandler)
		}
		_ = c.end() // a client that is gone is noted by the flight
	} else {
		http.ServeContent(f, r, info.Name(), info.ModTime(), content)
	}
	if f.writeErr != nil {
		f.failure = f.brokenOff(r)
	}
}

// fileName returns the name in the folder that a path stands for, and whether
// it may be looked for: it must be clean, and nothing in it may be hidden but
// .well-known (RFC 8615).
func (at *pathRoute) fileName(decoded string) (string, bool) {
	name, ok := strings.CutPrefix(decoded, strings.TrimSuffix(at.Path, "/"))
	if name = strings.TrimPrefix(name, "/"); name == "" || strings.HasSuffix(name, "/") {
		name += indexPage
	}
	if !ok || !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") {
		return "", false
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment[0] == '.' && segment != ".well-known" {
			return "", false
		}
	}
	return name, true
}

func isFile(folder fs.FS, name string) bool {
	info, err := fs.Stat(folder, name)
	return err == nil && info.Mode().IsRegular()
}
