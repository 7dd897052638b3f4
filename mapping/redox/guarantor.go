package redox

import (
	"slices"

	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	accountpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/account_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
	personpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/related_person_go_proto"
)

// account makes the Account of a patient or a visit: who pays, and by which
// coverages. Without a guarantor and a number there is none.
func (w *writer) account(number string, g *Guarantor, coverages []int, patient int, owner int) (index int, ok bool) {
	if number == "" && (g == nil || isEmpty(g)) {
		return 0, false
	}
	out := &accountpb.Account{
		Status:  &accountpb.Account_StatusCode{Value: codes_go_proto.AccountStatusCode_ACTIVE, Extension: w.assumed()},
		Subject: []*dtpb.Reference{w.ref(patient)},
	}
	entry := child(owner, "account")
	if number != "" {
		out.Identifier = []*dtpb.Identifier{w.number(accountNumber, number)}
		entry = known(out.Identifier)
	}
	for _, c := range coverages {
		one := &accountpb.Account_Coverage{Coverage: w.ref(c)}
		if o := w.m.Entries[c].Resource.GetCoverage().GetOrder().GetValue(); o != 0 {
			one.Priority = &dtpb.PositiveInt{Value: o}
		}
		out.Coverage = append(out.Coverage, one)
	}
	if g != nil && !isEmpty(g) {
		out.Guarantor = []*accountpb.Account_Guarantor{w.guarantor(*g, patient)}
	}
	return w.add(out, entry), true
}

// guarantor makes the person who pays (HL7 v2-to-FHIR: GT1): the patient or a
// RelatedPerson.
func (w *writer) guarantor(g Guarantor, patient int) *accountpb.Account_Guarantor {
	if sameWord(g.RelationToPatient, "self") {
		if g.RelationToPatient == "Self" {
			g.RelationToPatient = ""
		}
		return &accountpb.Account_Guarantor{Party: w.ref(patient), Extension: w.rest("Guarantor", &g)}
	}
	entry := child(patient, joinKey("guarantor", g.Number, g.LastName, g.FirstName, g.DOB))
	out := &personpb.RelatedPerson{Patient: w.ref(patient)}
	// The number is the guarantor's, the RelatedPerson is one patient's: the
	// father of two patients is two of them, so the number is no identity.
	if id := w.number(guarantorNumber, take(&g.Number)); id != nil {
		out.Identifier = append(out.Identifier, id)
	}
	if id := ssn(take(&g.SSN)); id != nil {
		out.Identifier = append(out.Identifier, id)
	}
	if r := take(&g.RelationToPatient); r != "" {
		out.Relationship = []*dtpb.CodeableConcept{relationship(r)}
	}
	if n := humanName(&g.FirstName, &g.MiddleName, &g.LastName); n != nil {
		out.Name = []*dtpb.HumanName{n}
	}
	out.BirthDate = w.date(&g.DOB)
	if s := genders.take(&g.Sex); s != "" {
		out.Gender = &personpb.RelatedPerson_GenderCode{Value: gender(s)}
	}
	if a := w.address(take(&g.Address), 0); a != nil {
		out.Address = []*dtpb.Address{a}
	}
	telecom, rest := w.telecom(take(&g.PhoneNumber), business, &g.EmailAddresses)
	out.Telecom = telecom
	out.Extension = slices.Concat(rest, w.rest("Guarantor", &g)) // Employer, Spouse, Type
	return &accountpb.Account_Guarantor{Party: w.ref(w.add(out, entry))}
}

func joinKey(parts ...string) string {
	key := ""
	for i, p := range parts {
		if i > 0 {
			key += "|"
		}
		key += p
	}
	return key
}

// account reads the account that the references mean, or the only one there is.
func (r *reader) account(refs []*dtpb.Reference) (number string, g *Guarantor) {
	if number, g = r.accountOf(refs); number != "" || g != nil {
		return number, g
	}
	if accounts := all[*accountpb.Account](r); len(accounts) == 1 {
		return r.readAccount(accounts[0])
	}
	return "", nil
}

// accountOf reads the account that the references mean.
func (r *reader) accountOf(refs []*dtpb.Reference) (number string, g *Guarantor) {
	for _, ref := range refs {
		if a, i := target[*accountpb.Account](r, ref); i >= 0 {
			return r.readAccount(a)
		}
	}
	return "", nil
}

func (r *reader) readAccount(in *accountpb.Account) (number string, g *Guarantor) {
	if len(in.Identifier) > 0 {
		number = in.Identifier[0].GetValue().GetValue()
	}
	if len(in.Guarantor) > 0 {
		g = r.guarantor(in.Guarantor[0])
	}
	return number, g
}

func (r *reader) guarantor(in *accountpb.Account_Guarantor) *Guarantor {
	g := &Guarantor{}
	r.restore("Guarantor", in.Extension, g)
	if _, i := target[*patientpb.Patient](r, in.Party); i >= 0 {
		give(&g.RelationToPatient, "Self")
		return g
	}
	p, i := target[*personpb.RelatedPerson](r, in.Party)
	if i < 0 {
		return nil
	}
	r.restore("Guarantor", p.Extension, g)
	for _, id := range p.Identifier {
		if id.GetSystem().GetValue() == ssnSystem {
			give(&g.SSN, id.GetValue().GetValue())
		} else if one := r.identifier(id); one.IDType == guarantorNumber {
			give(&g.Number, one.ID)
		}
	}
	if len(p.Relationship) > 0 {
		give(&g.RelationToPatient, readRelationship(p.Relationship[0]))
	}
	readName(p.Name, &g.FirstName, &g.MiddleName, &g.LastName)
	r.giveDate(&g.DOB, p.BirthDate)
	genders.give(&g.Sex, genderCode(p.Gender.GetValue()))
	g.Address = r.address(p.Address...)
	g.PhoneNumber, g.EmailAddresses = r.telecom(p.Telecom, p.Extension, business)
	return g
}
