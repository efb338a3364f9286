package enginetest

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// patience is how long the engine may take for anything that is asked of it here.
const patience = 30 * time.Second

// Require returns a client of the engine that the environment names, and skips
// the test when none answers; with CI set it fails instead.
func Require(t testing.TB) *client.Client {
	t.Helper()
	api := dial(t, client.FromEnv)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		Unavailable(t, "no Docker engine: "+err.Error())
	}
	return api
}

// Unavailable ends a test that lacks a part it needs: it skips, or fails when
// CI is set.
func Unavailable(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

func dial(t testing.TB, option client.Opt) *client.Client {
	t.Helper()
	api, err := client.New(option)
	if err != nil {
		t.Fatalf("client of the Docker engine: %v", err)
	}
	t.Cleanup(func() { _ = api.Close() })
	return api
}

// App returns a name for an app that no other test has. When the test ends,
// all containers whose names begin with it are removed.
func App(t testing.TB, api *client.Client) string {
	t.Helper()
	app := "bgtest-" + unique()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		removeContainers(ctx, t, api, client.Filters{}.Add("name", "^/"+app))
	})
	return app
}

func removeContainers(ctx context.Context, t testing.TB, api *client.Client, which client.Filters) {
	t.Helper()
	left, err := api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: which})
	if err != nil {
		t.Errorf("listing the containers to remove: %v", err)
	}
	for _, c := range left.Items {
		_, err := api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil {
			t.Errorf("removing container %v: %v", c.Names, err)
		}
	}
}

// Network makes a bridge network and returns its name.
func Network(t testing.TB, api *client.Client) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	name := "bgtest-" + unique()
	if _, err := api.NetworkCreate(ctx, name, client.NetworkCreateOptions{Driver: "bridge"}); err != nil {
		t.Fatalf("creating a network: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		removeContainers(ctx, t, api, client.Filters{}.Add("network", name))
		if _, err := api.NetworkRemove(ctx, name, client.NetworkRemoveOptions{}); err != nil {
			t.Errorf("removing network %s: %v", name, err)
		}
	})
	return name
}

// Port returns a port that is free on 127.0.0.1. It is below the range that
// the kernel gives to outgoing connections, so that it is likely to stay free.
func Port(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = listener.Close()
			return port
		}
	}
	t.Fatal("no free port found")
	return 0
}

func unique() string { return strings.ToLower(crand.Text()[:10]) }
