package guide

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

type entry struct {
	name, body string
	kind       byte
}

// archive is a gzipped tar archive.
func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	w := tar.NewWriter(zip)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.body)), Typeflag: e.kind}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if e.kind == tar.TypeSymlink || e.kind == tar.TypeLink {
			h.Linkname, h.Size, e.body = e.body, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const described = `{"name":"example.guide","version":"1.0.0","fhirVersions":["4.0.1"]}`

func definition(url, base, elements string) string {
	return `{"resourceType":"StructureDefinition","url":"` + url + `","version":"1.0.0","name":"X","status":"active","kind":"resource","abstract":false,` +
		`"type":"Patient","baseDefinition":"` + base + `","derivation":"constraint","differential":{"element":[{"id":"Patient","path":"Patient"}` + elements + `]}}`
}

// What is wrong with a package is said with the file and the rule, and nothing
// of it is loaded.
func TestBadPackages(t *testing.T) {
	const patient = "http://hl7.org/fhir/StructureDefinition/Patient"
	info := entry{name: "package/package.json", body: described}
	small := limits{unpacked: 100_000, file: 20_000, files: 10}
	many := []entry{info}
	for i := range 10 {
		many = append(many, entry{name: "package/" + strings.Repeat("x", i+1) + ".txt"})
	}
	good := archive(t, info)
	for _, c := range []struct {
		rule  string
		data  []byte
		wants []string
	}{
		{"no archive", []byte("{}"), []string{"no gzipped tar archive"}},
		{"empty", nil, []string{"no gzipped tar archive"}},
		{"cut off", good[:len(good)-10], []string{"cut off"}},
		{"no description", archive(t, entry{name: "package/a.json", body: "{}"}), []string{"package/package.json", "missing"}},
		{"description without a name", archive(t, entry{name: "package/package.json", body: `{}`}), []string{"name and a version"}},
		{"another release", archive(t, entry{name: "package/package.json", body: strings.Replace(described, "4.0.1", "5.0.0", 1)}), []string{"4.0.1 (R4)"}},
		{"no release", archive(t, entry{name: "package/package.json", body: `{"name":"a","version":"1"}`}), []string{"fhirVersions"}},
		{"a path that escapes", archive(t, info, entry{name: "package/../../etc/x.json"}), []string{"package/../../etc/x.json", "outside"}},
		{"an absolute path", archive(t, info, entry{name: "/etc/x.json"}), []string{"/etc/x.json", "outside"}},
		{"a path of Windows", archive(t, info, entry{name: `package\..\x.json`}), []string{"outside"}},
		{"a symbolic link", archive(t, info, entry{"package/x.json", "/etc/passwd", tar.TypeSymlink}), []string{"package/x.json", "neither a file nor a folder"}},
		{"a hard link", archive(t, info, entry{"package/x.json", "package/package.json", tar.TypeLink}), []string{"neither a file nor a folder"}},
		{"a file twice", archive(t, info, info), []string{"twice"}},
		{"a large file", archive(t, info, entry{name: "package/x.json", body: strings.Repeat(" ", 20_001)}), []string{"package/x.json", "20000 bytes"}},
		{"a bomb", archive(t, info, entry{name: "a", body: strings.Repeat("\x00", 20_000)}, entry{name: "b", body: strings.Repeat("\x00", 20_000)},
			entry{name: "c", body: strings.Repeat("\x00", 20_000)}, entry{name: "d", body: strings.Repeat("\x00", 20_000)}, entry{name: "e", body: strings.Repeat("\x00", 20_000)}), []string{"unpacks to more than 100000 bytes"}},
		{"many files", archive(t, many...), []string{"more than 10 files"}},
		{"no JSON", archive(t, info, entry{name: "package/x.json", body: "{"}), []string{"package/x.json", "not JSON"}},
		{"no url", archive(t, info, entry{name: "package/x.json", body: `{"resourceType":"ValueSet"}`}), []string{"package/x.json", "must have a url"}},
		{"one url twice", archive(t, info, entry{name: "package/a.json", body: definition("http://a", patient, "")}, entry{name: "package/b.json", body: definition("http://a", patient, "")}), []string{"package/b.json", "same url and version"}},
		{"an element that R4 does not have", archive(t, info, entry{name: "package/a.json", body: definition("http://a", patient, `,{"path":"Patient.shoe"}`)}), []string{"package/a.json", "Patient.shoe", "R4 has no such element"}},
		{"a base that is not held", archive(t, info, entry{name: "package/a.json", body: definition("http://a", "http://b", "")}), []string{"package/a.json", "http://b is not held"}},
		{"a circle", archive(t, info, entry{name: "package/a.json", body: definition("http://a", "http://b", "")}, entry{name: "package/b.json", body: definition("http://b", "http://a", "")}), []string{"derived from itself"}},
		{"no FHIRPath", archive(t, info, entry{name: "package/a.json", body: definition("http://a", patient, `,{"path":"Patient.name","constraint":[{"key":"x-1","severity":"error","expression":"((("}]}`)}), []string{"x-1", "no FHIRPath"}},
		{"min above max", archive(t, info, entry{name: "package/a.json", body: definition("http://a", patient, `,{"path":"Patient.name","min":2,"max":"1"}`)}), []string{"min must not be greater"}},
		{"a search parameter of no shape", archive(t, info, entry{name: "package/a.json", body: `{"resourceType":"SearchParameter","url":7}`}), []string{"package/a.json", "SearchParameter"}},
	} {
		p, err := readWithin("x.tgz", bytes.NewReader(c.data), small)
		if err == nil {
			_, _, err = Over(Builtin(), []*Package{p})
		}
		var failed *Error
		if !errors.As(err, &failed) {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		for _, want := range append(c.wants, "package x.tgz") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not say %q: %v", c.rule, want, err)
			}
		}
	}
}

