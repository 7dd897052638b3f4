package bulk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/fhirfacade/fhirfacade/fhir/guard"
	"github.com/fhirfacade/fhirfacade/store"
)

// idle is how long a server may send nothing of a file.
const idle = time.Minute

// NewClient makes the client that fetches files. allowPrivate lets it call
// private and loopback addresses, which is for a sandbox on one machine.
func NewClient(allowPrivate bool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 nil, // a proxy would connect where the dialer must not
			DialContext:           guard.Dialer(allowPrivate).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: idle,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) >= 5 {
				return errors.New("more than 5 redirects")
			}
			return nil
		},
	}
}

// open opens the input that is being read, behind what was read of it.
func (i *importing) open(ctx context.Context) (io.ReadCloser, error) {
	in := i.w.Import.Inputs[i.w.Input]
	var body io.ReadCloser
	if in.Sent != nil {
		body = &sent{ctx: ctx, items: i.s.o.Store, t: i.t, job: i.j.ID, file: *in.Sent}
	} else {
		var err error
		if body, err = i.fetch(ctx, in.URL); err != nil {
			return nil, err
		}
	}
	if in.Whole {
		return body, nil
	}
	if _, err := io.CopyN(io.Discard, body, i.w.Offset); err != nil {
		body.Close()
		return nil, &inputError{text: "it is shorter than it was"}
	}
	return body, nil
}

func (i *importing) fetch(ctx context.Context, url string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel()
		return nil, &inputError{text: "its URL is none", final: true}
	}
	req.Header.Set("Accept", NDJSON+", "+FHIRJSON+", */*;q=0.5")
	res, err := i.s.o.Client.Do(req) //nolint:bodyclose // fetched closes it
	if err != nil {
		cancel()
		if errors.Is(err, guard.ErrForbiddenAddress) {
			return nil, &inputError{text: guard.ErrForbiddenAddress.Error(), final: true}
		}
		return nil, &inputError{text: "its server cannot be reached"}
	}
	body := &fetched{body: res.Body, cancel: cancel, timer: time.AfterFunc(idle, cancel)}
	if res.StatusCode != http.StatusOK {
		body.Close()
		return nil, &inputError{text: fmt.Sprintf("its server answers %d", res.StatusCode), final: res.StatusCode < 500}
	}
	validator := res.Header.Get("ETag") + " " + res.Header.Get("Last-Modified")
	if i.w.Line > 0 && validator != i.w.Validator {
		body.Close()
		return nil, &inputError{text: "it was changed while it was read", final: true}
	}
	i.w.Validator = validator
	return body, nil
}

// fetched is a file that is being fetched; it fails when nothing comes.
type fetched struct {
	body   io.ReadCloser
	cancel context.CancelFunc
	timer  *time.Timer
}

func (f *fetched) Read(b []byte) (int, error) {
	f.timer.Reset(idle)
	return f.body.Read(b)
}

func (f *fetched) Close() error {
	f.timer.Stop()
	f.cancel()
	return f.body.Close()
}

// sent reads a file that was sent.
type sent struct {
	ctx   context.Context
	items store.Items
	t     store.Tenant
	job   string
	file  File
	next  int
	part  io.Reader
}

func (s *sent) Read(b []byte) (int, error) {
	for {
		if s.part != nil {
			n, err := s.part.Read(b)
			if n > 0 || !errors.Is(err, io.EOF) {
				return n, err
			}
			s.part = nil
		}
		if s.next >= s.file.Parts {
			return 0, io.EOF
		}
		item, err := s.items.GetItem(s.ctx, s.t, kindPart, partID(s.job, s.file.Name, s.next))
		if err != nil {
			return 0, err
		}
		if s.part, err = gzip.NewReader(bytes.NewReader(item.Body)); err != nil {
			return 0, err
		}
		s.next++
	}
}

func (s *sent) Close() error { return nil }

// receive keeps a file that is being sent, as it comes.
func (s *Service) receive(ctx context.Context, t store.Tenant, job string, in io.Reader) (*File, error) {
	files := []File{{Name: "sent-1", Type: "input"}}
	w := newWriter(ctx, s.o.Store, t, job, s.o.Now().Add(abandoned), 1, &files)
	f := w.open["sent"]
	for {
		f.buffer = w.buffer()
		_, err := io.CopyN(f.buffer, in, partBytes)
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			// Whoever sends may be gone, and with him the request.
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
			defer cancel()
			return nil, errors.Join(err, w.settle(), removeFiles(end, s.o.Store, t, job, files))
		}
		if ended {
			return &files[0], w.settle()
		}
		if err := w.flush(f); err != nil {
			return nil, err
		}
	}
}
