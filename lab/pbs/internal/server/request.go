package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// normalized takes paths as the server does: empty parts count for nothing, so //api2/json is what the client asks
// for to log in, to back up and to restore.
func normalized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' })
		for _, part := range parts {
			if strings.HasPrefix(part, ".") {
				answer(w, nil, errors.New("Path contains illegal components."))
				return
			}
		}
		r.URL.Path, r.URL.RawPath = "/"+strings.Join(parts, "/"), ""
		next.ServeHTTP(w, r)
	})
}

// parameters of a request: of its query, and of a body that is a form or a JSON object.
func parameters(r *http.Request) (url.Values, error) {
	form := r.URL.Query()
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Body == nil || kind != "application/x-www-form-urlencoded" && kind != "application/json" {
		return form, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return form, err
	}
	more, err := url.ParseQuery(string(text))
	if kind == "application/json" {
		more, err = object(text)
	}
	for name, values := range more {
		form[name] = values
	}
	return form, err
}

// object is a JSON object with the values of its fields as text.
func object(text []byte) (url.Values, error) {
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return nil, fmt.Errorf("unable to parse JSON - %w", err)
	}
	form := url.Values{}
	for name, value := range fields {
		list, isList := value.([]any)
		if !isList {
			list = []any{value}
		}
		for _, one := range list {
			if one != nil {
				form.Add(name, fmt.Sprint(one))
			}
		}
	}
	return form, nil
}

// tolerant is a connection whose first request may lack the header Host, which net/http insists on and the server
// does not. It has to be the connection's only one then.
type tolerant struct {
	net.Conn
	head    []byte // read, and not yet handed over
	started bool
}

// maxHead is the most that is read to find the end of a request's head.
const maxHead = 64 << 10

func (c *tolerant) Read(p []byte) (int, error) {
	if !c.started {
		c.started = true
		if err := c.readHead(); err != nil && len(c.head) == 0 {
			return 0, err
		}
	}
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

func (c *tolerant) readHead() error {
	buffer := make([]byte, 4096)
	for len(c.head) < maxHead {
		n, err := c.Conn.Read(buffer)
		c.head = append(c.head, buffer[:n]...)
		if end := bytes.Index(c.head, []byte("\r\n\r\n")); end >= 0 {
			if !bytes.Contains(bytes.ToLower(c.head[:end]), []byte("\r\nhost:")) {
				rest := append([]byte("\r\nHost: localhost\r\nConnection: close"), c.head[end:]...)
				c.head = append(c.head[:end:end], rest...)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tolerantListener makes every connection tolerant.
type tolerantListener struct{ net.Listener }

func (l tolerantListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tolerant{Conn: conn}, nil
}
