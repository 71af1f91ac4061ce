package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// File of a snapshot as its manifest describes it.
type File struct {
	Name      string `json:"filename"`
	Size      int64  `json:"size"`
	Csum      string `json:"csum,omitempty"`
	CryptMode string `json:"crypt-mode"`
}

// Manifest describes a snapshot. Unprotected is what may change later: notes, the key's fingerprint.
type Manifest struct {
	Snapshot
	Files       []File         `json:"files"`
	Unprotected map[string]any `json:"unprotected"`
	Signature   string         `json:"signature,omitempty"`
}

// canonical is the text a signature covers: sorted keys, no spaces, neither signature nor unprotected part.
func canonical(text []byte) ([]byte, error) {
	var value map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	delete(value, "signature")
	delete(value, "unprotected")
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSpace(out.Bytes()), err
}

// Text is the manifest as JSON, signed if there is a key.
func (m *Manifest) Text(key *Crypt) ([]byte, error) {
	if m.Unprotected == nil {
		m.Unprotected = map[string]any{}
	}
	if key != nil {
		plain, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		signed, err := canonical(plain)
		if err != nil {
			return nil, err
		}
		m.Signature = key.Sign(signed)
		m.Unprotected["key-fingerprint"] = key.Fingerprint()
	}
	return json.MarshalIndent(m, "", "  ")
}

// Fingerprint of the key the manifest was made with, or "".
func (m *Manifest) Fingerprint() string {
	text, _ := m.Unprotected["key-fingerprint"].(string)
	return text
}

// ParseManifest reads a manifest, and verifies key and signature if a key is given.
func ParseManifest(text []byte, key *Crypt) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("unable to parse backup manifest json - %v", err)
	}
	if key == nil || m.Signature == "" {
		return &m, nil
	}
	if err := m.CheckKey(key); err != nil {
		return nil, err
	}
	signed, err := canonical(text)
	if err != nil {
		return nil, err
	}
	if key.Sign(signed) != m.Signature {
		return nil, errors.New("wrong signature in manifest")
	}
	return &m, nil
}

// CheckKey refuses a missing or another key.
func (m *Manifest) CheckKey(key *Crypt) error {
	made := m.Fingerprint()
	if made == "" {
		return nil
	}
	if key == nil {
		return fmt.Errorf("missing key - manifest was created with key %s", ShortFingerprint(made))
	}
	if made != key.Fingerprint() {
		return fmt.Errorf("wrong key - manifest's key %s does not match provided key %s",
			ShortFingerprint(made), ShortFingerprint(key.Fingerprint()))
	}
	return nil
}

// Lookup finds a file.
func (m *Manifest) Lookup(name string) (File, error) {
	for _, file := range m.Files {
		if file.Name == name {
			return file, nil
		}
	}
	return File{}, fmt.Errorf("manifest does not contain file '%s'", name)
}

// Verify compares a file with what the manifest says of it.
func (m *Manifest) Verify(name string, size int64, sum Digest) error {
	file, err := m.Lookup(name)
	if err != nil {
		return err
	}
	if file.Size != size {
		return fmt.Errorf("wrong size for file '%s' (%d != %d)", name, file.Size, size)
	}
	if file.Csum != sum.String() {
		return fmt.Errorf("wrong checksum for file '%s'", name)
	}
	return nil
}
