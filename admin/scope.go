package admin

// Scope is what a caller may do. Each scope includes the ones before it.
type Scope int

// The scopes, from the least to the most.
const (
	ScopeNone    Scope = iota // is it alive, is it ready
	ScopeRead                 // look: status, health, events, history, plan, logs, compare, alerts, metrics, dashboard, db check, db backups
	ScopeDeploy               // + deploy, discard of its own candidate
	ScopeOperate              // + switch, confirm, rollback, drain, cleanup, pause, resume, maintenance, link, test of alerts, db backup, verify, plan, accept, allowing findings
	ScopeAdmin                // + force, recover, reload, db contract, down, restore
)

// String returns the scope's name as it is granted and told.
func (s Scope) String() string {
	switch s {
	case ScopeRead:
		return "read"
	case ScopeDeploy:
		return "deploy"
	case ScopeOperate:
		return "operate"
	case ScopeAdmin:
		return "admin"
	}
	return "none"
}
