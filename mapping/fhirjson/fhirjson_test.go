package fhirjson_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	crpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/fhirjson"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
)

// oracle is jsonformat's text of a resource. It gets a copy, since it changes
// what it writes.
func oracle(t testing.TB, c *crpb.ContainedResource) ([]byte, error) {
	t.Helper()
	m, err := jsonformat.NewMarshaller(false, "", "", fhirversion.R4)
	if err != nil {
		t.Fatal(err)
	}
	return m.Marshal(proto.Clone(c))
}

// value reads JSON with numbers as text.
func value(t testing.TB, data []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

// agree compares what both write of a resource.
func agree(t testing.TB, c *crpb.ContainedResource) {
	t.Helper()
	before := proto.Clone(c)
	got, err := fhirjson.Append(nil, c)
	want, wantErr := oracle(t, c)
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("error %v, jsonformat has %v", err, wantErr)
	}
	if err != nil {
		return
	}
	if !reflect.DeepEqual(value(t, got), value(t, want)) {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if !proto.Equal(before, c) {
		t.Error("writing changed the resource")
	}
	again, err := fhirjson.Append([]byte("x"), mapping.Typed(c))
	if err != nil || string(again) != "x"+string(got) {
		t.Errorf("written again: %v, %s", err, again)
	}
}

func TestOfficialExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "examples-r4"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	refused := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := mapping.UnmarshalResource(data)
		if err != nil {
			refused++ // jsonformat's reader is stricter than some examples
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) { agree(t, c) })
	}
	t.Logf("%d examples compared, %d that jsonformat does not read", len(files)-refused, refused)
	if refused > len(files)/10 {
		t.Errorf("%d of %d examples were not compared", refused, len(files))
	}
}

func TestMappedMessages(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "redox", "samples"), "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := redox.Parse(data)
		if err != nil {
			continue
		}
		said, err := m.ToFHIR(redox.Options{Slug: "test"})
		if err != nil {
			continue // not a translated pair
		}
		for _, e := range said.Entries {
			agree(t, e.Resource)
			n++
		}
	}
	if n == 0 {
		t.Error("no message was compared")
	}
	t.Logf("%d resources compared", n)
}

func ext(url string) *dtpb.Extension { return &dtpb.Extension{Url: &dtpb.Uri{Value: url}} }

const (
	noValue = "https://g.co/fhir/StructureDefinition/primitiveHasNoValue"
	stride  = "https://g.co/fhir/StructureDefinition/base64Binary-separatorStride"
)

func withExtension(v *dtpb.Extension_ValueX) *patientpb.Patient {
	return &patientpb.Patient{Extension: []*dtpb.Extension{{Url: &dtpb.Uri{Value: "u"}, Value: v}}}
}

func when(us int64, zone string, p dtpb.DateTime_Precision) *patientpb.Patient {
	return withExtension(&dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_DateTime{
		DateTime: &dtpb.DateTime{ValueUs: us, Timezone: zone, Precision: p}}})
}

func managed(r *dtpb.Reference) *patientpb.Patient {
	return &patientpb.Patient{ManagingOrganization: r}
}

