package redox

import (
	"reflect"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	conditionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/condition_go_proto"
	encounterpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/encounter_go_proto"
	locationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/location_go_proto"
	observationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/observation_go_proto"
	organizationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/organization_go_proto"
	practitionerpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/practitioner_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// codeOrUnknown is a code that FHIR requires: unknown where there is none.
var codeOrUnknown = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		if c := w.clinical(f.code()); c != nil {
			put(c)
		} else {
			put(assumedValue{inWords("unknown")})
		}
	},
	read: clinicalCode.read,
}

// objectOrUnknown is an object that is a code that FHIR requires.
var objectOrUnknown = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		done := false
		clinicalObject.write(w, f, func(v any) { put(v); done = true })
		if !done {
			put(assumedValue{inWords("unknown")})
		}
	},
	read: clinicalObject.read,
}

// substance is what an allergy is to: its Substance, else the code that it has
// itself, which stays where it is as well.
var substance = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		done := false
		clinicalObject.write(w, f[:1], func(v any) { put(v); done = true })
		if done {
			return
		}
		own := AltCode{Code: *f.text(1), CodeSystem: *f.text(2), CodeSystemName: *f.text(3), Name: *f.text(4)}
		c := w.clinical(codeMembers{code: &own.Code, system: &own.CodeSystem, systemName: &own.CodeSystemName, name: &own.Name})
		if c == nil {
			c = inWords("unknown")
		}
		put(assumedValue{c})
	},
	read: func(r *reader, f fields, v any) { clinicalObject.read(r, f[:1], v) },
}

// hint is a code that follows from an object or a word which says more, and
// stays.
func hint(t words) codec {
	return codec{
		write: func(_ *writer, f fields, put func(any)) {
			at := reflect.ValueOf(f[0]).Elem()
			if at.Kind() == reflect.String {
				if c := t.code(at.String()); c != "" {
					put(c)
				}
				return
			}
			m := codeMembersOf(at.Elem())
			for _, word := range []string{*m.code, *m.name} {
				if c := t.code(word); c != "" {
					put(c)
					return
				}
			}
		},
		read: func(_ *reader, f fields, v any) {
			at, word := reflect.ValueOf(f[0]).Elem(), t.word(v.(string))
			switch {
			case word == "":
			case at.Kind() == reflect.String:
				if at.Len() == 0 {
					at.SetString(word)
				}
			case at.IsNil():
				object := reflect.New(at.Type().Elem())
				*codeMembersOf(object.Elem()).name = word
				at.Set(object)
			}
		},
	}
}

// dateTimeOrUnknown is a time that FHIR requires.
var dateTimeOrUnknown = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		if t := w.dateTime(f.text(0)); t != nil {
			put(t)
		} else {
			put(w.unknownTime())
		}
	},
	read: dateTime.read,
}

// unknownTime is a time that nobody said: that of the message.
func (w *writer) unknownTime() *dtpb.DateTime {
	t := &dtpb.DateTime{Timezone: "Z", Precision: dtpb.DateTime_SECOND, Extension: w.assumed()}
	if !w.m.Time.IsZero() {
		t.ValueUs = w.m.Time.UnixMicro() / 1e6 * 1e6
	}
	return t
}

// clinicalValue is CodedValue, Value and Units: a code with words, a quantity
// or a text. ValueType stays, as it may be absent.
var clinicalValue = codec{
	write: func(w *writer, f fields, put func(any)) {
		object, value, units := reflect.ValueOf(f[0]).Elem(), f.text(1), f.text(2)
		out := &observationpb.Observation_ValueX{}
		if c := w.objectConcept(object); c != nil {
			if len(c.Coding) > 0 {
				c.Text = str(take(value))
			}
			object.SetZero()
			out.Choice = &observationpb.Observation_ValueX_CodeableConcept{CodeableConcept: c}
		} else if q := quantity(*value, *units); q != nil {
			*value, *units = "", ""
			out.Choice = &observationpb.Observation_ValueX_Quantity{Quantity: q}
		} else if *value != "" {
			out.Choice = &observationpb.Observation_ValueX_StringValue{StringValue: str(take(value))}
		} else {
			return
		}
		put(out)
	},
	read: func(r *reader, f fields, v any) {
		object, value, units := reflect.ValueOf(f[0]).Elem(), f.text(1), f.text(2)
		in := v.(*observationpb.Observation_ValueX)
		switch {
		case in.GetCodeableConcept() != nil:
			c := in.GetCodeableConcept()
			if len(c.Coding) > 0 {
				give(value, c.GetText().GetValue())
				c = &dtpb.CodeableConcept{Coding: c.Coding, Extension: c.Extension}
			}
			if object.IsNil() {
				made := reflect.New(object.Type().Elem())
				r.objectOf(c, made)
				object.Set(made)
			}
		case in.GetQuantity() != nil:
			number, unit := readQuantity(in.GetQuantity())
			give(value, number)
			give(units, unit)
		case in.GetStringValue() != nil:
			give(value, in.GetStringValue().GetValue())
		}
	},
}

