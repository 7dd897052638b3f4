package search

import (
	"net/url"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

// token: R4 search, token: code, system|code, |code, system|.
func (f field) token(value string) (store.Clause, error) {
	parts := split(value, '|')
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	if f.ofStrings() {
		parts[len(parts)-1] = strings.ToLower(parts[len(parts)-1])
	}
	switch f.modifier {
	case "", "not":
	case "in", "not-in":
		return f.inValueSet(value)
	case "above", "below":
		return f.related(value)
	case "text":
		return f.start(formText, unescape(value))
	case "of-type":
		if f.ofOthers("Identifier") {
			return nil, f.badModifier()
		}
		if len(parts) != 3 || slices.Contains(parts, "") {
			return nil, f.wrong(":of-type takes system|code|value")
		}
		return store.Exactly(f.key(formOfType) + bounded(joined(parts...))), nil
	default:
		return nil, f.badModifier()
	}
	switch {
	case len(parts) == 1:
		return store.Exactly(f.key(formCode) + bounded(parts[0])), nil
	case len(parts) > 2:
		return nil, f.wrong("a token is code, system|code, |code or system|")
	case parts[1] == "" && parts[0] == "":
		return nil, f.wrong("a token needs a system or a code")
	}
	system, code := parts[0], parts[1]
	implied := f.implies(system, code)
	if code == "" {
		all := store.Clause(store.Prefix(f.key(formSystem) + cut(joined(system, ""))))
		if implied {
			return store.Or{all, store.Prefix(f.key(formSystem) + "\x00")}, nil
		}
		return all, nil
	}
	one := store.Exactly(f.key(formSystem) + bounded(joined(system, code)))
	if implied {
		return store.Or{one, store.Exactly(f.key(formSystem) + bounded(joined("", code)))}, nil
	}
	return one, nil
}

// reference: R4 search, reference: id, Type/id, or a URL.
func (f field) reference(value string) (store.Clause, error) {
	if f.modifier == "identifier" {
		return f.identifier(value)
	}
	if f.modifier == "above" || f.modifier == "below" {
		return f.relatives(value)
	}
	targets := f.p.targets(f.sp)
	if f.modifier != "" {
		if !slices.Contains(targets, f.modifier) {
			return nil, f.badModifier()
		}
		targets = []string{f.modifier}
	}
	v := unescape(value)
	if ref, ok := f.p.o.Base.Local(v); ok {
		if !slices.Contains(targets, ref.Type) {
			return nil, f.wrong("it does not refer to " + ref.Type)
		}
		return store.Exactly(f.key(formReference) + ref.String()), nil
	}
	if ValidID(v) {
		any := make(store.Or, 0, len(targets)+1)
		for _, t := range targets {
			any = append(any, store.Exactly(f.key(formReference)+t+"/"+v))
		}
		if f.modifier == "" && !f.p.onlyReferences(f.sp) {
			// A canonical may be a bare word.
			any = append(any, store.Exactly(f.key(formURL)+v))
		}
		return oneOf(any), nil
	}
	// A canonical may end in |version.
	unversioned, _, _ := strings.Cut(v, "|")
	if u, err := url.Parse(unversioned); err == nil && u.IsAbs() {
		return store.Exactly(f.key(formURL) + bounded(v)), nil
	}
	return nil, f.wrong("a reference is an id, Type/id or an absolute URL")
}

// versionsBelow: R4 search, references and versions: :below of a canonical with
// a version finds those of the version and of what it begins: 1 has 1.0 and
// 1-draft, and not 10.
func (f field) versionsBelow(value string) (store.Clause, error) {
	v := unescape(value)
	canonical, version, versioned := strings.Cut(v, "|")
	if u, err := url.Parse(canonical); err != nil || !u.IsAbs() || versioned && version == "" || len(v) >= maxText || f.p.onlyReferences(f.sp) {
		return nil, f.wrong(":below takes a canonical, url or url|version, on elements that are one")
	}
	any := store.Or{store.Exactly(f.key(formURL) + v)}
	if versioned {
		any = append(any, store.Prefix(f.key(formURL)+v+"."), store.Prefix(f.key(formURL)+v+"-"))
	}
	return any, nil
}

// identifier: R4 search, :identifier: what a Reference says of its target by
// Reference.identifier.
func (f field) identifier(value string) (store.Clause, error) {
	parts := split(value, '|')
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	switch {
	case len(parts) > 2 || parts[0] == "" && parts[len(parts)-1] == "":
		return nil, f.wrong(":identifier takes value, system|value, |value or system|")
	case len(parts) == 2 && parts[1] == "":
		return store.Prefix(f.key(formIdentifier) + cut(joined(parts...))), nil
	case len(parts) == 1:
		return store.Exactly(f.key(formIdentifier) + bounded("\x00\x00"+parts[0])), nil
	}
	return store.Exactly(f.key(formIdentifier) + bounded(joined(parts...))), nil
}

// text: R4 search, string: the start of it, :contains or :exact.
func (f field) text(value string) (store.Clause, error) {
	switch v := unescape(value); f.modifier {
	case "":
		start, err := f.start(formNormal, v)
		if err == nil && f.ofNames() {
			return store.Or{start, store.Prefix(f.key(formFamily) + cut(normalise(v)))}, nil
		}
		return start, err
	case "contains":
		n := normalise(v)
		if len(n) > maxPart {
			return nil, f.wrong(":contains takes a shorter text")
		}
		part := store.Prefix(f.key(formPart) + n)
		start, err := f.start(formNormal, v)
		return store.Or{start, part}, err
	case "exact":
		return store.Exactly(f.key(formExact) + bounded(v)), nil
	}
	return nil, f.badModifier()
}

// start selects normalised texts by their start.
func (f field) start(form byte, v string) (store.Clause, error) {
	n := normalise(v)
	if n == "" {
		return nil, f.wrong("nothing is left of it without white space, accents and punctuation")
	}
	return store.Prefix(f.key(form) + cut(n)), nil
}

// uri: R4 search, uri.
func (f field) uri(value string) (store.Clause, error) {
	v := unescape(value)
	switch f.modifier {
	case "":
		one := store.Exactly(f.key(formURL) + bounded(v))
		if version, ok := f.versionOf(v); ok {
			return store.Or{one, version}, nil
		}
		return one, nil
	case "below":
		base := cut(strings.TrimSuffix(v, "/"))
		return store.Or{store.Exactly(f.key(formURL) + base), store.Prefix(f.key(formURL) + base + "/")}, nil
	case "above":
		return f.above(v)
	}
	return nil, f.badModifier()
}

// versionOf reads url|version: canonical resources are searched by their url
// as others refer to them (R4 search, uri).
func (f field) versionOf(v string) (store.Clause, bool) {
	i := strings.LastIndexByte(v, '|')
	if i < 1 || i == len(v)-1 || f.sp.Code != "url" {
		return nil, false
	}
	typ, _, _ := numbersOf(f.p.o.Base.Definitions, f.prefix)
	sp, ok := f.p.o.Base.Definitions.SearchParameter(typ, "version")
	if !ok || sp.Type != conformance.SearchToken {
		return nil, false
	}
	number, _ := f.p.o.Base.Definitions.TypeNumber(typ)
	version, err := field{p: f.p, sp: sp, prefix: paramKey(number, sp.Number)}.token(escape(v[i+1:]))
	return store.And{store.Exactly(f.key(formURL) + bounded(v[:i])), version}, err == nil
}

// above selects the URI itself and every one that it lies below:
// http://a/b/c is below http://a/b and http://a.
func (f field) above(v string) (store.Clause, error) {
	u, err := url.Parse(v)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return nil, f.wrong(":above takes a URL")
	}
	any := store.Or{store.Exactly(f.key(formURL) + bounded(v))}
	for len(any) < maxSegments {
		v = strings.TrimSuffix(v, "/")
		any = append(any, store.Exactly(f.key(formURL)+bounded(v)), store.Exactly(f.key(formURL)+bounded(v+"/")))
		i := strings.LastIndexByte(v, '/')
		if i < len(u.Scheme)+len("://") {
			return any, nil
		}
		v = v[:i]
	}
	return nil, f.wrong(":above takes a URL of fewer segments")
}

// maxSegments bounds the URLs that :above stands for.
const maxSegments = 100
