package pgtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	patience  = time.Minute // for the server to start or stop
	superuser = "postgres"
	password  = "super-secret"
)

// Cluster is a running PostgreSQL server.
type Cluster struct {
	// Superuser is the URL of the superuser, in the database postgres.
	Superuser string
	// SocketDir holds the unix socket, also under the name of PostgreSQL's own
	// port, so that a container that has it mounted needs no port in its URL.
	SocketDir string
	// Bin is the directory with the server's programs.
	Bin string

	account  account
	dir      string
	port     int
	settings []string
	running  *exec.Cmd
	lifeline io.Closer
	count    atomic.Int64 // of databases
}

// create makes the files of a cluster; nothing runs yet.
func create(settings []string) (*Cluster, error) {
	bin, err := Bin()
	if err != nil {
		return nil, err
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	// Socket paths are short, and a test's own directory cannot be passed by another account.
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Bin: bin, SocketDir: filepath.Join(dir, "sockets"), account: as, dir: dir, settings: settings}
	if err := c.initialize(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return c, nil
}

func (c *Cluster) initialize() error {
	secret := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o644); err != nil {
		return err
	}
	if err := os.Mkdir(c.SocketDir, 0o755); err != nil {
		return err
	}
	for _, path := range []string{c.dir, c.SocketDir} {
		if err := os.Chmod(path, 0o755); err != nil {
			return err
		}
		if err := os.Chown(path, c.account.uid, c.account.gid); err != nil {
			return err
		}
	}
	initdb := c.account.command(filepath.Join(c.Bin, "initdb"), "--pgdata", c.data(), "--username", superuser, "--pwfile", secret,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	if said, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, said)
	}
	return nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// start starts the server on a free port, the one it had if that is still free,
// and waits until it answers.
func (c *Cluster) start() error {
	var err error
	for range 3 {
		if err = c.choosePort(); err != nil {
			return err
		}
		if err = c.launch(); err == nil {
			return nil
		}
		c.port = 0 // somebody else may have it by now
	}
	said, _ := os.ReadFile(filepath.Join(c.dir, "log"))
	return fmt.Errorf("%w\n%s", err, said)
}

func (c *Cluster) choosePort() error {
	if c.port != 0 {
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.port = listener.Addr().(*net.TCPAddr).Port
	c.Superuser = c.url(superuser, password, "postgres")
	link := filepath.Join(c.SocketDir, ".s.PGSQL.5432")
	_ = os.Remove(link)
	if err := os.Symlink(".s.PGSQL."+strconv.Itoa(c.port), link); err != nil {
		return err
	}
	return listener.Close()
}

// guarded runs the server for as long as its standard input is open, which it
// is until the tests end in whatever way. If they end without ending the server,
// its files are removed here.
const guarded = `
dir=$1
shift
exec 3<&0
"$@" </dev/null 3<&- & server=$!
(read -r _; touch "$dir/orphaned"; kill -QUIT $server) <&3 3<&- & guard=$!
exec 3<&-
wait $server
code=$?
if [ -e "$dir/orphaned" ]; then rm -rf "$dir"; else kill $guard; fi
exit $code`

func (c *Cluster) launch() error {
	args := []string{"-c", guarded, "pgtest", c.dir, filepath.Join(c.Bin, "postgres"), "-D", c.data(), "-p", strconv.Itoa(c.port), "-k", c.SocketDir}
	settings := []string{
		"listen_addresses=127.0.0.1", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB",
		"max_wal_size=2GB", "jit=off", "timezone=UTC", "log_timezone=UTC",
		"shared_preload_libraries=pg_stat_statements",
	}
	for _, setting := range append(settings, c.settings...) {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := c.account.command("/bin/sh", args...)
	cmd.Stdout, cmd.Stderr = log, log
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.running, c.lifeline = cmd, lifeline
	if err := c.await(); err != nil {
		c.stop(syscall.SIGQUIT)
		return err
	}
	return nil
}

// await waits until the server that was started answers.
func (c *Cluster) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.Superuser)
		if err == nil {
			return conn.Close(ctx)
		}
		if !c.alive() {
			return fmt.Errorf("PostgreSQL has ended")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// alive reports whether the shell around the server runs.
func (c *Cluster) alive() bool {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(c.running.Process.Pid, &status, syscall.WNOHANG, nil)
	return err == nil && pid == 0
}

// server is the process id of the server; 0: there is none.
func (c *Cluster) server() int {
	text, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(line)
	return pid
}

// stop ends the server by one of its signals: SIGINT after rolling back what
// runs, SIGQUIT at once.
func (c *Cluster) stop(signal syscall.Signal) {
	if c.running == nil {
		return
	}
	if pid := c.server(); pid != 0 {
		_ = syscall.Kill(pid, signal)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	_ = c.running.Wait() // closes the lifeline too
	c.running = nil
}

func (c *Cluster) remove() { _ = os.RemoveAll(c.dir) }

// url is of a database for a user, over TCP.
func (c *Cluster) url(user, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)), Path: "/" + database}
	return u.String()
}

// Port is the port of the server on 127.0.0.1.
func (c *Cluster) Port() int { return c.port }
