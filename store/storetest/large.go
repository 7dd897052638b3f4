package storetest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fhirfacade/fhirfacade/store"
)

// LargeBody is the body limit with which RunLarge needs its store opened.
const LargeBody = 16 << 20

// RunLarge checks an engine with bodies as large as a scanned document in a
// FHIR Binary: base64 of bytes that cannot be compressed. open returns a new
// store that takes bodies of up to [LargeBody] bytes.
func RunLarge(t *testing.T, open func(t *testing.T) store.Store) {
	if testing.Short() {
		t.Skip("moves some hundred megabytes; run without -short")
	}
	s := open(t)
	for _, test := range largeTests {
		t.Run(test.name, func(t *testing.T) {
			test.run(&fixture{t: t, ctx: contextFor(t), s: s, tenant: store.Tenant(test.name + "/Test")})
		})
	}
}

var largeTests = []test{
	{"versions of 15 MB are kept and found", func(f *fixture) {
		first, second := noise(1, 15<<20), noise(2, 15<<20)
		f.commit(putBytes(pat("1"), first, "k", "old"), put(pat("small"), "small", "k"))
		f.large(f.get(pat("1")), first)
		f.commit(putBytes(pat("1"), second, "k", "new"))
		d, err := f.s.GetVersion(f.ctx, f.tenant, pat("1"), 1)
		f.ok(err)
		f.large(d, first)

		p := f.search(store.Query{Where: store.Exactly("k"), Limit: 10})
		f.equal("found", ids(p.Documents), "1 small")
		f.large(p.Documents[0], second)
		f.equal("found by the key of a version that was replaced", len(f.search(store.Query{Where: store.Exactly("old"), Limit: 1}).Documents), 0)
		for _, d := range f.search(store.Query{Where: store.Exactly("k"), Limit: 10, RefsOnly: true}).Documents {
			f.equal("body with RefsOnly", len(d.Body), 0)
		}
		h, err := f.s.History(f.ctx, f.tenant, store.HistoryQuery{Type: "Patient", ID: "1", Limit: 5})
		f.ok(err)
		f.equal("history", versions(h), "PUT Patient/1 v2, POST Patient/1 v1")
		f.large(h.Versions[0].Document, second)
		f.large(h.Versions[1].Document, first)
		f.commit(del(pat("1")))
		f.equal("deleted", f.get(pat("1")).Deleted, true)
	}},
	{"a body at the limit is taken, one byte more is refused without a trace", func(f *fixture) {
		most := noise(3, LargeBody)
		f.commit(putBytes(pat("1"), most), put(pat("small"), "small"))
		many, err := f.s.GetMany(f.ctx, f.tenant, []store.Ref{pat("small"), pat("1")})
		f.ok(err)
		f.equal("many", ids(many), "small 1")
		f.body(many[0], "small")
		f.large(many[1], most)

		_, err = f.try(putBytes(pat("2"), noise(4, LargeBody+1)), put(pat("3"), "3"))
		f.is(err, store.ErrTooLarge)
		f.equal("head", f.head(), 1)
		_, err = f.s.Get(f.ctx, f.tenant, pat("3"))
		f.is(err, store.ErrNotFound)
	}},
	{"a page holds more than one message of the server does", func(f *fixture) {
		var changes []store.Change
		for i := range 5 {
			changes = append(changes, putBytes(obs(fmt.Sprint(i)), noise(uint64(10+i), 4<<20), "page"))
		}
		f.commit(changes...)
		p := f.search(store.Query{Where: store.Exactly("page"), Limit: 10})
		f.equal("page", ids(p.Documents), "0 1 2 3 4")
		for i, d := range p.Documents {
			f.large(d, noise(uint64(10+i), 4<<20))
		}
	}},
}

// noise is base64 text of n bytes, the same for the same seed.
func noise(seed uint64, n int) []byte {
	var key [32]byte
	key[0] = byte(seed)
	raw := make([]byte, n*3/4+3)
	_, _ = rand.NewChaCha8(key).Read(raw)
	return base64.StdEncoding.AppendEncode(nil, raw)[:n]
}

func putBytes(ref store.Ref, body []byte, keys ...store.Key) store.Change {
	return store.Change{Ref: ref, Render: func(store.Stamp) store.Content {
		return store.Content{Body: body, Keys: slices.Clone(keys)}
	}}
}

// large compares bodies that nobody wants to see printed.
func (f *fixture) large(d store.Document, want []byte) {
	f.t.Helper()
	if !bytes.Equal(d.Body, want) {
		f.t.Errorf("%s version %d has a body of %d bytes, not the %d that were written", d.Ref, d.Version, len(d.Body), len(want))
	}
}
