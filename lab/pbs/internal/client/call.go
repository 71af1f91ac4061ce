// Calls of the server's API.

package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

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
