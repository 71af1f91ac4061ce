// Package client is what proxmox-backup-client does.
package client

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"docker-node/lab/pbs/internal/format"
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
		return first(readAs("parse file descriptor", name+"_FD", "/dev/fd/"+text))
	}
	if file, ok := os.LookupEnv(name + "_FILE"); ok {
		return first(readAs("open file", name+"_FILE", file))
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

func readAs(what, variable, file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		err = fmt.Errorf("unable to %s in ENV(%s): %w", what, variable, err)
	}
	return data, err
}

// Client of one server.
type Client struct {
	repo     format.Repository
	tls      *tls.Config
	http     *http.Client
	password string
	ticket   *ticket
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
