package resttest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/rest"
)

func narrative(xhtml string) string {
	return `"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">` + xhtml + `</div>"}`
}

// https://hl7.org/fhir/R4/search.html#text and #content
var fullText = subject{
	name: "words",
	resources: []string{
		`{"resourceType":"Condition","id":"a","subject":{"reference":"Patient/p"},` + narrative(`Bone <b>metastases</b> of the spine; follow-up &amp; X&#8209;ray`) + `}`,
		`{"resourceType":"Condition","id":"b","subject":{"reference":"Patient/p"},"code":{"text":"Metástases, lung"},"note":[{"text":"seen 2020"}],` + narrative(`Liver <i class=\"hidden\">Metastases</i>`) + `}`,
		`{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/p"},"code":{"coding":[{"system":"http://e.org/bones","code":"B7","display":"Fracture of bone"}]}}`,
		`{"resourceType":"Patient","id":"p","name":[{"family":"Chalmers"}],` + narrative(`Ann`) + `}`,
		`{"resourceType":"Condition","id":"long","subject":{"reference":"Patient/p"},"note":[{"text":"` + strings.Repeat("x", 80) + `"},{"text":"` + strings.Repeat("QUJD", 400) + `"}]}`,
	},
	found: []found{
		{"a word of the narrative", "Condition?_text=metastases", "a b"},
		{"without regard to case and accents", "Condition?_content=MÉTASTASES", "a b"},
		{"words are AND", "Condition?_text=bone metastases", "a"},
		{"and", "Condition?_text=bone and metastases", "a"},
		{"or", "Condition?_text=bone or liver", "a b"},
		{"the page's example", "Condition?_text=(bone OR liver) and metastases", "a b"},
		{"not", "Condition?_text=metastases not bone", "b"},
		{"not alone", "Condition?_text=not metastases", "c long"},
		{"not of several", "Condition?_content=not (bone or lung)", "long"},
		{"the start of a word", "Condition?_text=metast*", "a b"},
		{"a word is whole without it", "Condition?_text=metast", ""},
		{"no words of tags and attributes", "Condition?_text=hidden", ""},
		{"a hyphen parts words", "Condition?_text=follow-up", "a"},
		{"an entity is a character", "Condition?_text=ray", "a"},
		{"_text is the narrative only", "Condition?_text=lung", ""},
		{"_content is all of it", "Condition?_content=lung", "b"},
		{"_content has the narrative", "Condition?_content=spine", "a"},
		{"_content has codes, displays and URLs", "Condition?_content=b7 fracture bones", "c"},
		{"_content has numbers in texts", "Condition?_content=2020", "b"},
		{"a comma is OR", "Condition?_content=lung,fracture", "b c"},
		{"repeated is AND", "Condition?_content=bone&_content=fracture", "c"},
		{"with others", "Condition?_text=metastases&subject=Patient/p&_id=b", "b"},
		{"a long word is cut", "Condition?_content=" + strings.Repeat("x", 70), "long"},
		{"what is no text has no words", "Condition?_content=" + strings.Repeat("QUJD", 16), ""},
		{"in a chain", "Condition?subject:Patient._text=ann&_id=a", "a"},
		{"across all types", "?_content=patient p", "a b c p long"},
		{"missing", "Condition?_text:missing=true", "c long"},
	},
	refused: []refused{
		{"a phrase", `Condition?_text="bone metastases"`, "value", []string{"_text", "phrases"}},
		{"no word", "Condition?_text=-", "value", []string{"_text"}},
		{"nothing", "Condition?_content=", "value", []string{"_content"}},
		{"an open parenthesis", "Condition?_text=(bone", "value", []string{"parenthesis"}},
		{"a closed parenthesis", "Condition?_text=bone)", "value", []string{"parenthesis"}},
		{"or without a word", "Condition?_text=bone or", "value", []string{"word"}},
		{"and without a word", "Condition?_text=bone and", "value", []string{"word"}},
		{"too deep", "Condition?_text=" + strings.Repeat("(", 100) + "x" + strings.Repeat(")", 100), "too-costly", []string{"deep"}},
		{"too many words", "Condition?_text=" + strings.Repeat("x ", 300), "too-costly", []string{"words"}},
		{"a modifier", "Condition?_text:exact=x", "not-supported", []string{"exact"}},
	},
}

func wordSearches(t *testing.T, open Open) {
	s := serve(t, open, withWords, func(*rest.Options) {})
	for i, c := range fullText.found {
		fullText.found[i].query = strings.ReplaceAll(c.query, " ", "%20")
	}
	for i, c := range fullText.refused {
		fullText.refused[i].query = strings.ReplaceAll(strings.ReplaceAll(c.query, " ", "%20"), `"`, "%22")
	}
	fullText.run(t, s)
	t.Run("off", func(t *testing.T) {
		s := Serve(t, open)
		s.Get("Patient?_text=x").WantOutcome(http.StatusBadRequest, "not-supported", "_text", "full-text")
		s.Get("Patient?_content=x").WantOutcome(http.StatusBadRequest, "not-supported", "_content", "full-text")
	})
}
