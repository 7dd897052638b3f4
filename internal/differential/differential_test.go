package differential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// difference is a kind of disagreement, by what the one that refuses says, and
// R4's rule that decides it.
type difference struct {
	says *regexp.Regexp
	rule string
}

func said(expression, rule string) difference {
	return difference{regexp.MustCompile(expression), rule}
}

// oursAlone: the structure validator refuses, google/fhir does not. R4 says
// that it is wrong.
var oursAlone = []difference{
	said(`^code-invalid .*\(required binding\)$`, "terminologies.html#strength: one coding of a CodeableConcept must be of a required value set; google/fhir looks at codes only"),
	said(`^invariant ele-1:`, "element.html, ele-1: google/fhir evaluates no invariants"),
	said(`^invariant ext-1:`, "extensibility.html, ext-1: google/fhir evaluates no invariants"),
	said(`^required .* its minimum is 1$`, "resource.html: what is contained is a resource with its own cardinalities; google/fhir packs it away unseen"),
	said(`^structure an array must not be empty$`, "json.html: arrays have at least one item"),
	said(`^structure an object must not be empty$`, "json.html: objects have at least one member"),
	said(`^structure must be a JSON object of type `, "json.html#primitive: the member with the underscore is an object with id or extension"),
	said(`^structure type \w+ must be a JSON (string|number|boolean)$`, "json.html#primitive: a primitive's value is a JSON string, number or boolean, and its extensions stand in the member with the underscore"),
	said(`^structure unknown member: `, "json.html#primitive: only primitives have a member with an underscore"),
	said(`^value .* must not refer to a resource of that type$`, "references.html: contained resources' references have target types, too"),
	said(`^value a relative reference must start with the name of a resource type$`, "references.html#literal: a relative reference is [type]/[id]"),
	said(`^value type (canonical|uri|url) must not be empty or contain white space$`, `datatypes.html#uri: \S*; google/fhir accepts spaces that net/url does`),
	said(`^value type (code|string|markdown) must not be empty`, `datatypes.html#string: [ \r\n\t\S]+ holds in contained resources and for control characters, too`),
	said(`^value type id must be `, `datatypes.html#id: [A-Za-z0-9\-\.]{1,64}, in contained resources, too`),
	said(`^value type (dateTime|date|instant) must be `, "datatypes.html#dateTime: there is no year 0000; and in contained resources, too"),
	said(`^value type (integer|positiveInt|unsignedInt|decimal) must be `, "datatypes.html#integer: whole numbers are written without fraction and exponent"),
	said(`^value type (base64Binary|oid|uuid|time) must be `, "datatypes.html: the formats hold in contained resources, too"),
	said(`^value type xhtml must be one XHTML div element$`, "narrative.html: the text is one div"),
}

// theirsAlone: google/fhir refuses, the structure validator does not. R4 says
// that it is right, or does not say that it is wrong.
var theirsAlone = []difference{
	said(`invalid (uri|url|canonical)$`, `datatypes.html#uri: \S* is the format; google/fhir parses by net/url, which takes 10:00 for a scheme and :sct for a port`),
	said(`expected (string|code|uri|canonical|date|dateTime|instant|positive integer|unsigned integer|integer)$`, "json.html#primitive: null stands for what has no id or extension, even where none of the array has"),
	said(`not found in google\.fhir\.r4\.core\.Xhtml`, "types.html, xhtml: it may have an id, which google/fhir cannot hold"),
}

// asks asks both, and tells how they disagree.
type asks struct {
	google *jsonformat.Unmarshaller
	// count is of verdicts and, by rule, of disagreements.
	count map[string]int
	seen  map[*difference]int
}

func newAsks(t testing.TB) *asks {
	t.Helper()
	u, err := jsonformat.NewUnmarshaller("UTC", fhirversion.R4)
	if err != nil {
		t.Fatal(err)
	}
	return &asks{google: u, count: map[string]int{}, seen: map[*difference]int{}}
}

// refuses tells what google/fhir says of a resource. A panic is an answer that
// no rule decides.
func (a *asks) refuses(resource []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	_, err = a.google.Unmarshal(resource)
	return err
}

