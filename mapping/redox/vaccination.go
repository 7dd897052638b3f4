package redox

import (
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	immunizationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/immunization_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
)

var vaccinationTranslations = map[string]translation{"New": vaccinations, "Administration": vaccinations, "PatientQueryResponse": vaccinations}

var vaccinations = translation{write: (*writer).vaccinations, read: (*reader).vaccinations}

// vaccinationTable is a us-core-immunization. HL7 v2-to-FHIR: RXA, RXR, ORC.
var vaccinationTable = tableOf[Vaccination, *immunizationpb.Immunization]("Vaccination",
	line{"Order.ID", "identifier", identifier(placerNumber)},
	line{"Action RefusalReason", "status", vaccinationStatus},
	line{"RefusalReason", "statusReason", inText},
	line{"Product.Code Product.Codeset Product.Description", "vaccineCode", codedOrUnknown},
	line{"Product.LotNumber", "lotNumber", plainText},
	line{"Product.ExpirationDate", "expirationDate", date},
	line{"Product.Manufacturer", "manufacturer", manufacturer},
	line{"DateTime", "occurrenceDateTime", dateTimeOrUnknown},
	line{"Dose", "doseQuantity", amount},
	line{"Route", "route", namedCode},
	line{"Site", "site", namedCode},
	line{"Location", "location", placeOnly},
	line{"Provider", "performer", performer("AP", "Administering Provider")},
	line{"Order.Provider", "performer", performer("OP", "Ordering Provider")},
	line{"Notes", "note", notes},
	line{"", "patient", subject},
	line{"", "encounter", encounterOf},
)

// deletions are the words of Action for what is taken back.
var deletions = words{{"Delete", "entered-in-error"}, {"Deleted", "entered-in-error"}, {"Cancel", "entered-in-error"}, {"Remove", "entered-in-error"}}

// vaccinationStatus: one that was refused was not done. Action stays, as New
// and Update are the same for FHIR.
var vaccinationStatus = codec{always: true,
	write: func(_ *writer, f fields, put func(any)) {
		switch {
		case deletions.code(*f.text(0)) != "":
			put("entered-in-error")
		case *f.text(1) != "":
			put("not-done")
		default:
			put("completed")
		}
	},
	read: func(*reader, fields, any) {},
}

// codedOrUnknown is a code that FHIR requires.
var codedOrUnknown = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		if c := w.code(f.text(0), f.text(1), f.text(2)); c != nil {
			put(c)
		} else {
			put(assumedValue{inWords("unknown")})
		}
	},
	read: coded.read,
}

// namedCode is a Code object whose words are in Name.
var namedCode = codec{
	write: described.write,
	read: func(r *reader, f fields, v any) {
		if p := f[0].(**Code); *p == nil {
			*p = r.concept(v.(*dtpb.CodeableConcept), false)
		}
	},
}

// manufacturer is who makes a vaccine, by the code of a codeset such as MVX: a
// reference by identifier.
var manufacturer = codec{
	write: func(w *writer, f fields, put func(any)) {
		p := f[0].(**Code)
		if *p == nil || isEmpty(*p) {
			return
		}
		left := **p
		out := &dtpb.Reference{Display: str(take(&left.Name))}
		if left.Code != "" {
			system := w.o.system(left.Codeset)
			if w.o.codeset(system) == left.Codeset {
				left.Codeset = ""
			}
			out.Identifier = &dtpb.Identifier{System: uri(system), Value: str(take(&left.Code))}
		}
		if out.Display == nil && out.Identifier == nil {
			return
		}
		out.Extension = w.rest("Code", &left)
		*p = nil
		put(out)
	},
	read: func(r *reader, f fields, v any) {
		p, in := f[0].(**Code), v.(*dtpb.Reference)
		if *p != nil {
			return
		}
		out := &Code{}
		r.restore("Code", in.Extension, out)
		give(&out.Name, in.GetDisplay().GetValue())
		give(&out.Code, in.GetIdentifier().GetValue().GetValue())
		if system := in.GetIdentifier().GetSystem().GetValue(); system != "" {
			give(&out.Codeset, r.o.codeset(system))
		}
		if !isEmpty(out) {
			*p = out
		}
	},
}

// placeOnly is a reference to a Location object.
var placeOnly = codec{
	write: func(w *writer, f fields, put func(any)) {
		if i, ok := w.location(take(f[0].(**Location))); ok {
			put(w.ref(i))
		}
	},
	read: func(r *reader, f fields, v any) {
		if l := f[0].(**Location); *l == nil {
			*l = r.location(v.(*dtpb.Reference))
		}
	},
}

// performer is a provider with a function. FHIR: v2-0443.
func performer(function, display string) codec {
	return codec{
		write: func(w *writer, f fields, put func(any)) {
			provider.write(w, f, func(v any) {
				put(&immunizationpb.Immunization_Performer{Function: concept(v2+"0443", function, display, ""), Actor: v.(*dtpb.Reference)})
			})
		},
		read: func(r *reader, f fields, v any) {
			in := v.(*immunizationpb.Immunization_Performer)
			if of := codeIn(in.Function, v2+"0443"); of == function || of == "" && function == "AP" {
				provider.read(r, f, in.Actor)
			}
		},
	}
}

// vaccinations makes the Immunizations of a message; in an answer they are the
// patient's.
func (w *writer) vaccinations(message Body) {
	b := *message.(*VaccinationMessage)
	b.Meta = nil
	patient := Patient{}
	if p := take(&b.Patient); p != nil {
		patient = *p
	}
	list := take(&b.Vaccinations)
	answer := w.m.EventType == "PatientQueryResponse"
	if answer {
		b.Vaccinations, list = list, take(&patient.Vaccinations)
	}
	w.about(&patient, take(&b.Visit))
	for _, v := range list {
		if isEmpty(v) {
			continue
		}
		key := joinKey("vaccination", v.DateTime)
		if p := v.Product; p != nil {
			key = joinKey(key, w.o.system(p.Codeset), p.Code, p.Description)
		}
		at := w.record(vaccinationTable, &v, &immunizationpb.Immunization{Meta: profile("immunization")}, child(w.visitOwner(), key))
		w.ownVisit(at)
		w.m.Focus = append(w.m.Focus, at)
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("VaccinationMessage", &b)...)
}

func (r *reader) vaccinations() (Body, error) {
	body := &VaccinationMessage{}
	r.restore("VaccinationMessage", r.m.Extensions, body)
	found := focused[*immunizationpb.Immunization](r)
	answer := r.m.EventType == "PatientQueryResponse"
	if len(found) == 0 && !answer {
		return nil, absent("Immunization")
	}
	var list []Vaccination
	for i, in := range found {
		if i == 0 {
			body.Patient, body.Visit = r.about(in.Patient, in.Encounter)
		}
		v := Vaccination{}
		r.read(vaccinationTable, in, &v)
		list = append(list, v)
	}
	if body.Patient == nil {
		for _, p := range all[*patientpb.Patient](r) {
			if !r.assumed(p.Extension) && body.Patient == nil {
				body.Patient = r.patient(p)
			}
		}
	}
	if !answer {
		body.Vaccinations = list
	} else if len(list) > 0 {
		if body.Patient == nil {
			body.Patient = &Patient{}
		}
		body.Patient.Vaccinations = list
	}
	return body, nil
}
