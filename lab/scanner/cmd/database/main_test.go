package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/metadata"
)

// open writes the lab's own file, and opens the result as Trivy does.
func open(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := write("../../database.json", folder); err != nil {
		t.Fatal(err)
	}
	if err := db.Init(folder); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return folder
}

func TestAdvisories(t *testing.T) {
	open(t)
	advisories, err := db.Config{}.GetAdvisories("alpine edge", "lab-library")
	if err != nil {
		t.Fatal(err)
	}
	fixed := map[string]string{}
	for _, one := range advisories {
		fixed[one.VulnerabilityID] = one.FixedVersion
	}
	if version, known := fixed["CVE-2026-90002"]; !known || version != "" || fixed["CVE-2026-90001"] != "1.0.1-r0" {
		t.Errorf("advisories: %v", fixed)
	}
}

func TestVulnerability(t *testing.T) {
	folder := open(t)
	known, err := db.Config{}.GetVulnerability("CVE-2026-90001")
	if err != nil || known.Severity != "CRITICAL" {
		t.Errorf("vulnerability: %v, %v", known, err)
	}
	meta, err := metadata.NewClient(folder).Get()
	if err != nil || meta.Version != db.SchemaVersion || !meta.NextUpdate.After(meta.UpdatedAt) {
		t.Errorf("metadata: %v, %v", meta, err)
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{`: "unexpected",
		`{"name":"alpine 3.20","vulnerabilities":[{"id":"CVE-1","severity":"GRAVE"}]}`: "CVE-1",
	} {
		file := filepath.Join(t.TempDir(), "database.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := write(file, t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		_ = db.Close()
	}
}
