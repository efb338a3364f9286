package switcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// stage is one part of a deploy. Stages run in order; the first that fails
// ends the deploy.
type stage struct {
	name string
	run  func(ctx context.Context, d *deployment) error
}

// deployment is a deploy as its stages see it.
type deployment struct {
	op       *Operation
	request  DeployRequest
	target   Colour
	release  Release
	spec     Spec
	placed   bool // the slot's record names the new instance
	started  bool // and the runtime runs it
	migrated bool // the database is as the release needs it
	wasWell  bool // the active release, before that
	unfit    bool // and it fails since

	migratedAt time.Time
}

// stages are all that a deploy does, in order. Later checks of a release are
// further stages.
func (a *App) stages() []stage {
	return []stage{
		{"answers", a.needDatabase},
		{"pull", a.fetch},
		{"check", a.checkSlot},
		{"database", a.migrate},
		{"clear", a.clearSlot},
		{"start", a.startInstance},
		{"health", a.awaitHealthy},
		{"active", a.lookAtActive},
		{"route", a.routeCandidate},
	}
}

// Deploy puts a release into the inactive slot, waits until it is healthy and
// points internal at it. The first release of an app becomes active at once.
func (a *App) Deploy(actor Actor, r DeployRequest) (*Operation, error) {
	image, err := a.reference(r)
	if err != nil {
		return nil, err
	}
	allowed, err := a.accepted(r.Allow, r.Reason)
	if err != nil {
		return nil, err
	}
	if r.SkipMigrations && a.settings.Load().Database == nil {
		return nil, NoDatabase()
	}
	allow := func(s *State) (Journal, error) {
		about := Journal{Commit: r.Commit, Allowed: allowed}
		if s.Active == "" && r.ForTests {
			return about, &Error{Code: CodeForbidden,
				What: "the first release of an app becomes active at once, which needs scope operate",
				Hint: "let somebody with scope operate deploy the first release"}
		}
		return about, a.notInBake(s)
	}
	return a.start(KindDeploy, actor, allow, func(ctx context.Context, op *Operation) (string, error) {
		return a.deploy(ctx, op, r, image)
	})
}

// notInBake refuses a deploy while the release before may be needed, or an
// operator has to decide what a bake has ended as.
func (a *App) notInBake(s *State) error {
	if s.Bake == nil {
		return nil
	}
	const confirm = "`bluegreen confirm` ends it as good, then deploy"
	left, back := time.Until(a.bakeUntil(s.Bake)), a.rollbackStatus(s)
	switch {
	case left <= 0 && !back.Ready:
		return refuse(confirm, "the time of the last switch's bake is up, but it has not ended as good, and there is no way back: %s", back.Reason)
	case left <= 0:
		return refuse("`bluegreen status` says what speaks against it; `bluegreen rollback` goes back; "+confirm,
			"the time of the last switch's bake is up, but it has not ended as good")
	case !back.Ready:
		return refuse(confirm, "the last switch is baking for another %v, though there is no way back now: %s", round(left), back.Reason)
	}
	return refuse("`bluegreen confirm` ends the bake early, as good; `bluegreen rollback` goes back",
		"the last switch is baking for another %v: a deploy would take away the way back", round(left))
}

// reference returns what the runtime is asked for.
func (a *App) reference(r DeployRequest) (string, error) {
	repository := a.settings.Load().Image
	switch {
	case r.Image != "":
		return r.Image, nil
	case r.Commit == "":
		return "", &Error{Code: CodeUsage, What: "which release? no commit, tag or image was named",
			Hint: "`bluegreen deploy COMMIT`, `bluegreen deploy --image REF`, or set DOCKER_IMAGE_TAG"}
	case strings.ContainsAny(r.Commit, " /:@\t\n"):
		return "", &Error{Code: CodeUsage, What: fmt.Sprintf("%q is not a tag", r.Commit), Hint: "name the tag alone; a full reference goes with --image"}
	case repository == "":
		return r.Commit, nil
	}
	return repository + ":" + r.Commit, nil
}

