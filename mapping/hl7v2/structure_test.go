package hl7v2_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// outline writes groups as "MSH PATIENT(PID PV1)", groups behind segments.
func outline(g *hl7v2.Group) string {
	var parts []string
	for _, s := range g.Segments {
		parts = append(parts, s.Name())
	}
	for _, sub := range g.Groups {
		parts = append(parts, sub.Name()+"("+outline(sub)+")")
	}
	return strings.Join(parts, " ")
}

func message(segments string) string {
	return "MSH|^~\\&|A\r" + strings.ReplaceAll(segments, " ", "|\r") + "|\r"
}

func TestGroups(t *testing.T) {
	for _, c := range []struct{ name, structure, segments, want string }{
		{"results of two orders", "ORU_R01", "PID PV1 ORC OBR NTE OBX NTE OBX ORC OBR OBX SPM",
			"MSH PATIENT_RESULT(PATIENT(PID VISIT(PV1)) ORDER_OBSERVATION(ORC OBR NTE OBSERVATION(OBX NTE) OBSERVATION(OBX)) ORDER_OBSERVATION(ORC OBR OBSERVATION(OBX) SPECIMEN(SPM)))"},
		{"results without ORC, of two patients", "ORU_R01", "PID OBR OBX OBR OBX PID OBR",
			"MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX)) ORDER_OBSERVATION(OBR OBSERVATION(OBX))) PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR))"},
		{"Z segments stay where they stand", "ORU_R01", "PID ZPI OBR OBX ZBX OBX ZZZ",
			"MSH PATIENT_RESULT(PATIENT(PID ZPI) ORDER_OBSERVATION(OBR OBSERVATION(OBX ZBX) OBSERVATION(OBX ZZZ)))"},
		{"resources of an appointment", "SIU_S12", "SCH NTE PID PV1 RGS AIS NTE AIL AIP AIP",
			"MSH SCH NTE PATIENT(PID PV1) RESOURCES(RGS SERVICE(AIS NTE) LOCATION_RESOURCE(AIL) PERSONNEL_RESOURCE(AIP) PERSONNEL_RESOURCE(AIP))"},
		{"without RGS, which is required", "SIU_S12", "SCH PID AIS AIL",
			"MSH SCH PATIENT(PID) RESOURCES(SERVICE(AIS) LOCATION_RESOURCE(AIL))"},
		{"out of order", "ADT_A01", "EVN PID NK1 PV1 NK1 PD1 DG1 AL1 IN1 IN2 IN1",
			"MSH EVN PID NK1 PV1 NK1 PD1 DG1 AL1 INSURANCE(IN1 IN2) INSURANCE(IN1)"},
		{"the route behind the observation", "VXU_V04", "PID ORC RXA OBX RXR ORC RXA RXR",
			"MSH PID ORDER(ORC RXA RXR OBSERVATION(OBX)) ORDER(ORC RXA RXR)"},
		{"merges", "ADT_A39", "EVN PID MRG PID PD1 MRG", "MSH EVN PATIENT(PID MRG) PATIENT(PID PD1 MRG)"},
		{"orders", "ORM_O01", "PID PV1 AL1 ORC OBR DG1 ORC RXO NTE",
			"MSH PATIENT(PID AL1 PATIENT_VISIT(PV1)) ORDER(ORC ORDER_DETAIL(OBR DG1)) ORDER(ORC ORDER_DETAIL(RXO NTE))"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := parse(t, message(c.segments)).Group(hl7v2.StructureNamed(c.structure))
			if diff := cmp.Diff(c.want, outline(g)); diff != "" {
				t.Error(diff)
			}
			if n := count(g); n != strings.Count(c.segments, " ")+2 {
				t.Error("segments were lost or doubled", n)
			}
		})
	}
}

func TestMissingSegments(t *testing.T) {
	for _, c := range []struct{ structure, segments, want string }{
		{"ADT_A01", "EVN PID PV1", ""},
		{"ADT_A01", "EVN PV1", "PID"},
		{"ADT_A39", "EVN PID", "MRG"},
		{"MDM_T02", "EVN PID PV1", "TXA"},
		{"ORU_R01", "PID", "OBR"},
		{"DFT_P03", "EVN PID", "FT1"},
	} {
		problems := parse(t, message(c.segments)).Group(hl7v2.StructureNamed(c.structure)).Check()
		got := ""
		for _, p := range problems {
			got += p.Path.Segment
			if !errors.Is(p, hl7v2.ErrSequence) {
				t.Error(p)
			}
		}
		if c.want == "OBR" {
			got = strings.TrimPrefix(got, "ORC") // the group's first segment, optional in it
			if got == "" {
				got = "OBR"
			}
		}
		if got != c.want {
			t.Errorf("%s of %q: missing %q, want %q", c.structure, c.segments, got, c.want)
		}
	}
}

func TestUnknownSegments(t *testing.T) {
	g := parse(t, message("EVN PID ZPI PV1 FOO")).Group(hl7v2.StructureOf("ADT", "A01"))
	var names []string
	for _, s := range g.Unknown() {
		names = append(names, s.Name())
	}
	if diff := cmp.Diff([]string{"ZPI", "FOO"}, names); diff != "" {
		t.Error(diff)
	}
}
