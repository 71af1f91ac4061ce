// What an account may do, by the access list.

package server

import (
	"strings"
	"time"

	"docker-node/lab/pbs/internal/format"
)

// privilege is a set of what one may do.
type privilege uint

const (
	audit privilege = 1 << iota
	allocate
	modify
	read
	verify
	backup
	prune
	everything privilege = ^privilege(0)
)

var privilegeNames = []string{"Datastore.Audit", "Datastore.Allocate", "Datastore.Modify", "Datastore.Read", "Datastore.Verify", "Datastore.Backup", "Datastore.Prune"}

func (p privilege) String() string {
	var names []string
	for i, name := range privilegeNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Roles as documented under "User Management".
var roles = map[string]privilege{
	"NoAccess":           0,
	"Admin":              everything,
	"Audit":              audit,
	"DatastoreAdmin":     audit | modify | read | verify | backup | prune,
	"DatastoreReader":    audit | verify | read,
	"DatastoreBackup":    backup,
	"DatastorePowerUser": prune | backup,
	"DatastoreAudit":     audit,
}

const superuser = "root@pam"

func (a Account) expired(now time.Time) bool { return a.Expire != 0 && now.Unix() >= a.Expire }

func find(accounts []Account, id string) (Account, bool) {
	for _, a := range accounts {
		if a.ID == id {
			return a, true
		}
	}
	return Account{}, false
}

// usable tells why an account may not be used now, or nothing. A token falls with its user.
func (s *Settings) usable(id string) string {
	user, known := find(s.Users, format.UserOf(id))
	switch {
	case !known:
		return "no such user"
	case user.Disable:
		return "user account disabled"
	case user.expired(time.Now()):
		return "user account expired"
	}
	if !format.IsToken(id) {
		return ""
	}
	token, known := find(s.Tokens, id)
	switch {
	case !known:
		return "no such token"
	case token.Disable:
		return "token disabled"
	case token.expired(time.Now()):
		return "token expired"
	}
	return ""
}

// own privileges by the list: the deepest path that names the account counts.
func (s *Settings) own(id, path string) privilege {
	if id == superuser {
		return everything
	}
	best, got := -1, privilege(0)
	for _, e := range s.ACL {
		at := strings.TrimSuffix(e.Path, "/")
		if e.Auth != id || path != at && !strings.HasPrefix(path, at+"/") {
			continue
		}
		if e.Propagate != nil && !*e.Propagate && path != at {
			continue
		}
		switch {
		case len(at) > best:
			best, got = len(at), roles[e.Role]
		case len(at) == best:
			got |= roles[e.Role]
		}
	}
	return got
}

// privileges of an account; a token has at most what its user has.
func (s *Settings) privileges(id, path string) privilege {
	got := s.own(id, path)
	if format.IsToken(id) {
		got &= s.own(format.UserOf(id), path)
	}
	return got
}
