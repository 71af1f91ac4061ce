// Tells who asks.

package server

import (
	"net/http"
	"net/url"
	"strings"
)

// logDenied keeps the reason, of which the client learns less.
func (s *Server) logDenied(r *http.Request, id, why string) {
	s.log("authentication failure; rhost=%s user=%q msg=%s", r.RemoteAddr, id, why)
}

func (s *Server) authenticate(r *http.Request) (*call, error) {
	settings := s.settings.get()
	form, err := parameters(r)
	if err != nil {
		return nil, err
	}
	id, why := s.identify(r, settings)
	if why != "" {
		s.logDenied(r, id, why)
		return nil, unauthorized("authentication failed - " + why)
	}
	return &call{server: s, settings: settings, request: r, form: form, auth: id}, nil
}

// identify says who asks, or why that is not known.
func (s *Server) identify(r *http.Request, settings *Settings) (id, why string) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "PBSAPIToken"); ok {
		return settings.checkToken(token[min(1, len(token)):])
	}
	cookie, err := r.Cookie("PBSAuthCookie")
	if err != nil {
		return "", "no authentication credentials provided."
	}
	// Percent signs alone are decoded: + stands for itself.
	text, _ := url.PathUnescape(cookie.Value)
	id, ok := s.checkTicket(text)
	switch {
	case !ok:
		return id, "invalid ticket"
	case settings.usable(id) != "":
		return id, "user account disabled or expired."
	}
	if r.Method != "GET" && !equal(r.Header.Get("CSRFPreventionToken"), s.sign("csrf:"+id)) {
		return id, "invalid csrf prevention token"
	}
	return id, ""
}

func (settings *Settings) checkToken(token string) (id, why string) {
	id, text, _ := strings.Cut(token, ":")
	given, err := url.PathUnescape(text)
	account, _ := find(settings.Tokens, id)
	switch {
	case settings.usable(id) != "":
		return id, "user account or token disabled or expired."
	case err != nil || !equal(account.Secret, given):
		return id, "invalid credentials"
	}
	return id, ""
}
