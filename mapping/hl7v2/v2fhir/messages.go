package v2fhir

// The messages: what is made of them, in the order that FHIR's references need
// and, where order does not say otherwise, that segments are written in.
var (
	adt   = &message{resources: []resource{patient, encounter, allergy, diagnosis, coverage}}
	merge = &message{resources: []resource{survivor}}
	siu   = &message{
		resources: []resource{inGroup(patient, "PATIENT"), encounterIn("PATIENT"), withPatient(appointment)},
		order:     "MSH SCH TQ1 NTE PID PD1 NK1 PV1 PV2 RGS AIS AIG AIL AIP",
	}
	oru = &message{resources: []resource{inGroup(patient, "PATIENT"), encounterIn("VISIT"), report}}
	orm = &message{resources: []resource{inGroup(patient, "PATIENT"), encounterIn("PATIENT_VISIT"), order}}
	mdm = &message{resources: []resource{patient, encounterIn(""), documentReference}}
	vxu = &message{resources: []resource{patient, encounterIn("PATIENT"), immunization}}
	dft = &message{resources: []resource{patient, encounterIn(""), charge, coverage}}
	ref = &message{
		resources: []resource{patient, referral, diagnosis, encounterIn("PATIENT_VISIT")},
		order:     "MSH RF1 PRD PID PD1 NK1 DG1 PV1 PV2 NTE",
	}
)

func inGroup(r resource, group string) resource {
	r.group = group
	return r
}

// withPatient adds the patient as a participant, which no segment of the
// appointment's own says.
func withPatient(r resource) resource {
	r.links = [][2]string{{"participant[].actor", "Patient"}}
	return r
}

func status(of, is string) [][2]string { return [][2]string{{of + ".status", is}} }

// events are the events that are translated, with what they imply and their
// names in Redox's data models. A value behind ! goes before what fields say.
// HL7 v2.5.1 table 0003.
var events = []event{
	{"ADT^A01", adt, "PatientAdmin", "Arrival", status("Encounter", "in-progress")},
	{"ADT^A02", adt, "PatientAdmin", "Transfer", status("Encounter", "in-progress")},
	{"ADT^A03", adt, "PatientAdmin", "Discharge", status("Encounter", "finished")},
	{"ADT^A04", adt, "PatientAdmin", "Registration", status("Encounter", "arrived")},
	{"ADT^A05", adt, "PatientAdmin", "PreAdmit", status("Encounter", "planned")},
	{"ADT^A06", adt, "PatientAdmin", "VisitUpdate", status("Encounter", "in-progress")},
	{"ADT^A07", adt, "PatientAdmin", "VisitUpdate", status("Encounter", "arrived")},
	{"ADT^A08", adt, "PatientAdmin", "VisitUpdate", status("Encounter", "unknown")},
	{"ADT^A11", adt, "PatientAdmin", "Cancel", status("Encounter", "cancelled")},
	{"ADT^A12", adt, "PatientAdmin", "Cancel", status("Encounter", "in-progress")},
	{"ADT^A13", adt, "PatientAdmin", "Cancel", status("Encounter", "in-progress")},
	{"ADT^A28", adt, "PatientAdmin", "NewPatient", status("Encounter", "unknown")},
	{"ADT^A31", adt, "PatientAdmin", "PatientUpdate", status("Encounter", "unknown")},
	{"ADT^A40", merge, "PatientAdmin", "PatientMerge", nil},
	{"SIU^S12", siu, "Scheduling", "New", status("Appointment", "booked")},
	{"SIU^S13", siu, "Scheduling", "Reschedule", status("Appointment", "booked")},
	{"SIU^S14", siu, "Scheduling", "Modification", status("Appointment", "booked")},
	{"SIU^S15", siu, "Scheduling", "Cancel", status("Appointment", "!cancelled")},
	{"SIU^S17", siu, "Scheduling", "Cancel", status("Appointment", "!entered-in-error")},
	{"SIU^S26", siu, "Scheduling", "NoShow", status("Appointment", "!noshow")},
	{"ORU^R01", oru, "Results", "New", nil},
	{"ORM^O01", orm, "Order", "New", nil},
	{"OMG^O19", orm, "Order", "New", nil},
	{"OML^O21", orm, "Order", "New", nil},
	{"MDM^T02", mdm, "Media", "New", status("DocumentReference", "current")},
	{"MDM^T04", mdm, "Media", "New", status("DocumentReference", "current")},
	{"MDM^T06", mdm, "Notes", "New", [][2]string{{"DocumentReference.status", "current"}, {"DocumentReference.relatesTo[0].code", "appends"}}},
	{"MDM^T08", mdm, "Media", "New", [][2]string{{"DocumentReference.status", "current"}, {"DocumentReference.docStatus", "!amended"}}},
	{"MDM^T10", mdm, "Media", "Replace", [][2]string{{"DocumentReference.status", "current"}, {"DocumentReference.relatesTo[0].code", "replaces"}}},
	{"VXU^V04", vxu, "Vaccination", "New", status("Immunization", "completed")},
	{"DFT^P03", dft, "Financial", "Transaction", nil},
	{"REF^I12", ref, "Referral", "New", status("ServiceRequest", "active")},
	{"REF^I13", ref, "Referral", "Modify", status("ServiceRequest", "active")},
	{"REF^I14", ref, "Referral", "Cancel", status("ServiceRequest", "!revoked")},
}

// Events lists the events that are translated, in both directions.
func Events() []string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = e.code
	}
	return all
}
