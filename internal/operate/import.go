package operate

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/bulk"
)

// Import says what is imported where.
type Import struct {
	Tenant
	// Files are NDJSON or Bundles, packed or not; of a folder, those that
	// Export writes.
	Files []string
	// DryRun checks all and stores nothing; MatchVersions stores a resource
	// only over the version that it names.
	DryRun, MatchVersions bool
	// Rejects is the file for what was rejected; beside it stands how far an
	// import is that was stopped.
	Rejects string
}

// stateSuffix makes of the name of the file of rejects that of the state.
const stateSuffix = ".state"

// importing is how far an import is.
type importing struct {
	// Run names it, and with a place in a file each piece that is sent.
	Run           string       `json:"run"`
	To            string       `json:"to"`
	Files         []importFile `json:"files"`
	DryRun        bool         `json:"dryRun,omitempty"`
	MatchVersions bool         `json:"matchVersions,omitempty"`
	// File, Offset and Line are up to where all is done; Piece is what was
	// sent behind that.
	File   int        `json:"file"`
	Offset int64      `json:"offset"`
	Line   int64      `json:"line"`
	Piece  *sentPiece `json:"piece,omitempty"`
	// Stored resources and rejected lines, and how long the file of rejects is.
	Stored      int64 `json:"stored"`
	Rejected    int64 `json:"rejected"`
	RejectsSize int64 `json:"rejectsSize"`
}

type importFile struct {
	Path  string    `json:"path"`
	Size  int64     `json:"size"`
	Added time.Time `json:"modified"`
}

type sentPiece struct {
	Status string `json:"status"`
	// Offset and Line are where the file goes on behind it.
	Offset int64 `json:"offset"`
	Line   int64 `json:"line"`
}

// Errors of Import.
var (
	ErrRejected    = errors.New("not all was imported")
	ErrOtherImport = errors.New("an import of other files, or asked for otherwise, was stopped and is not finished; finish it by its command, or name another file with --rejects")
	ErrForgotten   = errors.New("the server does not know any more what became of the lines that were sent last, so that sending them again may store them twice; remove the state file to import all files anew")
)

// Run imports and shows the progress on out. Where an earlier run was stopped
// it goes on.
func (i Import) Run(ctx context.Context, out io.Writer) error {
	state, err := i.begin()
	if err != nil {
		return err
	}
	c, done, err := i.connect(ctx, out)
	if err != nil {
		return err
	}
	defer done()
	b := newBar(out)
	for err == nil && state.File < len(state.Files) {
		err = i.file(ctx, c, b, state)
	}
	b.end("")
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("stopped after %d resources: the same command goes on from there", state.Stored)
	case err != nil:
		return err
	}
	if err := os.Remove(i.Rejects + stateSuffix); err != nil {
		return err
	}
	verb := "Imported"
	if i.DryRun {
		verb = "A dry run: nothing was stored. Would import"
	}
	fmt.Fprintf(out, "%s %d resources from %d files\n", verb, state.Stored, len(state.Files))
	if state.Rejected > 0 {
		return fmt.Errorf("%w: %d lines were rejected, see %s", ErrRejected, state.Rejected, i.Rejects)
	}
	return nil
}

// begin looks at the files, and for what an earlier run has left.
func (i Import) begin() (*importing, error) {
	files, err := inputs(i.Files)
	if err != nil {
		return nil, err
	}
	state := &importing{}
	found, err := readState(i.Rejects+stateSuffix, state)
	if err != nil {
		return nil, err
	}
	if found {
		same := slices.EqualFunc(files, state.Files, func(a, b importFile) bool {
			return a.Path == b.Path && a.Size == b.Size && a.Added.Equal(b.Added)
		})
		if !same || state.To != i.name() || state.DryRun != i.DryRun || state.MatchVersions != i.MatchVersions {
			return nil, ErrOtherImport
		}
		return state, nil
	}
	if _, err := os.Stat(i.Rejects); err == nil {
		return nil, fmt.Errorf("%s exists; remove it, or name another file with --rejects", i.Rejects)
	}
	*state = importing{Run: rand.Text(), To: i.name(), Files: files, DryRun: i.DryRun, MatchVersions: i.MatchVersions}
	return state, writeState(i.Rejects+stateSuffix, state)
}

// inputs are the files that are named, and those of folders that are.
func inputs(names []string) (all []importFile, err error) {
	add := func(path string, info os.FileInfo) error {
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no file", path)
		}
		path, err := filepath.Abs(path)
		all = append(all, importFile{path, info.Size(), info.ModTime().UTC()})
		return err
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			if err := add(name, info); err != nil {
				return nil, err
			}
			continue
		}
		held, err := os.ReadDir(name) // sorted
		if err != nil {
			return nil, err
		}
		before := len(all)
		for _, f := range held {
			plain := strings.TrimSuffix(f.Name(), ".gz")
			// error-1.ndjson says what an export left out.
			if !strings.HasSuffix(plain, ".ndjson") || strings.HasPrefix(plain, "error-") {
				continue
			}
			info, err := f.Info()
			if err == nil {
				err = add(filepath.Join(name, f.Name()), info)
			}
			if err != nil {
				return nil, err
			}
		}
		if len(all) == before {
			return nil, fmt.Errorf("the folder %s holds no .ndjson and no .ndjson.gz", name)
		}
	}
	return all, nil
}

