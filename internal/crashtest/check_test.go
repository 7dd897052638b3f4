package crashtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// version is a version as the history of the tenant tells it.
type version struct {
	ref     string
	number  int64
	method  string
	time    string
	body    json.RawMessage
	tokens  []string
	current bool
}

// checker compares a server with a book.
type checker struct {
	t    *testing.T
	ctx  context.Context
	book *book
	c    *client
	// history has all versions in the order of the log, oldest first.
	history []*version
	of      map[string][]*version // a resource's, in order
	// unfinished: records of messages may lack their end. A message is
	// acknowledged once it is committed, also when the store is not there any
	// more to note that.
	unfinished bool
}

func newChecker(t *testing.T, b *book) *checker {
	return &checker{t: t, ctx: t.Context(), book: b, of: map[string][]*version{}}
}

// check asks the server at url for what happened since the last check, and
// with all set for everything again.
func (k *checker) check(url string, all bool) {
	k.t.Helper()
	k.c = newClient(url)
	defer k.c.close()
	k.barrier()
	fresh := k.readHistory(all)
	units := k.book.takeOpen()
	k.compare(fresh, units)
	k.reads(fresh, all)
	k.searches(fresh, all)
	k.records(units)
}

// barrier commits something. A killed process may have sent the server of its
// store a commit that still is under way; behind another commit it can have no
// place any more, so what is not there now never comes.
func (k *checker) barrier() {
	k.t.Helper()
	token := k.book.token()
	w := &write{token: token, ref: "Basic/barrier", base: anyVersion,
		body: fmt.Appendf(nil, `{"resourceType":"Basic","id":"barrier","identifier":[{"system":"urn:crash","value":%q}],"code":{"text":"barrier"}}`, token)}
	u := k.book.ask(&unit{writes: []*write{w}})
	a, err := k.c.send(k.ctx, http.MethodPut, base+"/"+w.ref, w.body)
	if k.book.answered(u, a.status, err) != acknowledged {
		k.t.Fatalf("after the start a write got status %d, %v: %.300s", a.status, err, a.body)
	}
	w.version = a.version()
}

func (k *checker) get(path string, into any) {
	k.t.Helper()
	a, err := k.c.send(k.ctx, http.MethodGet, path, nil)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("status %d: %.300s", a.status, a.body)
	}
	if err == nil {
		err = json.Unmarshal(a.body, into)
	}
	if err != nil {
		k.t.Fatalf("%s: %v", path, err)
	}
}

// readHistory walks the tenant's history down to what is known, or to its end
// if all is to be read again, and returns what is new, oldest first.
func (k *checker) readHistory(all bool) []*version {
	k.t.Helper()
	var found []*version
	known := false
	for next := base + "/_history?_count=1000"; next != "" && !known; {
		var b bundle
		k.get(next, &b)
		for _, e := range b.Entry {
			v := &version{ref: refOf(e.FullURL), number: versionOf(e.Response.Etag), method: e.Request.Method, time: e.Response.LastModified, body: e.Resource}
			if v.number <= int64(len(k.of[v.ref])) && !all {
				known = true
				break
			}
			found = append(found, v)
		}
		next = strings.TrimPrefix(b.next(), k.c.url)
	}
	slices.Reverse(found)
	if all {
		// What was seen before must be seen again, the same and in its order.
		for i, was := range k.history {
			if i >= len(found) || found[i].ref != was.ref || found[i].number != was.number || string(found[i].body) != string(was.body) {
				k.t.Fatalf("the history changed at its place %d of %d: version %d of %s was there", i, len(k.history), was.number, was.ref)
			}
		}
		found = found[len(k.history):]
	}
	for _, v := range found {
		k.add(v)
	}
	return found
}

// add checks that a version is the next of its resource.
func (k *checker) add(v *version) {
	before := k.of[v.ref]
	if v.number != int64(len(before))+1 {
		k.t.Errorf("%s: version %d follows version %d", v.ref, v.number, len(before))
	}
	if len(before) > 0 {
		before[len(before)-1].current = false
	}
	v.current = true
	v.tokens = slices.Compact(tokenForm.FindAllString(string(v.body), -1))
	k.of[v.ref] = append(before, v)
	k.history = append(k.history, v)
}

// compare finds the write behind each new version, and a version for each
// acknowledged write.
func (k *checker) compare(fresh []*version, units []*unit) {
	k.t.Helper()
	for _, v := range fresh {
		k.explain(v)
	}
	for _, u := range units {
		for _, w := range u.writes {
			k.judge(w)
		}
		k.whole(u)
	}
}

