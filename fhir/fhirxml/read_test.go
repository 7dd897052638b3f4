package fhirxml

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

const start = `<Patient xmlns="http://hl7.org/fhir">`

// What XML says, in JSON (https://hl7.org/fhir/R4/xml.html, json.html).
func TestAppendJSON(t *testing.T) {
	for _, c := range []struct{ rule, xml, json string }{
		{"an empty resource", start + `</Patient>`, `{"resourceType":"Patient"}`},
		{"a declaration, comments, processing instructions, white space", "\xef\xbb\xbf" + `<?xml version="1.0" encoding="utf-8"?><?xml-stylesheet href="x"?><!-- a --> ` + start + " <!-- b -->\n<active value='true'/> <?x?></Patient> <!-- c -->\n",
			""},
		{"a declaration first", `<?xml version="1.0" encoding="utf-8"?><?xml-stylesheet href="x"?><!-- a --> ` + start + " <!-- b -->\n<active value='true'/> <?x?></Patient> <!-- c -->\n",
			`{"resourceType":"Patient","active":true}`},
		{"the id of a resource is an element, that of an element an attribute", start + `<id value="p"/><name id="n"><given id="g" value="a"/></name></Patient>`,
			`{"resourceType":"Patient","id":"p","name":[{"id":"n","given":["a"],"_given":[{"id":"g"}]}]}`},
		{"primitives with extensions, repeating", start + `<name><given value="a"/><given value="b"><extension url="u"><valueBoolean value="false"/></extension></given><given id="c"><extension url="u"><valueString value="x"/></extension></given></name></Patient>`,
			`{"resourceType":"Patient","name":[{"given":["a","b",null],"_given":[null,{"extension":[{"url":"u","valueBoolean":false}]},{"id":"c","extension":[{"url":"u","valueString":"x"}]}]}]}`},
		{"a primitive with an extension and no value", start + `<birthDate><extension url="u"><valueCode value="x"/></extension></birthDate></Patient>`,
			`{"resourceType":"Patient","_birthDate":{"extension":[{"url":"u","valueCode":"x"}]}}`},
		{"url comes behind the extensions of an extension", start + `<extension id="i" url="u"><extension url="v"><valueDecimal value="1.500"/></extension></extension></Patient>`,
			`{"resourceType":"Patient","extension":[{"id":"i","extension":[{"url":"v","valueDecimal":1.500}],"url":"u"}]}`},
		{"numbers keep their digits", `<Observation xmlns="http://hl7.org/fhir"><valueQuantity><value value="-0.10E+05"/></valueQuantity></Observation>`,
			`{"resourceType":"Observation","valueQuantity":{"value":-0.10E+05}}`},
		{"resources within resources", `<Bundle xmlns="http://hl7.org/fhir"><entry><resource><Patient><contained><Group><id value="g"/></Group></contained></Patient></resource></entry></Bundle>`,
			`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","contained":[{"resourceType":"Group","id":"g"}]}}]}`},
		{"prefixes", `<f:Patient xmlns:f="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml"><f:text><f:status value="empty"/><h:div h2="x" title='a"b'>a<h:br/>b &amp; <h:b></h:b></h:div></f:text></f:Patient>`,
			`{"resourceType":"Patient","text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\" h2=\"x\" title=\"a&quot;b\">a<br/>b &amp; <b/></div>"}}`},
		{"a narrative keeps its text", start + "<text><status value=\"empty\"/><div xmlns=\"http://www.w3.org/1999/xhtml\"> <p class='a' >x</p>\r\n\t&#160;<!-- c --><br /></div></text></Patient>",
			`{"resourceType":"Patient","text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"> <p class='a' >x</p>\n\t&#160;<!-- c --><br /></div>"}}`},
		{"a schema location", `<Patient xmlns="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://hl7.org/fhir ../patient.xsd"/>`, `{"resourceType":"Patient"}`},
		{"references and quotes", start + `<name><text value='"&lt;&#x41;&#65;&apos;\&gt;>ä&#10;]]>'/></name></Patient>`, `{"resourceType":"Patient","name":[{"text":"\"<AA'\\>>ä\n]]>"}]}`},
		{"white space in an attribute is a space, a reference is itself", start + "<name><family value=\"x\ty\"/><given value=\"a\r\n\tb&#10;&#9;c>&lt;]]>\"/></name></Patient>",
			`{"resourceType":"Patient","name":[{"family":"x y","given":["a  b\n\tc><]]>"]}]}`},
	} {
		got, err := AppendJSON([]byte("before"), []byte(c.xml))
		if c.json == "" {
			if err != nil || !strings.Contains(string(got), `"active":true`) {
				t.Errorf("%s: %v %s", c.rule, err, got)
			}
			continue
		}
		if err != nil || string(got) != "before"+c.json {
			t.Errorf("%s: %v\n%s, want\n%s", c.rule, err, got, c.json)
		}
	}
}

