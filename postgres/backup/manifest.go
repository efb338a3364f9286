package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// format is of the manifests that this program writes; it reads none above.
const format = 1

// Manifest says what a backup holds. Its file has a checksum of its own.
type Manifest struct {
	Format  int    `json:"format"`
	ID      string `json:"id"` // sorts by time, such as 20261124T193000Z-deploy-r12
	App     string `json:"app"`
	Reason  string `json:"reason"`            // what it was made for
	Release string `json:"release,omitempty"` // id of the release that was deployed
	Commit  string `json:"commit,omitempty"`

	Database      string `json:"database"`
	Server        int    `json:"server"`         // server_version_num
	ServerVersion string `json:"server_version"` // as it calls itself
	Tool          string `json:"tool,omitempty"` // version of pg_dump

	At       time.Time `json:"at"`  // what it holds is of that moment
	LSN      string    `json:"lsn"` // of that moment
	Took     Seconds   `json:"took"`
	Bytes    int64     `json:"bytes"`          // of its files
	DataSize int64     `json:"data_size"`      // of the tables, without indexes
	FullSize int64     `json:"full_size"`      // of the database on the server
	Hook     []string  `json:"hook,omitempty"` // the command that made it; its data is wherever that put it

	Counters   Counters            `json:"counters"`  // at that moment
	Tables     map[string]Table    `json:"tables"`    // qualified, as SQL writes it
	Sequences  map[string]Sequence `json:"sequences"` // the same
	Properties Properties          `json:"properties"`
	Privileged []Privileged        `json:"privileged,omitempty"`
	Files      map[string]File     `json:"files"` // by path in the backup's folder

	Verified *Verification `json:"verified,omitempty"` // nil: it never was, or failed
	Refuted  string        `json:"refuted,omitempty"`  // in what a restored copy differed

	Seal string `json:"seal"` // SHA-256 of all of the above
}

// Seconds is a length of time that is written in seconds.
type Seconds float64

// Duration is the same as a time.Duration.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

func since(start time.Time) Seconds {
	return Seconds(time.Since(start).Round(time.Millisecond).Seconds())
}

// Table is what was in a table.
type Table struct {
	OID  uint32 `json:"oid"`
	Rows *int64 `json:"rows"` // exactly; nil: it was not counted

	Bytes    int64 `json:"bytes"`    // on the server, without indexes
	Estimate int64 `json:"estimate"` // of the planner

	// What a command's backup may have more or fewer rows, as its moment is
	// between its start and its end. 0 where pg_dump made it.
	More  int64 `json:"more,omitempty"`
	Fewer int64 `json:"fewer,omitempty"`
}

// Sequence is where a sequence stood. Sequences belong to no snapshot, so what
// was dumped lies between two readings.
type Sequence struct {
	Increment int64  `json:"increment"`
	Last      *int64 `json:"last"`  // at the moment of the backup; nil: never used
	Later     *int64 `json:"later"` // when it was done
}

// File is a file of a backup.
type File struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Privileged is something that only some roles may create. A restore by another
// role leaves it out and says so.
type Privileged struct {
	Kind   string `json:"kind"` // extension, publication or event trigger
	Name   string `json:"name"`
	Schema string `json:"schema,omitempty"` // of an extension
}

// Verification is a restore that was compared with the manifest.
type Verification struct {
	At      time.Time `json:"at"`
	Took    Seconds   `json:"took"`           // the restore, without comparing
	Counted int       `json:"counted"`        // tables whose rows were compared
	Left    int       `json:"left,omitempty"` // tables that had not been counted
	LeftOut []string  `json:"left_out,omitempty"`
	Schema  bool      `json:"schema"` // it was compared too
}

const (
	manifestFile = "manifest.json"
	schemaFile   = "schema.json.gz"
	dataFolder   = "data"
	partial      = ".partial"
)

// seal returns the manifest as bytes, with its checksum in it.
func (m *Manifest) seal() ([]byte, error) {
	m.Seal = ""
	open, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(open)
	m.Seal = hex.EncodeToString(sum[:])
	data, err := json.MarshalIndent(m, "", "  ")
	return append(data, '\n'), err
}

// write makes m the manifest in a folder: beside the old one, synced, renamed.
func (m *Manifest) write(folder string) error {
	data, err := m.seal()
	if err != nil {
		return fmt.Errorf("encoding the manifest: %w", err)
	}
	path := filepath.Join(folder, manifestFile)
	if err := writeSynced(path+".new", data); err != nil {
		_ = os.Remove(path + ".new")
		return fmt.Errorf("writing the manifest: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	return syncFolder(folder)
}

func readManifest(folder string) (*Manifest, error) {
	data, err := os.ReadFile(filepath.Join(folder, manifestFile))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New(manifestFile + " is missing")
	case err != nil:
		return nil, err
	}
	var head struct {
		Format int `json:"format"`
	}
	if json.Unmarshal(data, &head) == nil && head.Format > format {
		return nil, fmt.Errorf("%s has format %d and this bluegreen knows up to %d: start the newer one again", manifestFile, head.Format, format)
	}
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, errors.New(manifestFile + " is damaged")
	}
	said := m.Seal
	if _, err := m.seal(); err != nil || m.Seal != said {
		return nil, errors.New(manifestFile + " was changed: its checksum is another one")
	}
	return m, nil
}