// explain finds what was asked that made a version.
func (k *checker) explain(v *version) {
	if v.method == http.MethodDelete {
		for _, w := range k.book.deletes[v.ref] {
			if w.base == v.number-1 && w.fate != refused && w.fate != gone {
				w.seen = v
				return
			}
		}
		k.t.Errorf("%s: nobody asked for the delete that made version %d", v.ref, v.number)
		return
	}
	for _, token := range v.tokens {
		if u := k.book.messages[token]; u != nil {
			if v.number == 1 {
				u.made = append(u.made, v)
			}
			continue
		}
		w := k.book.tokens[token]
		switch {
		case w == nil:
			k.t.Errorf("%s: nobody sent version %d", v.ref, v.number)
		case w.seen != nil:
			k.t.Errorf("%s: version %d is a write that made version %d of %s already", v.ref, v.number, w.seen.number, w.seen.ref)
		case w.fate == refused || w.fate == gone:
			k.t.Errorf("%s: version %d was refused, or was not there before", v.ref, v.number)
		case w.ref != "" && w.ref != v.ref, w.base != anyVersion && w.ref != "" && w.base != v.number-1 && w.base != 0:
			k.t.Errorf("%s: version %d is what was sent as an update of version %d of %s", v.ref, v.number, w.base, w.ref)
		case !sameContent(v.body, w.body) || refInBody(v.body) != v.ref || versionInBody(v.body) != v.number:
			k.t.Errorf("%s: version %d has not the body that was sent", v.ref, v.number)
		}
		if w != nil {
			w.seen = v
		}
	}
}

// judge checks a write against what was found of it.
func (k *checker) judge(w *write) {
	switch {
	case w.fate == acknowledged && w.seen == nil:
		k.t.Errorf("LOST: version %d of %s was acknowledged", w.version, w.ref)
	case w.fate == acknowledged && (w.seen.number != w.version || w.seen.ref != w.ref):
		k.t.Errorf("version %d of %s was acknowledged and became version %d of %s", w.version, w.ref, w.seen.number, w.seen.ref)
	case w.fate == unknown && w.seen == nil:
		w.fate = gone
	}
}

// whole checks that all of a unit is there or nothing, made at one time.
func (k *checker) whole(u *unit) {
	var seen []*version
	want := len(u.writes)
	for _, w := range u.writes {
		if w.seen != nil {
			seen = append(seen, w.seen)
		}
	}
	if u.message != "" {
		want = len(u.makes)
		for _, v := range u.made {
			if typ, _, _ := strings.Cut(v.ref, "/"); slices.Contains(u.makes, typ) {
				seen = append(seen, v)
			}
		}
		switch {
		case u.fate == acknowledged && len(seen) == 0:
			k.t.Errorf("LOST: a message was acknowledged and made nothing")
		case u.fate == refused && len(seen) > 0:
			k.t.Errorf("a message was refused and made %d resources", len(seen))
		case u.fate == unknown && len(seen) == 0:
			delete(k.book.messages, u.message) // what comes later is an error
		}
	}
	if len(seen) != 0 && len(seen) != want {
		k.t.Errorf("HALF: %d of %d resources that belong together are there", len(seen), want)
	}
	for _, v := range seen {
		if v.time != seen[0].time {
			k.t.Errorf("%s and %s belong together and were made at different times", v.ref, seen[0].ref)
		}
	}
}

// some keeps a few of many, spread evenly.
func some[T any](list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	out := make([]T, 0, n)
	for i := range n {
		out = append(out, list[i*len(list)/n])
	}
	return out
}

// reads checks that a read gives the last version, and a versioned read each.
func (k *checker) reads(fresh []*version, all bool) {
	k.t.Helper()
	touched := map[string]bool{}
	for _, v := range fresh {
		touched[v.ref] = true
	}
	refs := slices.Sorted(maps.Keys(touched))
	old := some(fresh, 40)
	if all {
		refs, old = some(slices.Sorted(maps.Keys(k.of)), 2000), some(k.history, 400)
	}
	group, ctx := errgroup.WithContext(k.ctx)
	group.SetLimit(8)
	same := func(path string, v *version) {
		group.Go(func() error {
			a, err := k.c.send(ctx, http.MethodGet, base+"/"+path, nil)
			switch {
			case err != nil:
				return err
			case v.method == http.MethodDelete && a.status == http.StatusGone:
			case a.status != http.StatusOK || a.version() != v.number || string(a.body) != string(v.body):
				k.t.Errorf("GET %s: status %d, version %d; the history has %s of version %d", path, a.status, a.version(), v.method, v.number)
			}
			return nil
		})
	}
	for _, ref := range refs {
		same(ref, k.of[ref][len(k.of[ref])-1])
	}
	for _, v := range old {
		same(fmt.Sprintf("%s/_history/%d", v.ref, v.number), v)
	}
	if err := group.Wait(); err != nil {
		k.t.Fatal(err)
	}
	for _, ref := range some(refs, 10) {
		var b bundle
		k.get(base+"/"+ref+"/_history?_count=1000", &b)
		for i, e := range b.Entry {
			if want := int64(len(k.of[ref]) - i); versionOf(e.Response.Etag) != want {
				k.t.Errorf("%s: its history has %s where version %d belongs", ref, e.Response.Etag, want)
			}
		}
		if len(b.Entry) != min(len(k.of[ref]), 1000) {
			k.t.Errorf("%s: its history has %d versions of %d", ref, len(b.Entry), len(k.of[ref]))
		}
	}
}

