package repository

import (
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// maxLookedAt is how many resources a page of contained ones looks at: keys
// tell which may contain a match, and only looking which do.
const maxLookedAt = 2000

// containers says which entries a resource gives to a page of a search for
// contained resources: those from skip on, count of them.
type containers struct{ skip, count int }

// contained finds a page of a search for contained resources. Bodies are read
// again when the page is sent, so that they need not be kept.
func (r *Repository) contained(result *Result, q store.Query) error {
	req := result.Request
	_, skip := req.Contained.Behind(req.After)
	room, looked := req.Count, 0
	for {
		q.Limit, q.MaxBytes = min(200, maxLookedAt-looked), roundBytes
		page, err := r.o.Store.Search(result.ctx, result.t, q)
		if err != nil {
			return err
		}
		for i, d := range page.Documents {
			entries, err := result.containedEntries(d)
			if err != nil {
				return err
			}
			skip = min(skip, len(entries)) // it may have been written since
			n := min(len(entries)-skip, room)
			if n > 0 {
				d.Body = nil
				result.unread, result.within = append(result.unread, d), append(result.within, containers{skip, n})
			}
			room -= n
			switch last := i == len(page.Documents)-1 && page.Next == nil; {
			case room > 0:
			case skip+n < len(entries):
				result.next(req.Contained.Place(d.Number-1, skip+n))
				return nil
			case !last:
				result.next(req.Contained.Place(d.Number, 0))
				return nil
			default:
				return nil
			}
			skip = 0
		}
		looked += len(page.Documents)
		if page.Next == nil {
			return nil
		}
		if looked >= maxLookedAt {
			result.Unfinished = true
			result.next(req.Contained.Place(page.Next.Number, 0))
			return nil
		}
		q.After = page.Next
	}
}

// containedEntries are the matches that a resource gives: itself, once, as the
// container or as a match of its own, or what it contains.
func (result *Result) containedEntries(d store.Document) ([]store.Document, error) {
	c := result.Request.Contained
	doc, err := rawjson.Parse(d.Body, nil)
	if err != nil {
		return nil, err
	}
	base := result.r.base(result.t)
	found, err := result.index.ContainedMatches(c, doc.Root(), base)
	if err != nil {
		return nil, err
	}
	itself := len(found) > 0 && !c.Alone
	if c.Both && !itself {
		keys, err := result.r.contentKeys(result.index, result.t, d.Ref, doc.Root())
		if err != nil {
			return nil, err
		}
		itself = store.MatchKeys(c.Match, store.SortKeys(result.r.versionKeys(d.Ref.Type, d.Time, keys)))
	}
	var entries []store.Document
	if itself {
		entries = append(entries, d)
	}
	if !c.Alone {
		return entries, nil
	}
	for _, inside := range found {
		entries = append(entries, containedDocument(d, inside))
	}
	return entries, nil
}

// containedDocument stands for a contained resource, named as a reference
// from outside would: by its container and, behind a #, its id.
func containedDocument(d store.Document, inside search.ContainedResource) store.Document {
	if inside.ID != "" {
		d.Ref.ID += "#" + inside.ID
	}
	d.Body = inside.Body
	return d
}

func (result *Result) eachContained(f func(d store.Document, mode Mode) error) error {
	at := 0
	return result.readRest(func(d store.Document) error {
		entries, err := result.containedEntries(d)
		if err != nil {
			return err
		}
		w := result.within[at]
		at++
		for _, e := range entries[w.skip : w.skip+w.count] {
			if err := f(e, ModeMatch); err != nil {
				return err
			}
		}
		return nil
	})
}
