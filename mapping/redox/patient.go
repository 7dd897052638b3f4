package redox

import (
	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
)

// patient makes the us-core-patient of a message and returns its index.
func (w *writer) patient(p Patient) int {
	out := &patientpb.Patient{Meta: profile("patient"), Identifier: w.identifiers(take(&p.Identifiers))}
	at := w.add(out, known(out.Identifier))
	if d := take(&p.Demographics); d != nil {
		w.demographics(*d, out)
	}
	for _, c := range take(&p.Contacts) {
		if !isEmpty(c) {
			out.Contact = append(out.Contact, w.contact(c))
		}
	}
	if pcp := p.PCP; pcp != nil && !isEmpty(pcp) {
		p.PCP = nil
		out.GeneralPractitioner = []*dtpb.Reference{w.provider(*pcp, child(at, "provider"))}
	}
	out.Extension = append(out.Extension, w.rest("Patient", &p)...)
	return at
}

// demographics fills what a Patient says of the person.
func (w *writer) demographics(d Demographics, p *patientpb.Patient) {
	if n := humanName(&d.FirstName, &d.MiddleName, &d.LastName); n != nil {
		p.Name = []*dtpb.HumanName{n}
	}
	// The number alone identifies nobody: it is mistyped and shared too often
	// to make two records one.
	if id := ssn(take(&d.SSN)); id != nil {
		p.Identifier = append(p.Identifier, id)
	}
	p.BirthDate = w.date(&d.DOB)
	if g := genders.take(&d.Sex); g != "" {
		p.Gender = &patientpb.Patient_GenderCode{Value: gender(g)}
	}
	if a := w.address(take(&d.Address), codes_go_proto.AddressUseCode_HOME); a != nil {
		p.Address = []*dtpb.Address{a}
	}
	telecom, rest := w.telecom(take(&d.PhoneNumber), office, &d.EmailAddresses)
	p.Telecom = telecom
	p.MaritalStatus = maritalStatus(take(&d.MaritalStatus))
	p.Deceased = w.deceased(&d)
	p.Communication = language(take(&d.Language))
	p.Extension = append(p.Extension, race(take(&d.Race))...)
	p.Extension = append(p.Extension, ethnicity(take(&d.IsHispanic))...)
	if r := take(&d.Religion); r != "" {
		p.Extension = append(p.Extension, conceptExtension(religionExtension, inWords(r)))
	}
	for _, c := range take(&d.Citizenship) {
		if c != "" {
			p.Extension = append(p.Extension, &dtpb.Extension{Url: uri(citizenshipExtension),
				Extension: []*dtpb.Extension{conceptExtension("code", inWords(c))}})
		}
	}
	p.Extension = append(p.Extension, rest...)
	p.Extension = append(p.Extension, w.rest("Demographics", &d)...)
}

// patient reads a Patient.
func (r *reader) patient(in *patientpb.Patient) *Patient {
	if in == nil {
		return nil
	}
	p, d := &Patient{}, &Demographics{}
	r.restore("Patient", in.Extension, p)
	r.restore("Demographics", in.Extension, d)
	r.giveIdentifiers(&d.SSN, &p.Identifiers, in.Identifier)
	readName(in.Name, &d.FirstName, &d.MiddleName, &d.LastName)
	r.giveDate(&d.DOB, in.BirthDate)
	genders.give(&d.Sex, genderCode(in.Gender.GetValue()))
	d.Address = r.address(in.Address...)
	d.PhoneNumber, d.EmailAddresses = r.telecom(in.Telecom, in.Extension, office)
	readMaritalStatus(in.MaritalStatus, &d.MaritalStatus)
	r.readDeceased(in.Deceased, d)
	d.Language = readLanguage(in.Communication)
	for _, e := range in.Extension {
		switch e.GetUrl().GetValue() {
		case raceExtension:
			readRace(e, &d.Race)
		case ethnicityExtension:
			readEthnicity(e, &d.IsHispanic)
		case religionExtension:
			give(&d.Religion, wordsOf(e.GetValue().GetCodeableConcept()))
		case citizenshipExtension:
			if c := wordsOf(part(e, "code").GetValue().GetCodeableConcept()); c != "" {
				d.Citizenship = append(d.Citizenship, c)
			}
		}
	}
	for _, c := range in.Contact {
		p.Contacts = append(p.Contacts, r.contact(c))
	}
	for _, gp := range in.GeneralPractitioner {
		if p.PCP == nil {
			p.PCP = r.provider(gp)
		}
	}
	if !isEmpty(d) {
		p.Demographics = d
	}
	return p
}

func gender(code string) codes_go_proto.AdministrativeGenderCode_Value {
	switch code {
	case "male":
		return codes_go_proto.AdministrativeGenderCode_MALE
	case "female":
		return codes_go_proto.AdministrativeGenderCode_FEMALE
	case "other":
		return codes_go_proto.AdministrativeGenderCode_OTHER
	}
	return codes_go_proto.AdministrativeGenderCode_UNKNOWN
}

func genderCode(v codes_go_proto.AdministrativeGenderCode_Value) string {
	switch v {
	case codes_go_proto.AdministrativeGenderCode_MALE:
		return "male"
	case codes_go_proto.AdministrativeGenderCode_FEMALE:
		return "female"
	case codes_go_proto.AdministrativeGenderCode_OTHER:
		return "other"
	case codes_go_proto.AdministrativeGenderCode_UNKNOWN:
		return "unknown"
	}
	return ""
}

