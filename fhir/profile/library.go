package profile

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
)

// Library holds definitions and terminology by canonical URL: those of
// implementation guides. Fill it with Add, then use it; it is safe for
// concurrent use once nothing is added any more. It implements [Source] and
// terminology.Reader.
type Library struct {
	// below is asked for what is not held here.
	below *Library
	// resources are the StructureDefinitions, ValueSets and CodeSystems by
	// type and URL.
	resources map[string]map[string][]*held
	service   *terminology.Service
	sets      sync.Map // of value sets by canonical URL → *valueSet

	// compiling is held while structures are compiled.
	compiling sync.Mutex
}

// held is one resource.
type held struct {
	version string
	data    []byte
	node    rawjson.Node

	// Of a StructureDefinition, when it has been compiled.
	structure *Structure
	err       error
	compiled  bool
	underWay  bool
}

// NewLibrary makes an empty library above another one, which may be nil.
func NewLibrary(below *Library) *Library {
	l := &Library{below: below, resources: map[string]map[string][]*held{}}
	l.service = terminology.New(terminology.Options{Reader: l, Definitions: conformance.R4()})
	return l
}

// ErrTwice: a resource with the canonical URL and version is there already.
var ErrTwice = errors.New("another resource of the same type has the same url and version")

// ErrNoURL: a resource cannot be referred to.
var ErrNoURL = errors.New("it must have a url")

// Add takes over a StructureDefinition, ValueSet or CodeSystem; taken is false
// for resources of other types. The document must not change afterwards.
func (l *Library) Add(resource rawjson.Node) (taken bool, err error) {
	typ := text(resource, "resourceType")
	switch typ {
	case "StructureDefinition", "ValueSet", "CodeSystem":
	default:
		return false, nil
	}
	url := text(resource, "url")
	if url == "" {
		return false, ErrNoURL
	}
	h := &held{version: text(resource, "version"), data: resource.Raw(), node: resource}
	of := l.resources[typ]
	if of == nil {
		of = map[string][]*held{}
		l.resources[typ] = of
	}
	if slices.ContainsFunc(of[url], func(o *held) bool { return o.version == h.version }) {
		return false, ErrTwice
	}
	of[url] = append(of[url], h)
	slices.SortStableFunc(of[url], func(a, b *held) int { return CompareVersions(b.version, a.version) })
	return true, nil
}

// Compile compiles all profiles and extensions, in the order of their URLs,
// and returns the first error. Without it each is compiled when it is needed.
func (l *Library) Compile() error {
	l.compiling.Lock()
	defer l.compiling.Unlock()
	for _, url := range slices.Sorted(maps.Keys(l.resources["StructureDefinition"])) {
		for _, h := range l.resources["StructureDefinition"][url] {
			if text(h.node, "derivation") != "constraint" || text(h.node, "kind") == "logical" {
				continue // a type or a logical model: what refers to it says so
			}
			if _, err := l.compile(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// Structures are the URLs of the StructureDefinitions, sorted.
func (l *Library) Structures() []string {
	return slices.Sorted(maps.Keys(l.resources["StructureDefinition"]))
}

// Definition is a StructureDefinition as it was added.
type Definition struct {
	// URL and Version are its canonical URL; Type is what it constrains.
	URL, Version, Type string
	// Resource reports whether it constrains a type of resources.
	Resource bool
	Body     []byte
}

// Definitions are the profiles and extensions of the library and of those
// below it, the newest version of each, sorted by URL.
func (l *Library) Definitions() []Definition {
	var all []Definition
	known := map[string]bool{}
	for at := l; at != nil; at = at.below {
		for url, versions := range at.resources["StructureDefinition"] {
			h := versions[0]
			if known[url] || text(h.node, "derivation") != "constraint" {
				continue
			}
			known[url] = true
			all = append(all, Definition{url, h.version, text(h.node, "type"), text(h.node, "kind") == "resource", h.data})
		}
	}
	slices.SortFunc(all, func(a, b Definition) int { return strings.Compare(a.URL, b.URL) })
	return all
}

// Structure implements Source.
func (l *Library) Structure(_ context.Context, canonical string) (*Structure, error) {
	for at := l; at != nil; at = at.below {
		h := at.find("StructureDefinition", canonical)
		if h == nil {
			continue
		}
		at.compiling.Lock()
		defer at.compiling.Unlock()
		return at.compile(h)
	}
	return nil, nil
}

func (l *Library) find(typ, canonical string) *held {
	url, version, _ := strings.Cut(canonical, "|")
	for _, h := range l.resources[typ][url] {
		if version == "" || h.version == version {
			return h
		}
	}
	return nil
}

// compile compiles a definition; the lock is held.
func (l *Library) compile(h *held) (*Structure, error) {
	if h.compiled {
		return h.structure, h.err
	}
	if h.underWay {
		return nil, &Error{URL: text(h.node, "url"), Rule: "it is derived from itself"}
	}
	h.underWay = true
	h.structure, h.err = Parse(h.node, func(canonical string) (*Structure, error) {
		if base := l.find("StructureDefinition", canonical); base != nil {
			return l.compile(base)
		}
		if l.below == nil {
			return nil, nil
		}
		return l.below.Structure(context.Background(), canonical)
	})
	h.compiled, h.underWay = true, false
	return h.structure, h.err
}

// Canonical implements terminology.Reader.
func (l *Library) Canonical(_ context.Context, typ, url, version string) ([]byte, bool, error) {
	if version != "" {
		url += "|" + version
	}
	for at := l; at != nil; at = at.below {
		if h := at.find(typ, url); h != nil {
			return h.data, true, nil
		}
	}
	return nil, false, nil
}

// Resource implements terminology.Reader: nothing here has an id.
func (l *Library) Resource(context.Context, string, string) ([]byte, bool, error) {
	return nil, false, nil
}

// Maps implements terminology.Reader: there are none here.
func (l *Library) Maps(context.Context, int) ([][]byte, error) { return nil, nil }

// Extensions implements validate.Extensions.
func (l *Library) Extensions(ctx context.Context, urls []string) (map[string]*validate.Extension, error) {
	var known map[string]*validate.Extension
	for _, url := range urls {
		s, err := l.Structure(ctx, url)
		var unusable *Error
		if err != nil && !errors.As(err, &unusable) {
			return nil, err
		}
		if s == nil || s.Extension == nil {
			continue
		}
		if known == nil {
			known = map[string]*validate.Extension{}
		}
		known[url] = s.Extension
	}
	return known, nil
}

// CompareVersions compares part by part, numbers as numbers: 4.0.10 comes
// after 4.0.9.
func CompareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		m, err1 := strconv.ParseUint(x, 10, 64)
		n, err2 := strconv.ParseUint(y, 10, 64)
		switch {
		case err1 == nil && err2 == nil && m != n:
			if m < n {
				return -1
			}
			return 1
		case (err1 != nil || err2 != nil) && x != y:
			return bytes.Compare([]byte(x), []byte(y))
		}
	}
	return 0
}
