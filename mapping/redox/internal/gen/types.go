package main

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// goType is a Go struct: the union of the catalogue's objects that share it.
type goType struct {
	name  string
	nodes []*node
	union *node
}

// singular names that a rule would get wrong, and roles that are one kind of
// thing under many names.
var roleNames = map[string]string{
	"Address": "Address", "Addresses": "Address",
	"PreviousLocation": "Location", "DischargeLocation": "Location", "ServiceLocation": "Location",
	"PreviousIdentifiers":   "Identifier",
	"DepartmentIdentifiers": "Identifier", "FacilityIdentifiers": "Identifier",
	"AttendingProvider": "Provider", "AttendingProviders": "Provider", "ConsultingProvider": "Provider",
	"ReferringProvider": "Provider", "AdmittingProvider": "Provider", "VisitProvider": "Provider",
	"OrderingProvider": "Provider", "OrderingProviders": "Provider", "AdministeringProvider": "Provider",
	"BillingProvider": "Provider", "AuthorizingProvider": "Provider", "ResultCopyProviders": "Provider", "PCP": "Provider",
	"AdditionalStaff": "Provider", "SurgeryStaff": "Provider", "Performer": "Provider", "Performers": "Provider",
	"PrimaryResultsInterpreter": "Provider", "VerifiedBy": "Provider", "EnteredBy": "Provider", "OrderedBy": "Provider",
	"Authenticator": "Provider", "Notifications": "Provider", "Observer": "Provider", "Author": "Provider",
	"Coordinators": "Provider", "PrincipalInvestigator": "Provider",
	"Diagnoses": "Diagnosis", "Diagnosis": "Diagnosis", "Indications": "Indication",
	"Patients": "Patient", "Visits": "Visit", "PotentialMatches": "PotentialMatch",
	"Status": "Status", "Access": "Access", "Details": "Details", "Series": "Series", "Days": "Day", "AltCodes": "AltCode",
	"Allergies": "Allergy", "Supplies": "Supply", "FamilyHistory": "FamilyHistory", "SocialHistory": "SocialHistory",
	"AdministrationHistory": "AdministrationHistory", "TobaccoUse": "TobaccoUse", "Media": "Media",
	"Source": "Party", "Destinations": "Party", "Message": "NumberedLog", "Transmission": "NumberedLog",
	"Logs": "Log", "AppointmentInfo": "AppointmentInfo", "ClinicalInfo": "ClinicalInfo", "SurgicalInfo": "SurgicalInfo", "ProcedureInfo": "ProcedureInfo",
	"AvailableSlots": "Slot", "Slots": "Slot", "Matches": "Match", "UnsignedProcedureOrders": "UnsignedProcedureOrder",
	"MedicationsAdministered": "MedicationAdministered", "EmailAddresses": "EmailAddress", "Specialties": "Specialty",
	"Advisories": "Advisory", "ResolvedProblems": "Problem", "ExtendedProperties": "ExtendedProperty", "Properties": "Property",
	"Entries": "Entry", "AdmissionDiagnosis": "AdmissionDiagnosis", "DischargeDiagnosis": "DischargeDiagnosis",
	"DischargeMedications": "Medication",
}

// role is the name the object's type would like to have.
func role(n *node) string {
	if name, ok := roleNames[n.name]; ok {
		return name
	}
	if isCode(n) {
		return "Code"
	}
	if n.member("AltCodes") != nil && len(n.members) <= 5 {
		return "CodedConcept"
	}
	if n.array && strings.HasSuffix(n.name, "s") {
		return strings.TrimSuffix(n.name, "s")
	}
	return n.name
}

// isCode recognises Redox's code triples: Code, Codeset, Name or Description.
func isCode(n *node) bool {
	if n.member("Code") == nil {
		return false
	}
	for _, m := range n.members {
		if !slices.Contains([]string{"Code", "Codeset", "Name", "Description"}, m.name) {
			return false
		}
	}
	return true
}

// nameTypes puts objects of one role and a like shape into one Go type.
func nameTypes(models []*model) ([]*goType, error) {
	var bodies, objects []*node
	for _, m := range models {
		for _, body := range []*node{m.body, m.response} {
			if body == nil {
				continue
			}
			bodies = append(bodies, body)
			body.walk(func(n *node) {
				n.typ = nil
				if n.kind == "object" && n != body {
					objects = append(objects, n)
				}
			})
		}
	}
	var types []*goType
	for _, b := range bodies {
		types = append(types, &goType{name: b.name, nodes: []*node{b}, union: b})
		b.typ = types[len(types)-1]
	}
	// The commonest shapes of a role come first, so that they make the type
	// that carries the plain name.
	count := map[string]int{}
	for _, n := range objects {
		count[role(n)+shape(n)]++
	}
	sort.SliceStable(objects, func(i, j int) bool {
		a, b := count[role(objects[i])+shape(objects[i])], count[role(objects[j])+shape(objects[j])]
		if a != b {
			return a > b
		}
		if a, b := placed(objects[i]), placed(objects[j]); a != b {
			return a > b
		}
		return len(objects[i].members) > len(objects[j].members)
	})
	byRole := map[string][]*goType{}
	for _, n := range objects {
		r := role(n)
		var home *goType
		for _, t := range byRole[r] {
			if alike(t.union, n) && compatible(t.union, n) {
				home = t
				break
			}
		}
		if home == nil {
			home = &goType{union: &node{name: r, kind: "object"}}
			byRole[r] = append(byRole[r], home)
			types = append(types, home)
		}
		home.take(n)
	}
	types = mergeMembers(types)
	return types, giveNames(types)
}