func (a *asks) both(t *testing.T, name string, resource []byte) {
	t.Helper()
	ours, theirs := conformance.ValidateStructure(resource), a.refuses(resource)
	switch {
	case len(ours) == 0 && theirs == nil:
		a.count["both accept"]++
	case len(ours) > 0 && theirs != nil:
		a.count["both refuse"]++
	case len(ours) > 0:
		a.count["only the structure validator refuses"]++
		// Every issue has to be one that google/fhir is known not to find.
		for _, i := range ours {
			if i.Code != conformance.IssueIncomplete {
				a.explain(t, name, oursAlone, string(i.Code)+" "+i.Diagnostics, i.Expression, resource)
			}
		}
	default:
		a.count["only google/fhir refuses"]++
		a.explain(t, name, theirsAlone, theirs.Error(), "", resource)
	}
}

func (a *asks) explain(t *testing.T, name string, table []difference, text, at string, resource []byte) {
	t.Helper()
	for i := range table {
		if table[i].says.MatchString(text) {
			a.seen[&table[i]]++
			return
		}
	}
	if a.wavers(resource) {
		a.count["google/fhir says now this, now that"]++
		return
	}
	if len(resource) > 1000 {
		resource = resource[:1000]
	}
	t.Errorf("%s: %s %s: no rule decides: %s", name, at, text, resource)
}

// wavers reports whether google/fhir accepts and refuses the same resource: it
// reads members in the random order of a map, and what it says of one may
// depend on another. Such an answer is none to differ from.
func (a *asks) wavers(resource []byte) bool {
	first := a.refuses(resource) == nil
	for range 50 {
		if (a.refuses(resource) == nil) != first {
			return true
		}
	}
	return false
}

func (a *asks) log(t *testing.T) {
	t.Helper()
	t.Logf("%v", a.count)
	for _, table := range [][]difference{oursAlone, theirsAlone} {
		for i := range table {
			if n := a.seen[&table[i]]; n > 0 {
				t.Logf("%5d %s: %s", n, table[i].says, table[i].rule)
			}
		}
	}
}

func examples(t testing.TB) (files []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "examples-r4"), "*.json"))
	if err != nil || len(files) < 800 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	return files
}

// Both say the same of every official example.
func TestOfficialExamples(t *testing.T) {
	a := newAsks(t)
	for _, file := range examples(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		a.both(t, filepath.Base(file), data)
	}
	a.log(t)
	if a.count["both accept"]+a.count["both refuse"] != len(examples(t)) {
		t.Errorf("they disagree on examples: %v", a.count)
	}
}

// TestMutations asks both about 20,000 mutations of small examples, from a
// fixed seed. Where they disagree, a rule has to decide; that both accept or
// refuse many is what makes their agreement mean something.
func TestMutations(t *testing.T) {
	const largest = 4000
	count := 20_000
	if testing.Short() {
		count = 1000 // the race detector makes google/fhir ten times as slow
	}
	var small [][]byte
	for _, file := range examples(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) < largest {
			small = append(small, data)
		}
	}
	a, r := newAsks(t), rand.New(rand.NewPCG(5, 0))
	done := map[string]int{}
	for n := 0; n < count; {
		var resource map[string]any
		decoder := json.NewDecoder(bytes.NewReader(small[r.IntN(len(small))]))
		decoder.UseNumber()
		if err := decoder.Decode(&resource); err != nil {
			t.Fatal(err)
		}
		if r.IntN(4) > 0 {
			delete(resource, "text") // long, and seldom what the mutation is about
		}
		all := places(resource)
		m := &mutations[r.IntN(len(mutations))]
		if !m.do(r, all[r.IntN(len(all))]) {
			continue
		}
		n++
		done[m.name]++
		text, err := json.Marshal(resource)
		if err != nil {
			t.Fatal(err)
		}
		a.both(t, m.name, text)
	}
	t.Logf("of %d examples: %v", len(small), done)
	a.log(t)
	if a.count["both accept"] < count/10 || a.count["both refuse"] < count/10 {
		t.Errorf("the mutations tell little: %v", a.count)
	}
	for _, m := range mutations {
		if done[m.name] < count/1000 && !testing.Short() {
			t.Errorf("%s was done only %d times", m.name, done[m.name])
		}
	}
}
