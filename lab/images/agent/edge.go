package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

// edge is what an agent reaches Portainer with. The real one opens a tunnel when it is told to; this one only asks.
type edge struct {
	url      string
	endpoint string
	id       string
	client   *http.Client
}

// edgeFrom reads the variables of the real agent; nil where Portainer is to reach the agent.
func edgeFrom(getenv func(string) string) (*edge, error) {
	if getenv("EDGE") != "1" {
		return nil, nil
	}
	decoded, err := base64.RawStdEncoding.DecodeString(getenv("EDGE_KEY"))
	parts := strings.Split(string(decoded), "|")
	if err != nil || len(parts) != 4 {
		return nil, errors.New("EDGE_KEY is no key")
	}
	if getenv("EDGE_ID") == "" {
		return nil, errors.New("EDGE_ID is empty")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: getenv("EDGE_INSECURE_POLL") == "1",
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: transport}
	return &edge{url: parts[0], endpoint: parts[3], id: getenv("EDGE_ID"), client: client}, nil
}

// poll asks until the process is told to end, as often as Portainer says.
func (e *edge) poll(ctx context.Context) error {
	log.Printf("stand-in agent %s asks %s", version, e.url)
	pause := 5 * time.Second
	for ctx.Err() == nil {
		if seconds, err := e.ask(ctx); err != nil {
			log.Printf("an error occurred during short poll: %v", err)
		} else if seconds > 0 {
			pause = time.Duration(seconds) * time.Second
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// ask is one question; its answer says after how many seconds the next is due.
func (e *edge) ask(ctx context.Context) (int, error) {
	url := fmt.Sprintf("%s/api/endpoints/%s/edge/status", e.url, e.endpoint)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("X-PortainerAgent-EdgeID", e.id)
	request.Header.Set("Portainer-Agent", version)
	request.Header.Set("Portainer-Agent-Platform", "1")
	response, err := e.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var answer struct {
		Checkin int    `json:"checkin"`
		Message string `json:"message"`
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", response.Status, answer.Message)
	}
	return answer.Checkin, err
}

// edgeOrNone refuses to start with variables that would not do.
func edgeOrNone() *edge {
	found, err := edgeFrom(os.Getenv)
	if err != nil {
		log.Fatalf("refusing to start: %v", err)
	}
	return found
}
