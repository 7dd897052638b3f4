package pebble_test

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
	"github.com/fhirfacade/fhirfacade/store"
)

// corpus is Synthea's patients with the keys that the server would give them,
// as many as are asked for: when the files end, copies follow, in which every
// UUID is another one.
type corpus struct {
	index     *search.Index
	originals []resource
	// minified is the size of the first n resources as minified JSON.
	minified func(n int) int64
}

// resource holds its keys in one block, so that a hundred thousand of them
// do not keep the garbage collector busy during a measurement.
type resource struct {
	typ      string
	body     []byte // the id begins at idAt
	keys     []byte
	ends     []int32 // of the keys within keys
	bodyIDs  []int32 // where UUIDs stand
	keyIDs   []int32
	idAt     int
	size     int // as minified JSON, before the server's own additions
	updateAt int // where meta.lastUpdated stands
}

const (
	uuidLen    = 36
	timeLayout = "2006-01-02T15:04:05.000Z"
)

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// readCorpus reads limit resources, or all if there are fewer.
func readCorpus(tb testing.TB, limit int) *corpus {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(tb, "data", "synthea"), "*.json"))
	if err != nil || len(files) == 0 {
		tb.Fatal(len(files), err)
	}
	c := &corpus{index: search.NewIndex(conformance.R4(), r4model.R4())}
	base := search.Base{Definitions: conformance.R4()}
	seen := map[store.Ref]bool{} // organizations are in the bundles of all their patients
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for _, raw := range entries(tb, data) {
			if len(c.originals) == limit {
				break
			}
			r := c.read(tb, raw, base)
			if !seen[r.ref()] {
				seen[r.ref()] = true
				c.originals = append(c.originals, r)
			}
		}
	}
	sums := make([]int64, len(c.originals)+1)
	for i, r := range c.originals {
		sums[i+1] = sums[i] + int64(r.size)
	}
	c.minified = func(n int) int64 {
		return int64(n/len(c.originals))*sums[len(c.originals)] + sums[n%len(c.originals)]
	}
	return c
}

// entries are the resources of a transaction bundle, minified, with the
// references that a server makes of the bundle's urn:uuid ones.
func entries(tb testing.TB, data []byte) [][]byte {
	tb.Helper()
	doc, err := rawjson.Parse(data, nil)
	if err != nil {
		tb.Fatal(err)
	}
	list, _ := doc.Root().Member("entry")
	var raw [][]byte
	var names []string
	for e := range list.Elements() {
		r, _ := e.Member("resource")
		full, _ := e.Member("fullUrl")
		typ, _ := r.Member("resourceType")
		id, _ := r.Member("id")
		names = append(names, full.String(), typ.String()+"/"+id.String())
		raw = append(raw, minify(r.Raw()))
	}
	resolve := strings.NewReplacer(names...)
	for i := range raw {
		raw[i] = []byte(resolve.Replace(string(raw[i])))
	}
	return raw
}

func minify(in []byte) []byte {
	out := make([]byte, 0, len(in))
	quoted := false
	for i := 0; i < len(in); i++ {
		c := in[i]
		switch {
		case quoted && c == '\\':
			out = append(out, c, in[i+1])
			i++
			continue
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
			continue
		}
		out = append(out, c)
	}
	return out
}

func (c *corpus) read(tb testing.TB, raw []byte, base search.Base) resource {
	tb.Helper()
	doc, err := rawjson.Parse(raw, nil)
	if err != nil {
		tb.Fatal(err)
	}
	typ, _ := doc.Root().Member("resourceType")
	id, _ := doc.Root().Member("id")
	r := resource{typ: typ.String(), size: len(raw)}
	keys, err := c.index.Keys(r.typ, doc.Root(), base)
	if err != nil {
		tb.Fatal(err)
	}
	keys = append(keys, c.index.IDKeys(store.Ref{Type: r.typ, ID: id.String()})...)
	for _, k := range keys {
		for _, at := range uuid.FindAllStringIndex(k, -1) {
			r.keyIDs = append(r.keyIDs, int32(len(r.keys)+at[0]))
		}
		r.keys = append(r.keys, k...)
		r.ends = append(r.ends, int32(len(r.keys)))
	}
	r.body, err = doc.AppendEdited(nil, []rawjson.Edit{
		{Parent: "meta", Name: "versionId", Value: []byte(`"1"`)},
		{Parent: "meta", Name: "lastUpdated", Value: []byte(`"` + timeLayout + `"`)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	for _, at := range uuid.FindAllIndex(r.body, -1) {
		r.bodyIDs = append(r.bodyIDs, int32(at[0]))
	}
	r.idAt = strings.Index(string(r.body), id.String())
	r.updateAt = strings.Index(string(r.body), timeLayout)
	return r
}

// at is the n-th resource.
func (c *corpus) at(n int) resource {
	r, round := c.originals[n%len(c.originals)], uint32(n/len(c.originals))
	if round == 0 {
		return r
	}
	r.body = append([]byte(nil), r.body...)
	r.keys = append([]byte(nil), r.keys...)
	for _, i := range r.bodyIDs {
		another(r.body[i:i+uuidLen], round)
	}
	for _, i := range r.keyIDs {
		another(r.keys[i:i+uuidLen], round)
	}
	return r
}

// another makes another UUID of one: the same each time, and of different
// ones different ones.
func another(text []byte, round uint32) {
	var plain [32]byte
	n := 0
	for _, c := range text {
		if c != '-' {
			plain[n] = c
			n++
		}
	}
	var b [16]byte
	_, _ = hex.Decode(b[:], plain[:])
	for i := 0; i < 16; i += 4 {
		v := binary.BigEndian.Uint32(b[i:])
		v = (v ^ round*0x9E3779B1) * 0x85EBCA6B
		binary.BigEndian.PutUint32(b[i:], v^v>>15)
	}
	hex.Encode(plain[:], b[:])
	n = 0
	for i, c := range text {
		if c != '-' {
			text[i] = plain[n]
			n++
		}
	}
}

func (r resource) ref() store.Ref {
	return store.Ref{Type: r.typ, ID: string(r.body[r.idAt : r.idAt+uuidLen])}
}

// change writes the resource.
func (c *corpus) change(r resource) store.Change {
	return store.Change{Ref: r.ref(), Expect: store.Absent(), Render: func(s store.Stamp) store.Content {
		body := append([]byte(nil), r.body...)
		s.Time.AppendFormat(body[:r.updateAt], timeLayout)
		all := string(r.keys)
		keys := make([]store.Key, 0, len(r.ends)+2)
		from := int32(0)
		for _, end := range r.ends {
			keys = append(keys, all[from:end])
			from = end
		}
		return store.Content{Body: body, Keys: append(keys, c.index.VersionKeys(r.typ, s.Time)...)}
	}}
}
