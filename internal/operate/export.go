package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Export says what is exported where.
type Export struct {
	Tenant
	// To is the folder; it must be empty, or hold what an earlier run of the
	// same export has left.
	To string
	// Types, Since (an instant) and Filters (searches) bound what is exported.
	Types   []string
	Since   string
	Filters []string
	// Patients is for what belongs to patients, Group for the id of a Group.
	Patients bool
	Group    string
	// Gzip packs the files.
	Gzip bool
	// Keep leaves the files on the server until their time is over.
	Keep bool
}

// Files of the folder beside the data.
const (
	exportState    = "export.state"
	exportManifest = "manifest.json"
)

// exporting is how far an export is.
type exporting struct {
	From    string `json:"from"`
	Request string `json:"request"`
	Gzip    bool   `json:"gzip,omitempty"`
	// Status is the URL of the job's status; "" before it was ordered.
	Status string `json:"status,omitempty"`
}

// Errors of Export.
var (
	ErrExportComplete = errors.New("the folder holds an export that is complete; name another with --to")
	ErrOtherExport    = errors.New("the folder holds the beginning of an export that was asked for otherwise; finish that, or name another folder with --to")
	ErrNotEmpty       = errors.New("the folder holds something else; name another with --to")
)

// Run exports and shows the progress on out. Where an earlier run was stopped
// it goes on.
func (e Export) Run(ctx context.Context, out io.Writer) error {
	state, resumed, err := e.begin()
	if err != nil {
		return err
	}
	c, done, err := e.connect(ctx, out)
	if err != nil {
		return err
	}
	defer done()
	b := newBar(out)
	err = e.run(ctx, c, b, state, resumed)
	b.end("")
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped: the same command goes on from there")
	}
	if gone(err) && state.Status != "" {
		return fmt.Errorf("the files are gone from the server before all were fetched, and the next run begins anew: %w", errors.Join(err, e.forget(state)))
	}
	return err
}

// begin prepares the folder and finds what an earlier run has left.
func (e Export) begin() (state *exporting, resumed bool, err error) {
	if err := os.MkdirAll(e.To, 0o700); err != nil {
		return nil, false, err
	}
	if _, err := os.Stat(filepath.Join(e.To, exportManifest)); err == nil {
		return nil, false, ErrExportComplete
	}
	state = &exporting{}
	if resumed, err = readState(filepath.Join(e.To, exportState), state); err != nil {
		return nil, false, err
	}
	if resumed {
		if state.From != e.name() || state.Request != e.request() || state.Gzip != e.Gzip {
			return nil, false, ErrOtherExport
		}
		return state, true, nil
	}
	held, err := os.ReadDir(e.To)
	if err != nil {
		return nil, false, err
	}
	for _, f := range held {
		if !strings.HasPrefix(f.Name(), exportState+".") { // begun to be written, and killed
			return nil, false, ErrNotEmpty
		}
	}
	*state = exporting{From: e.name(), Request: e.request(), Gzip: e.Gzip}
	return state, false, nil
}

