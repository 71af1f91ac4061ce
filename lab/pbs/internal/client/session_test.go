package client

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A server that goes away is told as such wherever the client stands: before the other protocol, or within an answer.
func TestServerThatGoesAway(t *testing.T) {
	mine, its := net.Pipe()
	go func() {
		_, _ = bufio.NewReader(its).ReadString('\n')
		its.Close()
	}()
	request, _ := http.NewRequest("GET", "http://pbs01/", nil)
	_, before := ask(mine, bufio.NewReader(mine), request)
	_, within := io.ReadAll(&answered{io.NopCloser(io.MultiReader(strings.NewReader("half"), broken{}))})
	for _, err := range []error{before, within} {
		if err == nil || !strings.HasPrefix(err.Error(), "connection to the server lost: ") {
			t.Errorf("%v", err)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
