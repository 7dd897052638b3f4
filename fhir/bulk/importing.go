package bulk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/store"
)

// A batch of an import is so many lines, or bytes: one commit.
const (
	importLines = 200
	importBytes = 4 << 20
)

// SourceImport is the source of what an import commits; its Info is a mark.
const SourceImport = "import"

// mark says which lines a commit has stored: those of a job's input from one
// up to another that could be stored.
type mark struct {
	Job   string `json:"job"`
	Input int    `json:"input"`
	From  int64  `json:"from"`
	To    int64  `json:"to"`
}

// importWork is the work of an import: what is wanted and how far it is.
type importWork struct {
	Import ImportRequest `json:"import"`
	At     time.Time     `json:"at,omitzero"`
	// Input is the one that is being read, Line and Offset up to where, and
	// Validator what told its version apart when it was first opened.
	Input     int    `json:"input,omitempty"`
	Line      int64  `json:"line,omitempty"`
	Offset    int64  `json:"offset,omitempty"`
	Validator string `json:"validator,omitempty"`
	// Head is the log's end when that was written.
	Head int64 `json:"head,omitempty"`
	// Stored are the resources stored of each input.
	Stored []int64 `json:"stored,omitempty"`
	// Files are the reports of what was rejected.
	Files []File `json:"files,omitempty"`
}

// importing is an import being done.
type importing struct {
	s    *Service
	t    store.Tenant
	j    *Job
	save Save
	w    importWork
	out  *writer
	// before are the commits that an earlier run made behind what it wrote.
	before []mark
}

// line is a line of a batch.
type line struct {
	number int64
	text   []byte
	// prepared are its resources, ready to be stored; transaction is a Bundle
	// that is stored as one.
	prepared    []*repository.Prepared
	expect      []store.Expect
	transaction bool
	err         error
}

// importing does, or goes on with, an import. How far it is is written after
// each batch; the commits of a batch that was not written are known by their
// marks in the log, so that nothing is stored twice.
func (s *Service) importing(ctx context.Context, t store.Tenant, j *Job, save Save) error {
	i := &importing{s: s, t: t, j: j, save: save}
	if err := json.Unmarshal(j.Work, &i.w); err != nil {
		return err
	}
	if i.w.At.IsZero() {
		head, err := s.o.Store.Head(ctx, t)
		if err != nil {
			return err
		}
		i.w.At, i.w.Head, i.w.Stored = s.o.Now().UTC(), head, make([]int64, len(i.w.Import.Inputs))
		j.State = Running
	}
	i.out = newWriter(ctx, s.o.Store, t, j.ID, s.o.Now().Add(s.o.Life+abandoned), s.o.PerFile, &i.w.Files)
	if err := i.marks(ctx); err != nil {
		return err
	}
	if err := i.checkpoint(ctx); err != nil {
		return err
	}
	for ; i.w.Input < len(i.w.Import.Inputs); i.w.Input++ {
		if err := i.input(ctx); err != nil {
			return err
		}
		i.w.Line, i.w.Offset, i.w.Validator = 0, 0, ""
	}
	j.State, j.Total, j.Expires = Finished, j.Done, s.o.Now().Add(s.o.Life).UTC()
	return i.checkpoint(ctx)
}

// marks reads what was committed behind what was written of the job.
func (i *importing) marks(ctx context.Context) error {
	for after := i.w.Head; ; {
		entries, err := i.s.o.Store.ReadLog(ctx, i.t, after, 500)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return nil
		}
		for _, entry := range entries {
			after = entry.Seq
			var m mark
			if entry.Source == SourceImport && json.Unmarshal(entry.Info, &m) == nil && m.Job == i.j.ID {
				i.before = append(i.before, m)
			}
		}
	}
}

// done reports whether a line that can be stored is stored.
func (i *importing) done(number int64) bool {
	for _, m := range i.before {
		if m.Input == i.w.Input && m.From <= number && number <= m.To {
			return true
		}
	}
	return false
}

// openings is how often an input that breaks off is opened.
const openings = 3

// input reads an input to its end.
func (i *importing) input(ctx context.Context) error {
	for n := 1; ; n++ {
		err := i.read(ctx)
		var broken *inputError
		if !errors.As(err, &broken) || ctx.Err() != nil {
			return err
		}
		if broken.final || n == openings {
			i.j.Failed++
			return i.report(outcome.BadRequest(outcome.CodeIncomplete, "The input was not read to its end, up to line %d it was: %s.", i.w.Line, broken.text))
		}
	}
}

// inputError: an input cannot be read. Its text names no part of a URL.
type inputError struct {
	text  string
	final bool
}

func (e *inputError) Error() string { return e.text }

