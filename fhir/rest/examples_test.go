package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/fhirxml"
	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// The official examples, and how many of them R4's own definitions call wrong.
const (
	numberOfExamples = 840
	notValid         = 5
)

// Every official example that is valid goes through every interaction: it is
// created, read, found by all that its content can be found by, updated,
// patched in both ways, its versions are told, it is deleted; and all of it
// once more in XML.
func TestExamples(t *testing.T) {
	if testing.Short() {
		// The race detector takes ten times as long for all of them.
		const every = 20
		if w := walkExamples(t, open, every); w.stored+w.refused != numberOfExamples/every {
			t.Errorf("%d valid, %d refused", w.stored, w.refused)
		}
		return
	}
	w := walkExamples(t, open, 1)
	if w.stored != numberOfExamples-notValid || w.refused != notValid {
		t.Errorf("%d valid, %d refused", w.stored, w.refused)
	}
	if w.criteria < 35_000 || len(w.classes) < 4_500 {
		t.Errorf("%d criteria of %d kinds are too few", w.criteria, len(w.classes))
	}
	for _, form := range []string{
		"token c", "token s", "token x", "token o", "reference r", "reference u", "reference i", "string n", "string t", "string f", "string e",
		"date l", "date h", "date w", "number n", "quantity n", "quantity s", "quantity c", "quantity q", "uri u", "composite k", "special g",
	} {
		if w.forms[form] == 0 {
			t.Errorf("no example is searched by %s", form)
		}
	}
}

// TestExamplesOnMongoDB is the same for every tenth example: a quarter of them
// took more than two minutes on a busy machine.
func TestExamplesOnMongoDB(t *testing.T) {
	if testing.Short() {
		t.Skip("the API's own suite runs on MongoDB with -short, too; the examples do not")
	}
	w := walkExamples(t, resttest.OnMongoDB(t), 10)
	if w.stored+w.refused != numberOfExamples/10 || w.refused > notValid {
		t.Errorf("%d valid, %d refused", w.stored, w.refused)
	}
}

// walk takes examples through the API.
type walk struct {
	*resttest.Server
	index           *search.Index
	stored, refused int
	// criteria counts what examples were searched by, classes by type,
	// parameter and form, forms by the parameter's type and the form.
	criteria, versions int
	classes            map[string]bool
	forms              map[string]int
}

// example is one on its way.
type example struct {
	name, typ string
	doc       *rawjson.Document
	// path is Type/id, versions what was stored under it, the first first.
	path     string
	versions [][]byte
}

func walkExamples(t *testing.T, open resttest.Open, every int) *walk {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "examples-r4"), "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	w := &walk{
		Server: resttest.Serve(t, open), index: search.NewIndex(conformance.R4(), r4model.R4()),
		classes: map[string]bool{}, forms: map[string]int{},
	}
	var all []*example
	for i := 0; i < len(files); i += every {
		if x := w.create(files[i]); x != nil {
			all = append(all, x)
		}
	}
	for _, x := range all { // among all others
		w.search(x)
		w.parts(x)
		w.inXML(x)
		w.update(x)
		w.patch(x)
		w.history(x)
		w.delete(x)
	}
	t.Logf("%d examples stored, %d refused as not valid; %d versions told; found by %d criteria, %d kinds of type, parameter and form: %v",
		w.stored, w.refused, w.versions, w.criteria, len(w.classes), w.forms)
	return w
}

func (w *walk) create(file string) *example {
	body, err := os.ReadFile(file)
	if err != nil {
		w.Fatal(err)
	}
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		w.Fatalf("%s: %v", file, err)
	}
	x := &example{name: filepath.Base(file), typ: text(doc, "resourceType"), doc: doc}
	a := w.Do(http.MethodPost, x.typ, string(body))
	if invalid(doc) {
		a.Want(http.StatusBadRequest)
		w.refused++
		return nil
	}
	a.Want(http.StatusCreated).WantHeader("ETag", `W/"1"`)
	w.stored++
	x.path = strings.TrimSuffix(strings.TrimPrefix(a.Header.Get("Location"), w.Base+"/"), "/_history/1")
	same(w, x.name, doc, a.Body)
	read := w.Get(x.path).Want(http.StatusOK).WantHeader("ETag", `W/"1"`)
	if !bytes.Equal(read.Body, a.Body) {
		w.Errorf("%s: what is read is not what create answered", x.name)
	}
	x.versions = append(x.versions, read.Body)
	return x
}

// criterion is one way to find an example.
type criterion struct {
	search.Parameter
	typ  conformance.SearchType
	form string
}