func TestAppendJSONRefuses(t *testing.T) {
	deep := func(n int) string {
		return `<Questionnaire xmlns="http://hl7.org/fhir">` + strings.Repeat("<item>", n) + `<linkId value="x"/>` + strings.Repeat("</item>", n) + `</Questionnaire>`
	}
	for _, c := range []struct {
		rule, xml string
		reason    Reason
		at        string // line:column expression
	}{
		{"nothing", ``, Syntax, "1:1 "},
		{"text only", `x`, Text, "1:1 "},
		{"a comment only", `<!-- -->`, Syntax, "1:9 "},
		{"cut off", start + "\n<active", Syntax, "2:8 Patient"},
		{"an element without an end", start + "\n<active value='true'/>", Syntax, "2:23 Patient"},
		{"a wrong end", start + "</Group>", Syntax, "1:46 Patient"},
		{"two resources", start + `</Patient><Patient/>`, Syntax, "1:48 Patient"},
		{"text behind it", start + `</Patient> x`, Text, "1:48 Patient"},
		{"a document type", `<!DOCTYPE Patient SYSTEM "http://e.org/x">` + start + `</Patient>`, DocumentType, "1:1 "},
		{"entities of one's own", `<!DOCTYPE Patient [<!ENTITY a "b">]>` + start + `<language value="&a;"/></Patient>`, DocumentType, "1:1 "},
		{"an undeclared entity", start + `<language value="&a;"/></Patient>`, DocumentType, "1:58 Patient"},
		{"HTML's entities", start + `<text><div xmlns="http://www.w3.org/1999/xhtml">&nbsp;</div></text></Patient>`, DocumentType, "1:92 Patient.text.div"},
		{"another encoding", `<?xml version="1.0" encoding="ISO-8859-1"?>` + start + `</Patient>`, Encoding, "1:1 "},
		{"invalid UTF-8", start + "<language value='\xff'/></Patient>", Encoding, "1:55 "},
		{"a control character", start + "<!-- \x01 --></Patient>", Syntax, "1:43 "},
		{"a late declaration", ` <?xml version="1.0"?>` + start + `</Patient>`, Syntax, "1:2 "},
		{"no namespace", `<Patient/>`, Namespace, "1:1 Patient"},
		{"another namespace", `<Patient xmlns="urn:hl7-org:v3"/>`, Namespace, "1:1 Patient"},
		{"no resource", `<HumanName xmlns="http://hl7.org/fhir"/>`, Unknown, "1:1 HumanName"},
		{"an abstract resource", `<DomainResource xmlns="http://hl7.org/fhir"/>`, Unknown, "1:1 DomainResource"},
		{"an unknown element", start + "\n  <gendre value='male'/></Patient>", Unknown, "2:3 Patient.gendre"},
		{"an unknown element of a name that is none", start + "<Müller/></Patient>", Unknown, "1:38 Patient.?"},
		{"an element of another namespace", start + `<x:active xmlns:x="urn:x" value="true"/></Patient>`, Namespace, "1:38 Patient.active"},
		{"an element of no namespace", start + `<active xmlns="" value="true"/></Patient>`, Namespace, "1:38 Patient.active"},
		{"an unknown attribute", start + "<name>\n<family valeu='x'/></name></Patient>", Unknown, "2:1 Patient.name[0].family.valeu"},
		{"a value of a complex element", start + `<name value="x"/></Patient>`, Unknown, "1:38 Patient.name[0].value"},
		{"an attribute of another namespace", start + `<active x:value="true" xmlns:x="http://hl7.org/fhir"/></Patient>`, Unknown, "1:38 Patient.active.value"},
		{"a url of no extension", start + `<active url="x" value="true"/></Patient>`, Unknown, "1:38 Patient.active.url"},
		{"an id of a resource as attribute", `<Patient xmlns="http://hl7.org/fhir" id="x"/>`, Unknown, "1:1 Patient.id"},
		{"the id of an element as element", start + `<name><id value="x"/></name></Patient>`, Unknown, "1:44 Patient.name[0].id"},
		{"an attribute twice", start + `<active value="true" value="true"/></Patient>`, Cardinality, "1:38 Patient.active.value"},
		{"the order", start + `<birthDate value="2000"/><active value="true"/></Patient>`, Order, "1:63 Patient.active"},
		{"elements apart that repeat", start + `<name><text value="a"/></name><telecom><value value="x"/></telecom><name><text value="b"/></name></Patient>`, Order, "1:105 Patient.name"},
		{"one element twice", start + `<active value="true"/><active value="true"/></Patient>`, Cardinality, "1:60 Patient.active"},
		{"two types of a choice", start + `<deceasedBoolean value="true"/><deceasedDateTime value="2000"/></Patient>`, Cardinality, "1:69 Patient.deceasedDateTime"},
		{"a choice without a type", start + `<deceased value="true"/></Patient>`, Unknown, "1:38 Patient.deceased"},
		{"an empty element", start + `<name/></Patient>`, Empty, "1:45 Patient.name[0]"},
		{"an empty primitive", start + `<active/></Patient>`, Empty, "1:38 Patient.active"},
		{"an empty value", start + `<active value=""/></Patient>`, Empty, "1:38 Patient.active.value"},
		{"a boolean that is none", start + `<active value="1"/></Patient>`, Value, "1:38 Patient.active"},
		{"a number that is none", start + `<multipleBirthInteger value="+1"/></Patient>`, Value, "1:38 Patient.multipleBirthInteger"},
		{"text within", start + `<active value="true">yes</active></Patient>`, Text, "1:59 Patient.active"},
		{"a child of a primitive", start + `<active value="true"><value value="x"/></active></Patient>`, Unknown, "1:59 Patient.active.value"},
		{"no resource within", `<Bundle xmlns="http://hl7.org/fhir"><entry><resource/></entry></Bundle>`, Empty, "1:55 Bundle.entry[0].resource"},
		{"two resources within", `<Bundle xmlns="http://hl7.org/fhir"><entry><resource><Patient/><Group/></resource></entry></Bundle>`, Cardinality, "1:64 Bundle.entry[0].resource.Group"},
		{"a div of no namespace", start + `<text><div>x</div></text></Patient>`, Namespace, "1:44 Patient.text.div"},
		{"FHIR in a div", start + `<text><div xmlns="http://www.w3.org/1999/xhtml"><p xmlns="http://hl7.org/fhir"/></div></text></Patient>`, Namespace, "1:86 Patient.text.div"},
		{"a deep div", start + `<text><div xmlns="http://www.w3.org/1999/xhtml">` + strings.Repeat("<p>", 100) + strings.Repeat("</p>", 100) + `</div></text></Patient>`, TooDeep, ""},
		{"deep nesting", deep(50), TooDeep, ""},
		{"very deep nesting", deep(200_000), TooDeep, ""},
	} {
		got, err := AppendJSON(nil, []byte(c.xml))
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, c.reason) || len(got) > 0 {
			t.Errorf("%s: %v, want %q", c.rule, err, c.reason)
			continue
		}
		at := strings.TrimSpace(strings.Join([]string{itoa(e.Line) + ":" + itoa(e.Column), e.Expression}, " "))
		if c.at != "" && at != strings.TrimSpace(c.at) {
			t.Errorf("%s: at %s, want %s: %v", c.rule, at, c.at, err)
		}
	}
	if _, err := AppendJSON(nil, []byte(deep(49))); err != nil {
		t.Errorf("as deep as JSON may be: %v", err)
	}
	if _, err := AppendJSON(nil, []byte(start+`<gender value="secret"><secret>secret</secret></gender></Patient>`)); strings.Contains(strings.ReplaceAll(err.Error(), ".secret", ""), "secret") {
		t.Errorf("the error shows a value: %v", err)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// What JSON says, in XML.
func TestAppend(t *testing.T) {
	for _, c := range []struct{ rule, json, xml string }{
		{"the order is the definition's", `{"birthDate":"2000","resourceType":"Patient","name":[{"given":["a"],"family":"b"}],"id":"p"}`,
			start + `<id value="p"/><name><family value="b"/><given value="a"/></name><birthDate value="2000"/></Patient>`},
		{"characters", `{"resourceType":"Patient","language":"<>&\"'\t\r\nä\u00e4"}`, start + `<language value="&lt;>&amp;&quot;'&#9;&#13;&#10;ää"/></Patient>`},
		{"a narrative without its namespace", `{"resourceType":"Patient","text":{"div":"<div>a<br/>b</div>"}}`,
			start + `<text><div xmlns="http://www.w3.org/1999/xhtml">a<br/>b</div></text></Patient>`},
		{"a narrative with HTML's entities", `{"resourceType":"Patient","text":{"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">&nbsp;&eacute;&amp;</div>"}}`,
			start + "<text><div xmlns=\"http://www.w3.org/1999/xhtml\">\u00a0é&amp;</div></text></Patient>"},
		{"names with escapes", `{"resourceType":"Patient","\u0061ctive":true}`, start + `<active value="true"/></Patient>`},
		{"an empty resource", `{"resourceType":"Patient"}`, `<Patient xmlns="http://hl7.org/fhir"/>`},
	} {
		doc, err := rawjson.Parse([]byte(c.json), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Append(nil, doc.Root(), Options{})
		if err != nil || string(got) != declaration+c.xml {
			t.Errorf("%s: %v\n%s, want\n%s", c.rule, err, got, c.xml)
		}
	}
	for rule, json := range map[string]string{
		"no resource":                      `{"x":1}`,
		"an unknown element":               `{"resourceType":"Patient","gendre":"x"}`,
		"a string for a boolean":           `{"resourceType":"Patient","active":"true"}`,
		"an array that is none":            `{"resourceType":"Patient","name":{"text":"x"}}`,
		"an array where none may be":       `{"resourceType":"Patient","active":[true]}`,
		"an empty array":                   `{"resourceType":"Patient","name":[]}`,
		"an empty object":                  `{"resourceType":"Patient","name":[{}]}`,
		"null":                             `{"resourceType":"Patient","name":[null]}`,
		"an empty string":                  `{"resourceType":"Patient","language":""}`,
		"a control character":              `{"resourceType":"Patient","language":"\u0001"}`,
		"a character that is none in XML":  `{"resourceType":"Patient","language":"\uffff"}`,
		"a narrative with open elements":   `{"resourceType":"Patient","text":{"div":"<div><p></div>"}}`,
		"a narrative that goes on":         `{"resourceType":"Patient","text":{"div":"<div></div><Patient/>"}}`,
		"a narrative of another name":      `{"resourceType":"Patient","text":{"div":"<p/>"}}`,
		"a narrative of another language":  `{"resourceType":"Patient","text":{"div":"<div xmlns=\"urn:x\"/>"}}`,
		"a narrative with a document type": `{"resourceType":"Patient","text":{"div":"<!DOCTYPE div><div/>"}}`,
		"a narrative with extensions":      `{"resourceType":"Patient","text":{"div":"<div/>","_div":{"id":"x"}}}`,
	} {
		doc, err := rawjson.Parse([]byte(json), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Append(nil, doc.Root(), Options{}); !errors.As(err, new(*Error)) || len(got) > 0 {
			t.Errorf("%s: %v %s", rule, err, got)
		}
	}
}

// Indented, and in parts as a bundle is streamed.
func TestParts(t *testing.T) {
	parse := func(s string) rawjson.Node {
		doc, err := rawjson.Parse([]byte(s), nil)
		if err != nil {
			t.Fatal(err)
		}
		return doc.Root()
	}
	const entries = `{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","text":{"status":"empty","div":"<div><p>\n x</p></div>"}}}`
	for _, o := range []Options{{}, {Indent: true}} {
		whole, err := Append(nil, parse(`{"resourceType":"Bundle","type":"batch","entry":[`+entries+`,`+entries+`]}`), o)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := AppendStart(nil, parse(`{"resourceType":"Bundle","type":"batch"}`), o)
		for range 2 {
			if err == nil {
				parts, err = AppendElement(parts, "Bundle", "entry", parse(entries), o)
			}
		}
		if parts = AppendEnd(parts, "Bundle", o); err != nil || string(parts) != string(whole) {
			t.Errorf("%v\n%s, want\n%s", err, parts, whole)
		}
		if o.Indent && !strings.Contains(string(whole), "\n      <Patient>\n        <text>\n          <status value=\"empty\"/>\n          <div xmlns=\"http://www.w3.org/1999/xhtml\"><p>\n x</p></div>\n        </text>\n      </Patient>\n") {
			t.Errorf("%s", whole)
		}
	}
	if _, err := AppendElement(nil, "Bundle", "entries", parse(entries), Options{}); !errors.Is(err, Unknown) {
		t.Error(err)
	}
}
