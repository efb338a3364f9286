package process

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// processFD is a pidfd: it stays bound to one process whatever becomes of the
// pid, and tells the end also of processes that are not our children.
type processFD struct{ file *os.File }

// newProcessFD wraps the pidfd raw, or opens one if the kernel gave none.
func newProcessFD(pid, raw int) (*processFD, error) {
	if raw < 0 {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return nil, err
		}
		raw = fd
	}
	// Non-blocking makes the runtime's poller take it.
	if err := unix.SetNonblock(raw, true); err != nil {
		unix.Close(raw)
		return nil, err
	}
	return &processFD{os.NewFile(uintptr(raw), fmt.Sprintf("pidfd:%d", pid))}, nil
}

// wait blocks until the process has ended, and fails when ctx ends first.
func (p *processFD) wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { p.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(fd uintptr) bool { return ended(int(fd)) })
}

// ended reports whether the process of a pidfd has ended, waited for or not.
func ended(fd int) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 0)
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// adopt finds the process of an instance that this Runtime did not start, or
// whose start was cut short, and watches it. The caller holds the turn, or is New.
func (r *Runtime) adopt(in *instance) {
	rec := in.record()
	if in.running() != nil || rec.State == stopped || rec.State == unborn {
		return
	}
	leader := rec.Process
	if leader.PID == 0 {
		leader = r.leaderOf(rec.Instance)
	}
	if fd, err := openAlive(leader); err == nil {
		r.record(in, func(rec *record) { rec.State, rec.Process = running, leader })
		r.watch(in, leader.PID, fd)
		return
	}
	r.sweep(rec.Instance)
	if rec.State == running {
		code := switcher.ExitUnknown
		if rec.Job {
			code = r.end(rec.Instance).code
		}
		r.record(in, func(rec *record) { rec.State, rec.ExitCode = stopped, code })
	}
}

// leaderOf finds the first process of an instance by its mark: the oldest that
// leads a group.
func (r *Runtime) leaderOf(instance string) identity {
	var oldest identity
	for _, pid := range r.marked(instance) {
		if group, err := syscall.Getpgid(pid); err != nil || group != pid {
			continue
		}
		if id, ok := identify(pid); ok && (oldest.PID == 0 || id.Start < oldest.Start) {
			oldest = id
		}
	}
	return oldest
}

// openAlive returns a pidfd of exactly this process, if it still runs.
func openAlive(id identity) (*processFD, error) {
	if !id.alive() {
		return nil, unix.ESRCH
	}
	fd, err := newProcessFD(id.PID, -1)
	if err != nil {
		return nil, err
	}
	if !id.alive() { // it ended meanwhile, and the pidfd may be of its successor
		fd.file.Close()
		return nil, unix.ESRCH
	}
	return fd, nil
}

// record is change where a disk that does not follow is only told.
func (r *Runtime) record(in *instance, alter func(*record)) {
	if err := r.change(in, alter); err != nil {
		r.log.Error("an instance could not be recorded", "error", err)
	}
}

// watch follows a process to its end, in the background.
func (r *Runtime) watch(in *instance, pid int, fd *processFD) {
	life := &run{pid: pid, began: in.record().Process.began(), fd: fd, done: make(chan struct{})}
	in.mu.Lock()
	in.run = life
	in.mu.Unlock()
	r.tellStarted(in, life)
	began := time.Now()
	r.watches.Go(func() {
		defer fd.file.Close()
		if err := fd.wait(r.open); err != nil {
			return // closed; the process goes on
		}
		r.bury(in, life)
		if rec := in.record(); rec.Kept {
			r.log.Warn("an instance died and is started again", "instance", rec.Instance, "exit_code", rec.ExitCode)
			r.revive(in, time.Since(began))
		}
	})
}

// bury ends what the process left behind, and records its end.
func (r *Runtime) bury(in *instance, life *run) {
	rec := in.record()
	code := switcher.ExitUnknown
	if isChild(life.pid) {
		// Not waited for yet, so that the pid and its group are still its own.
		syscall.Kill(-life.pid, syscall.SIGKILL)
		code = reap(life.pid)
	}
	r.sweep(rec.Instance)
	if rec.Job {
		code = r.end(rec.Instance).code
	}
	r.record(in, func(rec *record) { rec.State, rec.ExitCode = stopped, code })
	in.mu.Lock()
	in.run = nil
	in.mu.Unlock()
	r.tellDied(in, life, code)
	close(life.done)
}

// isChild reports whether a process that has ended can be waited for.
func isChild(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// reap waits for a child that has ended.
func reap(pid int) int {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return switcher.ExitUnknown
		}
		return exitCodeOf(status)
	}
}

// sweep kills what carries the mark of an instance whose first process has ended.
func (r *Runtime) sweep(instance string) {
	for _, pid := range r.marked(instance) {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if r.carriesMark(pid, instance) { // still that process: the pidfd is bound to it
			unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
		unix.Close(fd)
	}
}

const (
	firstPause  = 200 * time.Millisecond
	longestLull = 10 * time.Second
)

// revive starts a kept instance that died, until it runs or is no longer to
// be. One that ran for long is started at once.
func (r *Runtime) revive(in *instance, ran time.Duration) {
	in.mu.Lock()
	if ran > longestLull {
		in.deaths = 0
	}
	pause := min(firstPause<<min(in.deaths, 16), longestLull)
	in.deaths++
	in.mu.Unlock()
	for {
		select {
		case <-r.open.Done():
			return
		case <-time.After(pause):
		}
		if in.take(r.open) != nil {
			return
		}
		rec := in.record()
		done := !rec.Kept || in.running() != nil || in.gone()
		if !done {
			err := r.spawn(in)
			if done = err == nil; done {
				r.record(in, func(rec *record) { rec.Restarts++ })
			} else {
				r.log.Error("an instance could not be started again", "instance", rec.Instance, "error", err)
			}
		}
		in.release()
		if done {
			return
		}
		pause = min(2*pause, longestLull)
	}
}
