package redox

import (
	"slices"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
)

// A role in words that v2-0131 does not have is told from a relation by this
// system.
const contactRoleCodeset = redoxCodeset + "contact-role"

// contact makes Patient.contact (HL7 v2-to-FHIR: NK1).
func (w *writer) contact(c Contact) *patientpb.Patient_Contact {
	out := &patientpb.Patient_Contact{
		Name:    humanName(&c.FirstName, &c.MiddleName, &c.LastName),
		Address: w.address(take(&c.Address), 0),
	}
	telecom, rest := w.telecom(take(&c.PhoneNumber), office, &c.EmailAddresses)
	out.Telecom = telecom
	for _, role := range take(&c.Roles) {
		switch code := contactRoles.code(role); {
		case role == "":
		case code != "":
			out.Relationship = append(out.Relationship, concept(v2+"0131", code, contactRoles.word(code), role))
		default:
			out.Relationship = append(out.Relationship, &dtpb.CodeableConcept{
				Coding: []*dtpb.Coding{coding(contactRoleCodeset, "", role)}, Text: str(role)})
		}
	}
	if relation := take(&c.RelationToPatient); relation != "" {
		out.Relationship = append(out.Relationship, relationship(relation))
	}
	out.Extension = slices.Concat(rest, w.rest("Contact", &c))
	return out
}

func (r *reader) contact(in *patientpb.Patient_Contact) Contact {
	c := Contact{}
	r.restore("Contact", in.Extension, &c)
	if in.Name != nil {
		readName([]*dtpb.HumanName{in.Name}, &c.FirstName, &c.MiddleName, &c.LastName)
	}
	c.Address = r.address(in.Address)
	c.PhoneNumber, c.EmailAddresses = r.telecom(in.Telecom, in.Extension, office)
	for _, rel := range in.Relationship {
		if isContactRole(rel) {
			role := rel.GetText().GetValue()
			give(&role, contactRoles.word(codeIn(rel, v2+"0131")))
			give(&role, wordsOf(rel))
			c.Roles = append(c.Roles, role)
		} else {
			give(&c.RelationToPatient, readRelationship(rel))
		}
	}
	return c
}

func isContactRole(c *dtpb.CodeableConcept) bool {
	for _, k := range c.GetCoding() {
		if s := k.GetSystem().GetValue(); s == v2+"0131" || s == contactRoleCodeset {
			return true
		}
	}
	return false
}

// relationship is what a person is to the patient, in v3-RoleCode when the
// word is known, and always in the message's word.
func relationship(word string) *dtpb.CodeableConcept {
	if code := relations.code(word); code != "" {
		return concept(roleCode, code, relations.word(code), word)
	}
	return inWords(word)
}

func readRelationship(c *dtpb.CodeableConcept) string {
	word := c.GetText().GetValue()
	give(&word, relations.word(codeIn(c, roleCode)))
	give(&word, wordsOf(c))
	return word
}
