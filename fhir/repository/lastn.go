package repository

import (
	"context"
	"fmt"
	"slices"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// LastN finds the latest Observations of each code among those that a request
// selects (https://hl7.org/fhir/R4/observation-operation-lastn.html): most of
// each group, and more where the last of them share a time.
//
// It goes by keys, group by group: the least code that no group has yet, then
// the codes that stand beside it in some Observation, until there are no more,
// then the latest of them. So the cost grows with the number of groups, not
// with that of Observations. Only texts without codes are read, since they
// are the same when they are written the same, and keys are normalised.
func (r *Repository) LastN(ctx context.Context, t store.Tenant, req *search.Request, most int) (*Result, error) {
	view, err := r.o.Parameters.View(ctx, t)
	if err != nil {
		return nil, err
	}
	l := lastN{
		result: &Result{Request: req, Total: -1, r: r, ctx: ctx, t: t, index: view.Searching},
		g:      view.Searching.Grouping(), most: most,
	}
	for _, group := range []func() error{l.coded, l.texts, l.others} {
		if err := group(); err != nil {
			return nil, err
		}
	}
	if l.full() {
		req.Warnings = append(req.Warnings, outcome.Issue{
			Severity: outcome.SeverityWarning, Code: outcome.CodeTooCostly,
			Diagnostics: fmt.Sprintf("More than %d Observations would be returned; those of further codes were left out. Use a smaller max, or name the codes.", r.o.MaxCount),
		})
		l.result.unread = l.result.unread[:r.o.MaxCount]
	}
	return l.result, nil
}

type lastN struct {
	result *Result
	g      search.Grouping
	most   int
}

func (l *lastN) full() bool { return len(l.result.unread) > l.result.r.o.MaxCount }

// where is what the request selects and all of the clauses.
func (l *lastN) where(all ...store.Clause) store.Clause {
	return append(store.And{l.result.Request.Where}, all...)
}

func (l *lastN) search(q store.Query) (store.Page, error) {
	return l.result.r.o.Store.Search(l.result.ctx, l.result.t, q)
}

// least is the least key in a range that what is selected has.
func (l *lastN) least(r store.Range, where ...store.Clause) (store.Key, bool, error) {
	page, err := l.search(store.Query{Where: l.where(append(where, r)...), Sort: []store.Sort{{Range: r}}, Limit: 1, RefsOnly: true})
	if err != nil || len(page.Places) == 0 {
		return "", false, err
	}
	return *page.Places[0].Keys[0], true, nil
}

// coded adds the groups of those with codes.
func (l *lastN) coded() error {
	var seen store.Or
	for !l.full() {
		k, ok, err := l.least(l.g.Coded, store.Not{Clause: seen})
		if err != nil || !ok {
			return err
		}
		codes, err := l.equal(k)
		if err != nil {
			return err
		}
		group := anyOf(codes)
		seen = append(seen, group...)
		if err := l.latest(group); err != nil {
			return err
		}
	}
	return nil
}

// equal are the codes that are the same as one: those that stand beside it,
// those that stand beside these, and so on.
func (l *lastN) equal(k store.Key) ([]store.Key, error) {
	codes := []store.Key{k}
	for i := 0; i < len(search.Gaps(l.g.Coded, codes)); {
		more, ok, err := l.least(search.Gaps(l.g.Coded, codes)[i], anyOf(codes))
		switch {
		case err != nil:
			return nil, err
		case !ok:
			i++
		default:
			at, _ := slices.BinarySearch(codes, more)
			codes = slices.Insert(codes, at, more)
			i = 0
		}
	}
	return codes, nil
}

func anyOf(keys []store.Key) store.Or {
	any := make(store.Or, len(keys))
	for i, k := range keys {
		any[i] = store.Exactly(k)
	}
	return any
}

// latest adds the latest of what a clause selects. Where the last that is
// wanted shares its time with others, these are added, too.
func (l *lastN) latest(where ...store.Clause) error {
	q := store.Query{Where: l.where(where...), Sort: []store.Sort{l.g.Newest}, Limit: l.most, RefsOnly: true}
	var last *store.Key
	for n := 0; !l.full(); {
		page, err := l.search(q)
		if err != nil {
			return err
		}
		for i, d := range page.Documents {
			at := page.Places[i].Keys[0]
			if n >= l.most && (at == nil || last == nil || *at != *last) {
				return nil
			}
			n, last = n+1, at
			l.result.unread = append(l.result.unread, d)
		}
		if page.Next == nil {
			return nil
		}
		q.After = page.Next
	}
	return nil
}

// texts adds the groups of those that have a text and no codes.
func (l *lastN) texts() error {
	var seen store.Or
	for !l.full() {
		k, ok, err := l.least(l.g.Text, store.Not{Clause: l.g.Coded}, store.Not{Clause: seen})
		if err != nil || !ok {
			return err
		}
		seen = append(seen, store.Exactly(k))
		if err := l.sameText(k); err != nil {
			return err
		}
	}
	return nil
}

// spelling is the group of one spelling of a text.
type spelling struct {
	latest []store.Document
	last   *store.Key
}

// sameText adds the latest of each spelling of a normalised text.
func (l *lastN) sameText(k store.Key) error {
	groups := map[string]*spelling{}
	var order []*spelling
	q := store.Query{
		Where: l.where(store.Exactly(k), store.Not{Clause: l.g.Coded}), Sort: []store.Sort{l.g.Newest},
		Limit: l.result.r.o.DefaultCount, MaxBytes: roundBytes,
	}
	for kept := 0; kept <= l.result.r.o.MaxCount; {
		page, err := l.search(q)
		if err != nil {
			return err
		}
		for i, d := range page.Documents {
			text, err := codeText(d.Body)
			if err != nil {
				return err
			}
			g := groups[text]
			if g == nil {
				g = &spelling{}
				groups[text] = g
				order = append(order, g)
			}
			at := page.Places[i].Keys[0]
			if len(g.latest) >= l.most && (at == nil || g.last == nil || *at != *g.last) {
				continue
			}
			d.Body = nil
			g.latest, g.last = append(g.latest, d), at
			kept++
		}
		if q.After = page.Next; page.Next == nil {
			break
		}
	}
	for _, g := range order {
		l.result.unread = append(l.result.unread, g.latest...)
	}
	return nil
}

func codeText(body []byte) (string, error) {
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		return "", err
	}
	code, _ := doc.Root().Member("code")
	text, _ := code.Member("text")
	return text.String(), nil
}

// others adds the group of those that have neither.
func (l *lastN) others() error {
	return l.latest(store.Not{Clause: l.g.Coded}, store.Not{Clause: l.g.Text})
}
