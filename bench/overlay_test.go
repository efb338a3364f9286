package main

import (
	"os/exec"
	"testing"
)

// What the overlays replace or add must still fit the program that they are laid
// over. Compiling is enough, so nothing is linked.
func TestOverlaysFitTheProgram(t *testing.T) {
	for _, overlay := range []string{"bench/profile/overlay.json", "bench/unmetered/overlay.json"} {
		compile := exec.Command("go", "list", "-export", "-overlay", overlay, "./cmd/bluegreen")
		compile.Dir = ".."
		if out, err := compile.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", overlay, err, out)
		}
	}
}
