// Package operate is what the commands for operators do: through the admin API
// of a server that runs, or on its store when none does.
//
//	client.go   calls of the admin API
//	find.go     is there a server, and where
//	reindex.go  search keys built anew, and the progress shown
//	bulk.go     asynchronous work: kick-off, status, files, end
//	export.go   an environment exported to a folder
//	import.go   files imported
//	pieces.go   files read in the pieces that are sent
//	bar.go      a progress bar, or lines where there is no terminal
//	drop.go     an organization removed
//	subscriptions.go  deliveries listed, paused, replayed, skipped
package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Client calls a server's admin API.
type Client struct {
	// URL is the server's scheme and host.
	URL string
	// Token is the administrator's; "" for a sandbox.
	Token string
}

// ErrUnreachable: no server answers.
var ErrUnreachable = errors.New("no server answers")

// Do sends a request with a JSON body, nil for none, and reads the answer into
// out, nil to ignore it.
func (c Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, body)
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.URL, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.URL, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return refusal(res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s does not answer as a fhirfacade server does", c.URL)
	}
	return nil
}

// Refused is an answer that is an error.
type Refused struct {
	Status int
	Text   string
}

func (e *Refused) Error() string { return fmt.Sprintf("the server says: %s (%d)", e.Text, e.Status) }

func refusal(status int, answer []byte) error {
	var a struct {
		Error struct{ Text string }
		Issue []struct{ Diagnostics string }
	}
	_ = json.Unmarshal(answer, &a) // another form leaves the status
	e := &Refused{Status: status, Text: a.Error.Text}
	if e.Text == "" && len(a.Issue) > 0 {
		e.Text = a.Issue[0].Diagnostics
	}
	switch {
	case status == http.StatusUnauthorized:
		e.Text = "it needs the administrator's token: --admin-token or FHIRFACADE_ADMIN_TOKEN"
	case e.Text == "":
		e.Text = http.StatusText(status)
	}
	return e
}

// pingTime is how long a server may take to say that it is there.
const pingTime = 3 * time.Second

// Alive reports whether a server answers.
func (c Client) Alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	var status struct{ Status string }
	return c.Do(ctx, http.MethodGet, "/health/live", nil, &status) == nil && status.Status == "live"
}
