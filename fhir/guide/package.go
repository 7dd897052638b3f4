package guide

import (
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
)

// Package is an implementation guide as it is published.
type Package struct {
	// Name and Version are those of package.json: hl7.fhir.us.mcode, 3.0.0.
	Name, Version string
	// Source is the name that it was read by.
	Source string
	// Resources are those that can be used.
	Resources []Resource
}

// Resource is a resource of a package.
type Resource struct {
	// File is its path in the package.
	File string
	// Type is StructureDefinition, ValueSet, CodeSystem or SearchParameter.
	Type string
	Node rawjson.Node
}

// Read reads a package; source is what errors name it by. The error is an
// *Error.
func Read(source string, r io.Reader) (*Package, error) {
	return readWithin(source, r, limits{MaxUnpacked, MaxFile, MaxFiles})
}

func readWithin(source string, r io.Reader, l limits) (*Package, error) {
	p := &Package{Source: source}
	described := false
	wanted := func(file string) bool {
		folder, name := path.Split(file)
		return folder == "package/" && strings.HasSuffix(name, ".json") && name[0] != '.'
	}
	err := unpack(source, r, l, wanted, func(file string, data []byte) error {
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			return &Error{Package: source, File: file, Rule: "it is not JSON", Cause: err}
		}
		root := doc.Root()
		if file == "package/package.json" {
			described = true
			return p.describe(root)
		}
		typ, _ := root.Member("resourceType")
		switch typ.String() {
		case "StructureDefinition", "ValueSet", "CodeSystem", "SearchParameter":
			if issues := conformance.ValidateStructureOf(root); len(issues) > 0 && typ.String() == "SearchParameter" {
				return &Error{Package: source, File: file, Rule: issues[0].Expression + ": " + issues[0].Diagnostics}
			}
			p.Resources = append(p.Resources, Resource{file, strings.Clone(typ.String()), root})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !described {
		return nil, &Error{Package: source, File: "package/package.json", Rule: "it is missing"}
	}
	return p, nil
}

// describe reads package.json.
func (p *Package) describe(root rawjson.Node) error {
	text := func(name string) string {
		m, _ := root.Member(name)
		return strings.Clone(m.String())
	}
	p.Name, p.Version = text("name"), text("version")
	fail := func(rule string) error {
		return &Error{Package: p.Source, File: "package/package.json", Rule: rule}
	}
	if p.Name == "" || p.Version == "" {
		return fail("it must have a name and a version")
	}
	versions, ok := root.Member("fhirVersions")
	if !ok {
		versions, ok = root.Member("fhir-version-list")
	}
	if !ok {
		return fail("it must name the versions of FHIR that the package is for (fhirVersions)")
	}
	for v := range versions.Elements() {
		if strings.HasPrefix(v.String(), "4.0.") || v.String() == "4.0" {
			return nil
		}
	}
	return fail("the package is for another version of FHIR: it must be for 4.0.1 (R4)")
}

// Load reads the packages in files and lays them over what is built in. The
// SearchParameters are given back. All are taken over or none: the error is an
// *Error that names the file and the rule.
func Load(files []string) (*profile.Library, []Resource, error) {
	if len(files) == 0 {
		return Builtin(), nil, nil
	}
	var packages []*Package
	for _, file := range files {
		p, err := readFile(file)
		if err != nil {
			return nil, nil, err
		}
		packages = append(packages, p)
	}
	return Over(Builtin(), packages)
}

func readFile(file string) (*Package, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, &Error{Package: filepath.Base(file), Rule: "it cannot be read", Cause: err}
	}
	defer f.Close()
	return Read(filepath.Base(file), f)
}

// Over lays packages over a library, which may be nil. They may refer to each
// other in any order.
func Over(below *profile.Library, packages []*Package) (*profile.Library, []Resource, error) {
	l := profile.NewLibrary(below)
	var parameters []Resource
	type source struct{ of, file string }
	from := map[string]source{}
	for _, p := range packages {
		for _, r := range p.Resources {
			if r.Type == "SearchParameter" {
				parameters = append(parameters, r)
				continue
			}
			if _, err := l.Add(r.Node); err != nil {
				return nil, nil, &Error{Package: p.Source, File: r.File, Rule: err.Error()}
			}
			url, _ := r.Node.Member("url")
			from[r.Type+" "+url.String()] = source{p.Source, r.File}
		}
	}
	if err := l.Compile(); err != nil {
		var unusable *profile.Error
		if errors.As(err, &unusable) {
			at := from["StructureDefinition "+unusable.URL]
			return nil, nil, &Error{Package: at.of, File: at.file, Rule: unusable.Error()}
		}
		return nil, nil, err
	}
	return l, parameters, nil
}
