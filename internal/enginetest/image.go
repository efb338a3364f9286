package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
)

// Repository returns the name of a repository that no other test has. Its
// images are removed when the test ends.
func Repository(t testing.TB, api *client.Client) string {
	t.Helper()
	repository := "bluegreen.test/" + unique()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		images, err := api.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("reference", repository)})
		if err != nil {
			t.Errorf("listing the images to remove: %v", err)
		}
		// The engine removes no image that another one was made from.
		slices.SortStableFunc(images.Items, func(a, b image.Summary) int { return strings.Compare(b.ParentID, a.ParentID) })
		for _, image := range images.Items {
			_, err := api.ImageRemove(ctx, image.ID, client.ImageRemoveOptions{Force: true, PruneChildren: true})
			if err != nil {
				t.Errorf("removing image %v: %v", image.RepoTags, err)
			}
		}
	})
	return repository
}

// Image makes the image repository:tag, which holds nothing but a static
// program, run as /server with the given arguments, and returns its reference.
// Images with different arguments have different ids.
func Image(t testing.TB, api *client.Client, repository, tag, binary string, arguments ...string) (ref string) {
	t.Helper()
	return ImageWith(t, api, repository, tag, binary, nil, arguments...)
}

// ImageWith is Image with variables that the program finds in its environment.
func ImageWith(t testing.TB, api *client.Client, repository, tag, binary string, variables map[string]string, arguments ...string) (ref string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	root, err := rootfs(binary, "")
	if err != nil {
		t.Fatalf("making the file system of an image: %v", err)
	}
	command, err := json.Marshal(append([]string{"/server"}, arguments...))
	if err != nil {
		t.Fatal(err)
	}
	changes := []string{"CMD " + string(command)}
	for name, value := range variables {
		changes = append(changes, fmt.Sprintf("ENV %s=%q", name, value))
	}
	ref = repository + ":" + tag
	answer, err := api.ImageImport(ctx, client.ImageImportSource{Source: root, SourceName: "-"}, ref,
		client.ImageImportOptions{Changes: changes})
	if err != nil {
		t.Fatalf("making image %s: %v", ref, err)
	}
	defer answer.Close()
	if said, err := io.ReadAll(answer); err != nil || bytes.Contains(said, []byte(`"error"`)) {
		t.Fatalf("making image %s: %v %s", ref, err, said)
	}
	return ref
}

// rootfs returns a tar archive of a root directory with the program in it, and
// with a file of that name, if any, so that no other layer is the same.
func rootfs(binary, mark string) (io.Reader, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if mark != "" {
		if err := w.WriteHeader(&tar.Header{Name: mark, Mode: 0o644}); err != nil {
			return nil, err
		}
	}
	for _, dir := range []string{"tmp/", "data/"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o1777}); err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "server", Mode: 0o755, Size: int64(len(program))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	return &archive, w.Close()
}

// Server returns the path of a static build of the program in server/, to be
// put into images: an HTTP server whose flags make it behave or misbehave.
func Server(t testing.TB) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// built compiles the server, once in the life of a test binary.
var built = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "bgtest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "server")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path,
		"sofiacall.com/bluegreen/internal/enginetest/server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the test server: %w\n%s", err, said)
	}
	return os.ReadFile(path)
})
