package client

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"docker-node/lab/pbs/internal/format"
)

// What cannot be reached is worded as by the client this one stands for: whoever reads it decides by the words.
func TestWordsOfWhatCannotBeReached(t *testing.T) {
	repo, err := format.ParseRepository("backup@pbs!node1@pbs01:8007:store")
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{repo: repo}
	const begin = "error trying to connect: error connecting to https://pbs01:8007/ - "
	for want, err := range map[string]error{
		begin + "tcp connect error: Connection refused (os error 111)":                                                                                         &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		begin + "tcp connect error: No route to host (os error 113)":                                                                                           &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)},
		begin + "tcp connect error: deadline has elapsed":                                                                                                      &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded},
		begin + "dns error: failed to lookup address information: Name or service not known":                                                                   &net.DNSError{IsNotFound: true},
		begin + "dns error: failed to lookup address information: Temporary failure in name resolution":                                                        &net.DNSError{IsTemporary: true},
		"error trying to connect: error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:../ssl/statem/statem_clnt.c:2091:": errors.New("remote: certificate verify failed"),
	} {
		if got := c.connectError(err).Error(); got != want {
			t.Errorf("%q\n%q", got, want)
		}
	}
}