// request is the kick-off, below the base.
func (e Export) request() string {
	path := "/$export"
	switch {
	case e.Group != "":
		path = "/Group/" + url.PathEscape(e.Group) + path
	case e.Patients:
		path = "/Patient" + path
	}
	q := url.Values{}
	if len(e.Types) > 0 {
		q.Set("_type", strings.Join(e.Types, ","))
	}
	if e.Since != "" {
		q.Set("_since", e.Since)
	}
	for _, f := range e.Filters {
		q.Add("_typeFilter", f)
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path
}

func (e Export) run(ctx context.Context, c *bulkClient, b *bar, state *exporting, resumed bool) error {
	show := func(done, all int64, text string) { b.show("exporting", done, all, text) }
	var manifest []byte
	var err error
	if resumed && state.Status != "" {
		manifest, err = c.wait(ctx, state.Status, show)
		if gone(err) {
			b.end("The server has the export no more: it begins anew.")
			if err = e.forget(state); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	if manifest == nil {
		if state.Status, err = c.kickOff(ctx, http.MethodGet, state.Request, http.Header{}, nil); err != nil {
			return err
		}
		if err := writeState(filepath.Join(e.To, exportState), state); err != nil {
			return err
		}
		if manifest, err = c.wait(ctx, state.Status, show); err != nil {
			return err
		}
	}
	resources, files, err := e.files(ctx, c, b, manifest)
	if err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(e.To, exportManifest), manifest); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(e.To, exportState)); err != nil {
		return err
	}
	b.end(fmt.Sprintf("Exported %d resources in %d files to %s", resources, files, e.To))
	if e.Keep {
		return nil
	}
	return c.end(ctx, state.Status)
}

// forget removes what was fetched of a job that is gone.
func (e Export) forget(state *exporting) error {
	held, err := os.ReadDir(e.To)
	if err != nil {
		return err
	}
	for _, f := range held {
		if name := f.Name(); strings.Contains(name, ".ndjson") {
			if err := os.Remove(filepath.Join(e.To, name)); err != nil {
				return err
			}
		}
	}
	state.Status = ""
	return writeState(filepath.Join(e.To, exportState), state)
}

// files fetches those of a manifest that are not here.
func (e Export) files(ctx context.Context, c *bulkClient, b *bar, manifest []byte) (resources int64, files int, err error) {
	var m struct{ Output, Deleted, Error []output }
	if err := json.Unmarshal(manifest, &m); err != nil {
		return 0, 0, errors.New("the manifest is not one of Bulk Data Access")
	}
	type wanted struct {
		name string
		output
	}
	var all []wanted
	number := map[string]int{}
	for _, section := range []struct {
		name  string
		files []output
	}{{"", m.Output}, {"deleted", m.Deleted}, {"error", m.Error}} {
		for _, f := range section.files {
			group := section.name
			if group == "" {
				group = strings.Map(letters, f.Type)
			}
			number[group]++
			name := fmt.Sprintf("%s-%d.ndjson", group, number[group])
			if e.Gzip {
				name += ".gz"
			}
			all = append(all, wanted{name, f})
		}
	}
	for i, f := range all {
		b.show("fetching", int64(i), int64(len(all)), fmt.Sprintf("file %d of %d", i+1, len(all)))
		path := filepath.Join(e.To, f.name)
		if _, err := os.Stat(path); err != nil {
			if err := e.fetch(ctx, c, f.output, path); err != nil {
				return 0, 0, fmt.Errorf("%s: %w", f.name, err)
			}
		}
		if i < len(m.Output) && f.Count != nil {
			resources += *f.Count
		}
	}
	return resources, len(all), nil
}

// letters keeps of a type what can stand in a file's name.
func letters(r rune) rune {
	if r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

// fetch fetches a file; it gets its name when it is whole.
func (e Export) fetch(ctx context.Context, c *bulkClient, from output, path string) (err error) {
	res, err := c.do(ctx, http.MethodGet, from.URL, http.Header{"Accept": {"application/fhir+ndjson"}}, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	var to io.WriteCloser = f
	if e.Gzip {
		if to, err = gzip.NewWriterLevel(f, gzip.BestSpeed); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	lines := &lineCounter{}
	_, err = io.Copy(io.MultiWriter(to, lines), res.Body)
	if e.Gzip {
		err = errors.Join(err, to.Close())
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	if n := lines.number(); from.Count != nil && n != *from.Count {
		return fmt.Errorf("the file has %d lines, the manifest says %d", n, *from.Count)
	}
	return os.Rename(part, path)
}

// lineCounter counts lines, also a last one without an end.
type lineCounter struct {
	ends int64
	last byte
}

func (l *lineCounter) Write(b []byte) (int, error) {
	l.ends += int64(bytes.Count(b, []byte{'\n'}))
	if len(b) > 0 {
		l.last = b[len(b)-1]
	}
	return len(b), nil
}

func (l *lineCounter) number() int64 {
	if l.last != 0 && l.last != '\n' {
		return l.ends + 1
	}
	return l.ends
}
