package redox

import (
	"strconv"
	"strings"

	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	coveragepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/coverage_go_proto"
	organizationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/organization_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
	personpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/related_person_go_proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// The classes of a coverage. coverage-class has no code for a policy.
const (
	coverageClass      = terminology + "coverage-class"
	policyClassCodeset = redoxCodeset + "coverage-class"
)

// coverages makes the us-core-coverages of a list and their indexes.
func (w *writer) coverages(list []Insurance, patient int) (out []int) {
	for _, in := range list {
		if !isEmpty(in) {
			out = append(out, w.coverage(in, patient))
		}
	}
	return out
}

// coverage makes one Coverage (HL7 v2-to-FHIR: IN1, IN2). Members of a family
// share their numbers, so a coverage is known by the patient and its numbers
// together and never by the numbers alone.
func (w *writer) coverage(in Insurance, patient int) int {
	out := &coveragepb.Coverage{Meta: profile("coverage"), Beneficiary: w.ref(patient)}
	key := []string{"coverage"}
	plan := Plan{}
	if in.Plan != nil {
		plan = *in.Plan
	}
	company := Company{}
	if in.Company != nil {
		company = *in.Company
	}
	key = append(key, plan.ID, plan.Name, company.ID, company.Name, in.GroupNumber, in.MemberNumber, in.PolicyNumber)

	out.Type = inWords(take(&plan.Type))
	out.ClassValue = append(out.ClassValue, class(coverageClass, "plan", &plan.ID, &plan.Name)...)
	in.Plan = nil
	out.Extension = append(out.Extension, w.rest("Plan", &plan)...)
	out.ClassValue = append(out.ClassValue, class(coverageClass, "group", &in.GroupNumber, &in.GroupName)...)
	if policy := in.PolicyNumber; policy != "" {
		out.ClassValue = append(out.ClassValue, class(policyClassCodeset, "policy", &in.PolicyNumber, new(string))...)
		if in.MemberNumber == "" {
			out.SubscriberId = str(policy)
		}
	}
	if member := take(&in.MemberNumber); member != "" {
		out.Identifier = []*dtpb.Identifier{w.number(memberNumber, member)}
		out.SubscriberId = str(member)
	}
	start, end := w.dateTime(&in.EffectiveDate), w.dateTime(&in.ExpirationDate)
	if start != nil || end != nil {
		out.Period = &dtpb.Period{Start: start, End: end}
	}
	out.Status = &coveragepb.Coverage_StatusCode{Value: codes_go_proto.FinancialResourceStatusCode_ACTIVE}
	if end != nil && !w.m.Time.IsZero() && inZone(end.ValueUs, end.Timezone).AddDate(0, 0, 1).Before(w.m.Time) {
		out.Status.Value = codes_go_proto.FinancialResourceStatusCode_CANCELLED
	}
	if n, err := strconv.Atoi(priorities.take(&in.Priority)); err == nil {
		out.Order = &dtpb.PositiveInt{Value: uint32(n)}
	}
	out.Payor = []*dtpb.Reference{w.payor(company, plan)}
	in.Company = nil
	if in.Insured != nil && !isEmpty(in.Insured) {
		w.insured(&in, out, patient)
	}
	out.Extension = append(out.Extension, w.rest("Insurance", &in)...)
	return w.add(out, child(patient, strings.Join(key, "|")))
}

// class makes a class of a value, which FHIR requires, and a name. With the
// name alone both are the name; with equal ones the value stays in its field.
func class(system, code string, value, name *string) []*coveragepb.Coverage_Class {
	if *value == "" && *name == "" {
		return nil
	}
	c := &coveragepb.Coverage_Class{Type: concept(system, code, "", ""), Value: str(*value), Name: str(*name)}
	if *value == "" {
		c.Value = str(*name)
	}
	if *value != *name {
		*value = ""
	}
	*name = ""
	return []*coveragepb.Coverage_Class{c}
}

func readClass(in []*coveragepb.Coverage_Class, system, code string, value, name *string) {
	for _, c := range in {
		if codeIn(c.Type, system) == code {
			give(name, c.GetName().GetValue())
			if v := c.GetValue().GetValue(); v != c.GetName().GetValue() {
				give(value, v)
			}
		}
	}
}

// payor makes the us-core-organization that pays, or says that it is unknown.
func (w *writer) payor(c Company, plan Plan) *dtpb.Reference {
	if isEmpty(c) {
		name := "unknown payor"
		give(&plan.Name, name)
		return &dtpb.Reference{Display: str(plan.Name), Extension: w.assumed()}
	}
	return w.ref(w.company(c))
}

// company makes the us-core-organization of a company.
func (w *writer) company(c Company) int {
	return w.once("Organization", c, func() int {
		out := &organizationpb.Organization{Meta: profile("organization"), Active: boolean(true)}
		name := c.Name
		if id := w.companyIdentifier(&c); id != nil {
			out.Identifier = []*dtpb.Identifier{id}
		}
		out.Name = str(take(&c.Name))
		if a := w.address(take(&c.Address), 0); a != nil {
			out.Address = []*dtpb.Address{a}
		}
		out.Telecom = phone(phoneWork, take(&c.PhoneNumber))
		out.Extension = w.rest("Company", &c)
		entry := known(out.Identifier)
		if len(entry.Identifiers) == 0 && name != "" {
			entry = child(mapping.NoParent, "payor|"+name)
		}
		return w.add(out, entry)
	})
}

// companyIdentifier gives the number of a company without an IDType a type of
// its own: it is one company in all messages of the organization.
func (w *writer) companyIdentifier(c *Company) *dtpb.Identifier {
	if c.ID == "" {
		return nil
	}
	idType := take(&c.IDType)
	if idType == "" {
		return w.number(companyNumber, take(&c.ID))
	}
	if idType == companyNumber {
		c.IDType = idType // would come back as none
	}
	return w.identifier(Identifier{ID: take(&c.ID), IDType: idType})
}

func (r *reader) payor(ref *dtpb.Reference) *Company {
	c := r.company(ref)
	if c == nil && !r.assumed(ref.GetExtension()) && ref.GetDisplay() != nil {
		return &Company{Name: ref.GetDisplay().GetValue()}
	}
	return c
}

// company reads the organization of a reference, nil if it is none.
func (r *reader) company(ref *dtpb.Reference) *Company {
	in, i := target[*organizationpb.Organization](r, ref)
	if i < 0 {
		return nil
	}
	c := &Company{}
	r.restore("Company", in.Extension, c)
	if len(in.Identifier) > 0 {
		id := r.identifier(in.Identifier[0])
		c.ID = id.ID
		if id.IDType != companyNumber {
			c.IDType = id.IDType
		}
	}
	give(&c.Name, in.GetName().GetValue())
	c.Address = r.address(in.Address...)
	if numbers, _ := r.telecom(in.Telecom, nil, office); numbers != nil {
		give(&c.PhoneNumber, numbers.Office)
		give(&c.PhoneNumber, numbers.Home)
		give(&c.PhoneNumber, numbers.Mobile)
	}
	return c
}

// insured makes the subscriber: the patient, or a RelatedPerson.
func (w *writer) insured(in *Insurance, out *coveragepb.Coverage, patient int) {
	p := *in.Insured
	in.Insured = nil
	code := subscriberRelationships.code(p.Relationship)
	if p.Relationship != "" {
		out.Relationship = inWords(p.Relationship)
		if code != "" {
			out.Relationship = concept(terminology+"subscriber-relationship", code, "", p.Relationship)
		}
	}
	if code == "self" {
		out.Subscriber = w.ref(patient)
		p.Relationship = ""
		out.Extension = append(out.Extension, w.rest("Insured", &p)...)
		return
	}
	relation := take(&p.Relationship)
	name := p.LastName + "|" + p.FirstName + "|" + p.DOB
	if isEmpty(p) { // a relationship alone makes no person
		return
	}
	person := &personpb.RelatedPerson{Patient: w.ref(patient)}
	if relation != "" {
		person.Relationship = []*dtpb.CodeableConcept{relationship(relation)}
	}
	person.Identifier = w.identifiers(take(&p.Identifiers))
	if id := ssn(take(&p.SSN)); id != nil {
		person.Identifier = append(person.Identifier, id)
	}
	if n := humanName(&p.FirstName, &p.MiddleName, &p.LastName); n != nil {
		person.Name = []*dtpb.HumanName{n}
	}
	person.BirthDate = w.date(&p.DOB)
	if g := genders.take(&p.Sex); g != "" {
		person.Gender = &personpb.RelatedPerson_GenderCode{Value: gender(g)}
	}
	if a := w.address(take(&p.Address), 0); a != nil {
		person.Address = []*dtpb.Address{a}
	}
	person.Extension = w.rest("Insured", &p)
	out.Subscriber = w.ref(w.add(person, child(patient, "insured|"+name)))
}

func (r *reader) insured(in *coveragepb.Coverage) *Insured {
	p := &Insured{}
	r.restore("Insured", in.Extension, p)
	give(&p.Relationship, in.GetRelationship().GetText().GetValue())
	give(&p.Relationship, subscriberRelationships.word(codeIn(in.Relationship, terminology+"subscriber-relationship")))
	if _, i := target[*patientpb.Patient](r, in.Subscriber); i >= 0 {
		give(&p.Relationship, "Self")
	}
	if person, i := target[*personpb.RelatedPerson](r, in.Subscriber); i >= 0 {
		r.restore("Insured", person.Extension, p)
		if len(person.Relationship) > 0 {
			give(&p.Relationship, readRelationship(person.Relationship[0]))
		}
		r.giveIdentifiers(&p.SSN, &p.Identifiers, person.Identifier)
		readName(person.Name, &p.FirstName, &p.MiddleName, &p.LastName)
		r.giveDate(&p.DOB, person.BirthDate)
		genders.give(&p.Sex, genderCode(person.Gender.GetValue()))
		p.Address = r.address(person.Address...)
	}
	if isEmpty(p) {
		return nil
	}
	return p
}

// coverages reads all coverages of a message.
func (r *reader) coverages() (list []Insurance) {
	for _, in := range all[*coveragepb.Coverage](r) {
		list = append(list, r.coverage(in))
	}
	return list
}

func (r *reader) coverage(in *coveragepb.Coverage) Insurance {
	out, plan := Insurance{}, &Plan{}
	r.restore("Insurance", in.Extension, &out)
	r.restore("Plan", in.Extension, plan)
	give(&plan.Type, wordsOf(in.Type))
	readClass(in.ClassValue, coverageClass, "plan", &plan.ID, &plan.Name)
	readClass(in.ClassValue, coverageClass, "group", &out.GroupNumber, &out.GroupName)
	readClass(in.ClassValue, policyClassCodeset, "policy", &out.PolicyNumber, new(string))
	for _, id := range in.Identifier {
		if codeIn(id.Type, v2+"0203") == memberNumber {
			give(&out.MemberNumber, id.GetValue().GetValue())
		}
	}
	if s := in.GetSubscriberId().GetValue(); s != out.PolicyNumber {
		give(&out.MemberNumber, s)
	}
	start, ok := ofDateTime(in.GetPeriod().GetStart())
	r.giveTime(&out.EffectiveDate, start, ok)
	end, ok := ofDateTime(in.GetPeriod().GetEnd())
	r.giveTime(&out.ExpirationDate, end, ok)
	if o := in.GetOrder().GetValue(); o != 0 {
		priorities.give(&out.Priority, strconv.Itoa(int(o)))
	}
	if len(in.Payor) > 0 {
		out.Company = r.payor(in.Payor[0])
	}
	out.Insured = r.insured(in)
	if !isEmpty(plan) {
		out.Plan = plan
	}
	return out
}
