package edgetls

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// settle is how long a file must have been left alone until what was read of it is taken for the
// whole: the clock of a file system may be this coarse.
const settle = 2 * time.Second

const maxPEM = 1 << 20

// pairFiles is a key pair of IssuerFiles as it was last read.
type pairFiles struct {
	KeyPair
	seen    stamp
	settled bool // seen is old enough to tell a later change
	content [sha256.Size]byte

	cert     *tls.Certificate // the last that could be used; nil when none could
	err      error            // why what is there now cannot
	failures int              // looks in a row that found it so
}

// stamp tells a file that was written or replaced, also behind a symbolic link.
type stamp struct{ cert, key fileStamp }

type fileStamp struct {
	device, inode    uint64
	size             int64
	modified, status syscall.Timespec
}

func stampOf(path string) (s fileStamp, changed time.Time, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return s, changed, err
	}
	if err := readable(path, info); err != nil {
		return s, changed, err
	}
	raw := info.Sys().(*syscall.Stat_t)
	return fileStamp{raw.Dev, raw.Ino, raw.Size, raw.Mtim, raw.Ctim}, time.Unix(raw.Ctim.Unix()), nil
}

func readable(path string, info os.FileInfo) error {
	if !info.Mode().IsRegular() || info.Size() > maxPEM {
		return fmt.Errorf("%s is not a regular file of at most %d bytes", path, maxPEM)
	}
	return nil
}

// readPEM reads what is at path now, which may be something else than what was
// looked at: to open a FIFO would wait for its writer.
func readPEM(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err == nil {
		err = readable(path, info)
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(file, maxPEM))
}

// look reads the files if they may have changed, and reports whether something is different now: a
// certificate to serve, or a failure to tell. What cannot be used is told at the second look in a
// row, because the files may just be being written, unless it must be told now.
func (p *pairFiles) look(now bool) (different bool) {
	seen, changed, err := p.stamp()
	if err == nil && !now && p.failures == 0 && p.settled && seen == p.seen {
		return false
	}
	p.seen, p.settled = seen, time.Since(changed) > settle
	if err == nil {
		different, err = p.read()
	}
	if err == nil {
		different = different || p.err != nil
		p.err, p.failures = nil, 0
		return different
	}
	p.failures++
	told := p.err != nil && p.err.Error() == err.Error()
	if told || p.failures == 1 && !now {
		return false
	}
	p.err = err
	return true
}

func (p *pairFiles) stamp() (s stamp, changed time.Time, err error) {
	var keyChanged time.Time
	if s.cert, changed, err = stampOf(p.Cert); err != nil {
		return s, changed, err
	}
	if s.key, keyChanged, err = stampOf(p.Key); keyChanged.After(changed) {
		changed = keyChanged
	}
	return s, changed, err
}

// read takes over what is in the files if it is new and usable.
func (p *pairFiles) read() (different bool, err error) {
	chain, err := readPEM(p.Cert)
	if err != nil {
		return false, err
	}
	key, err := readPEM(p.Key)
	if err != nil {
		return false, err
	}
	content := sha256.Sum256(bytes.Join([][]byte{chain, key}, []byte{0}))
	if p.cert != nil && content == p.content {
		return false, nil
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return false, err
	}
	p.cert, p.content = &cert, content
	return true, nil
}

// loadFiles reads all key pairs and gives each host the one that covers it.
func (c *Certificates) loadFiles(hosts map[string]*host) {
	for _, p := range c.pairs {
		if p.look(true) || p.err != nil {
			c.logPair(p)
		}
	}
	c.assign(hosts)
}

// watchFiles serves new certificates soon after their files were replaced, however that was done.
func (c *Certificates) watchFiles(ctx context.Context) error {
	for sleep(ctx, c.opts.pace.files) {
		c.rereadFiles()
	}
	return nil
}

func (c *Certificates) rereadFiles() {
	c.setting.Lock()
	defer c.setting.Unlock()
	different := false
	for _, p := range c.pairs {
		if p.look(false) {
			different = true
			c.logPair(p)
		}
	}
	if different {
		c.assign(*c.hosts.Load())
	}
}

func (c *Certificates) logPair(p *pairFiles) {
	switch {
	case p.err == nil:
		c.log.Info("key pair read", "cert", p.Cert, "not_after", p.cert.Leaf.NotAfter)
	case p.cert != nil:
		c.log.Error("key pair cannot be used; the one before is served", "cert", p.Cert, "key", p.Key, "error", p.err)
	default:
		c.log.Error("key pair cannot be used", "cert", p.Cert, "key", p.Key, "error", p.err)
	}
}

// assign gives each host the pair that covers it. One that has become unusable is served as it was
// before; the failure is told of the hosts that need it.
func (c *Certificates) assign(hosts map[string]*host) {
	var broken []string
	for _, p := range c.pairs {
		if p.err != nil && p.cert == nil {
			broken = append(broken, fmt.Sprintf("%s: %v", p.Cert, p.err))
		}
	}
	for _, h := range hosts {
		p := covering(c.pairs, h.name)
		if p == nil {
			reason := "no certificate file covers this host"
			if len(broken) > 0 {
				reason += "; unusable: " + strings.Join(broken, "; ")
			}
			h.fail(reason)
			c.log.Error("host has no certificate", "host", h.name, "error", reason)
			continue
		}
		h.serve(p.cert)
		if p.err != nil {
			h.fail(fmt.Sprintf("%s or its key cannot be used, the one before is served: %v", p.Cert, p.err))
		}
	}
}

// covering picks the pair that is valid for name now and for longest, or else any that names it.
func covering(pairs []*pairFiles, name string) *pairFiles {
	var best *pairFiles
	now := time.Now()
	for _, p := range pairs {
		if p.cert == nil || p.cert.Leaf.VerifyHostname(name) != nil {
			continue
		}
		if best == nil || better(p.cert, best.cert, now) {
			best = p
		}
	}
	return best
}

func better(a, b *tls.Certificate, now time.Time) bool {
	aStarted, bStarted := !now.Before(a.Leaf.NotBefore), !now.Before(b.Leaf.NotBefore)
	if aStarted != bStarted {
		return aStarted
	}
	return a.Leaf.NotAfter.After(b.Leaf.NotAfter)
}
