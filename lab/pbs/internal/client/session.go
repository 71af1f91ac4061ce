// A session: a connection that was upgraded to the backup or the reader protocol.

package client

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"docker-node/lab/pbs/internal/wire"
)

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
	client, err := switchTo(conn, request)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &session{client, conn}, nil
}

// switchTo asks for the other protocol; from then on the connection speaks it.
func switchTo(conn net.Conn, request *http.Request) (*http.Client, error) {
	reader := bufio.NewReader(conn)
	response, err := ask(conn, reader, request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		if err := readAnswer(response, nil); err != nil {
			return nil, err
		}
		return nil, errors.New("the server did not switch to the backup protocol")
	}
	return wire.Client(conn, reader)
}

// ask sends the request for another protocol and reads the answer.
func ask(conn net.Conn, reader *bufio.Reader, request *http.Request) (*http.Response, error) {
	if err := request.Write(conn); err != nil {
		return nil, lost(err)
	}
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, lost(err)
	}
	return response, nil
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
		return nil, lost(errors.Unwrap(err))
	}
	response.Body = &answered{response.Body}
	return response, nil
}

func lost(err error) error { return fmt.Errorf("connection to the server lost: %w", err) }

// answered is the body of an answer that may end with the connection.
type answered struct{ io.ReadCloser }

func (a *answered) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = lost(err)
	}
	return n, err
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
