package rest

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fhirfacade/fhirfacade/fhir/fhirxml"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/store"
)

// bundle writes a Bundle as a stream: resources go from the store to the
// socket as they are, without being decoded.
type bundle struct {
	w       *bufio.Writer
	sent    gin.ResponseWriter
	entries int
	// within says that it is what an entry of a batch or transaction reads.
	within bool
	// xml, when set, gathers each part and turns it into XML.
	xml *xmlParts
	// complete says that what is in out is what is sent, byte for byte.
	complete bool
	// out is what is sent: w, unless that is gathered first. It goes back
	// through free.
	out  *bufio.Writer
	free func(any)
}

// bufferSize is room for most pages, which then are sent at once and with
// their length.
const bufferSize = 64 << 10

func (a *API) buffer(w io.Writer) *bufio.Writer {
	if b, ok := a.buffers.Get().(*bufio.Writer); ok {
		b.Reset(w)
		return b
	}
	return bufio.NewWriterSize(w, bufferSize)
}

type link struct{ relation, url string }

func (a *API) startBundle(r *request, typ string, total int64, links []link) *bundle {
	r.Writer.Header().Set("Content-Type", r.format.contentType)
	r.Status(http.StatusOK)
	b := &bundle{w: a.buffer(r.Writer), sent: r.Writer, within: r.entry != nil}
	b.out, b.free = b.w, a.buffers.Put
	switch {
	case r.format.xml:
		b.complete = true
		b.xml = &xmlParts{o: fhirxml.Options{Indent: r.format.pretty}}
		b.w = bufio.NewWriter(&b.xml.part)
	case r.format.pretty:
		b.w.Reset(&indenter{to: r.Writer})
	default:
		b.complete = true
	}
	b.raw(`{"resourceType":"Bundle","id":`)
	b.quote(a.o.NewID())
	b.raw(`,"meta":{"lastUpdated":`)
	b.quote(instant(a.o.Now()))
	b.raw(`},"type":`)
	b.quote(typ)
	if total >= 0 {
		b.raw(`,"total":` + strconv.FormatInt(total, 10))
	}
	for i, l := range links {
		if i == 0 {
			b.raw(`,"link":[`)
		} else {
			b.raw(`,`)
		}
		b.raw(`{"relation":`)
		b.quote(l.relation)
		b.raw(`,"url":`)
		b.quote(l.url)
		b.raw(`}`)
	}
	if len(links) > 0 {
		b.raw(`]`)
	}
	return b
}

func (b *bundle) raw(s string) { _, _ = b.w.WriteString(s) } // a failed write shows in Flush

func (b *bundle) quote(s string) { b.w.Write(appendJSON(b.w.AvailableBuffer(), s)) }

// part sends what was gathered for XML.
func (b *bundle) part() {
	_ = b.w.Flush() // to memory
	b.out.Write(b.xml.next())
}

func (b *bundle) next() {
	if b.xml != nil {
		b.part()
		return
	}
	if b.entries == 0 {
		b.raw(`,"entry":[`)
	} else {
		b.raw(`,`)
	}
	b.entries++
}

// match adds an entry of a searchset.
func (b *bundle) match(base string, d store.Document, mode repository.Mode) {
	b.next()
	b.raw(`{"fullUrl":`)
	b.quote(base + "/" + d.Ref.String())
	b.raw(`,"resource":`)
	b.w.Write(d.Body)
	b.raw(`,"search":{"mode":"`)
	b.raw(string(mode))
	b.raw(`"}}`)
}

// failed reports that the client has gone, so that nothing more need be read.
func (b *bundle) failed() error {
	_, err := b.out.Write(nil)
	return err
}

// abort ends a bundle that cannot be completed. Before anything was sent, the
// answer is the error; behind that the connection is cut, so that the client
// does not take what it got for a whole answer. What an entry reads has not
// been sent before the entry is done: see perform.
func (b *bundle) abort(err error) error {
	if b.sent.Written() && !b.within {
		panic(http.ErrAbortHandler)
	}
	return err
}

// issues adds an outcome entry to a searchset.
func (b *bundle) issues(issues []outcome.Issue) {
	if len(issues) == 0 {
		return
	}
	b.next()
	b.raw(`{"resource":`)
	b.w.Write(outcome.JSON(issues))
	b.raw(`,"search":{"mode":"outcome"}}`)
}

// version adds an entry of a history (R4 http, history).
func (b *bundle) version(base string, v store.Version) {
	b.next()
	b.raw(`{"fullUrl":`)
	b.quote(base + "/" + v.Ref.String())
	if !v.Deleted {
		b.raw(`,"resource":`)
		b.w.Write(v.Body)
	}
	url, status := v.Ref.String(), "200"
	switch v.Method {
	case store.Create:
		url, status = v.Ref.Type, "201"
	case store.Delete:
		status = "204"
	}
	b.raw(`,"request":{"method":"` + v.Method.String() + `","url":`)
	b.quote(url)
	b.raw(`},"response":{"status":"` + status + `","etag":`)
	b.quote(etag(v.Version))
	b.raw(`,"lastModified":`)
	b.quote(instant(v.Time))
	b.raw(`}}`)
}

func (b *bundle) end() {
	switch {
	case b.xml != nil:
		b.part()
		b.out.Write(b.xml.end())
	case b.entries > 0:
		b.raw(`]}`)
	default:
		b.raw(`}`)
	}
	if b.complete && !b.sent.Written() {
		b.sent.Header().Set("Content-Length", strconv.Itoa(b.out.Buffered()))
	}
	_ = b.out.Flush() // the client has gone: nobody is left to tell
	b.out.Reset(nil)
	b.free(b.out)
}

// appendJSON appends a JSON string: "&" and "<" as they are.
func appendJSON(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // what is no UTF-8 becomes U+FFFD
	return dst
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
