// Package format holds what client and server agree on: names, and the documented file formats of Proxmox
// Backup (docs: "File Formats", "Backup Protocol").
package format

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// StandIn is said wherever a person might take these programs for Proxmox's own.
const StandIn = "stand-in of the docker-node lab, not made by Proxmox"

// Version is the interface the programs follow.
const Version = "3.4"

const (
	safeID = `[A-Za-z0-9_][A-Za-z0-9._\-]*`
	// TimeFormat of snapshots in paths: RFC 3339, UTC.
	TimeFormat   = "2006-01-02T15:04:05Z"
	timeRE       = `[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z`
	typeRE       = `host|vm|ct`
	userRE       = `[^\s:/[:cntrl:]]+@` + safeID
	dnsRE        = `[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?)*`
	maxNSDepth   = 7
	manifestBlob = "index.json.blob"
)

// Names of files in every snapshot.
const (
	ManifestName = manifestBlob
	CatalogName  = "catalog.pcat1.didx"
	LogName      = "client.log.blob"
)

var (
	IDRegexp         = regexp.MustCompile(`^` + safeID + `$`)
	groupRegexp      = regexp.MustCompile(`^(` + typeRE + `)/(` + safeID + `)$`)
	snapshotRegexp   = regexp.MustCompile(`^(` + typeRE + `)/(` + safeID + `)/(` + timeRE + `)$`)
	nsRegexp         = regexp.MustCompile(`^(?:` + safeID + `/)*` + safeID + `$`)
	ArchiveRegexp    = regexp.MustCompile(`^[A-Za-z0-9_.\-]+\.(didx|fidx|blob)$`)
	SpecRegexp       = regexp.MustCompile(`^([a-zA-Z0-9_-]+\.(pxar|img|conf|log)):(.+)$`)
	DigestRegexp     = regexp.MustCompile(`^[0-9a-f]{64}$`)
	repositoryRegexp = regexp.MustCompile(`^(?:(?:(` + userRE + `(?:!` + safeID + `)?)@)?(` + dnsRE +
		`|\[[0-9a-fA-F:.]+\]):)?(?:([0-9]{1,5}):)?(` + safeID + `)$`)
)

// Repository is where backups go: [[user@realm[!token]@]host[:port]:]datastore.
type Repository struct {
	AuthID, Host, Port, Store string
	text                      string
}

// ParseRepository reads a repository; absent parts have the documented defaults.
func ParseRepository(text string) (Repository, error) {
	m := repositoryRegexp.FindStringSubmatch(text)
	if m == nil {
		return Repository{}, fmt.Errorf("unable to parse repository url '%s'", text)
	}
	or := func(value, fallback string) string {
		if value == "" {
			return fallback
		}
		return value
	}
	r := Repository{or(m[1], "root@pam"), or(m[2], "localhost"), or(m[3], "8007"), m[4], text}
	if m[1] != "" {
		r.text = fmt.Sprintf("%s@%s:%s:%s", r.AuthID, r.Host, r.Port, r.Store)
	}
	return r, nil
}

func (r Repository) String() string { return r.text }

// Address to dial.
func (r Repository) Address() string { return r.Host + ":" + r.Port }

// IsToken tells API tokens from users.
func IsToken(authID string) bool { return strings.Contains(authID, "!") }

// UserOf is the user a token belongs to, or the user itself.
func UserOf(authID string) string {
	user, _, _ := strings.Cut(authID, "!")
	return user
}

// Group is type/id.
type Group struct {
	Type string `json:"backup-type"`
	ID   string `json:"backup-id"`
}

func (g Group) String() string { return g.Type + "/" + g.ID }

// Snapshot is a group at a time.
type Snapshot struct {
	Group
	Time int64 `json:"backup-time"`
}

func (s Snapshot) String() string { return s.Group.String() + "/" + TimeString(s.Time) }

// TimeString is a snapshot's time as it stands in paths.
func TimeString(epoch int64) string { return time.Unix(epoch, 0).UTC().Format(TimeFormat) }

// ParseGroup reads type/id.
func ParseGroup(text string) (Group, error) {
	m := groupRegexp.FindStringSubmatch(text)
	if m == nil {
		return Group{}, fmt.Errorf("unable to parse backup group path '%s'", text)
	}
	return Group{m[1], m[2]}, nil
}

// ParseSnapshot reads type/id/time.
func ParseSnapshot(text string) (Snapshot, error) {
	m := snapshotRegexp.FindStringSubmatch(text)
	if m == nil {
		return Snapshot{}, fmt.Errorf("unable to parse backup snapshot path '%s'", text)
	}
	when, err := time.Parse(TimeFormat, m[3])
	if err != nil {
		return Snapshot{}, fmt.Errorf("unable to parse backup snapshot path '%s' - %v", text, err)
	}
	return Snapshot{Group{m[1], m[2]}, when.Unix()}, nil
}

// CheckNamespace accepts "" (the root) and up to seven names.
func CheckNamespace(ns string) error {
	if ns == "" {
		return nil
	}
	if !nsRegexp.MatchString(ns) {
		return fmt.Errorf("value does not match the regex pattern")
	}
	if strings.Count(ns, "/") >= maxNSDepth {
		return fmt.Errorf("namespace to deep, %d >= max %d", strings.Count(ns, "/")+1, maxNSDepth)
	}
	return nil
}
