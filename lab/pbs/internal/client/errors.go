// Errors of a connection, in the words of the real client.

package client

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

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