func (a *App) deploy(ctx context.Context, op *Operation, r DeployRequest, image string) (string, error) {
	d := &deployment{op: op, request: r}
	err := a.step(op, "begin", func(s *State) {
		s.LastRelease++
		d.target = s.inactive(a.first)
		d.release = Release{
			ID: fmt.Sprintf("r%d", s.LastRelease), Commit: r.Commit, Image: image,
			DeployedAt: op.Began, DeployedBy: string(op.Actor),
		}
		op.about.Colour, op.about.Release = d.target, d.release.ID
		s.Operation = op.journal()
	})
	if err != nil {
		return "", err
	}
	d.spec = Spec{
		Instance: fmt.Sprintf("%s-%s-%s-%s", a.name, d.target, d.release.ID, op.ID[:6]),
		Colour:   d.target, Port: a.settings.Load().Ports[d.target],
	}
	op.say("%s %s goes to %s", a.name, describe(&d.release), d.target)
	for _, s := range a.stages() {
		if err := s.run(ctx, d); err != nil {
			if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
				err = cause
			}
			err = a.keepsSchema(d, a.abandon(d, err))
			if a.ctx.Err() == nil && !errors.Is(err, ErrDiscarded) { // otherwise the next start tells
				a.tellNotDeployed(op.journal(), &d.release, err.Error())
			}
			return "", err
		}
	}
	state := a.state.Load()
	a.tellDeployed(op.journal(), state)
	if state.Active == d.target {
		return fmt.Sprintf("%s is active on %s", describe(&d.release), d.target), nil
	}
	return fmt.Sprintf("%s is ready for tests on %s", describe(&d.release), d.target), nil
}

func (a *App) fetch(ctx context.Context, d *deployment) error {
	told := d.op.enter("pull")
	artifact, err := a.settings.Load().Runtime.Fetch(ctx, d.release.Image, d.op.progress)
	if err != nil {
		return err
	}
	d.release.ImageID, d.release.Digest = artifact.ID, artifact.Digest
	d.spec.Release = d.release
	told("image %s is here: %s", d.release.Image, short(artifact.ID))
	return nil
}

func (a *App) checkSlot(ctx context.Context, d *deployment) error {
	d.op.enter("check")
	return a.settings.Load().Runtime.Check(ctx, d.spec)
}

// clearSlot takes whatever the slot holds out of it: internal goes back to
// the active slot first, then the slot is drained, then its container goes.
func (a *App) clearSlot(ctx context.Context, d *deployment) error {
	old := a.state.Load().Slots[d.target]
	if old.State == Empty {
		return a.removeStrays(ctx, d.op, d.target)
	}
	told := d.op.enter("clear")
	if old.State == Previous {
		d.op.warn("rollback to %s ends here: its slot is needed", describe(old.Release))
	}
	if err := a.vacate(ctx, d.op, d.target, "clear"); err != nil {
		return err
	}
	told("%s is free, %s is gone", d.target, describe(old.Release))
	return nil
}

func (a *App) startInstance(ctx context.Context, d *deployment) error {
	told := d.op.enter("start")
	a.forgetHealth(d.target)
	err := a.step(d.op, "start", func(s *State) {
		release := d.release
		s.Slots[d.target] = Slot{State: Starting, Release: &release, Instance: d.spec.Instance, Port: d.spec.Port}
	})
	if err != nil {
		return err
	}
	d.placed = true
	if err := a.settings.Load().Runtime.Start(ctx, d.spec); err != nil {
		return err
	}
	d.started = true
	told("started %s on %s", d.spec.Instance, address(d.spec.Port))
	return nil
}

// awaitHealthy probes until the instance has answered often enough in a row,
// has died, or has used up its time.
func (a *App) awaitHealthy(ctx context.Context, d *deployment) error {
	told := d.op.enter("health")
	if err := a.step(d.op, "health", func(*State) {}); err != nil {
		return err
	}
	runtime := a.settings.Load().Runtime
	attempts, err := a.settle(ctx, d.op, d.spec)
	if err != nil {
		return err
	}
	if err := runtime.Keep(ctx, d.spec.Instance); err != nil {
		return fmt.Errorf("setting the restart policy of %s: %w", d.spec.Instance, err)
	}
	a.tracker(d.spec.Colour).settle()
	told("healthy after %d probes", attempts)
	return nil
}

// settle waits for an instance that has just been started to become healthy.
func (a *App) settle(ctx context.Context, op *Operation, spec Spec) (attempts int, err error) {
	health, runtime := a.settings.Load().Health, a.settings.Load().Runtime
	ctx, cancel := context.WithTimeoutCause(ctx, health.Deadline, errDeadline)
	defer cancel()
	ctx, died := context.WithCancelCause(ctx)
	defer died(nil)
	watch := make(chan struct{})
	go func() {
		defer close(watch)
		if code, err := runtime.Wait(ctx, spec.Instance); err == nil {
			died(&exited{code})
		}
	}()
	defer func() { died(nil); <-watch }()

	began, good := time.Now(), 0
	for {
		err := a.probe(ctx, spec.Colour, spec.Port)
		attempts++
		if err == nil {
			good++
		} else {
			good = 0
		}
		if good >= health.Rise {
			return attempts, nil
		}
		if ctx.Err() == nil {
			op.progress(Progress{Text: waiting(health, err), Done: int64(time.Since(began).Seconds()), Total: int64(health.Deadline.Seconds())})
			sleep(ctx, min(time.Second, health.Interval))
		}
		if ctx.Err() != nil {
			return attempts, a.neverHealthy(ctx, spec, health, err)
		}
	}
}

