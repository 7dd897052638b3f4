package repository

import (
	"encoding/xml"
	"strings"
	"testing"
)

func TestNarrativeLinks(t *testing.T) {
	l := linker{links: map[string]string{"urn:uuid:1": "Patient/1", "http://e.org/fhir/Patient/2?a&b": "Patient/2", "http://e.org/fhir/Patient/3": "Patient/3"}, base: "http://e.org/fhir/"}
	for _, c := range []struct{ rule, div, want string }{
		{"an anchor", `<div><a href="urn:uuid:1">x</a></div>`, `<div><a href="Patient/1">x</a></div>`},
		{"an image", `<div><img alt="a" src="urn:uuid:1"/></div>`, `<div><img alt="a" src="Patient/1"/></div>`},
		{"other quotes and white space", "<div><a\n href = 'urn:uuid:1' >x</a></div>", "<div><a\n href = 'Patient/1' >x</a></div>"},
		{"several", `<div><a href="urn:uuid:1"/><a href="urn:uuid:9"/><a title="t" href="urn:uuid:1"/></div>`, `<div><a href="Patient/1"/><a href="urn:uuid:9"/><a title="t" href="Patient/1"/></div>`},
		{"an ampersand", `<div><a href="http://e.org/fhir/Patient/2?a&amp;b"/></div>`, `<div><a href="Patient/2"/></div>`},
		{"a relative link", `<div><a href="Patient/3"/></div>`, `<div><a href="Patient/3"/></div>`},
		{"text", `<div>href="urn:uuid:1"</div>`, `<div>href="urn:uuid:1"</div>`},
		{"a comment", `<div><!-- <a href="urn:uuid:1"> --></div>`, `<div><!-- <a href="urn:uuid:1"> --></div>`},
		{"another attribute", `<div><a title="href=" name='src="urn:uuid:1"' data-href="urn:uuid:1"/></div>`, `<div><a title="href=" name='src="urn:uuid:1"' data-href="urn:uuid:1"/></div>`},
		{"text without an end", `<div><a href="urn:uuid:1`, `<div><a href="urn:uuid:1`},
	} {
		if got, err := l.narrative(c.div); err != nil || got != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.rule, got, c.want, err)
		}
	}
}

// FuzzNarrativeLinks: what is well-formed stays so, and only links change.
func FuzzNarrativeLinks(f *testing.F) {
	f.Add(`<div><a href="urn:uuid:1">x</a><!-- c --><img src='urn:uuid:1'/></div>`)
	f.Add(`<a href="`)
	l := linker{links: map[string]string{"urn:uuid:1": "urn:uuid:2"}}
	f.Fuzz(func(t *testing.T, div string) {
		got, _ := l.narrative(div)
		if strings.ReplaceAll(got, "urn:uuid:2", "urn:uuid:1") != strings.ReplaceAll(div, "urn:uuid:2", "urn:uuid:1") {
			t.Fatalf("%q became %q", div, got)
		}
		if wellFormed(div) != wellFormed(got) {
			t.Fatalf("%q became %q", div, got)
		}
	})
}

func wellFormed(s string) bool {
	var any struct {
		Text string `xml:",innerxml"`
	}
	return xml.Unmarshal([]byte(s), &any) == nil
}
