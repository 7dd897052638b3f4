package exchange

import (
	"context"
	"slices"
	"strconv"

	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// replacement is what a message says of a Patient that another one replaces:
// the entries of both. A message without such a link gives ok false.
func replacement(said *mapping.Message, n int) (survivor int, ok bool) {
	for _, l := range said.Entries[n].Resource.GetPatient().GetLink() {
		if l.GetType().GetValue() == codes_go_proto.LinkTypeCode_REPLACED_BY {
			if i := said.Find(l.Other); i >= 0 && i != n {
				return i, true
			}
		}
	}
	return 0, false
}

// replacedBy is the Patient that a stored one was merged into.
func (x *Exchange) replacedBy(t store.Tenant, root rawjson.Node) (store.Ref, bool) {
	links, _ := root.Member("link")
	for l := range links.Elements() {
		if typ, _ := l.Member("type"); !typ.Is("replaced-by") {
			continue
		}
		other, _ := l.Member("other")
		reference, _ := other.Member("reference")
		if ref, ok := x.o.Repository.Local(t, reference.String()); ok && ref.Type == "Patient" {
			return ref, true
		}
	}
	return store.Ref{}, false
}

// longestChain is how many merges one after another are followed.
const longestChain = 16

// follow gives the records that were merged into others these: whoever is
// spoken of by an old identifier is the one that remains.
func (x *Exchange) follow(ctx context.Context, i *identification) error {
	for _, r := range slices.Clone(i.found) {
		at := r
		for range longestChain {
			next := at.replacedBy
			if next == (store.Ref{}) {
				break
			}
			known := i.byRef[next]
			if known == nil {
				docs, err := x.o.Repository.GetMany(ctx, i.tenant, []store.Ref{next})
				if err != nil {
					return err
				}
				if len(docs) == 0 || docs[0].Deleted {
					break // nobody is left; the retired one is all there is
				}
				if known, err = x.storedRecord(i.tenant, docs[0]); err != nil {
					return err
				}
				i.byRef[next] = known
			}
			at = known
		}
		if at != r {
			r.survivor = at
		}
	}
	return nil
}

// repointed is a text whose references to one resource lead to another; nil
// when it has none.
func (x *Exchange) repointed(t store.Tenant, text []byte, from, to store.Ref) ([]byte, error) {
	doc, err := rawjson.Parse(text, nil)
	if err != nil {
		return nil, err
	}
	var places []rawjson.Node
	var walk func(n rawjson.Node)
	walk = func(n rawjson.Node) {
		for m := range n.Members() {
			if m.NameIs("reference") && m.Kind() == rawjson.KindString {
				if ref, ok := x.o.Repository.Local(t, m.String()); ok && ref == from {
					places = append(places, m)
				}
				continue
			}
			walk(m)
		}
		for e := range n.Elements() {
			walk(e)
		}
	}
	walk(doc.Root())
	if len(places) == 0 {
		return nil, nil
	}
	var out []byte
	at := 0
	for _, p := range places {
		out = strconv.AppendQuote(append(out, text[at:p.Offset()]...), to.String())
		at = p.End()
	}
	return append(out, text[at:]...), nil
}

// settleMerges makes a record's text what the merges of the message leave of
// it: its references lead to who remains, and nobody is linked with himself.
func (x *Exchange) settleMerges(t store.Tenant, rs *records, r *record, texts map[*record][]byte) error {
	if len(rs.needless) > 0 && r.ref.Type == "Patient" {
		text, err := withoutOwnLinks(texts[r], r.ref)
		if err != nil {
			return err
		}
		texts[r] = text
	}
	for _, merge := range rs.merges {
		if r == merge.retired || r == merge.survivor {
			continue
		}
		text, err := x.repointed(t, texts[r], merge.retired.ref, merge.survivor.ref)
		if err != nil {
			return err
		}
		if text != nil {
			texts[r] = text
		}
	}
	return nil
}

// withoutOwnLinks is a Patient without the links that lead to itself.
func withoutOwnLinks(text []byte, ref store.Ref) ([]byte, error) {
	doc, err := rawjson.Parse(text, nil)
	if err != nil {
		return nil, err
	}
	out := newObject(ref)
	for m := range doc.Root().Members() {
		switch {
		case m.NameIs("resourceType"), m.NameIs("id"):
		case m.NameIs("link"):
			list := []byte{'['}
			for l := range m.Elements() {
				other, _ := l.Member("other")
				if reference, _ := other.Member("reference"); reference.Is(ref.String()) {
					continue
				}
				if len(list) > 1 {
					list = append(list, ',')
				}
				list = append(list, l.Raw()...)
			}
			if len(list) > 1 {
				out.add(m.RawName(), append(list, ']'))
			}
		default:
			out.add(m.RawName(), m.Raw())
		}
	}
	return out.close(), nil
}

// atOnce is how many resources one commit gives to another patient.
const atOnce = 500

// repoint gives what refers to the retired Patients of a message to those that
// replace them. What one commit can hold is added to the plan; before that,
// the rest is committed in parts, which tell nobody. A message that was cut
// short between them is sent again and goes on.
func (x *Exchange) repoint(ctx context.Context, t store.Tenant, src Source, m *Message, p *plan, records *records) error {
	for _, merge := range records.merges {
		for {
			docs, err := x.o.Repository.Matching(ctx, t, x.o.Repository.Referring(merge.retired.ref), atOnce+1)
			if err != nil {
				return err
			}
			var changes []store.Change
			var targets []string
			for _, d := range docs[:min(len(docs), atOnce)] {
				if d.Ref == merge.survivor.ref || d.Ref.Type == "Provenance" || d.Ref.Type == "AuditEvent" || p.has(d.Ref) {
					continue // what was said of a version stays said of it
				}
				text, err := x.repointed(t, d.Body, merge.retired.ref, merge.survivor.ref)
				if err != nil {
					return err
				}
				if text == nil {
					continue
				}
				prepared, err := x.o.Repository.Prepare(ctx, t, d.Ref.ID, text)
				if err != nil {
					return err
				}
				changes = append(changes, prepared.Change(store.AtVersion(d.Version)))
				targets = append(targets, version(d.Ref, d.Version+1))
			}
			if len(docs) <= atOnce || len(changes) == 0 {
				p.changes, p.targets = append(p.changes, changes...), append(p.targets, targets...)
				break
			}
			said, err := x.provenance(ctx, t, x.o.NewID(), m, src, targets, m.eventAt())
			if err != nil {
				return err
			}
			event := notifications.Event{DataModel: m.DataModel, EventType: m.EventType, SourceID: src.ID, SourceName: src.Name}
			if _, err := x.o.Repository.Commit(ctx, t, store.Commit{
				Source: src.ID, Event: m.DataModel + "." + m.EventType, Info: event.Encode(), Changes: append(changes, said),
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// has reports whether a plan changes a resource already.
func (p *plan) has(ref store.Ref) bool {
	return slices.ContainsFunc(p.changes, func(c store.Change) bool { return c.Ref == ref })
}