var errDeadline = errors.New("the deadline has passed")

// exited is the end of an instance that should have gone on.
type exited struct{ code int }

func (e *exited) Error() string { return fmt.Sprintf("exited with code %d", e.code) }

func waiting(h HealthSettings, err error) string {
	if err != nil {
		return fmt.Sprintf("waiting for %s: %v", h.Path, err)
	}
	return "waiting for " + h.Path
}

// neverHealthy explains why the wait for health ended without it.
func (a *App) neverHealthy(ctx context.Context, spec Spec, h HealthSettings, last error) error {
	cause := context.Cause(ctx)
	e := &Error{Code: CodeUnhealthy, Output: a.tail(spec.Instance)}
	var exit *exited
	switch {
	case errors.As(cause, &exit):
		e.Code = CodeFailed
		e.What = fmt.Sprintf("%s %v before it was healthy", spec.Instance, exit)
		e.Hint = "its last lines are below; production was not touched"
	case cause == errDeadline:
		e.What = fmt.Sprintf("%s was not healthy within %v", spec.Instance, h.Deadline)
		e.Err = last
		e.Hint = fmt.Sprintf("it must answer %s with 2xx on its port; production was not touched", h.Path)
	default:
		return cause
	}
	return e
}

// tailTimeout bounds the wait for lines of output.
const tailTimeout = 5 * time.Second

// tail asks for the last lines of an instance, for an error text; a runtime
// that cannot tell them is no further error.
func (a *App) tail(instance string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), tailTimeout)
	defer cancel()
	lines, _ := a.settings.Load().Runtime.Tail(ctx, instance, 20)
	return lines
}

// routeCandidate points internal at the new release; for the first release of
// an app production too.
func (a *App) routeCandidate(_ context.Context, d *deployment) error {
	told := d.op.enter("route")
	first := false
	err := a.step(d.op, "route", func(s *State) {
		first = s.Active == ""
		s.set(d.target, func(slot *Slot) { slot.State = Testing })
		s.Internal = d.target
		if first {
			s.Active = d.target
			s.set(d.target, func(slot *Slot) { slot.State = Active })
		}
		s.remember(d.release)
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.backends[d.target] = a.newBackend(d.spec.Port)
	a.mu.Unlock()
	if first {
		a.repoint(Production, Internal)
		told("production and internal now lead to %s", d.target)
		return nil
	}
	a.repoint(Internal)
	told("internal now leads to %s; production stays on %s", d.target, d.target.Other())
	return nil
}

// abandon ends a failed deploy. Whatever was there before the slot was cleared
// is untouched; a container that failed is stopped and its output kept; one
// that was discarded is removed. When the edge itself is ending, all is left
// to the next start.
func (a *App) abandon(d *deployment, cause error) error {
	if a.ctx.Err() != nil || !d.placed {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), cleanupTimeout)
	defer cancel()
	state := Failed
	if !d.started || errors.Is(cause, ErrDiscarded) {
		state = Empty
	}
	if !d.started {
		a.leaveStart()
	}
	err := a.step(d.op, "abandon", func(s *State) {
		if state == Empty {
			s.empty(d.target)
		} else {
			s.set(d.target, func(slot *Slot) { slot.State = Failed })
		}
	})
	runtime := a.settings.Load().Runtime
	if err == nil && state == Failed {
		err = runtime.Stop(ctx, d.spec.Instance)
	} else if err == nil {
		err = runtime.Remove(ctx, d.spec.Instance)
	}
	if err != nil {
		d.op.warn("clearing up: %v; this is tried again in the background", err)
		a.leaveUnswept()
	}
	return cause
}

// cleanupTimeout bounds what a failed operation does to tidy up.
const cleanupTimeout = time.Minute

func describe(r *Release) string {
	switch {
	case r == nil:
		return "nothing"
	case r.Commit != "":
		return r.ID + " (" + r.Commit + ")"
	}
	return r.ID + " (" + r.Image + ")"
}

func short(id string) string {
	kind, hex, ok := strings.Cut(id, ":")
	if ok && len(hex) > 12 {
		return kind + ":" + hex[:12]
	}
	return id
}
