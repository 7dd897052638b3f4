package redox

import (
	"math/big"
	"slices"
	"strings"
	"time"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	practitionerpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/practitioner_go_proto"
	rolepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/practitioner_role_go_proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// participant is a provider's part in a visit, before it becomes
// Encounter.participant or Appointment.participant.
type participant struct {
	types  []*dtpb.CodeableConcept
	period *dtpb.Period
	actor  *dtpb.Reference
	rest   []*dtpb.Extension
}

// visitRole is a provider's member of Visit. FHIR: v3-ParticipationType.
type visitRole struct {
	code, display string
	member        func(*Visit) **Provider
}

var visitRoles = []visitRole{
	{"ATND", "attender", func(v *Visit) **Provider { return &v.AttendingProvider }},
	{"ADM", "admitter", func(v *Visit) **Provider { return &v.AdmittingProvider }},
	{"REF", "referrer", func(v *Visit) **Provider { return &v.ReferringProvider }},
	{"CON", "consultant", func(v *Visit) **Provider { return &v.ConsultingProvider }},
	{"PPRF", "primary performer", func(v *Visit) **Provider { return &v.VisitProvider }},
}

// providers takes the providers of a visit. What is known of a provider by
// name alone belongs to the visit: two of the same name need not be one person.
func (w *writer) providers(v *Visit, visit int) (out []participant) {
	for _, role := range visitRoles {
		member := role.member(v)
		if p := *member; p != nil && !isEmpty(p) {
			out = append(out, w.participant(*p, concept(participationType, role.code, role.display, ""), visit))
		}
		*member = nil
	}
	for _, p := range take(&v.AdditionalStaff) {
		if !isEmpty(p) {
			out = append(out, w.participant(p, nil, visit))
		}
	}
	return out
}

func (w *writer) participant(p Provider, role *dtpb.CodeableConcept, visit int) participant {
	out := participant{}
	if role != nil {
		out.types = append(out.types, role)
	}
	if c := w.concept(take(&p.Role)); c != nil {
		out.types = append(out.types, c)
	}
	if len(out.types) == 0 {
		out.types = []*dtpb.CodeableConcept{concept(participationType, "PART", "Participation", "")}
	}
	out.period = w.period(&p.StartDateTime, &p.Duration)
	out.rest = w.rest("Provider", Provider{StartDateTime: take(&p.StartDateTime), Duration: take(&p.Duration)})
	out.actor = w.provider(p, child(visit, "provider"))
	return out
}

// period takes when a participant is there. A duration that FHIR cannot hold
// stays where it is.
func (w *writer) period(at *DateTime, duration *Number) *dtpb.Period {
	start, ok := w.o.parseTime(*at)
	if !ok {
		return nil
	}
	*at = ""
	out := &dtpb.Period{Start: start.dateTime()}
	if length, ok := minutes(*duration); ok && start.hasTime() {
		*duration = ""
		out.End = start.plus(length).dateTime()
	}
	return out
}

func (r *reader) givePeriod(at *DateTime, duration *Number, in *dtpb.Period) {
	start, ok := ofDateTime(in.GetStart())
	if !ok {
		return
	}
	r.giveTime(at, start, ok)
	if end, ok := ofDateTime(in.GetEnd()); ok && *duration == "" {
		*duration = minutesBetween(start, end)
	}
}

// minutes are a duration that FHIR can hold: whole minutes above zero.
func minutes(n Number) (time.Duration, bool) {
	f, ok := new(big.Rat).SetString(string(n))
	if !ok || len(n) > 9 || !f.IsInt() || f.Sign() <= 0 || f.Num().Int64() > 1<<30 || Number(f.Num().String()) != n {
		return 0, false
	}
	return time.Duration(f.Num().Int64()) * time.Minute, true
}

func minutesBetween(start, end moment) Number {
	return Int(int(end.time.Sub(start.time) / time.Minute))
}

// participant reads a participant whose actor is a Practitioner.
func (r *reader) participant(in participant) (p *Provider, code string) {
	if p = r.provider(in.actor); p == nil {
		return nil, ""
	}
	r.restore("Provider", in.rest, p)
	for _, t := range in.types {
		if c := codeIn(t, participationType); c != "" && code == "" {
			code = c
		} else if p.Role == nil {
			p.Role = r.concept(t, true)
		}
	}
	r.givePeriod(&p.StartDateTime, &p.Duration, in.period)
	return p, code
}

// providers puts participants into their members of Visit; those without
// a member, or whose member is taken, are additional staff. An app that says
// no type means the provider of the visit.
func (r *reader) providers(in []participant, v *Visit) {
next:
	for _, one := range in {
		p, code := r.participant(one)
		if p == nil {
			continue
		}
		if len(one.types) == 0 {
			code = "PPRF"
		}
		for _, role := range visitRoles {
			if member := role.member(v); role.code == code && *member == nil {
				*member = p
				continue next
			}
		}
		v.AdditionalStaff = append(v.AdditionalStaff, *p)
	}
}

// practitioner makes the us-core-practitioner of a provider. Without an
// identifier it is the record of unnamed, by name.
func (w *writer) practitioner(p Provider, unnamed mapping.Entry) int {
	return w.once("Practitioner", p, func() int {
		out := &practitionerpb.Practitioner{Meta: profile("practitioner")}
		out.Identifier = w.providerIdentifiers(&p)
		entry := known(out.Identifier)
		if len(entry.Identifiers) == 0 && unnamed.Key != "" {
			entry = child(unnamed.Parent, unnamed.Key+"|"+p.LastName+"|"+p.FirstName)
		}
		name := humanName(&p.FirstName, &p.MiddleName, &p.LastName)
		for _, c := range take(&p.Credentials) {
			if c != "" {
				if name == nil {
					name = &dtpb.HumanName{}
				}
				name.Suffix = append(name.Suffix, str(c))
			}
		}
		if name != nil {
			out.Name = []*dtpb.HumanName{name}
		}
		telecom, rest := w.telecom(take(&p.PhoneNumber), office, &p.EmailAddresses)
		out.Telecom = telecom
		if a := w.address(take(&p.Address), 0); a != nil {
			out.Address = []*dtpb.Address{a}
		}
		place, hasPlace := w.location(take(&p.Location))
		out.Extension = slices.Concat(rest, w.rest("Provider", &p))
		i := w.add(out, entry)
		if hasPlace {
			w.add(&rolepb.PractitionerRole{
				Meta:         profile("practitionerrole"),
				Practitioner: w.ref(i),
				Location:     []*dtpb.Reference{w.ref(place)},
			}, child(i, "location|"+w.placeKey(place)))
		}
		return i
	})
}

// provider makes the practitioner and refers to it. NPI often repeats ID, for
// one role of a person and not for another; as it is one practitioner, the
// reference says which members it was: "NPI" alone or "ID NPI" both.
func (w *writer) provider(p Provider, unnamed mapping.Entry) *dtpb.Reference {
	mark := ""
	switch {
	case p.NPI == "":
	case p.ID == "" && p.IDType == "":
		p.ID, p.IDType, p.NPI, mark = p.NPI, "NPI", "", "NPI"
	case p.ID == p.NPI && p.IDType == "NPI":
		p.NPI, mark = "", "ID NPI"
	}
	ref := w.ref(w.practitioner(p, unnamed))
	if mark != "" {
		ref.Extension = []*dtpb.Extension{{Url: uri(w.o.url("Provider.NPI")), Value: stringValue(mark)}}
	}
	return ref
}

// providerIdentifiers are ID with IDType, then a NPI that differs from it,
// which an extension marks.
func (w *writer) providerIdentifiers(p *Provider) (out []*dtpb.Identifier) {
	if p.ID != "" {
		out = append(out, w.identifier(Identifier{ID: take(&p.ID), IDType: take(&p.IDType)}))
	}
	if id := w.number("NPI", take(&p.NPI)); id != nil {
		id.Extension = append(id.Extension, &dtpb.Extension{Url: uri(w.o.url("Provider.NPI")), Value: stringValue("NPI")})
		out = append(out, id)
	}
	return append(out, w.identifiers(take(&p.Identifiers))...)
}

// npiMark finds the mark that the two above set.
func (r *reader) npiMark(extensions []*dtpb.Extension) string {
	for _, e := range extensions {
		if e.GetUrl().GetValue() == r.o.url("Provider.NPI") {
			return e.GetValue().GetStringValue().GetValue()
		}
	}
	return ""
}

// provider reads the practitioner of a reference, nil if it is not one.
func (r *reader) provider(ref *dtpb.Reference) *Provider {
	var p *Provider
	if doctor, i := target[*practitionerpb.Practitioner](r, ref); i >= 0 {
		p = r.practitioner(doctor, i)
	} else if role, i := target[*rolepb.PractitionerRole](r, ref); i >= 0 {
		p = r.practitionerRole(role)
	} else {
		return nil
	}
	switch r.npiMark(ref.GetExtension()) {
	case "NPI":
		p.NPI, p.ID, p.IDType = p.ID, "", ""
	case "ID NPI":
		p.NPI = p.ID
	}
	return p
}

// practitioner reads a Practitioner and the location of its role.
func (r *reader) practitioner(in *practitionerpb.Practitioner, index int) *Provider {
	p := &Provider{}
	r.restore("Provider", in.Extension, p)
	for _, id := range in.Identifier {
		one := r.identifier(id)
		switch {
		case r.npiMark(id.Extension) != "":
			p.NPI = one.ID
		case p.ID == "":
			p.ID, p.IDType = one.ID, one.IDType
		default:
			p.Identifiers = append(p.Identifiers, one)
		}
	}
	if n := readName(in.Name, &p.FirstName, &p.MiddleName, &p.LastName); n != nil {
		for _, s := range n.Suffix {
			p.Credentials = append(p.Credentials, s.GetValue())
		}
	}
	p.PhoneNumber, p.EmailAddresses = r.telecom(in.Telecom, in.Extension, office)
	p.Address = r.address(in.Address...)
	for _, role := range all[*rolepb.PractitionerRole](r) {
		if r.m.Find(role.Practitioner) == index && len(role.Location) > 0 && p.Location == nil {
			p.Location = r.location(role.Location[0])
		}
	}
	return p
}

// practitionerRole reads a role that stands for its practitioner.
func (r *reader) practitionerRole(in *rolepb.PractitionerRole) *Provider {
	p := &Provider{}
	if doctor, i := target[*practitionerpb.Practitioner](r, in.Practitioner); i >= 0 {
		p = r.practitioner(doctor, i)
	} else if d := in.GetPractitioner().GetDisplay().GetValue(); d != "" {
		p.LastName = strings.TrimSpace(d)
	}
	if p.Location == nil && len(in.Location) > 0 {
		p.Location = r.location(in.Location[0])
	}
	return p
}
