package search

import (
	"net/url"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/store"
)

// token: R4 search §3.1.1.4.9: code, system|code, |code, system|.
func (f field) token(value string) (store.Clause, error) {
	parts := split(value, '|')
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	switch f.modifier {
	case "", "not":
	case "text":
		return store.Prefix(f.key(formText) + cut(normalise(unescape(value)))), nil
	case "of-type":
		if len(parts) != 3 {
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
	case parts[1] == "":
		return store.Prefix(f.key(formSystem) + joined(parts[0], "")), nil
	}
	return store.Exactly(f.key(formSystem) + bounded(joined(parts...))), nil
}

// reference: R4 search §3.1.1.4.10: id, Type/id, or a URL.
func (f field) reference(value string) (store.Clause, error) {
	if f.modifier == "identifier" {
		system, id, ok := strings.Cut(value, "|")
		if !ok {
			return store.Exactly(f.key(formIdentifier) + bounded("\x00\x00"+unescape(value))), nil
		}
		return store.Exactly(f.key(formIdentifier) + bounded(joined(unescape(system), unescape(id)))), nil
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
		any := make(store.Or, 0, len(targets))
		for _, t := range targets {
			any = append(any, store.Exactly(f.key(formReference)+t+"/"+v))
		}
		if len(any) == 1 {
			return any[0], nil
		}
		return any, nil
	}
	if u, err := url.Parse(v); err == nil && u.IsAbs() {
		return store.Exactly(f.key(formURL) + bounded(v)), nil
	}
	return nil, f.wrong("a reference is an id, Type/id or an absolute URL")
}

// text: R4 search §3.1.1.4.8: the start of it, or :exact.
func (f field) text(value string) (store.Clause, error) {
	switch v := unescape(value); f.modifier {
	case "":
		n := normalise(v)
		if n == "" {
			return nil, f.wrong("nothing is left of it without white space and accents")
		}
		return store.Prefix(f.key(formNormal) + cut(n)), nil
	case "exact":
		return store.Exactly(f.key(formExact) + bounded(v)), nil
	}
	return nil, f.badModifier()
}

// cut shortens the start of a text to what keys hold of it.
func cut(s string) string { return s[:min(len(s), maxText)] }

// uri: R4 search §3.1.1.4.12.
func (f field) uri(value string) (store.Clause, error) {
	v := unescape(value)
	switch f.modifier {
	case "":
		return store.Exactly(f.key(formURL) + bounded(v)), nil
	case "below":
		base := cut(strings.TrimSuffix(v, "/"))
		return store.Or{store.Exactly(f.key(formURL) + base), store.Prefix(f.key(formURL) + base + "/")}, nil
	}
	return nil, f.badModifier()
}
