// Command database writes a database of vulnerabilities as Trivy reads it: trivy.db and metadata.json.
//
//	database FILE FOLDER
//
// FILE is JSON: what a distribution's packages are known for. trivy.db depends on it alone; metadata.json has the time as well.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/metadata"
	"github.com/aquasecurity/trivy-db/pkg/types"
	bolt "go.etcd.io/bbolt"
)

// platform is what a distribution's packages are known for.
type platform struct {
	// Name with release, as Trivy looks for it: "alpine edge".
	Name string
	// Source of the advisories: "alpine".
	Source types.SourceID
	// Hours from now on until Trivy asks for another database.
	Hours           int
	Vulnerabilities []vulnerability
}

type vulnerability struct {
	ID, Title, Severity, Package string
	// Version that mends it; empty while there is none.
	Fixed string
}

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: database FILE FOLDER"))
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "database:", err)
	os.Exit(1)
}

func write(file, folder string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var from platform
	if err := json.Unmarshal(text, &from); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := db.Init(folder); err != nil {
		return err
	}
	if err := (db.Config{}).BatchUpdate(from.put); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	now := time.Now().UTC()
	next := now.Add(time.Duration(from.Hours) * time.Hour)
	return metadata.NewClient(folder).Update(metadata.Metadata{
		Version: db.SchemaVersion, UpdatedAt: now, NextUpdate: next,
	})
}

func (from platform) put(tx *bolt.Tx) error {
	dbc := db.Config{}
	source := types.DataSource{ID: from.Source, Name: "the lab's advisories for " + from.Name}
	if err := dbc.PutDataSource(tx, from.Name, source); err != nil {
		return err
	}
	for _, each := range from.Vulnerabilities {
		if err := each.put(dbc, tx, from); err != nil {
			return fmt.Errorf("%s: %w", each.ID, err)
		}
	}
	return nil
}

func (each vulnerability) put(dbc db.Config, tx *bolt.Tx, from platform) error {
	severity, err := types.NewSeverity(each.Severity)
	if err != nil {
		return err
	}
	known := types.Vulnerability{
		Title:          each.Title,
		Severity:       each.Severity,
		VendorSeverity: types.VendorSeverity{from.Source: severity},
	}
	if err := dbc.PutVulnerability(tx, each.ID, known); err != nil {
		return err
	}
	if err := dbc.PutVulnerabilityID(tx, each.ID); err != nil {
		return err
	}
	return each.putAdvisory(tx, from)
}

// putAdvisory fills the buckets of a finished database: platform, package, vulnerability.
func (each vulnerability) putAdvisory(tx *bolt.Tx, from platform) error {
	platforms, err := tx.CreateBucketIfNotExists([]byte(from.Name))
	if err != nil {
		return err
	}
	packages, err := platforms.CreateBucketIfNotExists([]byte(each.Package))
	if err != nil {
		return err
	}
	advisory, err := json.Marshal(&types.Advisory{FixedVersion: each.Fixed})
	if err != nil {
		return err
	}
	return packages.Put([]byte(each.ID), advisory)
}
