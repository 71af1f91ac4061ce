// Package wire turns an upgraded HTTP/1.1 connection into HTTP/2, as the backup protocol does.
package wire

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Names of the protocols.
const (
	Backup = "proxmox-backup-protocol-v1"
	Reader = "proxmox-backup-reader-protocol-v1"
)

const window = 32 << 20

// conn hides what kind of connection it is from net/http, and reads what was read ahead.
type conn struct {
	net.Conn
	ahead  *bufio.Reader
	once   sync.Once
	closed chan struct{}
}

func wrap(inner net.Conn, ahead *bufio.Reader) *conn {
	return &conn{Conn: inner, ahead: ahead, closed: make(chan struct{})}
}

func (c *conn) Read(p []byte) (int, error) {
	if c.ahead.Buffered() > 0 {
		return c.ahead.Read(p)
	}
	return c.Conn.Read(p)
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func protocols() *http.Protocols {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &p
}

func settings() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxReceiveBufferPerConnection: window, MaxReceiveBufferPerStream: window, MaxReadFrameSize: 1 << 20,
		SendPingTimeout: time.Minute, PingTimeout: 2 * time.Minute, // a busy guest may be slow to answer
	}
}

// one is a listener with a single connection.
type one struct {
	conn  *conn
	given bool
}

func (l *one) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.conn.closed
	return nil, net.ErrClosed
}

func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return l.conn.LocalAddr() }

// Serve handles requests on an upgraded connection until it is closed by either side.
func Serve(inner net.Conn, ahead *bufio.Reader, handler http.Handler) {
	c := wrap(inner, ahead)
	server := &http.Server{Handler: handler, Protocols: protocols(), HTTP2: settings()}
	_ = server.Serve(&one{conn: c})
	_ = c.Close()
}

// Client sends requests over an upgraded connection, and over no other: a transport left to itself may dial once more
// before it knows that the first connection takes several requests.
func Client(inner net.Conn, ahead *bufio.Reader) (*http.Client, error) {
	dial := func(context.Context, string, string) (net.Conn, error) { return wrap(inner, ahead), nil }
	transport := &http.Transport{DialContext: dial, Protocols: protocols(), HTTP2: settings()}
	connection, err := transport.NewClientConn(context.Background(), "http", "localhost:80")
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: connection}, nil
}
