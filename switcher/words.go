package switcher

// Colour names a slot. Each app has exactly two.
type Colour string

const (
	Blue  Colour = "blue"
	Green Colour = "green"
)

// Colours lists both slots in the order in which they are shown.
func Colours() [2]Colour { return [2]Colour{Blue, Green} }

// Valid reports whether c names a slot.
func (c Colour) Valid() bool { return c == Blue || c == Green }

// Other returns the opposite slot; of the empty colour, the empty colour.
func (c Colour) Other() Colour {
	switch c {
	case Blue:
		return Green
	case Green:
		return Blue
	}
	return ""
}

// RouteName is one of the two routes of an app.
type RouteName string

const (
	Production RouteName = "production"
	Internal   RouteName = "internal"
)

// SlotState says what a slot holds.
type SlotState string

const (
	Empty    SlotState = "empty"
	Starting SlotState = "starting"
	Testing  SlotState = "testing"
	Active   SlotState = "active"
	Previous SlotState = "previous" // was active before the last switch, still warm
	Failed   SlotState = "failed"   // stopped, logs kept
)

// SlotStates lists all of them.
func SlotStates() []SlotState {
	return []SlotState{Empty, Starting, Testing, Active, Previous, Failed}
}

// Phase says where in the life of a release an app is: the first four at
// rest, the others while an operation runs.
type Phase string

const (
	PhaseEmpty   Phase = "empty"
	PhaseSteady  Phase = "steady"
	PhaseTesting Phase = "testing"
	PhaseBaking  Phase = "baking"

	PhaseDeploying   Phase = "deploying"
	PhaseSwitching   Phase = "switching"
	PhaseRollingBack Phase = "rolling_back"
	PhaseDiscarding  Phase = "discarding"
	PhaseDraining    Phase = "draining"
	PhaseCleaning    Phase = "cleaning"
	PhaseRecovering  Phase = "recovering"
)

// Phases lists all of them.
func Phases() []Phase {
	return []Phase{
		PhaseEmpty, PhaseSteady, PhaseTesting, PhaseBaking,
		PhaseDeploying, PhaseSwitching, PhaseRollingBack, PhaseDiscarding, PhaseDraining, PhaseCleaning, PhaseRecovering,
	}
}

// Kind is an operation, by the name of the command that asks for it.
type Kind string

const (
	KindDeploy   Kind = "deploy"
	KindSwitch   Kind = "switch"
	KindConfirm  Kind = "confirm"
	KindRollback Kind = "rollback"
	KindDiscard  Kind = "discard"
	KindDrain    Kind = "drain"
	KindCleanup  Kind = "cleanup"
	KindRecover  Kind = "recover"

	// Of an app with a database. The app stays in its phase while they run.
	KindBackup   Kind = "db backup"
	KindVerify   Kind = "db verify"   // restore the newest backup beside, and compare
	KindPlan     Kind = "db plan"     // rehearse a release's migrations
	KindAccept   Kind = "db accept"   // the live schema, as it is
	KindContract Kind = "db contract" // take away what no release needs any more
	KindDown     Kind = "db down"     // undo a release's migrations
	KindRestore  Kind = "db restore"

	// Over in a moment, and no operations: nothing waits for them.
	KindPause       Kind = "pause"
	KindResume      Kind = "resume"
	KindMaintenance Kind = "maintenance"
)

// Kinds lists all of them.
func Kinds() []Kind {
	return []Kind{
		KindDeploy, KindSwitch, KindConfirm, KindRollback, KindDiscard, KindDrain, KindCleanup, KindRecover,
		KindBackup, KindVerify, KindPlan, KindAccept, KindContract, KindDown, KindRestore,
		KindPause, KindResume, KindMaintenance,
	}
}

// OfDatabase reports whether App.Database starts operations of this kind.
func (k Kind) OfDatabase() bool {
	switch k {
	case KindBackup, KindVerify, KindPlan, KindAccept, KindContract, KindDown, KindRestore:
		return true
	}
	return false
}

// Phase returns the phase an app is in while an operation of this kind runs;
// empty for one that leaves the app in its phase, or is over in a moment.
func (k Kind) Phase() Phase {
	switch k {
	case KindDeploy:
		return PhaseDeploying
	case KindSwitch:
		return PhaseSwitching
	case KindRollback:
		return PhaseRollingBack
	case KindDiscard:
		return PhaseDiscarding
	case KindDrain:
		return PhaseDraining
	case KindCleanup:
		return PhaseCleaning
	case KindRecover:
		return PhaseRecovering
	}
	return ""
}