// What the examples do not have.
func TestEdges(t *testing.T) {
	strided := &dtpb.Base64Binary{Value: []byte("some binary data of some length"), Extension: []*dtpb.Extension{
		{Url: &dtpb.Uri{Value: stride}, Extension: []*dtpb.Extension{
			{Url: &dtpb.Uri{Value: "separator"}, Value: &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_StringValue{StringValue: &dtpb.String{Value: "  "}}}},
			{Url: &dtpb.Uri{Value: "stride"}, Value: &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_PositiveInt{PositiveInt: &dtpb.PositiveInt{Value: 7}}}},
		}}, ext("kept")}}
	for name, p := range map[string]*patientpb.Patient{
		"empty":             {},
		"empty element":     {Name: []*dtpb.HumanName{{}}},
		"missing in a list": {Name: []*dtpb.HumanName{nil, {Given: []*dtpb.String{nil, {Value: "a"}}}}},
		"control characters": {Name: []*dtpb.HumanName{{Text: &dtpb.String{
			Value: "\x00\x01\b\f\n\r\t\x1f \" \\ / < > & \u007f \u2028 \u2029 \U0001F600 é"}}}},
		"not UTF-8":         {Name: []*dtpb.HumanName{{Text: &dtpb.String{Value: "a\xff\xc3b"}}}},
		"code not set":      {Gender: &patientpb.Patient_GenderCode{}},
		"code with id only": {Gender: &patientpb.Patient_GenderCode{Id: &dtpb.String{Value: "x"}}},
		"no value":          {BirthDate: &dtpb.Date{Extension: []*dtpb.Extension{ext("a"), ext(noValue), ext("b")}}},
		"no value, no more": {BirthDate: &dtpb.Date{Extension: []*dtpb.Extension{ext(noValue)}}},
		"list with gaps": {Name: []*dtpb.HumanName{{Given: []*dtpb.String{
			{Value: "a"}, {Extension: []*dtpb.Extension{ext(noValue), ext("x")}}, {Value: "c", Id: &dtpb.String{Value: "i"}}}}}},
		"list of gaps":       {Name: []*dtpb.HumanName{{Given: []*dtpb.String{{Extension: []*dtpb.Extension{ext(noValue), ext("x")}}}}}},
		"list of nothing":    {Name: []*dtpb.HumanName{{Given: []*dtpb.String{{Extension: []*dtpb.Extension{ext(noValue)}}}}}},
		"choice not set":     {Deceased: &patientpb.Patient_DeceasedX{}},
		"time as choice":     {Deceased: &patientpb.Patient_DeceasedX{Choice: &patientpb.Patient_DeceasedX_DateTime{DateTime: &dtpb.DateTime{Precision: dtpb.DateTime_SECOND}}}},
		"date, no precision": {BirthDate: &dtpb.Date{}},
		"binary with blanks": withExtension(&dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Base64Binary{Base64Binary: strided}}),
		"binary":             withExtension(&dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Base64Binary{Base64Binary: &dtpb.Base64Binary{Value: []byte{0xff, 0xfe}}}}),
		"fragment":           managed(&dtpb.Reference{Reference: &dtpb.Reference_Fragment{Fragment: &dtpb.String{Value: "a\"b"}}}),
		"typed": managed(&dtpb.Reference{Display: &dtpb.String{Value: "d"}, Reference: &dtpb.Reference_MedicinalProductUndesirableEffectId{
			MedicinalProductUndesirableEffectId: &dtpb.ReferenceId{Value: "1", History: &dtpb.Id{Value: "2"}}}}),
		"any resource":  managed(&dtpb.Reference{Reference: &dtpb.Reference_ResourceId{ResourceId: &dtpb.ReferenceId{Value: "1"}}}),
		"uri with more": managed(&dtpb.Reference{Reference: &dtpb.Reference_Uri{Uri: &dtpb.String{Value: "urn:x", Extension: []*dtpb.Extension{ext("x")}}}}),
		"by identifier": managed(&dtpb.Reference{Identifier: &dtpb.Identifier{Value: &dtpb.String{Value: "v"}}}),

		"zone by name":     when(1700000000123456, "America/New_York", dtpb.DateTime_MICROSECOND),
		"zone not known":   when(1, "Nowhere/Land", dtpb.DateTime_SECOND),
		"zone not written": when(1, "", dtpb.DateTime_SECOND),
		"zone UTC":         when(1, "UTC", dtpb.DateTime_MILLISECOND),
		"negative offset":  when(1700000000123456, "-03:30", dtpb.DateTime_MILLISECOND),
		"before 1970":      when(-86400000001, "+14:00", dtpb.DateTime_MICROSECOND),
		"the year 7":       when(-61940000000000000, "Z", dtpb.DateTime_YEAR),
		"a month":          when(1700000000000000, "+05:45", dtpb.DateTime_MONTH),
		"no precision":     when(1700000000000000, "Z", 0),
	} {
		t.Run(name, func(t *testing.T) { agree(t, mapping.Contain(p)) })
	}
	for _, s := range []string{"0", "-0.0", "1.50", "1E-22", "12e+3", "", "-", "01", "1.", ".5", "1e", "NaN", "+1"} {
		t.Run("decimal "+s, func(t *testing.T) {
			agree(t, mapping.Contain(withExtension(&dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Decimal{Decimal: &dtpb.Decimal{Value: s}}})))
		})
	}
	for _, p := range []dtpb.Time_Precision{0, dtpb.Time_SECOND, dtpb.Time_MILLISECOND, dtpb.Time_MICROSECOND} {
		agree(t, mapping.Contain(withExtension(&dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Time{
			Time: &dtpb.Time{ValueUs: 86399999999, Precision: p}}})))
	}
	for _, n := range []int32{0, math.MinInt32, math.MaxInt32} {
		agree(t, mapping.Contain(withExtension(&dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Integer{Integer: &dtpb.Integer{Value: n}}})))
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	unknownCode := &patientpb.Patient{Gender: &patientpb.Patient_GenderCode{Value: 99}} // jsonformat panics
	for _, m := range []proto.Message{nil, (*patientpb.Patient)(nil), &crpb.ContainedResource{}, unknownCode} {
		if got, err := fhirjson.Append(nil, m); err == nil {
			t.Errorf("%T became %s", m, got)
		}
	}
}

// Resources are written in FHIR's order, so that the same is always the same.
func TestOrderOfMembers(t *testing.T) {
	got, err := fhirjson.Append(nil, &patientpb.Patient{
		Gender: &patientpb.Patient_GenderCode{Value: 1},
		Name:   []*dtpb.HumanName{{Given: []*dtpb.String{{Value: "g"}}, Family: &dtpb.String{Value: "f"}}},
		Id:     &dtpb.Id{Value: "1"},
	})
	const want = `{"resourceType":"Patient","id":"1","name":[{"family":"f","given":["g"]}],"gender":"male"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s (%v)", got, err)
	}
	if strings.Contains(string(got), " ") {
		t.Error("there is white space")
	}
}