// search finds an example by everything that its content yields.
func (w *walk) search(x *example) {
	keys, err := w.index.Keys(x.typ, x.doc.Root(), search.Base{Definitions: conformance.R4()})
	if err != nil {
		w.Fatal(err)
	}
	var all []criterion
	parts, present := map[string]int{}, map[string]bool{}
	for _, k := range keys {
		_, p, ok := search.Explain(conformance.R4(), k)
		if !ok || p.Name == "_id" {
			continue
		}
		code, modifier, _ := strings.Cut(p.Name, ":")
		sp, ok := conformance.R4().SearchParameter(x.typ, code)
		if !ok {
			w.Fatalf("%s: a key of the parameter %s", x.name, code)
		}
		if modifier == "contains" {
			// There is one behind each character of a text.
			if parts[code]++; parts[code] > 5 {
				continue
			}
		}
		all = append(all, criterion{p, sp.Type, k[4:5]})
		if !present[code] {
			present[code] = true
			all = append(all, criterion{search.Parameter{Name: code + ":missing", Value: "false"}, sp.Type, "missing"})
		}
		switch {
		case sp.Type == conformance.SearchReference && k[4] == 'r':
			typ, id, _ := strings.Cut(p.Value, "/")
			all = append(all, criterion{search.Parameter{Name: code + ":" + typ, Value: id}, sp.Type, "type"})
		case sp.Type == conformance.SearchURI:
			all = append(all, criterion{search.Parameter{Name: code + ":below", Value: p.Value}, sp.Type, "below"})
		}
	}
	if position, ok := x.doc.Root().Member("position"); ok && x.typ == "Location" {
		latitude, _ := position.Member("latitude")
		longitude, _ := position.Member("longitude")
		at := string(latitude.Raw()) + "|" + string(longitude.Raw())
		for _, distance := range []string{"", "|10", "|1|m", "|0"} {
			all = append(all, criterion{search.Parameter{Name: "near", Value: at + distance}, conformance.SearchSpecial, "g"})
		}
	}
	all = append(all, criterion{search.Parameter{Name: "_lastUpdated", Value: "2026-03-01"}, conformance.SearchDate, "l"})
	for chunk := range slices.Chunk(all, 50) {
		if w.finds(x, chunk) {
			continue
		}
		for _, c := range chunk { // which of them?
			if !w.finds(x, []criterion{c}) {
				w.Errorf("%s is not found by %s=%s", x.name, c.Name, c.Value)
			}
		}
	}
	w.criteria += len(all)
	for _, c := range all {
		w.classes[x.typ+" "+c.Name+" "+c.form] = true
		w.forms[string(c.typ)+" "+c.form]++
	}
}

// finds searches for resources that meet all criteria.
func (w *walk) finds(x *example, all []criterion) bool {
	_, id, _ := strings.Cut(x.path, "/")
	form := "_id=" + id
	for _, c := range all {
		form += "&" + url.QueryEscape(c.Name) + "=" + url.QueryEscape(c.Value)
	}
	b := w.Do(http.MethodPost, x.typ+"/_search", form, "Content-Type", "application/x-www-form-urlencoded").Bundle("searchset")
	return b.IDs("match") == id
}

// parts: what is sent of a part of a resource is a resource, too.
func (w *walk) parts(x *example) {
	for _, subset := range []string{"_summary=true", "_summary=text", "_summary=data", "_elements=id"} {
		for _, issue := range conformance.ValidateStructure(w.Get(x.path + "?" + subset).Want(http.StatusOK).Body) {
			w.Errorf("%s with %s: %s: %s", x.name, subset, issue.Expression, issue.Diagnostics)
		}
	}
}

// inXML creates the example from XML and reads both in XML.
func (w *walk) inXML(x *example) {
	inXML, err := fhirxml.Append(nil, x.doc.Root(), fhirxml.Options{})
	if err != nil {
		w.Errorf("%s cannot be written in XML: %v", x.name, err)
		return
	}
	back, err := fhirxml.AppendJSON(nil, inXML) // with its narrative as XML has it
	if err != nil {
		w.Fatal(err)
	}
	want := w.content(back)
	a := w.Do(http.MethodPost, x.typ, string(inXML), "Content-Type", "application/fhir+xml", "Accept", "application/fhir+json").Want(http.StatusCreated)
	path := strings.TrimSuffix(strings.TrimPrefix(a.Header.Get("Location"), w.Base+"/"), "/_history/1")
	w.equal(x, "created in XML and read in JSON", want, w.Get(path).Want(http.StatusOK))
	for _, path := range []string{path, x.path} {
		w.equal(x, "read in XML", want, w.Get(path, "Accept", "application/fhir+xml").Want(http.StatusOK).JSON())
	}
	w.Do(http.MethodDelete, path, "").Want(http.StatusNoContent)
}

// stores checks that what a write answered is a resource as it should be now,
// and that it is read so.
func (w *walk) stores(x *example, a *resttest.Answer, want map[string]any) {
	tag := fmt.Sprintf(`W/"%d"`, len(x.versions)+1)
	a.Want(http.StatusOK).WantHeader("ETag", tag)
	w.equal(x, "at version "+tag, want, a)
	read := w.Get(x.path).Want(http.StatusOK).WantHeader("ETag", tag)
	if !bytes.Equal(read.Body, a.Body) {
		w.Errorf("%s: what is read is not what the write answered", x.name)
	}
	x.versions = append(x.versions, read.Body)
}