// Packages may refer to each other in any order; examples are left.
func TestPackages(t *testing.T) {
	a := archive(t, entry{name: "package/package.json", body: described}, entry{name: "package/", kind: tar.TypeDir},
		entry{name: "package/a.json", body: definition("http://a", "http://b", `,{"path":"Patient.name","max":"1"}`)},
		entry{name: "package/sp.json", body: `{"resourceType":"SearchParameter","url":"http://sp","name":"X","status":"active","description":"x","code":"x","base":["Patient"],"type":"string","expression":"Patient.name.text"}`},
		entry{name: "package/example/e.json", body: `{`}, entry{name: "package/.index.json", body: `{`}, entry{name: "package/ImplementationGuide-x.json", body: `{"resourceType":"ImplementationGuide"}`})
	b := archive(t, entry{name: "package/package.json", body: described},
		entry{name: "package/b.json", body: definition("http://b", "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient", `,{"path":"Patient.birthDate","min":1,"mustSupport":true}`)})
	dir := t.TempDir()
	var files []string
	for name, data := range map[string][]byte{"a.tgz": a, "b.tgz": b} {
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(files[len(files)-1], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, parameters, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	if len(parameters) != 1 || parameters[0].File != "package/sp.json" {
		t.Errorf("search parameters: %v", parameters)
	}
	s, err := l.Structure(context.Background(), "http://a|1.0.0")
	if err != nil || s == nil {
		t.Fatal(s, err)
	}
	must := strings.Join(s.MustSupport, " ")
	if !strings.Contains(must, "Patient.birthDate") || !strings.Contains(must, "Patient.identifier.system") {
		t.Errorf("must-support elements: %s", must)
	}
	if _, _, err := Load([]string{filepath.Join(dir, "c.tgz")}); err == nil || !strings.Contains(err.Error(), "package c.tgz: it cannot be read") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// The published package of US Core, from its files, can be used as a package,
// and finds what the built-in definitions find.
func TestUSCorePackage(t *testing.T) {
	dir := sharedtest.Dir(t, "data", "uscore", "package")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	var entries []entry
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{name: "package/" + filepath.Base(file), body: string(data)})
	}
	p, err := Read("us-core.tgz", bytes.NewReader(archive(t, entries...)))
	if err != nil {
		t.Fatal(err)
	}
	l, parameters, err := Over(Builtin(), []*Package{p})
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "hl7.fhir.us.core" || p.Version != "6.1.0" || len(parameters) != 106 {
		t.Errorf("%s %s with %d search parameters", p.Name, p.Version, len(parameters))
	}
	resources, profiles := syntheaResources(t, 3)
	for i, resource := range resources {
		want, got := check(t, resource, profiles[i]), checkBy(t, l, resource, profiles[i])
		if len(want) != len(got) {
			t.Fatalf("%s: built in %v, as a package %v", profiles[i], want, got)
		}
		for k := range want {
			// The package names value sets with R4's version.
			got[k].Diagnostics = strings.ReplaceAll(got[k].Diagnostics, "|4.0.1", "")
			if want[k] != got[k] {
				t.Fatalf("%s: built in %+v, as a package %+v", profiles[i], want[k], got[k])
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	info := entry{name: "package/package.json", body: described}
	f.Add(archive(f, info, entry{name: "package/a.json", body: definition("http://a", "http://b", "")}))
	f.Add(archive(f, info, entry{name: "../x"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := readWithin("x", bytes.NewReader(data), limits{unpacked: 1 << 20, file: 1 << 18, files: 100})
		if err != nil {
			var failed *Error
			if !errors.As(err, &failed) || p != nil {
				t.Fatalf("%v, %v", p, err)
			}
			return
		}
		if l, _, err := Over(nil, []*Package{p}); (l == nil) == (err == nil) {
			t.Fatal("half-loaded")
		}
	})
}