func maritalStatus(word string) *dtpb.CodeableConcept {
	code := maritalStatuses.code(word)
	switch code {
	case "":
		return inWords(word)
	case "UNK":
		return concept(nullFlavor, code, "unknown", word)
	}
	return concept(v3+"MaritalStatus", code, maritalStatuses.word(code), word)
}

func readMaritalStatus(c *dtpb.CodeableConcept, word *string) {
	give(word, c.GetText().GetValue())
	give(word, maritalStatuses.word(codeIn(c, v3+"MaritalStatus")))
	give(word, maritalStatuses.word(codeIn(c, nullFlavor)))
	give(word, wordsOf(c))
}

// deceased is the time of death if it is known; the flag beside it then says
// nothing more.
func (w *writer) deceased(d *Demographics) *patientpb.Patient_DeceasedX {
	if t := w.dateTime(&d.DeathDateTime); t != nil {
		if d.IsDeceased != nil && *d.IsDeceased {
			d.IsDeceased = nil
		}
		return &patientpb.Patient_DeceasedX{Choice: &patientpb.Patient_DeceasedX_DateTime{DateTime: t}}
	}
	if b := take(&d.IsDeceased); b != nil {
		return &patientpb.Patient_DeceasedX{Choice: &patientpb.Patient_DeceasedX_Boolean{Boolean: boolean(*b)}}
	}
	return nil
}

func (r *reader) readDeceased(in *patientpb.Patient_DeceasedX, d *Demographics) {
	if t, ok := ofDateTime(in.GetDateTime()); ok {
		r.giveTime(&d.DeathDateTime, t, ok)
		if d.IsDeceased == nil {
			d.IsDeceased = Bool(true)
		}
	}
	if b := in.GetBoolean(); b != nil && d.IsDeceased == nil {
		d.IsDeceased = Bool(b.GetValue())
	}
}

func language(tag string) []*patientpb.Patient_Communication {
	if tag == "" {
		return nil
	}
	c := inWords(tag)
	if isCodeValue(tag) {
		c = concept("urn:ietf:bcp:47", tag, "", "")
	}
	return []*patientpb.Patient_Communication{{Language: c, Preferred: boolean(true)}}
}

func readLanguage(in []*patientpb.Patient_Communication) string {
	best := ""
	for _, c := range in {
		tag := codeIn(c.Language, "urn:ietf:bcp:47")
		if tag == "" {
			tag = wordsOf(c.Language)
		}
		if c.GetPreferred().GetValue() {
			return tag
		}
		if best == "" {
			best = tag
		}
	}
	return best
}

// race makes the us-core-race extension; its text is the word of the message.
func race(word string) []*dtpb.Extension {
	if word == "" {
		return nil
	}
	e := &dtpb.Extension{Url: uri(raceExtension)}
	category, other, unknown := races.code(word), otherRaces.code(word), unknownRaces.code(word)
	switch {
	case category != "":
		e.Extension = append(e.Extension, codingExtension("ombCategory", coding(cdcRace, category, races.word(category))))
	case other != "":
		e.Extension = append(e.Extension, codingExtension("detailed", coding(cdcRace, other, otherRaces.word(other))))
	case unknown != "":
		e.Extension = append(e.Extension, codingExtension("ombCategory", coding(nullFlavor, unknown, "unknown")))
	}
	e.Extension = append(e.Extension, &dtpb.Extension{Url: uri("text"), Value: stringValue(word)})
	return []*dtpb.Extension{e}
}

func readRace(e *dtpb.Extension, word *string) {
	give(word, part(e, "text").GetValue().GetStringValue().GetValue())
	give(word, races.word(part(e, "ombCategory").GetValue().GetCoding().GetCode().GetValue()))
}

func ethnicity(isHispanic *bool) []*dtpb.Extension {
	if isHispanic == nil {
		return nil
	}
	code := notHispanic
	if *isHispanic {
		code = hispanic
	}
	return []*dtpb.Extension{{Url: uri(ethnicityExtension), Extension: []*dtpb.Extension{
		codingExtension("ombCategory", coding(cdcRace, code, ethnicities.word(code))),
		{Url: uri("text"), Value: stringValue(ethnicities.word(code))},
	}}}
}

func readEthnicity(e *dtpb.Extension, isHispanic **bool) {
	switch part(e, "ombCategory").GetValue().GetCoding().GetCode().GetValue() {
	case hispanic:
		*isHispanic = Bool(true)
	case notHispanic:
		*isHispanic = Bool(false)
	}
}

func codingExtension(address string, c *dtpb.Coding) *dtpb.Extension {
	return &dtpb.Extension{Url: uri(address), Value: &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Coding{Coding: c}}}
}

func conceptExtension(address string, c *dtpb.CodeableConcept) *dtpb.Extension {
	return &dtpb.Extension{Url: uri(address), Value: &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_CodeableConcept{CodeableConcept: c}}}
}

// part finds a member of a complex extension.
func part(e *dtpb.Extension, name string) *dtpb.Extension {
	for _, m := range e.GetExtension() {
		if m.GetUrl().GetValue() == name {
			return m
		}
	}
	return nil
}
