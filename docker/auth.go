package docker

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
)

// registryAuth returns what `docker login` has stored for the image's registry
// in config.json ($DOCKER_CONFIG or ~/.docker), encoded for the engine; empty
// if there is nothing. Credential helpers are not asked.
func registryAuth(image string) (string, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", nil // the engine will say so better
	}
	path, err := loginFile()
	if err != nil {
		return "", nil // a user without a home has not logged in
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var stored struct {
		Auths map[string]struct{ Auth string }
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		return "", fmt.Errorf("%s is not valid JSON", path)
	}
	server := reference.Domain(named)
	if server == "docker.io" {
		server = "https://index.docker.io/v1/"
	}
	login, err := base64.StdEncoding.DecodeString(stored.Auths[server].Auth)
	user, password, ok := strings.Cut(string(login), ":")
	if err != nil || !ok {
		return "", nil
	}
	return authconfig.Encode(registry.AuthConfig{Username: user, Password: password, ServerAddress: server})
}

func loginFile() (string, error) {
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Join(dir, "config.json"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".docker", "config.json"), err
}
