package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Backups is the answer to GET /v1/apps/{app}/db/backups.
type Backups struct {
	Backups []Backup `json:"backups"` // newest first
}

// Backup is a backup of an app's database.
type Backup struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at,omitzero"`        // what it holds is of that moment; zero: nobody can tell
	Reason   string    `json:"reason,omitempty"`   // what it was made for
	Release  string    `json:"release,omitempty"`  // id of the release that was being deployed
	Commit   string    `json:"commit,omitempty"`   // of the same
	Server   string    `json:"server,omitempty"`   // its version
	Bytes    int64     `json:"bytes"`              // on disk
	TookMS   float64   `json:"took_ms,omitempty"`  // to make it
	Verified bool      `json:"verified"`           // it was restored and compared
	Why      string    `json:"why,omitempty"`      // it is not verified
	Damage   string    `json:"damage,omitempty"`   // what is wrong with its files; it cannot be restored
	External bool      `json:"external,omitempty"` // made and kept by backup.command
}

// database starts an operation of a kind on the app's database.
func database(kind switcher.Kind) begin {
	return func(app *switcher.App, who identity, body []byte) (*switcher.Operation, error) {
		var request switcher.DatabaseRequest
		if err := decode(body, &request); err != nil {
			return nil, err
		}
		if err := idle(kind, request); err != nil {
			return nil, err
		}
		return app.Database(who.actor, kind, request)
	}
}

// idle refuses a member that means nothing to the kind: who wrote it expects
// something that would not happen.
func idle(kind switcher.Kind, r switcher.DatabaseRequest) error {
	means := map[string][]switcher.Kind{
		"commit": {switcher.KindPlan, switcher.KindDown}, "image": {switcher.KindPlan, switcher.KindDown},
		"skip_migrations": nil,
		"allow":           {switcher.KindPlan, switcher.KindContract, switcher.KindDown},
		"backup":          {switcher.KindRestore, switcher.KindVerify},
		"lost":            {switcher.KindRestore}, "plan": {switcher.KindRestore}, "freeze_writes": {switcher.KindRestore},
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	var given map[string]any
	if err := json.Unmarshal(text, &given); err != nil {
		return err
	}
	for name := range given {
		if kinds, limited := means[name]; limited && !slices.Contains(kinds, kind) {
			return wrong(http.StatusBadRequest, "", fmt.Sprintf("%s means nothing to %s", name, kind))
		}
	}
	return nil
}

func checkDatabase(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	check, err := app.CheckDatabase(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, check)
}

func (s *Server) listBackups(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	if s.options.Backups == nil {
		return &switcher.Error{Code: switcher.CodeFailed, What: "this edge keeps no backups"}
	}
	list, err := s.options.Backups(r.Context(), app.Name())
	if err != nil {
		return err
	}
	if list == nil {
		list = []Backup{}
	}
	return writeJSON(w, Backups{list})
}

func planRestore(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	request, err := parseRestore(r.URL.Query())
	if err != nil {
		return err
	}
	plan, err := app.PlanRestore(r.Context(), request)
	if err != nil {
		return err
	}
	return writeJSON(w, plan)
}

// parseRestore reads what a plan of a restore depends on from a query that has
// its members' names.
func parseRestore(query url.Values) (switcher.DatabaseRequest, error) {
	var request switcher.DatabaseRequest
	for name := range query {
		switch value := query.Get(name); name {
		case "backup":
			request.Backup = value
		case "freeze_writes":
			freeze, err := strconv.ParseBool(value)
			if err != nil {
				return request, wrong(http.StatusBadRequest, "", fmt.Sprintf("freeze_writes must be true or false, is %q", value))
			}
			request.FreezeWrites = freeze
		default:
			return request, wrong(http.StatusBadRequest, "", fmt.Sprintf("unknown parameter %q", name))
		}
	}
	return request, nil
}

// MayAllow says why somebody may not accept what speaks against a schema; nil:
// they may, or nothing is to be accepted. It is a person's decision, and not one
// of a token that deploys what CI has built.
func MayAllow(scope Scope, who switcher.Actor, allow []string) error {
	if len(allow) > 0 && scope < ScopeOperate {
		return forbidden("deploy without --allow, and ask somebody with scope operate to accept what then stops",
			fmt.Sprintf("%s has scope %s, accepting a finding needs %s", who, scope, ScopeOperate))
	}
	return nil
}

// CheckDatabase compares what each release needs with the live schema now.
func (c *Client) CheckDatabase(ctx context.Context, app string) (switcher.SchemaCheck, error) {
	return get[switcher.SchemaCheck](ctx, c, path(app, "db/check"), nil)
}

// Backups lists the backups of the app's database.
func (c *Client) Backups(ctx context.Context, app string) (Backups, error) {
	return get[Backups](ctx, c, path(app, "db/backups"), nil)
}

// PlanRestore says what a restore of r.Backup would do and lose.
func (c *Client) PlanRestore(ctx context.Context, app string, r switcher.DatabaseRequest) (switcher.RestorePlan, error) {
	query := url.Values{}
	if r.Backup != "" {
		query.Set("backup", r.Backup)
	}
	if r.FreezeWrites {
		query.Set("freeze_writes", "true")
	}
	return get[switcher.RestorePlan](ctx, c, path(app, "db/restore"), query)
}

// Database performs an operation of a database kind, like Deploy.
func (c *Client) Database(ctx context.Context, app string, kind switcher.Kind, r switcher.DatabaseRequest, tell func(switcher.Event)) (switcher.Result, error) {
	return c.operate(ctx, app, kind, r, tell)
}

// place is where an operation of a kind is asked for.
func place(kind switcher.Kind) string { return strings.ReplaceAll(string(kind), " ", "/") }
