package crashtest

import (
	"fmt"
	"slices"

	"github.com/fhirfacade/fhirfacade/store"
)

const tenant = store.Tenant("sandbox/Development")

// checkLog opens the books of the store itself: its log has no gaps, and its
// entries are, one after the other, the history that the API told.
func (k *checker) checkLog(s store.Store) {
	k.t.Helper()
	at, place := int64(0), 0
	entryOf := map[string]int64{}
	for {
		entries, err := s.ReadLog(k.ctx, tenant, at, 500)
		if err != nil {
			k.t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			if at++; e.Seq != at {
				k.t.Fatalf("the log has entry %d where %d belongs", e.Seq, at)
			}
			for _, c := range e.Changes {
				if place == len(k.history) {
					k.t.Fatalf("entry %d holds a %s that the history does not have", e.Seq, c.Ref.Type)
				}
				v := k.history[place]
				if v.ref != c.Ref.String() || v.number != c.Version || v.method != c.Method.String() {
					k.t.Fatalf("entry %d holds version %d of a %s, the history has version %d of %s there", e.Seq, c.Version, c.Ref.Type, v.number, v.ref)
				}
				entryOf[fmt.Sprint(v.ref, v.number)] = e.Seq
				place++
			}
		}
	}
	if head, err := s.Head(k.ctx, tenant); err != nil || head != at {
		k.t.Errorf("the head is %d, the log ends at %d: %v", head, at, err)
	}
	if place != len(k.history) {
		k.t.Errorf("the log holds %d changes, the history %d", place, len(k.history))
	}
	for _, w := range k.book.tokens {
		if w.seen != nil && w.unit.writes[0].seen != nil &&
			entryOf[fmt.Sprint(w.seen.ref, w.seen.number)] != entryOf[fmt.Sprint(w.unit.writes[0].seen.ref, w.unit.writes[0].seen.number)] {
			k.t.Errorf("what belongs together is in two entries")
		}
	}
	k.checkVersions(s)
}

// checkVersions reads some versions by their numbers.
func (k *checker) checkVersions(s store.Store) {
	k.t.Helper()
	for _, v := range some(k.history, 1000) {
		i := slices.Index([]byte(v.ref), '/')
		d, err := s.GetVersion(k.ctx, tenant, store.Ref{Type: v.ref[:i], ID: v.ref[i+1:]}, v.number)
		if err != nil || string(d.Body) != string(v.body) {
			k.t.Fatalf("version %d of %s in the store is not the one that the API gives: %v", v.number, v.ref, err)
		}
	}
}
