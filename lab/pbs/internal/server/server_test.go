package server

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-node/lab/pbs/internal/format"
)

func TestEmptyPartsOfAPathCountForNothing(t *testing.T) {
	_, base := serve(t)
	good := bearer(url.PathEscape(secret))
	for _, path := range []string{"/api2/json/version", "//api2/json/version", "/api2//json/version/"} {
		if status, text := ask(t, base, request{method: "GET", path: path, authorization: good}); status != 200 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, _ := ask(t, base, request{method: "GET", path: "/api2/./json/version", authorization: good}); status != 400 {
		t.Errorf("a dot: %d", status)
	}
}

func TestLogsInByFormAndByJSON(t *testing.T) {
	_, base := serve(t)
	form := url.Values{"username": {superuser}, "password": {secret}}.Encode()
	text, _ := json.Marshal(map[string]string{"username": superuser, "password": secret})
	for kind, body := range map[string]string{"application/x-www-form-urlencoded": form, "application/json": string(text)} {
		status, answer := ask(t, base, request{method: "POST", path: "//api2/json/access/ticket", kind: kind, body: body})
		var got struct {
			Data struct{ Ticket, CSRFPreventionToken string }
		}
		if err := json.Unmarshal([]byte(answer), &got); err != nil || status != 200 {
			t.Fatalf("%s: %d %s", kind, status, answer)
		}
		// A ticket is base64, whose + no client escapes: percent signs alone are decoded.
		create := request{method: "POST", path: "/api2/json/admin/datastore/store/namespace", kind: "application/json",
			body: fmt.Sprintf(`{"parent":"node1","name":"by-%d"}`, len(kind)), cookie: "PBSAuthCookie=" + strings.ReplaceAll(got.Data.Ticket, "=", "%3D"), csrf: got.Data.CSRFPreventionToken}
		if status, answer := ask(t, base, create); status != 200 {
			t.Errorf("%s: %d %s", kind, status, answer)
		}
	}
	wrong := request{method: "POST", path: "/api2/json/access/ticket", kind: "application/json", body: `{"username":"root@pam","password":"x"}`}
	if status, text := ask(t, base, wrong); status != 401 || text != "permission check failed." {
		t.Errorf("%d %s", status, text)
	}
}

// makeDays makes an empty snapshot on each of three days.
func makeDays(t *testing.T, st *store, group format.Group) {
	t.Helper()
	for day := range 3 {
		b := format.Snapshot{Group: group, Time: 1800000000 + int64(day)*86400}
		if err := os.MkdirAll(st.snapshotPath("node1/volumes", b), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPrunesByFormAndByJSON(t *testing.T) {
	form := url.Values{"ns": {"node1/volumes"}, "backup-type": {"host"}, "backup-id": {"data"}, "keep-daily": {"1"}, "dry-run": {"true"}}.Encode()
	const text = `{"ns":"node1/volumes","backup-type":"host","backup-id":"data","keep-daily":1,"dry-run":%t}`
	for _, c := range []struct {
		kind, body string
		left       int
	}{
		{"application/x-www-form-urlencoded", form, 3},
		{"application/json", fmt.Sprintf(text, true), 3},
		{"application/json", fmt.Sprintf(text, false), 1},
	} {
		s, base := serve(t)
		st, group := s.stores["store"], format.Group{Type: "host", ID: "data"}
		makeDays(t, st, group)
		cookie := "PBSAuthCookie=" + s.ticket(superuser, nowPlus(0))
		status, answer := ask(t, base, request{method: "POST", path: "/api2/json/admin/datastore/store/prune", kind: c.kind, body: c.body, cookie: cookie, csrf: s.sign("csrf:" + superuser)})
		if status != 200 || strings.Count(answer, `"keep":true`) != 1 || strings.Count(answer, `"keep":false`) != 2 {
			t.Errorf("%s: %d %s", c.body, status, answer)
		}
		if left := st.snapshots("node1/volumes", group); len(left) != c.left {
			t.Errorf("%s: %v", c.body, left)
		}
	}
}

// finishBroken gives a snapshot the manifest of one whose verification failed.
func finishBroken(t *testing.T, st *store, b format.Snapshot) {
	t.Helper()
	manifest := &format.Manifest{Snapshot: b, Unprotected: map[string]any{"verify_state": map[string]string{"state": "failed"}}}
	text, err := manifest.Text(nil)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := format.EncodeBlob(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(st.snapshotPath("node1/volumes", b), format.ManifestName)
	if err := os.WriteFile(path, blob, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestListsWhatIsUnfinishedOrBroken(t *testing.T) {
	s, base := serve(t)
	st, group := s.stores["store"], format.Group{Type: "host", ID: "data"}
	makeDays(t, st, group)
	finishBroken(t, st, st.snapshots("node1/volumes", group)[1])
	if err := os.WriteFile(filepath.Join(st.groupPath("node1/volumes", group), "owner"), []byte(superuser), 0o600); err != nil {
		t.Fatal(err)
	}
	cookie := "PBSAuthCookie=" + s.ticket(superuser, nowPlus(0))
	status, answer := ask(t, base, request{method: "GET", path: "/api2/json/admin/datastore/store/snapshots?ns=node1/volumes", cookie: cookie})
	if status != 200 || strings.Count(answer, `"backup-time"`) != 3 || strings.Count(answer, `"verification":{"state":"failed"}`) != 1 {
		t.Errorf("%d %s", status, answer)
	}
	// Of the snapshot and of its manifest.
	if strings.Count(answer, `"size"`) != 2 {
		t.Errorf("sizes: %s", answer)
	}
}

func TestTakesEveryTicket(t *testing.T) {
	s, base := serve(t)
	for range 100 { // by chance some have a +
		ticket := s.ticket(superuser, nowPlus(1))
		if status, _ := ask(t, base, request{method: "GET", path: "/api2/json/version", cookie: "PBSAuthCookie=" + ticket}); status != 200 {
			t.Fatalf("refused: %s", ticket)
		}
	}
}

func TestSaysWhyNotAsTheServerDoes(t *testing.T) {
	_, base := serve(t)
	for _, c := range refusals() {
		status, text := ask(t, base, request{method: "GET", path: c.path, authorization: c.authorization})
		if strings.HasPrefix(c.path, "/api2/json/backup") || strings.HasPrefix(c.path, "/api2/json/reader") {
			status, text = askUpgrade(t, base, c.path, c.authorization)
		}
		if status != c.status || text != c.text {
			t.Errorf("%s: %d %q", c.path, status, text)
		}
	}
}

type refusal struct {
	path, authorization string
	status              int
	text                string
}

func refusals() []refusal {
	good := bearer(url.PathEscape(secret))
	const store = "/api2/json/admin/datastore/store/"
	upgrade := "?store=store&backup-type=host&backup-time=1800000000&backup-id="
	return []refusal{
		{store + "snapshots?ns=node1/volumes", bearer("guess"), 401, "authentication failed - invalid credentials"},
		{store + "snapshots?ns=node1/volumes", "PBSAPIToken backup@pbs!gone:x", 401, "authentication failed - user account or token disabled or expired."},
		{store + "snapshots?ns=node1/volumes", "", 401, "authentication failed - no authentication credentials provided."},
		{store + "snapshots?ns=node1/missing", good, 400, "ENOENT: No such file or directory"},
		{store + "groups?ns=node1/missing", good, 400, "ENOENT: No such file or directory"},
		{store + "snapshots?ns=node2", good, 403, "permission check failed - missing Datastore.Audit|Datastore.Backup on /datastore/store/node2"},
		{"/api2/json/backup" + upgrade + "a&ns=node1/missing", good, 404, "namespace not found"},
		{"/api2/json/backup" + upgrade + "a&ns=node2", good, 403, "missing permissions 'Datastore.Backup' on '/datastore/store/node2'"},
		{"/api2/json/backup" + upgrade + "benchmark&ns=node1/volumes", good, 400, "unable to run benchmark without --benchmark flags"},
		{"/api2/json/reader" + upgrade + "a&ns=node1/missing", good, 400, "snapshot host/a/2027-01-15T08:00:00Z does not exist."},
		{"/api2/json/reader" + upgrade + "a&ns=node2", good, 400, "no permissions on /datastore/store/node2"},
	}
}

func TestTakesARequestWithoutHost(t *testing.T) {
	_, base := serve(t)
	head := "GET /api2/json/version HTTP/1.1\r\nAuthorization: " + bearer(url.PathEscape(secret)) + "\r\n\r\n"
	if status, text := raw(t, base, head); status != 200 {
		t.Errorf("%d %s", status, text)
	}
}

func TestShowsPruneJobsOfWhatMayBeLookedAt(t *testing.T) {
	s, base := serve(t)
	cookie := "PBSAuthCookie=" + s.ticket(superuser, nowPlus(0))
	_, all := ask(t, base, request{method: "GET", path: "/api2/json/config/prune", cookie: cookie})
	if !strings.Contains(all, "node1-volumes") || !strings.Contains(all, `"keep-daily":30`) || !strings.Contains(all, "other") {
		t.Error(all)
	}
	if _, none := ask(t, base, request{method: "GET", path: "/api2/json/config/prune", authorization: bearer(url.PathEscape(secret))}); none != `{"data":[]}` {
		t.Error(none)
	}
}
