// Command agent stands in for the Portainer agent in the lab, where the real image cannot be had.
// It is no Portainer software. It answers the same health check and passes on what Portainer asks Docker about containers, or asks
// Portainer as an Edge agent does, and refuses to start where the real one could not work: without the Docker socket, the volumes
// directory or the shared secret.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version says whose health check is imitated, and that it is an imitation.
const version = "2.33.5-standin"

func main() {
	socket := flag.String("socket", "/var/run/docker.sock", "docker's socket")
	volumes := flag.String("volumes", "/var/lib/docker/volumes", "docker's volumes directory")
	flag.Parse()
	a := agent{docker: dockerClient(*socket), volumes: *volumes, secret: os.Getenv("AGENT_SECRET")}
	if err := a.check(); err != nil {
		log.Fatalf("refusing to start: %v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	run := func() error { return a.serve(ctx, net.JoinHostPort(os.Getenv("AGENT_HOST"), port())) }
	if e := edgeOrNone(); e != nil {
		run = func() error { return e.poll(ctx) }
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func port() string {
	if port := os.Getenv("AGENT_PORT"); port != "" {
		return port
	}
	return "9001"
}

// dockerClient speaks to docker over its socket, whatever host a URL names.
func dockerClient(socket string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 20 * time.Second}
}

// check tells why the agent could not do its work, if so. Opening the socket is not enough: under a
// remapped user namespace it may be there and still not answer.
func (a agent) check() error {
	if a.secret == "" {
		return errors.New("AGENT_SECRET is empty")
	}
	response, err := a.docker.Get("http://docker/_ping")
	if err != nil {
		return fmt.Errorf("docker does not answer on its socket: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("docker answers its socket with %s", response.Status)
	}
	if _, err := os.ReadDir(a.volumes); err != nil {
		return fmt.Errorf("the volumes cannot be listed: %w", err)
	}
	return nil
}

// serve answers over TLS until the process is told to end.
func (a agent) serve(ctx context.Context, address string) error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server := &http.Server{
		Addr: address, Handler: a.routes(), TLSConfig: config, ReadHeaderTimeout: 10 * time.Second,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServeTLS("", "") }()
	log.Printf("stand-in agent %s listens on %s", version, address)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return server.Shutdown(grace)
	}
}
