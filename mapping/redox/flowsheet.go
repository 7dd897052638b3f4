package redox

import (
	devicepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/device_go_proto"
	observationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/observation_go_proto"
)

var flowsheetTranslations = map[string]translation{"New": {write: (*writer).flowsheet, read: (*reader).flowsheet}}

var deviceTranslations = map[string]translation{"New": {write: (*writer).device, read: (*reader).device}}

// vitalSigns are the LOINC codes of US Core's vital signs.
var vitalSigns = map[string]bool{
	"85353-1": true, "85354-9": true, "8480-6": true, "8462-4": true, "8310-5": true, "8867-4": true, "9279-1": true, "59408-5": true,
	"2708-6": true, "29463-7": true, "8302-2": true, "39156-5": true, "8289-1": true, "9843-4": true, "59576-9": true, "77606-2": true,
}

// flowsheetTable is an entry of a flowsheet. HL7 v2-to-FHIR: OBX.
var flowsheetTable = tableOf[FlowsheetObservation, *observationpb.Observation]("FlowsheetObservation",
	line{"Code Codeset", "category", measuredKind},
	line{"Status", "status", status(resultStatuses, "final")},
	line{"Code Codeset Description", "code", coded},
	line{"DateTime", "effectiveDateTime", dateTime},
	line{"ReferenceRange Units", "referenceRange", normalRange}, // before the value, which takes the units
	line{"Value ValueType Units", "value", measured},
	line{"AbnormalFlag", "interpretation", interpretation},
	line{"Notes", "note", notes},
	line{"Observer", "performer", provider},
	line{"", "subject", subject},
	line{"", "encounter", encounterOf},
)

// deviceObservationTable is what a device measured.
var deviceObservationTable = tableOf[Observation, *observationpb.Observation]("Observation",
	line{"Code CodeSystem", "category", measuredKind},
	line{"Status", "status", status(resultStatuses, "final")},
	line{codeAll, "code", clinicalCode},
	line{"DateTime", "effectiveDateTime", dateTime},
	line{"ReferenceRange Units", "referenceRange", normalRange},
	line{"Value ValueType Units", "value", measured},
	line{"Interpretation", "interpretation", interpretation},
	line{"TargetSite", "bodySite", clinicalObject},
	line{"Comments", "note", comments},
	line{"", "subject", subject},
	line{"", "encounter", encounterOf},
)

// measuredKind is the category that a code belongs to: a vital sign, or what
// was found by examining.
var measuredKind = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		if isVitalSign(w.o.system(*f.text(1)), *f.text(0)) {
			put(concept(observationCategory, "vital-signs", "Vital Signs", ""))
		} else {
			put(concept(observationCategory, "exam", "Exam", ""))
		}
	},
	read: func(*reader, fields, any) {},
}

// isVitalSign: senders leave the codeset out where the code is LOINC's.
func isVitalSign(system, code string) bool {
	return vitalSigns[code] && (system == loinc || system[:min(len(system), 10)] == "urn:redox:")
}

func observationProfile(vital bool) *observationpb.Observation {
	if vital {
		return &observationpb.Observation{Meta: profile("vital-signs")}
	}
	return &observationpb.Observation{Meta: profile("observation-clinical-result")}
}

func (w *writer) flowsheet(message Body) {
	b := *message.(*Flowsheet)
	b.Meta = nil
	w.about(take(&b.Patient), take(&b.Visit))
	for _, o := range take(&b.Observations) {
		if isEmpty(o) {
			continue
		}
		system := w.o.system(o.Codeset)
		out := observationProfile(isVitalSign(system, o.Code))
		at := w.record(flowsheetTable, &o, out, child(w.visitOwner(), joinKey("flowsheet", system, o.Code, o.Description, o.DateTime)))
		w.noValue(out)
		w.ownVisit(at)
		w.m.Focus = append(w.m.Focus, at)
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("Flowsheet", &b)...)
}

func (r *reader) flowsheet() (Body, error) {
	body := &Flowsheet{}
	r.restore("Flowsheet", r.m.Extensions, body)
	found := focused[*observationpb.Observation](r)
	if len(found) == 0 {
		return nil, absent("Observation")
	}
	for i, in := range found {
		if i == 0 {
			body.Patient, body.Visit = r.about(in.Subject, in.Encounter)
		}
		o := FlowsheetObservation{}
		r.read(flowsheetTable, in, &o)
		body.Observations = append(body.Observations, o)
	}
	return body, nil
}

// deviceTable is a device that is known by its number alone.
var deviceTable = tableOf[Device, *devicepb.Device]("Device",
	line{"ID", "identifier", identifier("DEVICE")},
).byIdentifier()

func (w *writer) device(message Body) {
	b := *message.(*DeviceMessage)
	b.Meta = nil
	w.about(take(&b.Patient), take(&b.Visit))
	device := -1
	if d := take(&b.Device); d != nil && !isEmpty(d) {
		one := *d
		device = w.record(deviceTable, &one, &devicepb.Device{}, child(w.visitOwner(), "device"))
	}
	for _, o := range take(&b.Observations) {
		if isEmpty(o) {
			continue
		}
		system := w.o.system(o.CodeSystem)
		owner := w.visitOwner()
		if w.subject < 0 && device >= 0 {
			owner = device
		}
		out := observationProfile(isVitalSign(system, o.Code))
		at := w.record(deviceObservationTable, &o, out, child(owner, joinKey("measurement", system, o.Code, o.DateTime)))
		if device >= 0 {
			out.Device = w.ref(device)
		}
		w.noValue(out)
		w.ownVisit(at)
		w.m.Focus = append(w.m.Focus, at)
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("DeviceMessage", &b)...)
}

func (r *reader) device() (Body, error) {
	body := &DeviceMessage{}
	r.restore("DeviceMessage", r.m.Extensions, body)
	found := focused[*observationpb.Observation](r)
	if len(found) == 0 {
		return nil, absent("Observation")
	}
	for i, in := range found {
		if i == 0 {
			body.Patient, body.Visit = r.about(in.Subject, in.Encounter)
			if d, at := target[*devicepb.Device](r, in.Device); at >= 0 {
				body.Device = &Device{}
				r.read(deviceTable, d, body.Device)
			}
		}
		o := Observation{}
		r.read(deviceObservationTable, in, &o)
		body.Observations = append(body.Observations, o)
	}
	return body, nil
}