// file imports what is left of a file.
func (i Import) file(ctx context.Context, c *bulkClient, b *bar, state *importing) error {
	if err := i.piece(ctx, c, b, state); err != nil { // an earlier run has sent it
		return err
	}
	path := state.Files[state.File].Path
	in, err := openInput(path, state.Offset)
	if err != nil {
		return err
	}
	defer in.file.Close()
	for {
		more, err := in.more()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if !more {
			break
		}
		p := &piece{in: in.in}
		header := http.Header{"Content-Type": {bulk.NDJSON}, "Idempotency-Key": {fmt.Sprintf("%s/%d/%d", state.Run, state.File, state.Line)}}
		status, err := c.kickOff(ctx, http.MethodPost, i.request(), header, p)
		if err != nil {
			return err
		}
		// A server that has the piece from an earlier run need not read it.
		if _, err := io.Copy(io.Discard, p); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		state.Piece = &sentPiece{Status: status, Offset: state.Offset + p.bytes, Line: state.Line + p.lines}
		if err := writeState(i.Rejects+stateSuffix, state); err != nil {
			return err
		}
		if err := i.piece(ctx, c, b, state); err != nil {
			return err
		}
	}
	state.File, state.Offset, state.Line = state.File+1, 0, 0
	return writeState(i.Rejects+stateSuffix, state)
}

func (i Import) request() string {
	return fmt.Sprintf("/$import?dryRun=%t&matchVersions=%t", i.DryRun, i.MatchVersions)
}

// piece waits until what was sent is done, and writes what was rejected of it.
func (i Import) piece(ctx context.Context, c *bulkClient, b *bar, state *importing) error {
	if state.Piece == nil {
		return nil
	}
	var before, all int64
	for n, f := range state.Files {
		if all += f.Size; n < state.File {
			before += f.Size
		}
	}
	name := filepath.Base(state.Files[state.File].Path)
	manifest, err := c.wait(ctx, state.Piece.Status, func(_, _ int64, text string) {
		b.show("importing", before+min(state.Offset, state.Files[state.File].Size), all, fmt.Sprintf("%s behind line %d: %s", name, state.Line, text))
	})
	switch {
	case gone(err):
		return ErrForgotten
	case err != nil:
		return err
	}
	var m struct{ Output, Error []output }
	if err := json.Unmarshal(manifest, &m); err != nil {
		return errors.New("the manifest is not one of an import")
	}
	for _, o := range m.Output {
		if o.Count != nil {
			state.Stored += *o.Count
		}
	}
	if len(m.Error) > 0 {
		if err := i.rejects(ctx, c, state, m.Error); err != nil {
			return err
		}
	}
	status := state.Piece.Status
	state.Offset, state.Line, state.Piece = state.Piece.Offset, state.Piece.Line, nil
	if err := writeState(i.Rejects+stateSuffix, state); err != nil {
		return err
	}
	return c.end(ctx, status)
}

// rejected is a line of the file of rejects.
type rejected struct {
	File string `json:"file"`
	Line int64  `json:"line"`
	// Outcome is the server's OperationOutcome, whose lines are those of the
	// piece that was sent.
	Issue []map[string]any `json:"issue"`
}

// rejects adds what the server says to the file of rejects, behind what is
// known to belong there.
func (i Import) rejects(ctx context.Context, c *bulkClient, state *importing, from []output) error {
	f, err := os.OpenFile(i.Rejects, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(state.RejectsSize); err != nil {
		return err
	}
	if _, err := f.Seek(state.RejectsSize, io.SeekStart); err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	for _, file := range from {
		n, err := i.report(ctx, c, state, file.URL, out)
		if err != nil {
			return err
		}
		state.Rejected += n
	}
	if err := errors.Join(out.Flush(), f.Sync()); err != nil {
		return err
	}
	state.RejectsSize, err = f.Seek(0, io.SeekCurrent)
	return err
}

// report writes the OperationOutcomes of one file, with lines of the whole
// file instead of the piece.
func (i Import) report(ctx context.Context, c *bulkClient, state *importing, url string, out io.Writer) (n int64, err error) {
	res, err := c.do(ctx, http.MethodGet, url, http.Header{"Accept": {bulk.NDJSON}}, nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for lines := bulk.NewLines(res.Body, maxWhole); ; n++ {
		text, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		r := rejected{File: state.Files[state.File].Path}
		if err := json.Unmarshal(text, &r); err != nil {
			return n, errors.New("the server's report is not of OperationOutcomes")
		}
		r.File = state.Files[state.File].Path
		for _, issue := range r.Issue {
			r.Line = renumber(issue, state.Line)
		}
		line, err := json.Marshal(r)
		if err != nil {
			return n, err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return n, err
		}
	}
}

// renumber makes an issue speak of a line of the file and not of the piece
// behind a line, and returns the line.
func renumber(issue map[string]any, behind int64) int64 {
	text, _ := issue["diagnostics"].(string)
	number, rest, ok := strings.Cut(strings.TrimPrefix(text, "Line "), ": ")
	line, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return 0
	}
	line += behind
	issue["diagnostics"] = fmt.Sprintf("Line %d: %s", line, rest)
	issue["location"] = []string{fmt.Sprintf("line %d", line)}
	return line
}
