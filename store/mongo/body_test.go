package mongo

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirfacade/fhirfacade/store"
)

func incompressible(seed byte, n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return string(b)
}

// A large body whose writer died is written by another instance, also where
// the dead one wrote a part of it.
func TestLargeBodyIsRolledForward(t *testing.T) {
	opts := testOptions(t)
	opts.MaxBody, opts.RollForward = LargestBody, time.Hour
	dead, other := openTest(t, opts), openTest(t, opts)
	ctx, ref := testContext(t), store.Ref{Type: "Patient", ID: "1"}
	first, second := incompressible(1, maxRowBody+1), incompressible(2, 2*bodyChunk+1)
	commit(t, dead, put("1", first))
	crash(t, dead, put("1", second))
	s := scopeOf(1)
	if _, err := dead.bodies.InsertOne(ctx, chunkRow{ID: s.chunkID(ref, 2, 1), Data: append([]byte{packedPlain}, second[bodyChunk:2*bodyChunk]...)}); err != nil {
		t.Fatal(err)
	}
	if head, err := other.Head(ctx, tenant); err != nil || head != 2 {
		t.Fatal(head, err)
	}
	for version, want := range map[int64]string{1: first, 2: second} {
		d, err := other.GetVersion(ctx, tenant, ref, version)
		if err != nil || string(d.Body) != want {
			t.Errorf("version %d has %d bytes, %v", version, len(d.Body), err)
		}
	}
	if n, err := other.bodies.CountDocuments(ctx, bson.D{}); err != nil || n != 4 {
		t.Errorf("%d chunks, want 1 and 3: %v", n, err)
	}
}

// Where a body goes depends on what it takes when it is packed.
func TestBodyPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		chunks int32
	}{
		"none":                    {"", 0},
		"small":                   {"{}", 0},
		"large and compressible":  {string(bytes.Repeat([]byte("Fernsby "), 8<<20)), 0},
		"as large as a row takes": {incompressible(3, maxRowBody), 0},
		"too large for a row":     {incompressible(3, maxRowBody+1), 1},
		"one chunk":               {incompressible(4, bodyChunk), 1},
		"one chunk and one byte":  {incompressible(4, bodyChunk+1), 2},
		"two chunks":              {incompressible(5, 2*bodyChunk), 2},
	} {
		var r docRow
		r.setBody([]byte(c.body))
		if r.Chunks != c.chunks || c.chunks > 0 && (len(r.Body) != 0 || string(r.large) != c.body) {
			t.Errorf("%s: %d chunks and %d bytes in the row", name, r.Chunks, len(r.Body))
		}
		if c.chunks == 0 {
			if b, err := unpack(r.Body); err != nil || string(b) != c.body {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