// tobaccoCode tells the smoking status from other uses of tobacco. US Core:
// us-core-smokingstatus. IsSmokingStatus itself stays.
var tobaccoCode = codec{always: true,
	write: func(_ *writer, f fields, put func(any)) {
		if is := *f[0].(**bool); is != nil && *is {
			put(concept("http://loinc.org", "72166-2", "Tobacco smoking status", ""))
		} else {
			put(concept("http://loinc.org", "11367-0", "History of Tobacco use", ""))
		}
	},
	read: func(r *reader, f fields, v any) {
		is := f[0].(**bool)
		if *is == nil && codeIn(v.(*dtpb.CodeableConcept), "http://loinc.org") == "72166-2" {
			*is = Bool(true)
		}
	},
}

// years is an age in years.
var years = codec{
	write: func(_ *writer, f fields, put func(any)) {
		if decimalText(*f.text(0)) {
			put(&dtpb.Age{Value: &dtpb.Decimal{Value: take(f.text(0))}, Unit: str("a"),
				System: uri(unitsOfMeasure), Code: &dtpb.Code{Value: "a"}})
		}
	},
	read: func(_ *reader, f fields, v any) { give(f.text(0), v.(*dtpb.Age).GetValue().GetValue()) },
}

// clinicalEncounterTable is an encounter that a document speaks of.
var clinicalEncounterTable = tableOf[Encounter, *encounterpb.Encounter]("Encounter",
	line{"Identifiers", "identifier", identifiers},
	line{"Status", "status", status(encounterStatuses, "finished")},
	line{"", "class", fixed(assumedValue{&dtpb.Coding{System: uri(nullFlavor), Code: &dtpb.Code{Value: "UNK"}}})},
	line{"Type", "type", clinicalObject},
	line{"DateTime EndDateTime", "period", span},
	line{"Providers", "participant", clinicalProviders},
	line{"Locations", "location", clinicalPlaces},
	line{"Diagnosis", "diagnosis", encounterDiagnoses},
	line{"ReasonForVisit", "reasonCode", clinicalList},
	line{"DischargeDisposition", "hospitalization.dischargeDisposition", clinicalObject},
	line{"", "subject", subject},
).byIdentifier()

// clinicalEncounter is the encounter of a result, a note or a team.
var clinicalEncounter = codec{
	write: func(w *writer, f fields, put func(any)) {
		if e := take(f[0].(**Encounter)); e != nil && !isEmpty(e) {
			put(w.ref(w.clinicalEncounter(*e)))
		}
	},
	read: func(r *reader, f fields, v any) {
		in, i := target[*encounterpb.Encounter](r, v.(*dtpb.Reference))
		if p := f[0].(**Encounter); i >= 0 && *p == nil {
			*p = &Encounter{}
			r.read(clinicalEncounterTable, in, *p)
		}
	},
}

func (w *writer) clinicalEncounter(e Encounter) int {
	key := joinKey("encounter", e.DateTime)
	if e.Type != nil {
		key = joinKey(key, e.Type.Code, e.Type.Name)
	}
	out := &encounterpb.Encounter{Meta: profile("encounter")}
	return w.record(clinicalEncounterTable, &e, out, child(w.visitOwner(), key))
}

var clinicalProviders = codec{
	write: func(w *writer, f fields, put func(any)) {
		for _, p := range take(f[0].(*[]Provider)) {
			if !isEmpty(p) {
				one := w.participant(p, nil, w.at)
				put(&encounterpb.Encounter_Participant{Type: one.types, Period: one.period, Individual: one.actor, Extension: one.rest})
			}
		}
	},
	read: func(r *reader, f fields, v any) {
		in := v.(*encounterpb.Encounter_Participant)
		if p, _ := r.participant(participant{types: in.Type, period: in.Period, actor: in.Individual, rest: in.Extension}); p != nil {
			list := f[0].(*[]Provider)
			*list = append(*list, *p)
		}
	},
}

var clinicalPlaceTable = tableOf[RoleLocation, *locationpb.Location]("RoleLocation",
	line{"Identifiers", "identifier", identifiers},
	line{"Name", "name", plainText},
	line{"Type", "type", clinicalObject},
	line{"Address", "address", address},
	line{"Description", "description", plainText},
).byIdentifier()

var clinicalPlaces = codec{
	write: func(w *writer, f fields, put func(any)) {
		for _, l := range take(f[0].(*[]RoleLocation)) {
			if isEmpty(l) {
				continue
			}
			e := child(w.at, joinKey("location", l.Name))
			put(&encounterpb.Encounter_Location{Location: w.ref(w.record(clinicalPlaceTable, &l, &locationpb.Location{Meta: profile("location")}, e))})
		}
	},
	read: func(r *reader, f fields, v any) {
		if in, i := target[*locationpb.Location](r, v.(*encounterpb.Encounter_Location).GetLocation()); i >= 0 {
			l := RoleLocation{}
			r.read(clinicalPlaceTable, in, &l)
			list := f[0].(*[]RoleLocation)
			*list = append(*list, l)
		}
	},
}

