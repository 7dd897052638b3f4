package bulk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"github.com/fhirfacade/fhirfacade/store"
)

// A file is a row of parts, each an item of the store and a gzip member by
// itself, so that a file in gzip is its parts one after another (RFC 1952 §
// 2.2), and a job that goes on after a crash begins with the part that it had
// not finished.

const kindPart = "bulk-part"

// partBytes is about how much of a file is in one part; a longer line has a
// part of its own.
const partBytes = 2 << 20

// writesAtOnce is how many parts are compressed and written at the same time.
// A write waits for the disk far longer than it takes the processor, and those
// that wait together are synced together.
const writesAtOnce = 6

// openBuffers is how many files have lines that are not written yet.
const openBuffers = 4

// abandoned is how long parts stay whose job nobody ended.
const abandoned = 30 * 24 * time.Hour

// File is an NDJSON file that a job has made.
type File struct {
	// Name is the last step of its URL: "Patient-1".
	Name string `json:"name"`
	// Type is the type of the resources in it.
	Type string `json:"type"`
	// Count is how many lines it has, Parts in how many parts they are.
	Count int64 `json:"count"`
	Parts int   `json:"parts"`
}

// group is what all files of one kind have in common: "Patient".
func (f *File) group() string {
	group, _, _ := strings.Cut(f.Name, "-")
	return group
}

func partID(job, file string, number int) string { return fmt.Sprintf("%s.%s.%d", job, file, number) }

// writer writes the files of a job. It is used by one goroutine.
type writer struct {
	items   store.Items
	tenant  store.Tenant
	job     string
	expires time.Time
	// perFile is how many lines a file gets.
	perFile int64
	// files are all files of the job, of which the last of each group is being
	// written.
	files *[]File
	open  map[string]*openFile
	// group are the writes under way, which end with ctx; base is what each
	// next group begins from, whoever asks for the end of one.
	group *errgroup.Group
	ctx   context.Context
	base  context.Context
	// free are buffers to be used again.
	free chan *bytes.Buffer
}

type openFile struct {
	at     int
	buffer *bytes.Buffer
}

func newWriter(ctx context.Context, items store.Items, t store.Tenant, job string, expires time.Time, perFile int64, files *[]File) *writer {
	w := &writer{
		items: items, tenant: t, job: job, expires: expires, perFile: perFile, files: files,
		base: ctx, open: map[string]*openFile{}, free: make(chan *bytes.Buffer, writesAtOnce+1),
	}
	w.begin()
	for i := range *files { // the last one of each group counts
		w.open[(*files)[i].group()] = &openFile{at: i}
	}
	return w
}

func (w *writer) begin() {
	w.group, w.ctx = errgroup.WithContext(w.base)
	w.group.SetLimit(writesAtOnce)
}

// line adds a resource, without its line's end, to the files of a group.
func (w *writer) line(group, typ string, resource []byte) error {
	f := w.open[group]
	if f == nil || (*w.files)[f.at].Count >= w.perFile {
		number := 1
		for i := range *w.files {
			if (*w.files)[i].group() == group {
				number++
			}
		}
		if f != nil {
			if err := w.flush(f); err != nil {
				return err
			}
		}
		*w.files = append(*w.files, File{Name: fmt.Sprintf("%s-%d", group, number), Type: typ})
		f = &openFile{at: len(*w.files) - 1}
		w.open[group] = f
	}
	if f.buffer != nil && f.buffer.Len() > 0 && f.buffer.Len()+len(resource) > partBytes {
		if err := w.flush(f); err != nil {
			return err
		}
	}
	if f.buffer == nil {
		if err := w.spare(f); err != nil {
			return err
		}
		f.buffer = w.buffer()
	}
	f.buffer.Write(resource)
	f.buffer.WriteByte('\n')
	(*w.files)[f.at].Count++
	return nil
}

// spare writes what other files have, when there are many: a walk of all types
// comes back to few of them.
func (w *writer) spare(but *openFile) error {
	held := 0
	for _, f := range w.open {
		if f != but && f.buffer != nil {
			held++
		}
	}
	if held < openBuffers {
		return nil
	}
	for _, f := range w.open {
		if f != but {
			if err := w.flush(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) buffer() *bytes.Buffer {
	select {
	case b := <-w.free:
		return b
	default:
		return bytes.NewBuffer(make([]byte, 0, partBytes+partBytes/16))
	}
}

// flush writes what a file has as its next part, in the background.
func (w *writer) flush(f *openFile) error {
	if f.buffer == nil || f.buffer.Len() == 0 {
		return nil
	}
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	file := &(*w.files)[f.at]
	id := partID(w.job, file.Name, file.Parts)
	file.Parts++
	b := f.buffer
	f.buffer = nil
	w.group.Go(func() error {
		packed, err := pack(b.Bytes())
		if err != nil {
			return err
		}
		if _, err := w.items.PutItem(w.ctx, w.tenant, store.Item{Kind: kindPart, ID: id, Body: packed, Expires: w.expires}, store.ItemAny); err != nil {
			return err
		}
		if b.Cap() <= 2*partBytes {
			b.Reset()
			select {
			case w.free <- b:
			default:
			}
		}
		return nil
	})
	return nil
}

// settle returns when all lines are in the store.
func (w *writer) settle() error {
	var err error
	for _, f := range w.open {
		if err = w.flush(f); err != nil {
			break
		}
	}
	if done := w.group.Wait(); done != nil {
		err = done
	}
	w.begin()
	return err
}

func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(text) / 6)
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

// copyFile writes a file, in gzip or plain.
func copyFile(ctx context.Context, items store.Items, t store.Tenant, job string, f File, out io.Writer, packed bool) error {
	for i := range f.Parts {
		item, err := items.GetItem(ctx, t, kindPart, partID(job, f.Name, i))
		if err != nil {
			return err
		}
		if packed {
			if _, err := out.Write(item.Body); err != nil {
				return err
			}
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(item.Body))
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, z); err != nil { //nolint:gosec // what the server packed itself
			return err
		}
	}
	return nil
}

// removeFiles removes the parts of a job's files, and those behind them that a
// crash may have left.
func removeFiles(ctx context.Context, items store.Items, t store.Tenant, job string, files []File) error {
	for _, f := range files {
		for i := 0; ; i++ {
			id := partID(job, f.Name, i)
			if i >= f.Parts {
				if _, err := items.GetItem(ctx, t, kindPart, id); err != nil {
					break
				}
			}
			if err := items.DeleteItem(ctx, t, kindPart, id, store.ItemAny); err != nil {
				return err
			}
		}
	}
	return nil
}
