package bench_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// corpus is Synthea's patients as transaction bundles.
type corpus struct {
	bundles []bundle
}

type bundle struct {
	body []byte
	// uuids are where UUIDs stand.
	uuids   []int
	entries int
}

var (
	uuid  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	entry = []byte(`"fullUrl": "urn:uuid:`)
)

func readCorpus(tb testing.TB) *corpus {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(tb, "data", "synthea"), "*.json"))
	if err != nil || len(files) == 0 {
		tb.Fatal(len(files), err)
	}
	c := &corpus{}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		b := bundle{body: body, entries: bytes.Count(body, entry)}
		if b.entries == 0 {
			continue // of another kind
		}
		for _, at := range uuid.FindAllIndex(body, -1) {
			b.uuids = append(b.uuids, at[0])
		}
		c.bundles = append(c.bundles, b)
	}
	return c
}

// bundle is number i of an endless list: when the files end, copies follow, in
// which every UUID is another one. It is made in buf.
func (c *corpus) bundle(i int, buf []byte) (body []byte, entries int) {
	b := c.bundles[i%len(c.bundles)]
	buf = append(buf[:0], b.body...)
	body = buf
	round := uint32(i / len(c.bundles))
	if round == 0 {
		return body, b.entries
	}
	for _, at := range b.uuids {
		// The first eight digits are random enough to be counted up.
		var first [4]byte
		if _, err := hex.Decode(first[:], body[at:at+8]); err != nil {
			panic(err)
		}
		binary.BigEndian.PutUint32(first[:], binary.BigEndian.Uint32(first[:])+round*0x9E3779B1)
		hex.Encode(body[at:at+8], first[:])
	}
	return body, b.entries
}
