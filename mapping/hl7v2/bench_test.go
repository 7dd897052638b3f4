package hl7v2_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// results is an ORU^R01 with many observations, as laboratories send them.
func results(n int) []byte {
	var b strings.Builder
	b.WriteString("MSH|^~\\&|LAB|GOOD|EHR|GOOD|20260302090000-0500||ORU^R01^ORU_R01|M1|P|2.5.1||||||UNICODE UTF-8\r" +
		"PID|1||4711^^^GOOD&1.2.3&ISO^MR||Muster^Anna^B||19750102|F|||1 Main St^^Madison^WI^53703\r" +
		"OBR|1|P1^EHR|F1^LAB|24323-8^Comprehensive metabolic panel^LN|||20260302080000|||||||||1234^Arzt^Eva^^^^^^NPI\r")
	for i := range n {
		fmt.Fprintf(&b, "OBX|%d|NM|2345-7^Glucose [Mass/volume] in Serum or Plasma^LN||%d|mg/dL^milligram per deciliter^UCUM|70-99|N|||F|||20260302080000\r", i+1, 80+i%40)
	}
	return []byte(b.String())
}

// BenchmarkScan is the yardstick: the bare bytes, looked at for separators.
func BenchmarkScan(b *testing.B) {
	text := results(50)
	b.SetBytes(int64(len(text)))
	n := 0
	for b.Loop() {
		for rest := text; ; n++ {
			i := bytes.IndexByte(rest, '|')
			if i < 0 {
				break
			}
			rest = rest[i+1:]
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := results(50)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hl7v2.Parse(text, hl7v2.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseAndRead reads every component as well.
func BenchmarkParseAndRead(b *testing.B) {
	text := results(50)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		m, err := hl7v2.Parse(text, hl7v2.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range m.Segments() {
			for f := 1; f <= s.Len(); f++ {
				for repetition := range s.Field(f).Parts() {
					for component := range repetition.Parts() {
						n += len(component.Raw())
					}
				}
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	m, err := hl7v2.Parse(results(50), hl7v2.Options{})
	if err != nil {
		b.Fatal(err)
	}
	d := m.Draft()
	out, err := d.Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(out)))
	b.ReportAllocs()
	for b.Loop() {
		if out, err = d.Append(out[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDraftAndEncode makes the draft as well.
func BenchmarkDraftAndEncode(b *testing.B) {
	m, err := hl7v2.Parse(results(50), hl7v2.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	b.SetBytes(int64(len(m.Text())))
	b.ReportAllocs()
	for b.Loop() {
		if out, err = m.Draft().Append(out[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
