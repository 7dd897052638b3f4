package fhirxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// maxXHTML is how deep the elements of a narrative may nest.
const maxXHTML = 100

// narrative is the div of a JSON narrative as it stands in XML: the same text,
// with its namespace, and with the characters in place of HTML's entities,
// which XML does not have (https://hl7.org/fhir/R4/narrative.html#xhtml). ok is
// false for text that is not one well-formed div.
func narrative(text []byte) (div []byte, ok bool) {
	text = lineFeeds(bytes.TrimSpace(text))
	if _, bad := badCharacter(text); bad != 0 {
		return nil, false
	}
	if v, err := checkDiv(text, nil); err == nil {
		if v.plain {
			return text, true
		}
		return v.canonical(text)
	}
	v, err := checkDiv(text, xml.HTMLEntity)
	if err != nil {
		return nil, false
	}
	return v.canonical(text)
}

// lineFeeds makes line feeds of all line ends, as an XML reader does (XML 1.0
// § 2.11).
func lineFeeds(text []byte) []byte {
	if bytes.IndexByte(text, '\r') < 0 {
		return text
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
}

// divView is what was seen of a div.
type divView struct {
	entities map[string]string
	// plain: the div says its namespace itself and no name has a prefix, so
	// that its text means the same wherever it stands.
	plain bool
	// bare: elements without any namespace count as XHTML. JSON's narratives
	// often leave it out.
	bare bool
}

var errDiv = errors.New("not a div")

func checkDiv(text []byte, entities map[string]string) (divView, error) {
	v := divView{entities: entities, plain: entities == nil, bare: true}
	d := newDecoder(text)
	d.Entity = entities
	depth := 0
	for {
		at := d.InputOffset()
		t, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && depth == 0 && at > 0:
			return v, nil
		case err != nil:
			return v, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 0 && (at > 0 || t.Name.Local != "div") || depth == maxXHTML || !v.start(t, text[at+1:], depth == 0) {
				return v, errDiv
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 {
				return v, errDiv
			}
		case xml.Comment:
			if depth == 0 {
				return v, errDiv
			}
		default:
			return v, errDiv
		}
	}
}

// start checks a start tag; text is what stands behind its '<'.
func (v *divView) start(t xml.StartElement, text []byte, outermost bool) bool {
	declared := false
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			declared = true
		case a.Name.Space == "xmlns":
		case a.Name.Space != "" && a.Name.Space != namespaceXML:
			return false
		}
	}
	if outermost && !declared {
		v.plain = false
	}
	if prefixed(text) {
		v.plain = false
	}
	return t.Name.Space == namespaceXHTML || v.bare && t.Name.Space == "" && !declared
}

// namespaceXML is what encoding/xml makes of the prefix xml.
const namespaceXML = "http://www.w3.org/XML/1998/namespace"

// prefixed reports whether the name of a start tag has a prefix.
func prefixed(tag []byte) bool {
	i := bytes.IndexAny(tag, ": \t\r\n/>")
	return i >= 0 && tag[i] == ':'
}

// canonical writes a div that checkDiv found right: without prefixes, the
// namespace on the div, and no entities but XML's.
func (v *divView) canonical(text []byte) (div []byte, ok bool) {
	var b strings.Builder
	d := newDecoder(text)
	d.Entity = v.entities
	open := false // a start tag that may turn out to be empty
	for outermost := true; ; {
		t, err := d.Token()
		if err != nil {
			return []byte(b.String()), errors.Is(err, io.EOF)
		}
		if _, ends := t.(xml.EndElement); open && !ends {
			b.WriteByte('>')
			open = false
		}
		switch t := t.(type) {
		case xml.StartElement:
			b.WriteString("<" + t.Name.Local)
			if outermost {
				b.WriteString(` xmlns="` + namespaceXHTML + `"`)
			}
			outermost, open = false, true
			for _, a := range t.Attr {
				if a.Name.Local == "xmlns" || a.Name.Space == "xmlns" {
					continue
				}
				b.WriteByte(' ')
				if a.Name.Space != "" {
					b.WriteString("xml:")
				}
				b.WriteString(a.Name.Local + `="`)
				_, _ = attributeText.WriteString(&b, a.Value) // to memory
				b.WriteByte('"')
			}
		case xml.EndElement:
			if open {
				b.WriteString("/>")
				open = false
				continue
			}
			b.WriteString("</" + t.Name.Local + ">")
		case xml.CharData:
			_, _ = contentText.WriteString(&b, string(t))
		case xml.Comment:
			b.WriteString("<!--" + string(t) + "-->")
		}
	}
}

var (
	contentText   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")
	attributeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\n", "&#10;", "\t", "&#9;", "\r", "&#13;")
)

// newDecoder reads XML strictly. It takes UTF-8 only, for it has no other
// CharsetReader.
func newDecoder(text []byte) *xml.Decoder { return xml.NewDecoder(bytes.NewReader(text)) }
