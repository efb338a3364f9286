package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the program as a shell would: its exit codes, standard
// output and standard error. Each script says at its top why it exists.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
		UpdateScripts: *update,
	})
}

// exits runs bluegreen and demands an exit code: exits CODE ARGUMENT...
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want := args[0]
	code := ts.Exec("sh", append([]string{"-c", `bluegreen "$@"; test $? -eq ` + want, "sh"}, args[1:]...)...)
	ts.Check(code)
}
