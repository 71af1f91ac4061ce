// What a call is answered with.

package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// errNoEntry is what a list says whose namespace is not there.
var errNoEntry = errors.New("ENOENT: No such file or directory")

// httpError has a status of its own; any other error is 400.
type httpError struct {
	status int
	text   string
}

func (e httpError) Error() string { return e.text }

func forbidden(format string, args ...any) error { return httpError{403, fmt.Sprintf(format, args...)} }

func unauthorized(text string) error { return httpError{http.StatusUnauthorized, text} }

func answer(w http.ResponseWriter, data any, err error) {
	if err != nil {
		status := http.StatusBadRequest
		if e := (httpError{}); errors.As(err, &e) {
			status = e.status
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}
