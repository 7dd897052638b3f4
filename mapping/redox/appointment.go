package redox

import (
	"strings"

	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	appointmentpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/appointment_go_proto"
	conditionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/condition_go_proto"
	devicepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/device_go_proto"
	locationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/location_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
	practitionerpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/practitioner_go_proto"
	rolepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/practitioner_role_go_proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// scheduledAs is the status that an event gives an appointment.
var scheduledAs = map[string]codes_go_proto.AppointmentStatusCode_Value{
	"New":          codes_go_proto.AppointmentStatusCode_BOOKED,
	"Reschedule":   codes_go_proto.AppointmentStatusCode_BOOKED,
	"Modification": codes_go_proto.AppointmentStatusCode_BOOKED,
	"Cancel":       codes_go_proto.AppointmentStatusCode_CANCELLED,
	"NoShow":       codes_go_proto.AppointmentStatusCode_NOSHOW,
}

// appointmentCodes are the enum values of appointmentstatus.
var appointmentCodes = map[string]codes_go_proto.AppointmentStatusCode_Value{
	"proposed": codes_go_proto.AppointmentStatusCode_PROPOSED, "pending": codes_go_proto.AppointmentStatusCode_PENDING,
	"booked": codes_go_proto.AppointmentStatusCode_BOOKED, "arrived": codes_go_proto.AppointmentStatusCode_ARRIVED,
	"fulfilled": codes_go_proto.AppointmentStatusCode_FULFILLED, "cancelled": codes_go_proto.AppointmentStatusCode_CANCELLED,
	"noshow": codes_go_proto.AppointmentStatusCode_NOSHOW, "entered-in-error": codes_go_proto.AppointmentStatusCode_ENTERED_IN_ERROR,
	"checked-in": codes_go_proto.AppointmentStatusCode_CHECKED_IN, "waitlist": codes_go_proto.AppointmentStatusCode_WAITLIST,
}

var schedulingTranslations = map[string]translation{
	"New": appointments, "Reschedule": appointments, "Modification": appointments, "Cancel": appointments, "NoShow": appointments,
	"PushSlots": {
		write: func(w *writer, body Body) {
			b := *body.(*Scheduling)
			b.Meta = nil
			w.slots(b)
		},
		read: func(r *reader) (Body, error) { return r.slots(), nil },
	},
}

var appointments = translation{
	write: func(w *writer, body Body) {
		b := *body.(*Scheduling)
		b.Meta = nil
		w.scheduling(b)
	},
	read: func(r *reader) (Body, error) {
		found := all[*appointmentpb.Appointment](r)
		if len(found) == 0 {
			return nil, absent("Appointment")
		}
		return r.scheduling(found[0]), nil
	},
}

// scheduling makes the Appointment of a Scheduling message.
func (w *writer) scheduling(body Scheduling) {
	event := w.m.EventType
	v := Visit{}
	if body.Visit != nil {
		v = *take(&body.Visit)
	}
	a := &appointmentpb.Appointment{}
	entry := w.visitNumbers(&v, &a.Identifier)
	patient := -1
	if p := take(&body.Patient); p != nil && !isEmpty(p) {
		patient = w.patient(*p)
		a.Participant = append(a.Participant, attendee(participant{actor: w.ref(patient)}))
	}
	if len(entry.Identifiers) == 0 {
		entry = alone
	}
	// The appointment's place among the entries must be known before those
	// that belong to it.
	at := w.add(a, entry)
	if patient >= 0 && len(w.m.Entries[patient].Identifiers) == 0 {
		// Without an identifier it is the patient of this appointment: sent
		// again, the message must not make another one.
		w.m.Entries[patient].Parent, w.m.Entries[patient].Key = at, "patient"
	}

	w.appointmentTime(&v, a)
	a.Status = w.appointmentStatus(event, &v, a)
	if a.Status.Value == codes_go_proto.AppointmentStatusCode_CANCELLED {
		a.CancelationReason = inWords(take(&v.CancelReason))
	}
	if a.Status.Value == codes_go_proto.AppointmentStatusCode_NOSHOW {
		a.CancelationReason = inWords(take(&v.NoShowReason))
	}
	if reason := take(&v.Reason); reason != "" {
		a.ReasonCode = []*dtpb.CodeableConcept{inWords(reason)}
	}
	if kind := take(&v.Type); kind != "" {
		a.AppointmentType = inWords(kind)
		if code := appointmentTypes.code(kind); code != "" {
			a.AppointmentType = concept(v2+"0276", code, "", kind)
		}
		a.ServiceType = []*dtpb.CodeableConcept{inWords(kind)}
	}
	if joined := strings.Join(v.Instructions, "\n"); joined != "" && strings.Count(joined, "\n") == len(v.Instructions)-1 {
		a.PatientInstruction, v.Instructions = str(joined), nil
	}
	if i, ok := w.location(take(&v.Location)); ok {
		a.Participant = append(a.Participant, attendee(participant{actor: w.ref(i)}))
	}
	for _, p := range w.providers(&v, at) {
		a.Participant = append(a.Participant, attendee(p))
	}
	for _, e := range take(&v.Equipment) {
		if !isEmpty(e) {
			a.Participant = append(a.Participant, attendee(w.equipment(e, at)))
		}
	}
	if patient >= 0 { // a Condition needs its subject
		for _, d := range w.conditions(take(&v.Diagnoses), patient, nil) {
			a.ReasonReference = append(a.ReasonReference, w.ref(d.index))
		}
	}
	if len(a.Participant) == 0 {
		a.Participant = []*appointmentpb.Appointment_Participant{attendee(participant{
			actor: &dtpb.Reference{Display: str("unknown"), Extension: w.assumed()}})}
	}
	a.Extension = append(a.Extension, w.rest("Scheduling", Scheduling{AppointmentInfo: take(&body.AppointmentInfo)})...)
	a.Extension = append(a.Extension, w.rest("Visit", &v)...)
	w.m.Extensions = append(w.m.Extensions, w.rest("Scheduling", &body)...)
	w.m.Focus = []int{at}
}

// visitNumbers makes the identifiers of a visit. A visit that was rescheduled
// under a new number is known by its old one.
func (w *writer) visitNumbers(v *Visit, out *[]*dtpb.Identifier) mapping.Entry {
	if id := w.number(visitNumber, take(&v.VisitNumber)); id != nil {
		*out = append(*out, id)
	}
	entry := known(*out)
	if old := w.number(visitNumber, v.OldVisitNumber); old != nil {
		entry.Identifiers = append(entry.Identifiers, known([]*dtpb.Identifier{old}).Identifiers...)
	}
	return entry
}

// appointmentTime sets start, end and minutesDuration. FHIR's invariant app-2
// wants an end with every start.
func (w *writer) appointmentTime(v *Visit, a *appointmentpb.Appointment) {
	start, ok := w.o.parseTime(v.VisitDateTime)
	if !ok || !start.hasTime() {
		return
	}
	v.VisitDateTime = ""
	a.Start, a.End = start.instant(), start.instant()
	if length, ok := minutes(v.Duration); ok {
		v.Duration = ""
		a.End = start.plus(length).instant()
		a.MinutesDuration = &dtpb.PositiveInt{Value: uint32(length.Minutes())}
	} else {
		a.End.Extension = w.assumed()
	}
}

// appointmentStatus is the event's status; a modification may say a status of
// its own. The word of the message stays where it is.
func (w *writer) appointmentStatus(event string, v *Visit, a *appointmentpb.Appointment) *appointmentpb.Appointment_StatusCode {
	status := scheduledAs[event]
	if said, ok := appointmentCodes[appointmentStatuses.code(v.Status)]; ok && status == codes_go_proto.AppointmentStatusCode_BOOKED {
		status = said
	}
	// FHIR's invariant app-3: only these can do without a time.
	if a.Start == nil && status != codes_go_proto.AppointmentStatusCode_CANCELLED {
		status = codes_go_proto.AppointmentStatusCode_PROPOSED
	}
	return &appointmentpb.Appointment_StatusCode{Value: status}
}

func attendee(p participant) *appointmentpb.Appointment_Participant {
	return &appointmentpb.Appointment_Participant{
		Type: p.types, Actor: p.actor, Period: p.period, Extension: p.rest,
		Required: &appointmentpb.Appointment_Participant_RequiredCode{Value: codes_go_proto.ParticipantRequiredCode_REQUIRED},
		Status:   &appointmentpb.Appointment_Participant_StatusCode{Value: codes_go_proto.ParticipationStatusCode_ACCEPTED},
	}
}

// equipment makes the Device of a piece of equipment of one visit: its code
// names a kind of device and no single one.
func (w *writer) equipment(e Equipment, visit int) participant {
	out := participant{}
	key := joinKey("equipment", w.o.system(e.Codeset), e.Code, e.Description)
	out.period = w.period(&e.StartDateTime, &e.Duration)
	out.rest = w.rest("Equipment", Equipment{StartDateTime: take(&e.StartDateTime), Duration: take(&e.Duration)})
	d := &devicepb.Device{Type: w.code(&e.Code, &e.Codeset, &e.Description)}
	d.Extension = w.rest("Equipment", &e)
	out.actor = w.ref(w.add(d, child(visit, key)))
	return out
}

func (r *reader) equipment(p *appointmentpb.Appointment_Participant, d *devicepb.Device) Equipment {
	e := Equipment{}
	r.restore("Equipment", d.Extension, &e)
	r.restore("Equipment", p.Extension, &e)
	r.code(d.Type, &e.Code, &e.Codeset, &e.Description)
	r.givePeriod(&e.StartDateTime, &e.Duration, p.GetPeriod())
	return e
}

// scheduling reads an Appointment and what it refers to.
func (r *reader) scheduling(a *appointmentpb.Appointment) *Scheduling {
	body, v := &Scheduling{}, &Visit{}
	r.restore("Scheduling", r.m.Extensions, body)
	r.restore("Scheduling", a.Extension, body)
	body.Extensions = nil // those of the Appointment are the visit's
	r.foreign(r.m.Extensions, &body.Object)
	r.restore("Visit", a.Extension, v)
	body.Visit = v
	give(&v.VisitNumber, r.visitNumber(a.Identifier))
	r.readAppointmentTime(a, v)
	switch status := a.GetStatus().GetValue(); status {
	case codes_go_proto.AppointmentStatusCode_CANCELLED:
		give(&v.CancelReason, wordsOf(a.CancelationReason))
	case codes_go_proto.AppointmentStatusCode_NOSHOW:
		give(&v.NoShowReason, wordsOf(a.CancelationReason))
	}
	r.readAppointmentStatus(a, v)
	if len(a.ReasonCode) > 0 {
		give(&v.Reason, wordsOf(a.ReasonCode[0]))
	}
	give(&v.Reason, a.GetDescription().GetValue())
	give(&v.Type, wordsOf(a.AppointmentType))
	if len(a.ServiceType) > 0 {
		give(&v.Type, wordsOf(a.ServiceType[0]))
	}
	if text := a.GetPatientInstruction().GetValue(); text != "" {
		v.Instructions = strings.Split(text, "\n")
	}
	var providers []participant
	for _, p := range a.Participant {
		i := r.m.Find(p.Actor)
		if i < 0 {
			continue
		}
		switch actor := mapping.Typed(r.m.Entries[i].Resource).(type) {
		case *patientpb.Patient:
			if body.Patient == nil {
				body.Patient = r.patient(actor)
			}
		case *locationpb.Location:
			if v.Location == nil {
				v.Location = r.location(p.Actor)
			}
		case *practitionerpb.Practitioner, *rolepb.PractitionerRole:
			providers = append(providers, participant{types: p.Type, period: p.Period, actor: p.Actor, rest: p.Extension})
		case *devicepb.Device:
			v.Equipment = append(v.Equipment, r.equipment(p, actor))
		}
	}
	r.providers(providers, v)
	for _, ref := range a.ReasonReference {
		if c, i := target[*conditionpb.Condition](r, ref); i >= 0 {
			v.Diagnoses = append(v.Diagnoses, r.diagnosis(c, ""))
		}
	}
	return body
}

// visitNumber is the value of the visit number; of an app's resource the first
// identifier there is.
func (r *reader) visitNumber(ids []*dtpb.Identifier) string {
	for _, id := range ids {
		if r.o.idType(id.GetSystem().GetValue()) == visitNumber || codeIn(id.Type, v2+"0203") == "VN" {
			return id.GetValue().GetValue()
		}
	}
	for _, id := range ids {
		if v := id.GetValue().GetValue(); v != "" && id.GetUse().GetValue() != codes_go_proto.IdentifierUseCode_OLD {
			return v
		}
	}
	return ""
}

func (r *reader) readAppointmentTime(a *appointmentpb.Appointment, v *Visit) {
	start, ok := ofInstant(a.Start)
	r.giveTime(&v.VisitDateTime, start, ok)
	end, hasEnd := ofInstant(a.End)
	switch {
	case a.MinutesDuration.GetValue() != 0:
		v.Duration = Int(int(a.MinutesDuration.GetValue()))
	case v.Duration == "" && ok && hasEnd && !r.assumed(a.End.GetExtension()) && end.time.After(start.time):
		v.Duration = minutesBetween(start, end)
	}
}

// readAppointmentStatus says a status in Redox's words where the event does
// not say it already. The original word, if there was one, is there by now.
func (r *reader) readAppointmentStatus(a *appointmentpb.Appointment, v *Visit) {
	status := a.GetStatus().GetValue()
	if said, ok := appointmentCodes[appointmentStatuses.code(v.Status)]; v.Status != "" && (!ok || said == status || status == scheduledAs[r.m.EventType]) {
		return
	}
	if status == scheduledAs[r.m.EventType] || status == codes_go_proto.AppointmentStatusCode_PROPOSED && a.Start == nil {
		return
	}
	for code, value := range appointmentCodes {
		if value == status {
			v.Status = appointmentStatuses.word(code)
		}
	}
}