// in is the example's content with a language, which every resource may have.
func (w *walk) in(x *example, language string) map[string]any {
	content := w.content(x.doc.Root().Raw())
	content["language"] = language
	return content
}

func (w *walk) update(x *example) {
	_, id, _ := strings.Cut(x.path, "/")
	body, err := x.doc.AppendEdited(nil, []rawjson.Edit{{Name: "id", Value: []byte(`"` + id + `"`)}, {Name: "language", Value: []byte(`"de"`)}})
	if err != nil {
		w.Fatal(err)
	}
	w.stores(x, w.Do(http.MethodPut, x.path, string(body), "If-Match", `W/"1"`), w.in(x, "de"))
}

func (w *walk) patch(x *example) {
	w.stores(x, w.Do(http.MethodPatch, x.path, `[{"op":"test","path":"/language","value":"de"},{"op":"replace","path":"/language","value":"fr"}]`,
		"Content-Type", "application/json-patch+json"), w.in(x, "fr"))
	w.stores(x, w.Do(http.MethodPatch, x.path, `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[`+
		`{"name":"type","valueCode":"replace"},{"name":"path","valueString":"`+x.typ+`.language"},{"name":"value","valueCode":"it"}]}]}`), w.in(x, "it"))
}

// history: all versions, the latest first, each as it was.
func (w *walk) history(x *example) {
	b := w.Get(x.path + "/_history").Bundle("history")
	if len(b.Entry) != len(x.versions) {
		w.Errorf("%s: the history has %d versions, %d were written", x.name, len(b.Entry), len(x.versions))
		return
	}
	for i, e := range b.Entry {
		version := len(b.Entry) - i
		was := x.versions[version-1]
		if !bytes.Equal(e.Resource, was) || e.Response.Etag != fmt.Sprintf(`W/"%d"`, version) {
			w.Errorf("%s: entry %d of the history is not version %d", x.name, i, version)
		}
		if a := w.Get(fmt.Sprintf("%s/_history/%d", x.path, version)).Want(http.StatusOK); !bytes.Equal(a.Body, was) {
			w.Errorf("%s: version %d is not what it was", x.name, version)
		}
		w.versions++
	}
}

func (w *walk) delete(x *example) {
	w.Do(http.MethodDelete, x.path, "").Want(http.StatusNoContent)
	w.Get(x.path).WantOutcome(http.StatusGone, "deleted")
	_, id, _ := strings.Cut(x.path, "/")
	if got := w.Search(x.typ + "?_id=" + id); got != "" {
		w.Errorf("%s is found when it is deleted", x.name)
	}
	if b := w.Get(x.path + "/_history").Bundle("history"); len(b.Entry) != len(x.versions)+1 || b.Entry[0].Request.Method != http.MethodDelete {
		w.Errorf("%s: the history does not begin with the deletion", x.name)
	}
}

// content is a resource without what the server assigns. Numbers are kept as
// they are written.
func (w *walk) content(resource []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(resource))
	d.UseNumber()
	var content map[string]any
	if err := d.Decode(&content); err != nil {
		w.Fatal(err)
	}
	delete(content, "id")
	if meta, ok := content["meta"].(map[string]any); ok {
		delete(meta, "versionId")
		delete(meta, "lastUpdated")
		if len(meta) == 0 {
			delete(content, "meta")
		}
	}
	return content
}

// equal compares the content of an answer.
func (w *walk) equal(x *example, when string, want map[string]any, a *resttest.Answer) {
	if got := w.content(a.Body); !reflect.DeepEqual(want, got) {
		w.Errorf("%s %s: %s", x.name, when, cmp.Diff(want, got))
	}
}

func text(doc *rawjson.Document, name string) string {
	m, _ := doc.Root().Member(name)
	return m.String()
}

func invalid(doc *rawjson.Document) bool {
	for _, i := range conformance.ValidateStructureOf(doc.Root()) {
		if i.Severity == conformance.SeverityError || i.Severity == conformance.SeverityFatal {
			return true
		}
	}
	return false
}

// same compares the members of what was sent and what came back: all but id
// and meta have the same bytes, in the same order.
func same(t testing.TB, name string, sent *rawjson.Document, got []byte) {
	t.Helper()
	back, err := rawjson.Parse(got, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	members := func(d *rawjson.Document) []string {
		var all []string
		for m := range d.Root().Members() {
			if n := m.Name(); n != "id" && n != "meta" {
				all = append(all, n+" "+string(m.Raw()))
			}
		}
		return all
	}
	if diff := cmp.Diff(members(sent), members(back)); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}