// searches checks that each token is found where it is current, and nowhere
// else; and with all, that a walk over all patients finds each of them once.
func (k *checker) searches(fresh []*version, all bool) {
	k.t.Helper()
	list := fresh
	if all {
		list = some(k.history, 4000)
	}
	var tokens []string
	want := map[string][]string{}
	for _, v := range list {
		for _, token := range v.tokens {
			if k.book.tokens[token] != nil && strings.HasPrefix(v.ref, "Patient/") {
				tokens = append(tokens, token)
				if v.current {
					want[token] = append(want[token], fmt.Sprint(v.ref, " ", v.number))
				}
			}
		}
	}
	ask := func(tokens []string) {
		values := make([]string, len(tokens))
		var expected []string
		for i, token := range tokens {
			values[i] = "urn:crash|" + token
			expected = append(expected, want[token]...)
		}
		k.finds("Patient?_count=1000&identifier="+url.QueryEscape(strings.Join(values, ",")), expected)
	}
	for part := range slices.Chunk(tokens, 50) {
		ask(part)
	}
	for _, token := range some(tokens, 20) {
		ask([]string{token})
	}
	live := map[string][]string{}
	for _, versions := range k.of {
		v := versions[len(versions)-1]
		if typ, _, _ := strings.Cut(v.ref, "/"); v.method != http.MethodDelete {
			live[typ] = append(live[typ], fmt.Sprint(v.ref, " ", v.number))
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(live)) {
		var b bundle
		k.get(base+"/"+typ+"?_count=1&_total=accurate", &b)
		if b.Total == nil || *b.Total != len(live[typ]) {
			k.t.Errorf("a search counts %v of type %s, the history has %d", b.Total, typ, len(live[typ]))
		}
		if all {
			k.finds(typ+"?_count=1000", live[typ])
		}
	}
}

// finds checks what all pages of a search hold.
func (k *checker) finds(query string, want []string) {
	k.t.Helper()
	var got []string
	for next := base + "/" + query; next != ""; {
		var b bundle
		k.get(next, &b)
		for _, e := range b.Entry {
			if e.Search.Mode == "match" {
				got = append(got, fmt.Sprint(refOf(e.FullURL), " ", versionInBody(e.Resource)))
			}
		}
		next = strings.TrimPrefix(b.next(), k.c.url)
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		k.t.Errorf("a search of %.20s… finds %d resources, %d are stored", query, len(got), len(want))
	}
}

// records checks that the message log says of acknowledged messages that they
// succeeded.
func (k *checker) records(units []*unit) {
	k.t.Helper()
	for _, u := range units {
		if u.record == "" {
			continue
		}
		var m struct{ Status string }
		if k.get(admin+"/messages/"+u.record, &m); m.Status != "SUCCEEDED" && !k.unfinished {
			k.t.Errorf("a message was acknowledged, and its record says %q", m.Status)
		}
	}
}

// sameContent reports whether two texts are one resource, but for what the
// server sets.
func sameContent(a, b []byte) bool {
	x, y := content(a), content(b)
	return x != nil && reflect.DeepEqual(x, y)
}

func content(b []byte) map[string]any {
	var m map[string]any
	if json.Unmarshal(b, &m) != nil {
		return nil
	}
	delete(m, "id")
	delete(m, "meta")
	return m
}

type named struct {
	ResourceType, ID string
	Meta             struct{ VersionID string }
}

func refInBody(b []byte) string {
	var n named
	_ = json.Unmarshal(b, &n) // a body that is none has no name
	return n.ResourceType + "/" + n.ID
}

func versionInBody(b []byte) int64 {
	var n named
	_ = json.Unmarshal(b, &n)
	return versionOf(n.Meta.VersionID)
}
