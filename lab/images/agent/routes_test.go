package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeDocker answers a path with its query as docker does on its socket.
type fakeDocker map[string]string

func (f fakeDocker) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if body, known := f[r.URL.RequestURI()]; known && r.Header.Get(secretHeader) == "" {
		_, _ = recorder.WriteString(body)
	} else {
		recorder.WriteHeader(http.StatusInternalServerError)
	}
	return recorder.Result(), nil
}

func newAgent(t *testing.T, docker fakeDocker) agent {
	volumes := t.TempDir()
	if err := os.Mkdir(filepath.Join(volumes, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(volumes, "metadata.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return agent{docker: &http.Client{Transport: docker}, volumes: volumes, secret: "shared"}
}

func ask(a agent, path, secret string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header.Set(secretHeader, secret)
	recorder := httptest.NewRecorder()
	a.routes().ServeHTTP(recorder, request)
	return recorder
}

func TestPingSaysThatItIsAStandIn(t *testing.T) {
	answer := ask(newAgent(t, nil), "/ping", "")
	if answer.Code != http.StatusNoContent || answer.Header().Get("Portainer-Agent") != version {
		t.Errorf("%d, %v", answer.Code, answer.Header())
	}
}

func TestListsAreForThoseWhoKnowTheSecret(t *testing.T) {
	a := newAgent(t, fakeDocker{
		"/containers/json": `[{"Id":"1"}]`, "/containers/json?all=true": `[{"Id":"1"},{"Id":"2"}]`,
	})
	for path, listed := range map[string]string{
		"/containers/json":          `[{"Id":"1"}]`,
		"/containers/json?all=true": `[{"Id":"1"},{"Id":"2"}]`,
		"/volumes":                  `["data"]`,
	} {
		for _, wrong := range []string{"guessed", ""} {
			if refused := ask(a, path, wrong); refused.Code != http.StatusForbidden {
				t.Errorf("%s with the secret %q: %d", path, wrong, refused.Code)
			}
		}
		answer := ask(a, path, "shared")
		if answer.Code != http.StatusOK || strings.TrimSpace(answer.Body.String()) != listed {
			t.Errorf("%s: %d, %s", path, answer.Code, answer.Body)
		}
	}
}

func TestDockersFailureIsItsOwn(t *testing.T) {
	if answer := ask(newAgent(t, nil), "/containers/json", "shared"); answer.Code != http.StatusInternalServerError {
		t.Errorf("%d, %s", answer.Code, answer.Body)
	}
}

func TestRefusesToStartWhereItCouldNotWork(t *testing.T) {
	good := newAgent(t, fakeDocker{"/_ping": "OK"})
	if err := good.check(); err != nil {
		t.Error(err)
	}
	silent, blind, open := newAgent(t, fakeDocker{}), good, good
	blind.volumes = filepath.Join(good.volumes, "gone")
	open.secret = ""
	for name, bad := range map[string]agent{"docker": silent, "volumes": blind, "secret": open} {
		if err := bad.check(); err == nil || !strings.Contains(strings.ToLower(err.Error()), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
