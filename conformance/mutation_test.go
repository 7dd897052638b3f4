package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// phi stands for what must never be in an issue: it is put into values and
// member names wherever a mutation makes up text.
const phi = "Xq7Zed9"

// site is a place in a decoded resource that a mutation can spoil.
type site struct {
	object   map[string]any
	name     string // member of object; "" for the object itself
	typeName string // of the value, or of the object
	element  *Element
	path     string // FHIRPath of the value as the validator tells it, of the object for ""
}

// sites walks a decoded resource by the definitions' API, which shares nothing
// with the validator's shapes but the tables.
func sites(d *Definitions, object map[string]any, typeName, path string) []site {
	all := []site{{object: object, typeName: typeName, path: path}}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if name == "resourceType" || strings.HasPrefix(name, "_") {
			continue
		}
		e, ok := d.Element(typeName, name)
		child := ""
		if ok && !e.Choice {
			child = e.Types[0]
		} else if e, child, ok = d.ChoiceElement(typeName, name); !ok {
			continue
		}
		at := path + "." + e.Name
		all = append(all, site{object, name, child, e, at})
		items, isArray := object[name].([]any)
		if !isArray {
			items = []any{object[name]}
		}
		for i, item := range items {
			inner, ok := item.(map[string]any)
			if !ok {
				continue
			}
			itemPath, itemType := at, child
			if isArray {
				itemPath = fmt.Sprintf("%s[%d]", at, i)
			}
			if t, _ := d.Type(child); t.Kind == KindResource {
				itemType, _ = inner["resourceType"].(string)
			}
			all = append(all, sites(d, inner, itemType, itemPath)...)
		}
	}
	return all
}

// mutation spoils a resource at a site. spoil returns the issue that the
// validator must find; ok is false where the mutation does not fit the site.
type mutation struct {
	name  string
	spoil func(d *Definitions, s site) (code IssueCode, path string, ok bool)
}

func isPrimitive(d *Definitions, s site) bool {
	t, ok := d.Type(s.typeName)
	return ok && s.element != nil && t.Kind == KindPrimitive
}

// set replaces the value, within its array if it repeats, and returns the path.
func (s site) set(value any) string {
	if s.element.Repeats() {
		s.object[s.name] = []any{value}
		return s.path + "[0]"
	}
	s.object[s.name] = value
	return s.path
}

var mutations = []mutation{
	{"drop a required element", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element == nil || s.element.Min == 0 {
			return "", "", false
		}
		delete(s.object, s.name)
		delete(s.object, "_"+s.name)
		return IssueRequired, s.path, true
	}},
	{"unknown member", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element != nil {
			return "", "", false
		}
		s.object[phi] = phi
		return IssueStructure, s.path, true
	}},
	{"wrong JSON kind", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element == nil {
			return "", "", false
		}
		if !isPrimitive(d, s) {
			return IssueStructure, s.set(phi), true
		}
		switch s.typeName {
		case "boolean", "decimal", "integer", "unsignedInt", "positiveInt":
			return IssueStructure, s.set(phi), true
		}
		return IssueStructure, s.set(json.Number("17")), true
	}},
	{"object for a primitive", func(d *Definitions, s site) (IssueCode, string, bool) {
		if !isPrimitive(d, s) {
			return "", "", false
		}
		return IssueStructure, s.set(map[string]any{"value": phi}), true
	}},
	{"array and single exchanged", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element == nil {
			return "", "", false
		}
		if s.element.Repeats() {
			s.object[s.name] = s.object[s.name].([]any)[0]
		} else {
			s.object[s.name] = []any{s.object[s.name]}
		}
		return IssueStructure, s.path, true
	}},
	{"empty array", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element == nil || !s.element.Repeats() {
			return "", "", false
		}
		s.object[s.name] = []any{}
		return IssueStructure, s.path, true
	}},
	{"empty object", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element == nil || isPrimitive(d, s) {
			return "", "", false
		}
		if t, _ := d.Type(s.typeName); t.Kind == KindResource {
			return "", "", false
		}
		return IssueStructure, s.set(map[string]any{}), true
	}},
	{"empty string", func(d *Definitions, s site) (IssueCode, string, bool) {
		if !isPrimitive(d, s) || !primitives[s.typeName].hasKind(rawjson.KindString) {
			return "", "", false
		}
		return IssueValue, s.set(""), true
	}},
	{"null", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element == nil || s.element.Repeats() {
			return "", "", false
		}
		return IssueStructure, s.set(nil), true
	}},
	{"second type of a choice", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element == nil || !s.element.Choice || len(s.element.Types) < 2 {
			return "", "", false
		}
		for _, other := range s.element.Types {
			t, _ := d.Type(other)
			if other != s.typeName && t.Kind == KindPrimitive {
				s.object["_"+jsonChoiceName(s.element.Name, other)] = map[string]any{"extension": []any{map[string]any{"url": "u", "valueCode": "a"}}}
				return IssueStructure, s.path, true
			}
		}
		return "", "", false
	}},
	{"wrong format", func(d *Definitions, s site) (IssueCode, string, bool) {
		if !isPrimitive(d, s) {
			return "", "", false
		}
		spoiled, ok := map[string]any{
			"base64Binary": phi, "canonical": "a " + phi, "code": " " + phi, "date": "2020-02-30",
			"dateTime": "2020-01-01T10:00", "id": phi + "!", "instant": "2020-01-01", "integer": json.Number("1.5"),
			"oid": "urn:oid:" + phi, "positiveInt": json.Number("0"), "string": "\u0001" + phi, "markdown": "\u0001" + phi,
			"time": "25:00:00", "unsignedInt": json.Number("-1"), "uri": phi + " ", "url": " " + phi,
			"uuid": phi, "xhtml": phi,
		}[s.typeName]
		if !ok {
			return "", "", false
		}
		return IssueValue, s.set(spoiled), true
	}},
	{"code outside its required value set", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element == nil || s.element.Binding == nil || s.element.Binding.Strength != "required" {
			return "", "", false
		}
		if _, ok := d.ValueSet(s.element.Binding.ValueSet); !ok {
			return "", "", false
		}
		switch s.typeName {
		case "code":
			return IssueCodeInvalid, s.set(phi), true
		case "CodeableConcept":
			return IssueCodeInvalid, s.set(map[string]any{"coding": []any{map[string]any{"system": "http://example.org", "code": phi}}}), true
		}
		return "", "", false
	}},
	{"reference to another type", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element == nil || s.typeName != "Reference" || len(s.element.TargetTypes) == 0 || slices.Contains(s.element.TargetTypes, "Resource") {
			return "", "", false
		}
		for _, other := range d.ResourceTypes() {
			if !slices.Contains(s.element.TargetTypes, other) {
				return IssueValue, s.set(map[string]any{"reference": other + "/" + phi}) + ".reference", true
			}
		}
		return "", "", false
	}},
	{"unknown resource type", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element != nil || !d.IsResourceType(s.typeName) || !strings.Contains(s.path, ".") {
			return "", "", false
		}
		s.object["resourceType"] = phi
		return IssueStructure, s.path, true
	}},
	{"no resource type", func(d *Definitions, s site) (IssueCode, string, bool) {
		if s.element != nil || !d.IsResourceType(s.typeName) || !strings.Contains(s.path, ".") {
			return "", "", false
		}
		delete(s.object, "resourceType")
		return IssueStructure, s.path, true
	}},
}