// read reads an input from where it is.
func (i *importing) read(ctx context.Context) error {
	in, err := i.open(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := NewLines(in, i.s.o.MaxLine)
	lines.Behind(i.w.Line, i.w.Offset)
	next := func() ([]byte, error) { return lines.Next() }
	if i.w.Import.Inputs[i.w.Input].Whole {
		next = whole(in, lines, i.s.o.MaxLine)
	}
	for more := true; more; {
		var batch []line
		size := 0
		for len(batch) < importLines && size < importBytes {
			text, err := next()
			if errors.Is(err, io.EOF) {
				more = false
				break
			}
			if err != nil && !errors.Is(err, ErrLineTooLong) {
				if ctx.Err() != nil || i.w.Import.Inputs[i.w.Input].Sent != nil {
					return err
				}
				return &inputError{text: "it broke off"}
			}
			l := line{number: lines.Number()}
			if err != nil {
				l.err = outcome.New(413, outcome.CodeTooLong, "The line is longer than the %d bytes that this server stores.", i.s.o.MaxLine)
			} else {
				l.text = append([]byte(nil), text...)
			}
			size += len(l.text)
			batch = append(batch, l)
		}
		if err := i.batch(ctx, batch); err != nil {
			return err
		}
		i.w.Line, i.w.Offset = lines.Number(), lines.Offset()
		if err := i.checkpoint(ctx); err != nil {
			return err
		}
	}
	return nil
}

// whole reads a file that is one resource, over many lines.
func whole(in io.Reader, l *Lines, most int) func() ([]byte, error) {
	return func() ([]byte, error) {
		if l.number > 0 {
			return nil, io.EOF
		}
		text, err := io.ReadAll(io.LimitReader(in, int64(most)+1))
		if err != nil {
			return nil, err
		}
		l.number = 1
		if len(text) > most {
			return nil, ErrLineTooLong
		}
		return text, nil
	}
}

// batch stores lines: in one commit if that can be, else each by itself.
func (i *importing) batch(ctx context.Context, batch []line) error {
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for n := range batch {
		if batch[n].err == nil {
			group.Go(func() error {
				i.prepare(each, &batch[n])
				return transient(batch[n].err)
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	store := i.commit
	if i.w.Import.DryRun {
		store = i.try
	}
	if err := store(ctx, batch); err != nil {
		return err
	}
	for n := range batch {
		l := &batch[n]
		if l.err != nil {
			i.j.Failed++
			if err := i.report(at(l)); err != nil {
				return err
			}
			continue
		}
		stored := int64(max(1, len(l.prepared)))
		i.j.Done += stored
		i.w.Stored[i.w.Input] += stored
	}
	return nil
}

// transient is an error that says nothing of a line but that it has to be
// tried again; nil for others.
func transient(err error) error {
	if err != nil && (errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrTimeout) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return err
	}
	return nil
}

// try finds what commit would reject of what was prepared, as if each line
// were alone, and stores nothing.
func (i *importing) try(ctx context.Context, batch []line) error {
	for n := range batch {
		l := &batch[n]
		switch {
		case l.err != nil:
			continue
		case l.transaction:
			l.err = i.transaction(ctx, l, nil)
		default:
			var changes []store.Change
			for n, p := range l.prepared {
				changes = append(changes, p.Change(l.expect[n]))
			}
			l.err = store.Unmet(ctx, i.s.o.Store, i.t, changes)
		}
		if err := transient(l.err); err != nil {
			return err
		}
	}
	return nil
}

func (i *importing) transaction(ctx context.Context, l *line, info []byte) error {
	return i.s.o.Transaction(ctx, i.t, Transaction{
		Base: i.w.Import.Base, Bundle: l.text, Source: SourceImport, Info: info, DryRun: i.w.Import.DryRun, May: i.w.Import.may,
	})
}

// commit stores what was prepared. Neighbours go together as long as none
// writes what another does.
func (i *importing) commit(ctx context.Context, batch []line) error {
	for from := 0; from < len(batch); {
		seen := map[store.Ref]bool{}
		to := from
		for ; to < len(batch); to++ {
			if i.done(batch[to].number) != i.done(batch[from].number) || batch[to].transaction != batch[from].transaction || to > from && batch[to].transaction {
				break
			}
			twice := false
			for _, p := range batch[to].prepared {
				twice = twice || seen[p.Ref]
			}
			if twice && to > from {
				break
			}
			for _, p := range batch[to].prepared {
				seen[p.Ref] = true
			}
		}
		if !i.done(batch[from].number) {
			if err := i.together(ctx, batch[from:to]); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// together stores lines in one commit; if it fails by what one of them
// expects, each by itself.
func (i *importing) together(ctx context.Context, lines []line) error {
	info, err := json.Marshal(mark{i.j.ID, i.w.Input, lines[0].number, lines[len(lines)-1].number})
	if err != nil {
		return err
	}
	if lines[0].transaction {
		if lines[0].err == nil {
			lines[0].err = i.transaction(ctx, &lines[0], info)
		}
		return transient(lines[0].err)
	}
	c := store.Commit{Source: SourceImport, Info: info}
	for _, l := range lines {
		if l.err != nil {
			continue
		}
		for n, p := range l.prepared {
			c.Changes = append(c.Changes, p.Change(l.expect[n]))
		}
	}
	if len(c.Changes) == 0 {
		return nil
	}
	_, err = i.s.o.Repository.Commit(ctx, i.t, c)
	switch {
	case err == nil:
		return nil
	case transient(err) != nil:
		return err
	case len(lines) == 1:
		lines[0].err = err
		return nil
	}
	for n := range lines {
		if err := i.together(ctx, lines[n:n+1]); err != nil {
			return err
		}
	}
	return nil
}

// prepare checks a line and makes it ready to be stored.
func (i *importing) prepare(ctx context.Context, l *line) {
	doc, err := rawjson.Parse(l.text, nil)
	if err != nil {
		_, _, l.err = i.s.o.Repository.Check(l.text) // which words the fault
		return
	}
	typ, _ := doc.Root().Member("resourceType")
	if !typ.Is("Bundle") {
		if want := i.w.Import.Inputs[i.w.Input].Type; want != "" && !typ.Is(want) {
			l.err = outcome.BadRequest(outcome.CodeInvalid, "The resource is of another type than the input, which is for %s.", want).At("resourceType")
			return
		}
		i.resource(ctx, l, doc.Root(), l.text, 0)
		return
	}
	kind, _ := doc.Root().Member("type")
	if kind.Is("transaction") {
		l.transaction = true
		return
	}
	entries, _ := doc.Root().Member("entry")
	seen := map[store.Ref]bool{}
	n := 0
	for e := range entries.Elements() {
		resource, ok := e.Member("resource")
		if !ok {
			l.err = outcome.BadRequest(outcome.CodeRequired, "An entry of an imported Bundle needs a resource.").At(fmt.Sprintf("Bundle.entry[%d]", n))
			return
		}
		if i.resource(ctx, l, resource, resource.Raw(), n+1); l.err != nil {
			return
		}
		ref := l.prepared[len(l.prepared)-1].Ref
		if seen[ref] {
			l.err = outcome.BadRequest(outcome.CodeDuplicate, "Two entries of the Bundle are the same %s.", ref.Type).At(fmt.Sprintf("Bundle.entry[%d]", n))
			return
		}
		seen[ref] = true
		n++
	}
}

// resource prepares one resource: under its id, or, without one, under an id
// that follows from where it stands, so that it is the same if that is read
// again.
func (i *importing) resource(ctx context.Context, l *line, n rawjson.Node, text []byte, entry int) {
	id, ok := n.Member("id")
	name, interaction := id.String(), "update"
	if !ok {
		interaction = "create"
		sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d/%d", i.j.ID, i.w.Input, l.number, entry))
		name = hex.EncodeToString(sum[:16])
	}
	typ, _ := n.Member("resourceType")
	if l.err = i.w.Import.may(interaction, typ.String()); l.err != nil {
		return
	}
	p, err := i.s.o.Repository.Prepare(ctx, i.t, name, text)
	if err != nil {
		l.err = err
		return
	}
	expect := store.Expect{}
	if i.w.Import.MatchVersions {
		meta, _ := n.Member("meta")
		version, _ := meta.Member("versionId")
		if expect, err = expected(version.String()); err != nil {
			l.err = err
			return
		}
	}
	l.prepared, l.expect = append(l.prepared, p), append(l.expect, expect)
}

// report adds an OperationOutcome to the report of the input.
func (i *importing) report(err error) error {
	return i.out.line(fmt.Sprintf("rejected.%d", i.w.Input), "OperationOutcome", outcome.JSON(outcome.From(err).Issues))
}

// at is the error of a line with the number of the line.
func at(l *line) error {
	found := *outcome.From(l.err)
	issues := append([]outcome.Issue(nil), found.Issues...)
	for n := range issues {
		issues[n].Diagnostics = fmt.Sprintf("Line %d: %s", l.number, issues[n].Diagnostics)
		issues[n].Line = int(l.number)
		issues[n].Column = max(1, issues[n].Column)
	}
	found.Issues = issues
	return &found
}

// checkpoint writes how far the import is.
func (i *importing) checkpoint(ctx context.Context) error {
	if err := i.out.settle(); err != nil {
		return err
	}
	var err error
	if i.w.Head, err = i.s.o.Store.Head(ctx, i.t); err != nil {
		return err
	}
	if i.j.Work, err = json.Marshal(&i.w); err != nil {
		return err
	}
	stop, err := i.save(ctx)
	if stop {
		return errors.Join(errStop, i.s.Discard(ctx, i.t, i.j))
	}
	return err
}
