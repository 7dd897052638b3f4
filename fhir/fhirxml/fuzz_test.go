package fhirxml

import (
	"errors"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// FuzzAppend: JSON that can be written as XML comes back as it was, and what
// is a valid resource can be written, if its texts are XML's.
func FuzzAppend(f *testing.F) {
	for _, s := range []string{
		`{"resourceType":"Patient","id":"p","active":true,"name":[{"given":["a",null],"_given":[null,{"id":"x","extension":[{"url":"u","valueDecimal":1.50}]}]}]}`,
		`{"resourceType":"Patient","text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a &amp; <b title='x'>b</b><!-- c --></div>"}}`,
		`{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Parameters","parameter":[{"name":"a","valueCode":"\u000d\"<"}]}}]}`,
		`{"resourceType":"Patient","text":{"status":"empty","div":"<div>&nbsp;\r\n<x:b xmlns:x=\"http://www.w3.org/1999/xhtml\"/></div>"}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := rawjson.Parse([]byte(text), nil)
		if err != nil {
			return
		}
		if _, err := Append(nil, doc.Root(), Options{}); err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			if e.Reason != Value && len(conformance.ValidateStructure([]byte(text))) == 0 {
				t.Fatalf("a valid resource cannot be written: %v", err)
			}
			return
		}
		roundTrip(t, []byte(text), Options{})
		roundTrip(t, []byte(text), Options{Indent: true})
	})
}

// FuzzAppendJSON: XML that can be read makes JSON that makes XML that is read
// as the same.
func FuzzAppendJSON(f *testing.F) {
	for _, s := range []string{
		start + `<id value="p"/><name id="n"><given value="a"/><given><extension url="u"><valueDecimal value="1.50"/></extension></given></name></Patient>`,
		start + `<text><status value="empty"/><div xmlns="http://www.w3.org/1999/xhtml">a &amp; <b title='x'>b</b><!-- c --><![CDATA[<]]></div></text></Patient>`,
		`<f:Patient xmlns:f="http://hl7.org/fhir"><f:text><h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:br/></h:div></f:text></f:Patient>`,
		`<Bundle xmlns="http://hl7.org/fhir"><entry><resource><Patient><active value="true"/></Patient></resource></entry></Bundle>`,
		`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>` + start + "<language value=\"&b;\t&#10;\"/></Patient>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		json, err := AppendJSON(nil, []byte(text))
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Diagnostics == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		doc, err := rawjson.Parse(json, nil)
		if err != nil {
			t.Fatalf("%v: %s", err, json)
		}
		if _, err := Append(nil, doc.Root(), Options{}); err != nil {
			t.Fatalf("%v: %s", err, json)
		}
		roundTrip(t, json, Options{})
	})
}