func (t *goType) take(n *node) {
	t.nodes = append(t.nodes, n)
	n.typ = t
	merge(t.union, n)
}

// merge adds the members of n to the union, deeply, keeping the order in which
// each object has them.
func merge(union, n *node) {
	for i, m := range n.members {
		u := union.member(m.name)
		if u == nil {
			u = &node{name: m.name, kind: m.kind, array: m.array, parent: union}
			at := len(union.members)
			if i > 0 {
				for j, x := range union.members {
					if x.name == n.members[i-1].name {
						at = j + 1
					}
				}
			}
			union.members = slices.Insert(union.members, at, u)
		}
		if u.kind != m.kind && isText(u.kind) && isText(m.kind) {
			u.kind = finest(u.kind, m.kind)
		}
		for _, word := range m.enum {
			if !slices.Contains(u.enum, word) {
				u.enum = append(u.enum, word)
			}
		}
		merge(u, m)
	}
}

// placed counts the members whose order a sample shows.
func placed(n *node) (count int) {
	for _, m := range n.members {
		if m.placed {
			count++
		}
	}
	return count
}

func shape(n *node) string {
	var parts []string
	for _, m := range n.members {
		parts = append(parts, fmt.Sprint(m.name, m.kind, m.array))
	}
	sort.Strings(parts)
	return strings.Join(parts, " ")
}

// alike is a guard against types that share only a name: at least half the
// members of the smaller one must be known to the other.
func alike(a, b *node) bool {
	common := 0
	for _, m := range b.members {
		if a.member(m.name) != nil {
			common++
		}
	}
	return 2*common >= min(len(a.members), len(b.members))
}

func compatible(a, b *node) bool {
	for _, m := range b.members {
		u := a.member(m.name)
		if u == nil {
			continue
		}
		if u.array != m.array || u.kind != m.kind && !(isText(u.kind) && isText(m.kind)) || !compatible(u, m) {
			return false
		}
	}
	return true
}

// mergeMembers joins types until every member of a type has one type in all
// the objects of that type.
func mergeMembers(types []*goType) []*goType {
	for changed := true; changed; {
		changed = false
		for _, t := range types {
			first := map[string]*goType{}
			for _, n := range t.nodes {
				for _, m := range n.members {
					if m.kind != "object" {
						continue
					}
					if first[m.name] == nil {
						first[m.name] = m.typ
					} else if other := m.typ; other != first[m.name] {
						for _, x := range slices.Clone(other.nodes) {
							first[m.name].take(x)
						}
						other.nodes = nil
						changed = true
					}
				}
			}
		}
	}
	return slices.DeleteFunc(types, func(t *goType) bool { return len(t.nodes) == 0 })
}

// giveNames names the types: the largest of a role takes the role's name, the
// others the model's or the parent's name before it.
func giveNames(types []*goType) error {
	taken := map[string]bool{"Message": true, "Error": true, "Object": true, "Number": true, "Event": true, "Options": true, "Extension": true}
	// Where a data model is called as its objects are, the objects have the
	// name: they are what one builds messages of.
	wanted := map[string]bool{}
	for _, t := range types {
		if t.name == "" {
			wanted[role(t.nodes[0])] = true
		}
	}
	for _, t := range types {
		if t.name != "" {
			if wanted[t.name] {
				t.name += "Message"
			}
			taken[t.name] = true
		}
	}
	sort.SliceStable(types, func(i, j int) bool { return len(types[i].nodes) > len(types[j].nodes) })
	for _, t := range types {
		if t.name != "" {
			continue
		}
		n := t.nodes[0]
		candidates := []string{role(n)}
		if p := n.parent; p != nil {
			candidates = append(candidates, role(p)+role(n))
			if p.parent != nil {
				candidates = append(candidates, role(p.parent)+role(p)+role(n))
			}
		}
		candidates = append(candidates, n.model+role(n))
		if p := n.parent; p != nil {
			candidates = append(candidates, n.model+role(p)+role(n))
		}
		for _, c := range candidates {
			if !taken[c] {
				t.name = c
				taken[c] = true
				break
			}
		}
		if t.name == "" {
			return fmt.Errorf("no name left for %s (tried %v)", n.path(), candidates)
		}
	}
	sort.Slice(types, func(i, j int) bool { return types[i].name < types[j].name })
	return nil
}
