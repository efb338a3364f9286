package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
)

// recoverOffline shows what the disk says of an app, and restores the last
// good copy of a state that cannot be read.
func (p *program) recoverOffline(file string, yes bool) error {
	c, err := p.loadConfig(file)
	if err != nil {
		return err
	}
	app, err := p.configuredApp(c)
	if err != nil {
		return err
	}
	found, err := switcher.Inspect(appsDir(c), app)
	if err != nil {
		return err
	}
	if !p.json {
		p.showOffline(app, found)
	}
	kept := ""
	if found.Problem != "" {
		if found.Good != nil {
			if err := p.mayRestore(yes); err != nil {
				return err
			}
		}
		if kept, err = switcher.Restore(appsDir(c), app); err != nil { // without a copy it says what to do
			return err
		}
	}
	if p.json {
		return p.printJSON(map[string]any{
			"app": app, "file": found.File, "problem": found.Problem, "state": found.State,
			"last_good": found.Good, "restored": found.Problem != "", "kept": kept,
		})
	}
	if found.Problem != "" {
		p.stdout.printf("restored\n")
		if kept != "" {
			p.stdout.printf("the unusable file is now %s\n", kept)
		}
		p.stdout.printf("next: start the edge, or `bluegreen recover --app %s` if it is running\n", app)
	}
	return nil
}

// configuredApp is the app that was named, or the only one of the file.
func (p *program) configuredApp(c *config.Config) (string, error) {
	names := slices.Sorted(maps.Keys(c.Apps))
	app := cmp.Or(p.app, p.env("BLUEGREEN_APP"))
	switch {
	case app == "" && len(names) == 1:
		return names[0], nil
	case app == "":
		return "", usageError("name one with --app or BLUEGREEN_APP: "+strings.Join(names, ", "), "there are %d apps", len(names))
	case c.Apps[app] == nil:
		return "", usageError("the apps are: "+strings.Join(names, ", "), "there is no app %q in the configuration", app)
	}
	return app, nil
}

func (p *program) showOffline(app string, found *switcher.Offline) {
	t := p.stdout
	t.printf("%s: %s\n", t.bold(app), found.File)
	if found.Problem == "" {
		t.printf("  in order: %s\n", summary(found.State))
		t.printf("nothing to restore\n")
		return
	}
	t.printf("  %s %s\n", t.red("unusable:"), printable(found.Problem))
	if found.Good == nil {
		t.printf("  no last good copy\n")
		return
	}
	t.printf("  last good copy, of %s (%s):\n", found.GoodAt.Local().Format("2006-01-02 15:04:05"), ago(time.Now(), found.GoodAt))
	t.printf("    %s\n", summary(found.Good))
	for _, c := range switcher.Colours() {
		if slot := found.Good.Slots[c]; slot.Release != nil {
			t.printf("    %s is %s: %s (%s), port %d\n", t.name(c), slot.State,
				printable(slot.Release.ID), printable(cmp.Or(slot.Release.Commit, slot.Release.Image)), slot.Port)
		}
	}
	if op := found.Good.Operation; op != nil {
		t.printf("    %s by %s was running, in step %q\n", op.Kind, printable(string(op.Actor)), op.Step)
	}
}

// summary is a recorded state in one line.
func summary(s *switcher.State) string {
	if s.Active == "" {
		return fmt.Sprintf("generation %d, nothing is deployed", s.Generation)
	}
	text := fmt.Sprintf("generation %d, production on %s, internal on %s", s.Generation, s.Active, s.Internal)
	if s.Maintenance != nil {
		text += ", in maintenance"
	}
	return text
}

// mayRestore asks whoever sits at the terminal. A script has to have said yes.
func (p *program) mayRestore(yes bool) error {
	if yes {
		return nil
	}
	input, ok := p.stdin.(*os.File)
	if p.json || !ok || !term.IsTerminal(int(input.Fd())) {
		return usageError("look at what the copy says, then add --yes", "nothing was restored: nobody is there to be asked")
	}
	p.stdout.printf("Restore it? What was done after it is forgotten. [y/N] ")
	answer, _ := bufio.NewReader(input).ReadString('\n')
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return errors.New("nothing was restored")
	}
	return nil
}