var encounterDiagnoses = codec{
	write: func(w *writer, f fields, put func(any)) {
		encounter := w.ref(w.at)
		for _, d := range take(f[0].(*[]EncounterDiagnosis)) {
			if isEmpty(d) {
				continue
			}
			out := &conditionpb.Condition{Meta: profile("condition-encounter-diagnosis"), Encounter: encounter}
			key := joinKey("diagnosis", d.CodeSystem, d.Code, d.Name)
			i := w.record(encounterDiagnosisTable, &d, out, child(w.at, key))
			put(&encounterpb.Encounter_Diagnosis{Condition: w.ref(i)})
		}
	},
	read: func(r *reader, f fields, v any) {
		if in, i := target[*conditionpb.Condition](r, v.(*encounterpb.Encounter_Diagnosis).GetCondition()); i >= 0 {
			d := EncounterDiagnosis{}
			r.read(encounterDiagnosisTable, in, &d)
			list := f[0].(*[]EncounterDiagnosis)
			*list = append(*list, d)
		}
	},
}

// address is an Address object.
var address = codec{
	write: func(w *writer, f fields, put func(any)) {
		if a := w.address(take(f[0].(**Address)), 0); a != nil {
			put(a)
		}
	},
	read: func(r *reader, f fields, v any) {
		if a := f[0].(**Address); *a == nil {
			*a = r.address(v.(*dtpb.Address))
		}
	},
}

// organizationTable is an organization that a document names.
var organizationTable = tableOf[Organization, *organizationpb.Organization]("Organization",
	line{"Identifiers", "identifier", identifiers},
	line{"Name", "name", plainText},
	line{"Type", "type", clinicalObject},
	line{"Address", "address", address},
	line{"Aliases", "alias", plainTexts},
).byIdentifier()

var custodianTable = tableOf[Custodian, *organizationpb.Organization]("Custodian",
	line{"Identifiers", "identifier", identifiers},
	line{"Name", "name", plainText},
	line{"Type", "type", clinicalObject},
	line{"Address", "address", address},
).byIdentifier()

// plainTexts are strings as they are.
var plainTexts = codec{
	write: func(_ *writer, f fields, put func(any)) {
		for _, s := range take(f[0].(*[]string)) {
			if s != "" {
				put(s)
			}
		}
	},
	read: func(_ *reader, f fields, v any) {
		list := f[0].(*[]string)
		*list = append(*list, v.(string))
	},
}

// organization is a reference to an Organization object.
var organization = reference(organizationTable, func() proto.Message {
	return &organizationpb.Organization{Meta: profile("organization"), Active: boolean(true)}
}, "organization", "Name")

// reference is a reference to the record of an object, which is known by its
// identifiers or by the member that key names, below what refers to it.
func reference(t *table, make func() proto.Message, kind, key string) codec {
	return codec{
		write: func(w *writer, f fields, put func(any)) {
			at := reflect.ValueOf(f[0]).Elem()
			if at.IsNil() || isEmpty(at.Interface()) {
				return
			}
			object := reflect.New(at.Type().Elem())
			object.Elem().Set(at.Elem())
			at.SetZero()
			name := object.Elem().FieldByName(key).String()
			put(w.ref(w.record(t, object.Interface(), make(), child(w.at, joinKey(kind, name)))))
		},
		read: func(r *reader, f fields, v any) {
			at := reflect.ValueOf(f[0]).Elem()
			i := r.m.Find(v.(*dtpb.Reference))
			if i < 0 || !at.IsNil() {
				return
			}
			in := mapping.Typed(r.m.Entries[i].Resource)
			if in.ProtoReflect().Descriptor() != make().ProtoReflect().Descriptor() {
				return
			}
			object := reflect.New(at.Type().Elem())
			r.read(t, in, object.Interface())
			at.Set(object)
		},
	}
}

// memberPerson is a member of a care team as a practitioner.
var memberPerson = codec{
	write: func(w *writer, f fields, put func(any)) {
		p := Provider{FirstName: take(f.text(0)), MiddleName: take(f.text(1)), LastName: take(f.text(2)),
			Credentials: take(f[3].(*[]string)), Address: take(f[4].(**Address)), Identifiers: take(f[5].(*[]Identifier))}
		if !isEmpty(p) {
			put(w.provider(p, child(w.at, "provider")))
		}
	},
	read: func(r *reader, f fields, v any) {
		p := r.provider(v.(*dtpb.Reference))
		if p == nil {
			return
		}
		give(f.text(0), p.FirstName)
		give(f.text(1), p.MiddleName)
		give(f.text(2), p.LastName)
		*f[3].(*[]string), *f[4].(**Address) = p.Credentials, p.Address
		if in, i := target[*practitionerpb.Practitioner](r, v.(*dtpb.Reference)); i >= 0 {
			*f[5].(*[]Identifier) = r.identifiers(in.Identifier)
		}
	},
}
