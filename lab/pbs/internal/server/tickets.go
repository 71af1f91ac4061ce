// Tickets: made at a login with a password, signed, and checked at each call.

package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

func (s *Server) sign(text string) string {
	mac := hmac.New(sha256.New, s.ticketKey)
	mac.Write([]byte(text))
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

const ticketLife = 2 * time.Hour

func (s *Server) ticket(id string, when time.Time) string {
	plain := fmt.Sprintf("PBS:%s:%08X", id, when.Unix())
	return plain + "::" + s.sign(plain)
}

func (s *Server) checkTicket(text string) (id string, ok bool) {
	plain, signature, _ := strings.Cut(text, "::")
	parts := strings.Split(plain, ":")
	if len(parts) != 3 || !equal(signature, s.sign(plain)) {
		return "", false
	}
	made, err := strconv.ParseInt(parts[2], 16, 64)
	return parts[1], err == nil && time.Since(time.Unix(made, 0)) < ticketLife
}

func (s *Server) newTicket(w http.ResponseWriter, r *http.Request) {
	settings := s.settings.get()
	form, err := parameters(r)
	if err != nil {
		answer(w, nil, err)
		return
	}
	id, password := form.Get("username"), form.Get("password")
	account, known := find(settings.Users, id)
	why := settings.usable(id)
	renewed, isTicket := s.checkTicket(password)
	switch {
	case why != "":
	case known && account.Secret != "" && equal(account.Secret, password), isTicket && renewed == id:
		answer(w, map[string]string{"username": id, "ticket": s.ticket(id, time.Now()), "CSRFPreventionToken": s.sign("csrf:" + id)}, nil)
		return
	default:
		why = "invalid credentials"
	}
	s.logDenied(r, id, why)
	answer(w, nil, unauthorized("permission check failed."))
}

func keepSecret(path string) ([]byte, error) {
	if key, err := os.ReadFile(path); err == nil && len(key) == 32 {
		return key, nil
	}
	key := randomBytes(32)
	return key, os.WriteFile(path, key, 0o600)
}
