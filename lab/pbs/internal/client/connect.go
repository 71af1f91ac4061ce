// Package client is what proxmox-backup-client does.
package client

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"docker-node/lab/pbs/internal/format"
	"docker-node/lab/pbs/internal/wire"
)

// Info tells a person how things go, on standard error.
func Info(text string, args ...any) { fmt.Fprintf(os.Stderr, text+"\n", args...) }

// secret is the first line of $NAME, of descriptor $NAME_FD, of file $NAME_FILE, or of what $NAME_CMD says.
func secret(name string) (string, bool, error) {
	first := func(data []byte, err error) (string, bool, error) {
		line, _, _ := strings.Cut(string(data), "\n")
		return strings.TrimSuffix(line, "\r"), err == nil, err
	}
	if value, ok := os.LookupEnv(name); ok {
		return first([]byte(value), nil)
	}
	if text, ok := os.LookupEnv(name + "_FD"); ok {
		data, err := os.ReadFile("/dev/fd/" + text)
		if err != nil {
			err = fmt.Errorf("unable to parse file descriptor in ENV(%s_FD): %w", name, err)
		}
		return first(data, err)
	}
	if file, ok := os.LookupEnv(name + "_FILE"); ok {
		data, err := os.ReadFile(file)
		if err != nil {
			err = fmt.Errorf("unable to open file in ENV(%s_FILE): %w", name, err)
		}
		return first(data, err)
	}
	if command, ok := os.LookupEnv(name + "_CMD"); ok {
		words := strings.Fields(command)
		if len(words) == 0 {
			return "", false, fmt.Errorf("%s_CMD is empty", name)
		}
		return first(exec.Command(words[0], words[1:]...).Output())
	}
	return "", false, nil
}

// Client of one server.
type Client struct {
	repo     format.Repository
	tls      *tls.Config
	http     *http.Client
	password string
	ticket   *ticket
}

type ticket struct {
	Ticket string `json:"ticket"`
	CSRF   string `json:"CSRFPreventionToken"`
}

// Connect prepares a client; nothing is sent yet.
func Connect(repo format.Repository) (*Client, error) {
	password, given, err := secret("PBS_PASSWORD")
	c := &Client{repo: repo, password: password}
	switch {
	case err != nil:
	case given:
	case format.IsToken(repo.AuthID):
		err = errors.New("API token secret must be provided!")
	default:
		if c.ticket = loadTicket(repo); c.ticket == nil {
			err = errors.New("no password input mechanism available")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("error building client for repository %s - %w", repo, err)
	}
	c.tls = &tls.Config{InsecureSkipVerify: true, VerifyConnection: c.verify, NextProtos: []string{"http/1.1"}}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	c.http = &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: c.tls}}
	return c, nil
}

// verify trusts what the system trusts, or else the fingerprint given.
func (c *Client) verify(state tls.ConnectionState) error {
	leaf := state.PeerCertificates[0]
	pool := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		pool.AddCert(cert)
	}
	host := strings.Trim(c.repo.Host, "[]")
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Intermediates: pool}); err == nil {
		return nil
	}
	sum := sha256.Sum256(leaf.Raw)
	expected := strings.ToLower(os.Getenv("PBS_FINGERPRINT"))
	if expected == format.Colons(sum[:]) {
		return nil
	}
	if expected != "" {
		Info("WARNING: certificate fingerprint does not match expected fingerprint!")
		Info("expected:    %s", expected)
	}
	Info("certificate validation failed - Certificate fingerprint was not confirmed.")
	return errors.New("certificate verify failed")
}

// url is made as the client this one stands for makes it: what begins with a slash has two then.
func (c *Client) url(path string, query url.Values) string {
	text := "https://" + c.repo.Address() + "/" + path
	if len(query) > 0 {
		text += "?" + query.Encode()
	}
	return text
}

// connectError words what goes wrong before an answer as the client this one stands for does.
func (c *Client) connectError(err error) error {
	var errno syscall.Errno
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case strings.Contains(err.Error(), "certificate verify failed"):
		// What OpenSSL says; nothing of a fingerprint.
		return errors.New("error trying to connect: error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:../ssl/statem/statem_clnt.c:2091:")
	case errors.As(err, &dns):
		return c.connecting("dns error: failed to lookup address information: " + resolver(dns))
	case errors.As(err, &errno):
		return c.connecting("tcp connect error: " + osText(errno))
	case errors.As(err, &timeout) && timeout.Timeout():
		return c.connecting("tcp connect error: deadline has elapsed")
	}
	return c.connecting(err.Error())
}

