package main

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

// secretHeader has the secret itself, in place of a signature made with it.
const secretHeader = "X-Lab-Secret"

type agent struct {
	docker  *http.Client
	volumes string
	secret  string
}

func (a agent) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Portainer-Agent", version)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.Handle("GET /containers/json", a.guarded(a.passOn()))
	mux.Handle("GET /volumes", a.guarded(http.HandlerFunc(a.listVolumes)))
	return mux
}

// guarded answers only those who know the shared secret.
func (a agent) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := []byte(r.Header.Get(secretHeader))
		if subtle.ConstantTimeCompare(given, []byte(a.secret)) != 1 {
			http.Error(w, "the secret is missing or wrong", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// passOn asks docker what the agent was asked, path and query, and answers what docker does.
func (a agent) passOn() http.Handler {
	rewrite := func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: "docker"})
		r.Out.Header.Del(secretHeader)
	}
	return &httputil.ReverseProxy{Rewrite: rewrite, Transport: a.docker.Transport}
}

// listVolumes is the names of the volumes, as the directory shows them.
func (a agent) listVolumes(w http.ResponseWriter, _ *http.Request) {
	entries, err := os.ReadDir(a.volumes)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	names := []string{}
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(names)
}
