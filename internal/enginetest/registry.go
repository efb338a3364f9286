package enginetest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/client"
)

// Registry serves images over the read half of the OCI distribution
// specification, on loopback, where the engine needs no TLS.
type Registry struct {
	// Address is the host:port that images of the registry begin with.
	Address string

	server *httptest.Server

	mu        sync.Mutex
	manifests map[string][]byte // by name:tag and name@digest
	blobs     map[string][]byte // by digest
	stall     chan struct{}     // not nil: layers are held until it is closed
}

// NewRegistry starts an empty registry. What was pulled from it is removed
// from the engine when the test ends.
func NewRegistry(t testing.TB, api *client.Client) *Registry {
	t.Helper()
	r := &Registry{manifests: make(map[string][]byte), blobs: make(map[string][]byte)}
	r.server = httptest.NewServer(r)
	r.Address = strings.TrimPrefix(r.server.URL, "http://")
	t.Cleanup(func() {
		r.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		images, err := api.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("reference", r.Address+"/*")})
		if err != nil {
			t.Errorf("listing the images to remove: %v", err)
		}
		for _, image := range images.Items {
			if _, err := api.ImageRemove(ctx, image.ID, client.ImageRemoveOptions{Force: true}); err != nil {
				t.Errorf("removing image %v: %v", image.RepoTags, err)
			}
		}
	})
	return r
}

// Stall holds back the content of layers until Resume.
func (r *Registry) Stall() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stall = make(chan struct{})
}

// Resume ends Stall.
func (r *Registry) Resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stall != nil {
		close(r.stall)
		r.stall = nil
	}
}

// Close makes the registry unreachable.
func (r *Registry) Close() {
	r.Resume()
	r.server.Close()
}

// Push offers an image like that of [Image], and returns its reference and the
// digest of its manifest.
func (r *Registry) Push(t testing.TB, name, tag, binary string, arguments ...string) (ref, digest string) {
	t.Helper()
	root, err := rootfs(binary, unique()) // the engine pulls no layer that another test's image has
	if err != nil {
		t.Fatalf("making the file system of an image: %v", err)
	}
	plain, err := io.ReadAll(root)
	if err != nil {
		t.Fatal(err)
	}
	manifest, blobs := describe(t, plain, arguments)
	digest = digestOf(manifest)

	r.mu.Lock()
	defer r.mu.Unlock()
	for _, blob := range blobs {
		r.blobs[digestOf(blob)] = blob
	}
	r.manifests[name+":"+tag] = manifest
	r.manifests[name+":"+digest] = manifest
	return r.Address + "/" + name + ":" + tag, digest
}

const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// describe returns the manifest of an image with one layer, and its blobs.
func describe(t testing.TB, layer []byte, arguments []string) (manifest []byte, blobs [][]byte) {
	t.Helper()
	type object = map[string]any
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.NoCompression) // the race detector makes it slow
	_, _ = w.Write(layer)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	config := encode(t, object{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": object{"Cmd": append([]string{"/server"}, arguments...)},
		"rootfs": object{"type": "layers", "diff_ids": []string{digestOf(layer)}},
	})
	manifest = encode(t, object{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": object{"mediaType": configType, "size": len(config), "digest": digestOf(config)},
		"layers": []object{{"mediaType": layerType, "size": packed.Len(), "digest": digestOf(packed.Bytes())}},
	})
	return manifest, [][]byte{config, packed.Bytes()}
}

// ServeHTTP answers pulls.
func (r *Registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	path := strings.TrimPrefix(request.URL.Path, "/v2/")
	if name, reference, ok := strings.Cut(path, "/manifests/"); ok {
		r.mu.Lock()
		manifest, known := r.manifests[name+":"+reference]
		r.mu.Unlock()
		w.Header().Set("Docker-Content-Digest", digestOf(manifest))
		r.answer(w, manifestType, manifest, known)
		return
	}
	if _, digest, ok := strings.Cut(path, "/blobs/"); ok {
		r.mu.Lock()
		blob, known := r.blobs[digest]
		stall := r.stall
		r.mu.Unlock()
		if stall != nil && bytes.HasPrefix(blob, []byte{0x1f, 0x8b}) {
			select {
			case <-stall:
			case <-request.Context().Done():
				return
			}
		}
		r.answer(w, "application/octet-stream", blob, known)
		return
	}
	w.WriteHeader(http.StatusOK) // /v2/: yes, a registry
}

func (r *Registry) answer(w http.ResponseWriter, mediaType string, content []byte, known bool) {
	if !known {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content)
}

func digestOf(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func encode(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