func (c *Client) connecting(why string) error {
	return fmt.Errorf("error trying to connect: error connecting to https://%s/ - %s", c.repo.Address(), why)
}

// osText is how the client this one stands for words an error of the system.
func osText(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	text := errno.Error()
	return fmt.Sprintf("%s (os error %d)", strings.ToUpper(text[:1])+text[1:], int(errno))
}

// resolver says what the C library does: getaddrinfo(3), gai_strerror.
func resolver(err *net.DNSError) string {
	if err.IsNotFound {
		return "Name or service not known"
	}
	return "Temporary failure in name resolution"
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

// readAnswer takes the data out of an answer, or the server's message as the error.
func readAnswer(response *http.Response, into any) error {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		text := strings.TrimSpace(string(body))
		if text == "" {
			text = "HTTP Error " + response.Status
		}
		return errors.New(text)
	}
	if into == nil {
		return nil
	}
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Data == nil {
		return errors.New("got result without data property")
	}
	return json.Unmarshal(envelope.Data, into)
}

// Call asks the API for something. The query goes into the address, or as JSON into the body of a POST.
func (c *Client) Call(method, path string, query url.Values, into any) error {
	path = "api2/json/" + path
	if method != "POST" {
		return c.send(method, c.url(path, query), "application/x-www-form-urlencoded", nil, into)
	}
	body, err := json.Marshal(fields(query))
	if err != nil {
		return err
	}
	return c.send(method, c.url(path, nil), "application/json", bytes.NewReader(body), into)
}

// fields are a query's values as JSON has them.
func fields(query url.Values) map[string]any {
	all := map[string]any{}
	for name := range query {
		value := query.Get(name)
		all[name] = value
		if number, err := strconv.ParseInt(value, 10, 64); err == nil && strings.HasPrefix(name, "keep-") {
			all[name] = number
		} else if value == "true" || value == "false" {
			all[name] = value == "true"
		}
	}
	return all
}

func (c *Client) send(method, target, kind string, body io.Reader, into any) error {
	request, err := http.NewRequest(method, target, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", kind)
	if err := c.authorize(request); err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.connectError(err)
	}
	return readAnswer(response, into)
}

// Store is a path below the repository's datastore.
func (c *Client) Store(path string) string { return "admin/datastore/" + c.repo.Store + "/" + path }

// session is a connection that speaks the backup or the reader protocol.
type session struct {
	http *http.Client
	conn net.Conn
}

func (c *Client) upgrade(path, protocol string, query url.Values) (*session, error) {
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}, Config: c.tls}
	request, err := http.NewRequest("GET", c.url("/api2/json/"+path, query), nil)
	if err != nil {
		return nil, err
	}
	if err := c.authorize(request); err != nil {
		return nil, err
	}
	conn, err := dialer.Dial("tcp", c.repo.Address())
	if err != nil {
		return nil, c.connectError(err)
	}
	request.Header.Set("Connection", "upgrade")
	request.Header.Set("Upgrade", protocol)
	reader := bufio.NewReader(conn)
	err = request.Write(conn)
	var response *http.Response
	if err == nil {
		response, err = http.ReadResponse(reader, request)
	}
	if err == nil && response.StatusCode != http.StatusSwitchingProtocols {
		err = readAnswer(response, nil)
		if err == nil {
			err = errors.New("the server did not switch to the backup protocol")
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	client, err := wire.Client(conn, reader)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &session{client, conn}, nil
}

func (s *session) close() { s.conn.Close() }

func (s *session) do(method, path string, query url.Values, body []byte) (*http.Response, error) {
	target := "http://localhost/" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequest(method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == "PUT" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := s.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("connection to the server lost: %w", errors.Unwrap(err))
	}
	return response, nil
}

func (s *session) call(method, path string, query url.Values, body []byte, into any) error {
	response, err := s.do(method, path, query, body)
	if err != nil {
		return err
	}
	return readAnswer(response, into)
}

func (s *session) download(path string, query url.Values) ([]byte, error) {
	response, err := s.do("GET", path, query, nil)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, readAnswer(response, nil)
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
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
