package fhirpath

import (
	"encoding/xml"
	"strings"
)

const xhtmlNamespace = "http://www.w3.org/1999/xhtml"

// narrativeElements are the elements that a Narrative may have: basic formatting
// of HTML 4.0 chapters 7 to 11 and 15, links and images (R4 § 2.4.0, txt-1).
var narrativeElements = setOf("a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img li map area ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt u ul var bdo del ins font")

// narrativeAttributes are the attributes that they may have: no events, nothing
// that loads or runs.
var narrativeAttributes = setOf("abbr align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset cite class clear color cols colspan compact coords datetime dir face frame headers height href hreflang hspace id label lang longdesc name noshade nowrap rel rev rows rowspan rules scope shape size span src start style summary tabindex title type usemap valign value vspace width accesskey")

func setOf(words string) map[string]struct{} {
	set := map[string]struct{}{}
	for word := range strings.FieldsSeq(words) {
		set[word] = struct{}{}
	}
	return set
}

// callHTMLChecks is the function of invariants txt-1 and txt-2: well-formed
// XHTML in a div, with permitted elements and attributes only, and some content.
func callHTMLChecks(m *machine, c *callNode, mark int) error {
	v, ok, err := m.inputSingle(c, mark)
	if err != nil || !ok {
		return err
	}
	m.push(Boolean(v.kind == KindString && narrativeAllowed(v.str)))
	return m.work(len(v.str)/16, c.pos)
}

func narrativeAllowed(text string) bool {
	decoder := xml.NewDecoder(strings.NewReader(text))
	decoder.Entity = xml.HTMLEntity
	depth, content, divs := 0, false, 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return err.Error() == "EOF" && depth == 0 && divs == 1 && content
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				if divs++; t.Name.Local != "div" {
					return false
				}
			}
			if !elementAllowed(t) {
				return false
			}
			content = content || t.Name.Local == "img"
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				if depth == 0 {
					return false
				}
				content = true
			}
		case xml.Directive, xml.ProcInst:
			return false
		}
	}
}

func elementAllowed(t xml.StartElement) bool {
	if _, ok := narrativeElements[t.Name.Local]; !ok || t.Name.Space != xhtmlNamespace {
		return false
	}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" || a.Name.Space == "http://www.w3.org/XML/1998/namespace" {
			continue
		}
		if _, ok := narrativeAttributes[a.Name.Local]; !ok || a.Name.Space != "" {
			return false
		}
		value := strings.ToLower(strings.TrimSpace(a.Value))
		if (a.Name.Local == "href" || a.Name.Local == "src") && strings.HasPrefix(value, "javascript:") {
			return false
		}
	}
	return true
}
