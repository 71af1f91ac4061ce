// The end of a backup: its manifest is checked, and the snapshot kept.

package server

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"docker-node/lab/pbs/internal/format"
)

// finish checks the manifest against what was sent and makes the snapshot visible.
func (s *session) finish(*http.Request) (any, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.finished {
		return nil, errors.New("backup already marked as finished.")
	}
	if len(s.writers) > 0 {
		return nil, errors.New("found open index writer - unable to finish backup")
	}
	if err := s.checkManifest(); err != nil {
		return nil, err
	}
	if err := s.show(); err != nil {
		return nil, err
	}
	s.finished, s.staging = true, ""
	return nil, nil
}

// show moves the snapshot to where others see it.
func (s *session) show() error {
	st := s.store
	target := st.snapshotPath(s.ns, s.snapshot)
	if !st.hasNamespace(s.ns) {
		return errors.New("namespace not found")
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	if s.owner != "" {
		if err := st.write(filepath.Join(filepath.Dir(target), "owner"), []byte(s.owner+"\n")); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.staging, 0o755); err != nil {
		return err
	}
	return os.Rename(s.staging, target)
}

func (s *session) checkManifest() error {
	m, err := s.readManifest()
	if err != nil {
		return err
	}
	if len(m.Files) == 0 {
		return errors.New("backup does not contain valid files (file count == 0)")
	}
	if m.Snapshot != s.snapshot {
		return fmt.Errorf("the manifest is of another snapshot, %s", m.Snapshot)
	}
	for _, file := range m.Files {
		got, there := s.files[file.Name]
		if !there {
			return fmt.Errorf("file '%s' of the manifest was not sent", file.Name)
		}
		if err := m.Verify(file.Name, got.size, got.csum); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) readManifest() (*format.Manifest, error) {
	raw, err := os.ReadFile(filepath.Join(s.staging, format.ManifestName))
	if err != nil {
		return nil, errors.New("backup does not contain a manifest (" + format.ManifestName + ")")
	}
	text, err := format.DecodeBlob(raw, nil)
	if err != nil {
		return nil, err
	}
	return format.ParseManifest(text, nil)
}
