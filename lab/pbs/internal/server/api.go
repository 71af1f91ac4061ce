package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"

	"docker-node/lab/pbs/internal/format"
	"docker-node/lab/pbs/internal/wire"
)

// Server answers requests.
type Server struct {
	settings  *watched
	ticketKey []byte
	log       func(string, ...any)
	mutex     sync.Mutex
	stores    map[string]*store
}

// New opens the datastores.
func New(path string, log func(string, ...any)) (*Server, error) {
	settings, err := LoadSettings(path)
	if err != nil {
		return nil, err
	}
	s := &Server{log: log, stores: map[string]*store{}}
	s.settings = &watched{path: path, current: settings, stamp: stampOf(path), changed: s.apply, log: log}
	s.apply(settings)
	for _, d := range settings.Datastores {
		if s.stores[d.Name] == nil {
			return nil, fmt.Errorf("datastore %s cannot be opened, see above", d.Name)
		}
	}
	s.ticketKey, err = keepSecret(filepath.Join(settings.State, "ticket.key"))
	return s, err
}

// apply takes over what may change while the server runs.
func (s *Server) apply(settings *Settings) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, d := range settings.Datastores {
		if known := s.stores[d.Name]; known != nil {
			known.quota.Store(d.Quota)
			known.makeNamespaces(d.Namespaces)
			continue
		}
		st, err := openStore(d, s.log)
		if err != nil {
			s.log("datastore %s: %v", d.Name, err)
			continue
		}
		s.stores[d.Name] = st
	}
}

// call is a request with who asks.
type call struct {
	server   *Server
	settings *Settings
	auth     string
	form     url.Values
	request  *http.Request
}

// Handler of the whole API.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api2/json/access/ticket", s.newTicket)
	for pattern, handle := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			c, err := s.authenticate(r)
			var data any
			if err == nil {
				data, err = handle(c)
			}
			answer(w, data, err)
		})
	}
	mux.HandleFunc("GET /api2/json/backup", s.upgrade(wire.Backup, (*call).backup))
	mux.HandleFunc("GET /api2/json/reader", s.upgrade(wire.Reader, (*call).read))
	return s.logged(normalized(mux))
}

const datastore = "/api2/json/admin/datastore/{store}/"

// routes are the calls that answer with data.
var routes = map[string]func(*call) (any, error){
	"GET /api2/json/version":                  (*call).version,
	"GET " + datastore + "groups":             (*call).groups,
	"GET " + datastore + "snapshots":          (*call).snapshots,
	"DELETE " + datastore + "snapshots":       (*call).forget,
	"GET " + datastore + "files":              (*call).files,
	"GET " + datastore + "notes":              (*call).notes,
	"PUT " + datastore + "notes":              (*call).setNotes,
	"GET " + datastore + "protected":          (*call).protected,
	"PUT " + datastore + "protected":          (*call).setProtected,
	"POST " + datastore + "upload-backup-log": (*call).uploadLog,
	"POST " + datastore + "prune":             (*call).prune,
	"POST " + datastore + "gc":                (*call).garbageCollect,
	"GET " + datastore + "status":             (*call).status,
	"GET " + datastore + "namespace":          (*call).listNamespaces,
	"POST " + datastore + "namespace":         (*call).createNamespace,
	"DELETE " + datastore + "namespace":       (*call).deleteNamespace,
	"POST " + datastore + "change-owner":      (*call).changeOwner,
	"GET /api2/json/config/prune":             (*call).pruneJobs,
}

func (c *call) version() (any, error) {
	return map[string]string{"version": format.Version, "release": "stand-in", "repoid": format.StandIn}, nil
}

// remembered keeps an answer's status for the log.
type remembered struct {
	http.ResponseWriter
	status int
}

func (r *remembered) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets a connection be taken over.
func (r *remembered) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept := &remembered{w, 200}
		next.ServeHTTP(kept, r)
		s.log("%s %s %s %d", r.RemoteAddr, r.Method, r.URL.Path, kept.status)
	})
}

// upgrade hands a connection over to a session that serves requests until it ends.
func (s *Server) upgrade(protocol string, open func(*call) (http.Handler, func(), error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.authenticate(r)
		if err == nil && r.Header.Get("Upgrade") != protocol {
			err = errors.New("invalid protocol name")
		}
		var handler http.Handler
		end := func() {}
		if err == nil {
			handler, end, err = open(c)
		}
		if err != nil {
			answer(w, nil, err)
			return
		}
		defer end()
		takeOver(w, protocol, handler)
	}
}

// takeOver serves the other protocol on the request's connection.
func takeOver(w http.ResponseWriter, protocol string, handler http.Handler) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer conn.Close()
	if kept, ok := w.(*remembered); ok {
		kept.status = http.StatusSwitchingProtocols
	}
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: %s\r\n\r\n", protocol); err == nil {
		wire.Serve(conn, buffered.Reader, handler)
	}
}
