package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/tenant"
)

// Tenant says where bulk data comes from or goes to.
type Tenant struct {
	Place
	// Base is a FHIR base, also of another server; "" for the Environment of
	// the Organization at the Place.
	Base string
	// Organization may be "" where there is only one.
	Organization, Environment string
}

// name tells one tenant from another, as they were named by who asks.
func (t Tenant) name() string {
	if t.Base != "" {
		return t.Base
	}
	return t.Organization + "/" + t.Environment
}

// bulkClient asks for asynchronous work as Bulk Data Access has it: kick-off,
// status, files, end.
type bulkClient struct {
	http  *http.Client
	base  string
	token string
	// most is the longest time between two questions for the status.
	most time.Duration
}

// connect finds the server, or does without one. What it returns is closed by
// close.
func (t Tenant) connect(ctx context.Context, out io.Writer) (c *bulkClient, close func(), err error) {
	if t.Base != "" {
		u, err := url.Parse(t.Base)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, nil, errors.New("--base-url: must be absolute, http://127.0.0.1:8080/fhir/R4/sandbox/Development")
		}
		return &bulkClient{http: http.DefaultClient, base: strings.TrimSuffix(t.Base, "/"), token: t.Token, most: 10 * time.Second}, func() {}, nil
	}
	server, offline, err := t.find(ctx)
	if err != nil {
		return nil, nil, err
	}
	if offline == nil {
		if t.Organization == "" {
			var all []tenant.Organization
			if err := server.Do(ctx, http.MethodGet, "/organizations", nil, &all); err != nil {
				return nil, nil, err
			}
			if t.Organization, err = onlyOne(all); err != nil {
				return nil, nil, err
			}
		}
		base := strings.TrimSuffix(server.URL, "/") + "/fhir/R4/" + url.PathEscape(t.Organization) + "/" + url.PathEscape(t.Environment)
		return &bulkClient{http: http.DefaultClient, base: base, token: t.Token, most: 2 * time.Second}, func() {}, nil
	}
	done := func() { _ = offline.Close() } // nothing is written any more
	if t.Organization == "" {
		all, err := offline.Organizations(ctx)
		if err == nil {
			t.Organization, err = onlyOne(all)
		}
		if err != nil {
			done()
			return nil, nil, err
		}
	}
	name, err := offline.Tenant(ctx, t.Organization, t.Environment)
	if err != nil {
		done()
		return nil, nil, err
	}
	inside, stop, err := offline.Serve(ctx)
	if err != nil {
		done()
		return nil, nil, err
	}
	fmt.Fprintln(out, "No server runs: working on the store itself.")
	return &bulkClient{http: inside, base: offline.Base(name), most: pollEvery}, func() { stop(); done() }, nil
}

func onlyOne(all []tenant.Organization) (string, error) {
	if len(all) != 1 {
		return "", fmt.Errorf("there are %d organizations: name one with --organization", len(all))
	}
	return all[0].ID, nil
}

// do sends a request and returns what is no refusal. where may be relative to
// the base.
func (c *bulkClient) do(ctx context.Context, method, where string, header http.Header, body io.Reader) (*http.Response, error) {
	where = c.absolute(where)
	req, err := http.NewRequestWithContext(ctx, method, where, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	if c.token != "" && c.mine(req.URL) {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		defer res.Body.Close()
		answer, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20)) // what came says enough
		return nil, refusal(res.StatusCode, answer)
	}
	return res, nil
}

// mine reports whether a URL is on the server of the base: others do not get
// the token.
func (c *bulkClient) mine(u *url.URL) bool {
	base, err := url.Parse(c.base)
	return err == nil && base.Scheme == u.Scheme && base.Host == u.Host
}

// relative is a URL as it is kept: a server may be reached under another
// address later.
func (c *bulkClient) relative(location string) string {
	return strings.TrimPrefix(location, c.base)
}

func (c *bulkClient) absolute(location string) string {
	if strings.HasPrefix(location, "/") {
		return c.base + location
	}
	return location
}

// kickOff orders a job and returns the URL of its status.
func (c *bulkClient) kickOff(ctx context.Context, method, path string, header http.Header, body io.Reader) (string, error) {
	header.Set("Prefer", "respond-async")
	header.Set("Accept", "application/fhir+json")
	res, err := c.do(ctx, method, path, header, body)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	location := res.Header.Get("Content-Location")
	if res.StatusCode != http.StatusAccepted || location == "" {
		return "", fmt.Errorf("the server does not answer %s as Bulk Data Access has it: status %d", path, res.StatusCode)
	}
	return c.relative(location), nil
}

// wait asks for the status until there is a manifest.
func (c *bulkClient) wait(ctx context.Context, location string, show func(done, all int64, text string)) (manifest []byte, err error) {
	for pause := pollEvery; ; pause = min(2*pause, c.most) {
		res, err := c.do(ctx, http.MethodGet, location, http.Header{"Accept": {"application/json"}}, nil)
		if err != nil {
			return nil, err
		}
		answer, err := io.ReadAll(io.LimitReader(res.Body, 256<<20))
		res.Body.Close()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, err)
		case res.StatusCode == http.StatusOK:
			return answer, nil
		}
		progress := res.Header.Get("X-Progress")
		done, all := int64(0), int64(1)
		if _, err := fmt.Sscanf(progress, "%d of about %d", &done, &all); err != nil {
			done, all = 0, 1 // another server's words
		}
		show(done, all, progress)
		next := pause
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
			next = min(next, time.Duration(seconds)*time.Second)
		}
		select {
		case <-time.After(next):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// end tells the server that what a job has made is not needed any more.
func (c *bulkClient) end(ctx context.Context, location string) error {
	res, err := c.do(ctx, http.MethodDelete, location, nil, nil)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// gone reports whether a job is not known any more.
func gone(err error) bool {
	var refused *Refused
	return errors.As(err, &refused) && (refused.Status == http.StatusNotFound || refused.Status == http.StatusGone)
}

// output is a file of a manifest.
type output struct {
	Type  string `json:"type"`
	URL   string `json:"url"`
	Count *int64 `json:"count"`
}

// readState reads what an earlier run has kept; ok says that there was one.
func readState(path string, state any) (ok bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, state)
	}
	if err != nil {
		return false, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return true, nil
}

// writeState keeps how far a run is: whole, or as it was.
func writeState(path string, state any) error {
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(path, append(text, '\n'))
}

func writeWhole(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
