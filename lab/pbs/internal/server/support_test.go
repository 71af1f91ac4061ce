// A server to ask, and how tests ask it.

package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	token  = "backup@pbs!node1"
	secret = "a secret+with a plus"
)

// serve starts a server with a datastore `store`, namespace `node1/volumes`, a token for it, and an administrator.
func serve(t *testing.T) (*Server, string) {
	t.Helper()
	text, _ := json.Marshal(settingsIn(t.TempDir()))
	file := filepath.Join(t.TempDir(), "settings.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(file, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(s.Handler())
	server.Listener = tolerantListener{server.Listener}
	server.Start()
	t.Cleanup(server.Close)
	return s, server.URL
}

func settingsIn(root string) Settings {
	give := func(path, role string, ids ...string) (list []ACLEntry) {
		for _, id := range ids {
			list = append(list, ACLEntry{Path: path, Auth: id, Role: role})
		}
		return list
	}
	return Settings{
		Listen: "127.0.0.1:0", State: root,
		Datastores: []Datastore{{Name: "store", Path: filepath.Join(root, "store"), Namespaces: []string{"node1/volumes"}}},
		Users:      []Account{{ID: "backup@pbs"}, {ID: superuser, Secret: secret}},
		Tokens:     []Account{{ID: token, Secret: secret}},
		ACL:        give("/datastore/store/node1", "DatastoreBackup", "backup@pbs", token),
		PruneJobs: []map[string]any{
			{"id": "node1-volumes", "store": "store", "ns": "node1/volumes", "keep-daily": 30},
			{"id": "other", "store": "other", "keep-daily": 1},
		},
	}
}

type request struct {
	method, path, kind, body, authorization, cookie, csrf string
}

// ask is the status and text of an answer; redirections are not followed.
func ask(t *testing.T, base string, r request) (int, string) {
	t.Helper()
	asked, err := http.NewRequest(r.method, base+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": r.kind, "Authorization": r.authorization, "Cookie": r.cookie, "CSRFPreventionToken": r.csrf} {
		if value != "" {
			asked.Header.Set(name, value)
		}
	}
	response, err := http.DefaultTransport.RoundTrip(asked)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(text))
}

func bearer(secret string) string { return "PBSAPIToken " + token + ":" + secret }

func askUpgrade(t *testing.T, base, path, authorization string) (int, string) {
	t.Helper()
	protocol := map[bool]string{true: "proxmox-backup-protocol-v1", false: "proxmox-backup-reader-protocol-v1"}[strings.Contains(path, "/backup?")]
	head := fmt.Sprintf("GET %s HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: %s\r\nAuthorization: %s\r\n\r\n", path, protocol, authorization)
	return raw(t, base, head)
}

// raw sends a head that has no Host.
func raw(t *testing.T, base, head string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(text))
}

func nowPlus(seconds int) time.Time { return time.Now().Add(time.Duration(seconds) * time.Second) }
