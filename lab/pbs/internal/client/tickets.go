// Tickets: what a login with a password brings, kept for the next call.

package client

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"docker-node/lab/pbs/internal/format"
)

type ticket struct {
	Ticket string `json:"ticket"`
	CSRF   string `json:"CSRFPreventionToken"`
}

// login gets a ticket for a user with a password; tokens need none.
func (c *Client) login() error {
	if format.IsToken(c.repo.AuthID) || c.ticket != nil {
		return nil
	}
	form := map[string]string{"username": c.repo.AuthID, "password": c.password}
	body, err := json.Marshal(form)
	if err != nil {
		return err
	}
	response, err := c.http.Post(c.url("/api2/json/access/ticket", nil), "application/json", bytes.NewReader(body))
	if err != nil {
		return c.connectError(err)
	}
	var got ticket
	if err := readAnswer(response, &got); err != nil {
		return err
	}
	c.ticket = &got
	return nil
}

func (c *Client) authorize(request *http.Request) error {
	if err := c.login(); err != nil {
		return err
	}
	request.Header.Set("User-Agent", "proxmox-backup-client/1.0 ("+format.StandIn+")")
	if c.ticket == nil {
		request.Header.Set("Authorization", "PBSAPIToken "+c.repo.AuthID+":"+url.PathEscape(c.password))
		return nil
	}
	// As it is but for what a path does not hold: + stays +.
	request.Header.Set("Cookie", "PBSAuthCookie="+url.PathEscape(c.ticket.Ticket))
	request.Header.Set("CSRFPreventionToken", c.ticket.CSRF)
	return nil
}

// ticketFile keeps tickets of `login` by repository, for the user alone.
func ticketFile() string {
	base := os.Getenv("XDG_RUNTIME_DIR")
	if base == "" {
		base, _ = os.UserCacheDir()
	}
	return filepath.Join(base, "proxmox-backup", "tickets")
}

func ticketKey(repo format.Repository) string { return repo.Address() + " " + repo.AuthID }

func loadTickets() map[string]*ticket {
	tickets := map[string]*ticket{}
	if text, err := os.ReadFile(ticketFile()); err == nil {
		_ = json.Unmarshal(text, &tickets)
	}
	return tickets
}

func loadTicket(repo format.Repository) *ticket { return loadTickets()[ticketKey(repo)] }

func storeTicket(repo format.Repository, t *ticket) error {
	tickets := loadTickets()
	delete(tickets, ticketKey(repo))
	if t != nil {
		tickets[ticketKey(repo)] = t
	}
	text, err := json.Marshal(tickets)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(ticketFile()), 0o700); err != nil {
		return err
	}
	return os.WriteFile(ticketFile(), text, 0o600)
}

// Login checks the credentials and keeps a user's ticket.
func (c *Client) Login() error {
	if format.IsToken(c.repo.AuthID) {
		return c.Call("GET", "version", nil, nil)
	}
	c.ticket = nil
	if err := c.login(); err != nil {
		return err
	}
	return storeTicket(c.repo, c.ticket)
}

// Logout forgets the ticket.
func Logout(repo format.Repository) error { return storeTicket(repo, nil) }