// TestMutationsAreFound spoils the official examples in one place each, at
// random but from a fixed seed, and demands an issue of the right code at that
// place, without anything that the mutation wrote into the resource.
func TestMutationsAreFound(t *testing.T) {
	const perMutation = 300
	random := rand.New(rand.NewPCG(4, 0))
	d := R4()
	var examples [][]byte
	for _, file := range sharedFiles(t, "data", "examples-r4") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// Large ones cost time and say the same; the faulty ones have issues of
		// their own.
		if _, faulty := knownFaults[filepath.Base(file)]; len(data) < 20_000 && !faulty {
			examples = append(examples, data)
		}
	}
	total := 0
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			done, paths := 0, map[string]bool{}
			for try := 0; done < perMutation && try < 20*perMutation; try++ {
				resource, root := decodeExample(t, examples[random.IntN(len(examples))])
				all := sites(d, resource, root, root)
				var code IssueCode
				var path, was string
				found := false
				for range 20 {
					s := all[random.IntN(len(all))]
					if code, path, found = m.spoil(d, s); found {
						was = s.typeName
						if s.element != nil {
							was = s.element.Path
						}
						break
					}
				}
				if !found {
					continue
				}
				done++
				paths[was] = true
				text, err := json.Marshal(resource)
				if err != nil {
					t.Fatal(err)
				}
				checkMutation(t, text, code, path)
			}
			t.Logf("%d mutations of %d different elements and types", done, len(paths))
			total += done
			if done < 100 {
				t.Errorf("only %d mutations were possible", done)
			}
		})
	}
	t.Logf("%d mutations", total)
}

func decodeExample(t *testing.T, data []byte) (resource map[string]any, typeName string) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&resource); err != nil {
		t.Fatal(err)
	}
	return resource, resource["resourceType"].(string)
}

func checkMutation(t *testing.T, text []byte, code IssueCode, path string) {
	t.Helper()
	issues := ValidateStructure(text)
	if !slices.ContainsFunc(issues, func(i Issue) bool { return i.Code == code && i.Expression == path }) {
		t.Errorf("want %s at %s, got %v in %s", code, path, found(issues), text)
	}
	for _, i := range issues {
		if strings.Contains(i.Diagnostics, phi) || strings.Contains(i.Expression, phi) {
			t.Errorf("an issue shows text of the resource: %s", strconv.Quote(i.Diagnostics+" "+i.Expression))
		}
	}
}
