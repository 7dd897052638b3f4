// Command gen writes definitions.json, which package guide embeds: the facts
// of US Core's profiles, extensions, value sets and code systems, and of the
// profiles that R4 itself has (vitalsigns, shareablevalueset), in FHIR's JSON.
//
// Facts only: names, texts and whatever R4's definition of the type says
// already are left out. Of R4's value sets and code systems those are in it
// that one of the bindings leads to, if R4 lists their codes and there are no
// more than maxCodes; what is larger or external stays a reference.
//
// It is run by go generate ./fhir/guide.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxCodes is the size up to which a code system of R4 is carried along.
const maxCodes = 1000

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	shared := flag.String("shared", filepath.Join("..", "..", "..", "shared", "data"), "folder with the definition files")
	out := flag.String("out", "definitions.json", "file to write")
	flag.Parse()
	data, err := generate(*shared)
	if err == nil {
		err = os.WriteFile(*out, data, 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
}

type object = map[string]any

// sources are the resources that are read, by type and URL.
type sources struct {
	core, guide map[string]map[string]object
	// elements are those of R4's own types, by path.
	elements map[string]object
}

func generate(shared string) ([]byte, error) {
	s := sources{map[string]map[string]object{}, map[string]map[string]object{}, map[string]object{}}
	for _, file := range []string{"profiles-types", "profiles-resources", "profiles-others", "valuesets", "codesystems"} {
		var bundle struct{ Entry []struct{ Resource object } }
		if err := read(filepath.Join(shared, "r4", file+".json"), &bundle); err != nil {
			return nil, err
		}
		for _, e := range bundle.Entry {
			put(s.core, e.Resource)
		}
	}
	files, err := filepath.Glob(filepath.Join(shared, "uscore", "package", "*-*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		var resource object
		if err := read(file, &resource); err != nil {
			return nil, err
		}
		put(s.guide, resource)
	}
	for _, sd := range s.core["StructureDefinition"] {
		if sd["derivation"] == "specialization" || sd["type"] == "Element" || sd["type"] == "Resource" {
			for _, e := range elements(sd) {
				s.elements[str(e, "path")] = e
			}
		}
	}
	return s.write()
}

func read(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func put(into map[string]map[string]object, r object) {
	typ, url := str(r, "resourceType"), str(r, "url")
	if url == "" {
		return
	}
	if into[typ] == nil {
		into[typ] = map[string]object{}
	}
	into[typ][url] = r
}

func str(o object, name string) string { s, _ := o[name].(string); return s }

func list(o object, name string) []object {
	items, _ := o[name].([]any)
	all := make([]object, 0, len(items))
	for _, i := range items {
		if m, ok := i.(object); ok {
			all = append(all, m)
		}
	}
	return all
}

func elements(sd object) []object {
	snapshot, _ := sd["snapshot"].(object)
	return list(snapshot, "element")
}

// write renders all resources, one element of a definition a line.
func (s *sources) write() ([]byte, error) {
	var all []object
	for _, sd := range s.core["StructureDefinition"] {
		// Profiles on datatypes are R4's tables' (SimpleQuantity).
		if sd["derivation"] == "constraint" && sd["kind"] == "resource" {
			all = append(all, s.structure(sd))
		}
	}
	for _, sd := range s.guide["StructureDefinition"] {
		all = append(all, s.structure(sd))
	}
	for _, v := range s.guide["ValueSet"] {
		all = append(all, valueSet(v))
	}
	for _, c := range s.guide["CodeSystem"] {
		all = append(all, codeSystem(c))
	}
	all = append(all, s.terminology(all)...)
	slices.SortFunc(all, func(a, b object) int {
		return cmp.Or(cmp.Compare(str(a, "resourceType"), str(b, "resourceType")), cmp.Compare(str(a, "url"), str(b, "url")))
	})
	var b bytes.Buffer
	b.WriteString("[\n")
	for i, r := range all {
		if i > 0 {
			b.WriteString(",\n")
		}
		var lines []any
		if snapshot, ok := r["snapshot"].(object); ok {
			lines = snapshot["element"].([]any)
			delete(r, "snapshot")
		}
		head, err := marshal(r)
		if err != nil {
			return nil, err
		}
		if lines == nil {
			b.Write(head)
			continue
		}
		b.Write(head[:len(head)-1])
		b.WriteString(`,"snapshot":{"element":[`)
		for i, line := range lines {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('\n')
			text, err := marshal(line)
			if err != nil {
				return nil, err
			}
			b.Write(text)
		}
		b.WriteString("]}}")
	}
	b.WriteString("\n]\n")
	return b.Bytes(), nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// only keeps some members.
func only(o object, names ...string) object {
	kept := object{}
	for _, name := range names {
		if v, ok := o[name]; ok {
			kept[name] = v
		}
	}
	return kept
}

func withoutVersion(canonical string) string {
	url, _, _ := strings.Cut(canonical, "|")
	return url
}
