package redox

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	allergypb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/allergy_intolerance_go_proto"
	appointmentpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/appointment_go_proto"
	crpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	teampb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/care_team_go_proto"
	communicationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/communication_request_go_proto"
	compositionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/composition_go_proto"
	conditionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/condition_go_proto"
	consentpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/consent_go_proto"
	coveragepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/coverage_go_proto"
	devicepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/device_go_proto"
	devicerequestpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/device_request_go_proto"
	reportpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/diagnostic_report_go_proto"
	encounterpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/encounter_go_proto"
	familypb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/family_member_history_go_proto"
	goalpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/goal_go_proto"
	immunizationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/immunization_go_proto"
	administrationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/medication_administration_go_proto"
	medicationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/medication_request_go_proto"
	observationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/observation_go_proto"
	procedurepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/procedure_go_proto"
	requestpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/service_request_go_proto"
	deliverypb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/supply_delivery_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fhirfacade/fhirfacade/mapping"
)

const narrativeAdditional = codes_go_proto.NarrativeStatusCode_ADDITIONAL

// section is a section of a summary: its LOINC code (HL7 C-CDA), the member
// with its text and the lists that it has.
type section struct {
	code, title, text string
	parts             []sectionPart
}

// sectionPart is a list of a section: the member that it is, by its path, and what
// its items become.
type sectionPart struct {
	member  string
	table   *table
	profile string
	new     func() proto.Message
	// keys are the members that tell an item from the others of a patient.
	keys string
	// kind is the category of resources of other origin that belong here, or
	// "any": those of the type that no other part has. "" takes none.
	kind string
	// finish adds what depends on several elements.
	finish func(w *writer, m proto.Message)
}

const dated = "Code CodeSystem Name "

func a[T any, R interface {
	*T
	proto.Message
}]() func() proto.Message {
	return func() proto.Message { return R(new(T)) }
}

var sections = []section{
	{"46241-6", "Admission diagnosis", "AdmissionDiagnosisText", []sectionPart{
		{"AdmissionDiagnosis", admissionDiagnosisTable, "condition-encounter-diagnosis", a[conditionpb.Condition](), dated + "StartDate", "", ended}}},
	{"42348-3", "Advance directives", "AdvanceDirectivesText", []sectionPart{
		{"AdvanceDirectives", directiveTable, "", a[consentpb.Consent](), dated + "StartDate Type.Code", "any", nil}}},
	{"48765-2", "Allergies", "AllergyText", []sectionPart{
		{"Allergies", allergyTable, "allergyintolerance", a[allergypb.AllergyIntolerance](), dated + "Substance.Code Substance.Name Substance.CodeSystem", "any", nil}}},
	{"51848-0", "Assessment", "AssessmentText", []sectionPart{
		{"Assessment.Diagnoses", assessmentTable, "condition-encounter-diagnosis", a[conditionpb.Condition](), "Value DateTime", "", codeKnown}}},
	{"85847-2", "Care team", "", []sectionPart{
		{"CareTeams", teamTable, "careteam", a[teampb.CareTeam](), "Name", "any", nil}}},
	{"10154-3", "Chief complaint", "ChiefComplaintText", nil},
	{"11535-2", "Discharge diagnosis", "DischargeDiagnosisText", []sectionPart{
		{"DischargeDiagnosis", dischargeDiagnosisTable, "condition-encounter-diagnosis", a[conditionpb.Condition](), dated + "StartDate", "", ended}}},
	{"10183-2", "Discharge medications", "DischargeMedicationsText", []sectionPart{
		{"DischargeMedications", medicationTable, "medicationrequest", a[medicationpb.MedicationRequest](), medicationKeys, "", nil}}},
	{"46240-8", "Encounters", "EncountersText", []sectionPart{
		{"Encounters", clinicalEncounterTable, "encounter", a[encounterpb.Encounter](), "DateTime Type.Code Type.Name", "any", nil}}},
	{"10157-6", "Family history", "FamilyHistoryText", []sectionPart{
		{"FamilyHistory", familyTable, "", a[familypb.FamilyMemberHistory](), "Relation.Code Relation.Name", "any", nil}}},
	{"47420-5", "Functional status", "FunctionalStatusText", []sectionPart{
		{"FunctionalStatus.Observations", functionalTable, "", a[observationpb.Observation](), dated + "DateTime", "functional-status", valueKnown},
		{"FunctionalStatus.Supplies", supplyTable, "", a[deliverypb.SupplyDelivery](), dated + "DateTime", "any", nil}}},
	{"61146-7", "Goals", "GoalsText", []sectionPart{
		{"Goals", goalTable, "goal", a[goalpb.Goal](), dated + "StartDate", "any", measuredGoal}}},
	{"75310-3", "Health concerns", "HealthConcernsText", []sectionPart{
		{"HealthConcerns", healthConcernTable, "condition-problems-health-concerns", a[conditionpb.Condition](), dated + "StartDate", "health-concern", ended}}},
	{"10164-2", "History of present illness", "HistoryOfPresentIllnessText", nil},
	{"11369-6", "Immunizations", "ImmunizationText", []sectionPart{
		{"Immunizations", immunizationTable, "immunization", a[immunizationpb.Immunization](), "Product.Code Product.Name DateTime", "any", nil}}},
	{"69730-0", "Instructions", "InstructionsText", []sectionPart{
		{"Instructions", instructionTable, "", a[communicationpb.CommunicationRequest](), dated, "any", nil}}},
	{"48768-6", "Insurances", "InsurancesText", []sectionPart{
		{member: insurancePart, new: a[coveragepb.Coverage](), kind: "any"}}},
	{"62387-6", "Interventions", "InterventionsText", nil},
	{"11329-0", "Medical history", "MedicalHistoryText", nil},
	{"46264-8", "Medical equipment", "MedicalEquipmentText", []sectionPart{
		{"MedicalEquipment", equipmentTable, "", a[devicepb.Device](), "Product.Code Product.Name StartDate Product.DeviceID", "any", nil}}},
	{"10160-0", "Medications", "MedicationsText", []sectionPart{
		{"Medications", medicationTable, "medicationrequest", a[medicationpb.MedicationRequest](), medicationKeys, "any", nil}}},
	{"29549-3", "Medications administered", "MedicationsAdministeredText", []sectionPart{
		{"MedicationsAdministered", administeredTable, "", a[administrationpb.MedicationAdministration](), medicationKeys, "any", effective}}},
	{"61149-1", "Objective", "ObjectiveText", nil},
	{"29545-1", "Physical exam", "PhysicalExamText", nil},
	{"18776-5", "Plan of care", "PlanOfCareText", []sectionPart{
		{"PlanOfCare.Orders", plannedOrderTable, "servicerequest", a[requestpb.ServiceRequest](), dated + "DateTime", "any", nil},
		{"PlanOfCare.Procedures", plannedProcedureTable, "servicerequest", a[requestpb.ServiceRequest](), dated + "DateTime", "", nil},
		{"PlanOfCare.Encounters", plannedEncounterTable, "", a[appointmentpb.Appointment](), dated + "DateTime", "any", nil},
		{"PlanOfCare.MedicationAdministration", plannedMedicationTable, "medicationrequest", a[medicationpb.MedicationRequest](), medicationKeys, "", nil},
		{"PlanOfCare.Supplies", plannedSupplyTable, "", a[devicerequestpb.DeviceRequest](), dated + "DateTime", "any", nil},
		{"PlanOfCare.Services", plannedServiceTable, "servicerequest", a[requestpb.ServiceRequest](), dated + "DateTime", "", nil}}},
	{"11450-4", "Problems", "ProblemsText", []sectionPart{
		{"Problems", problemTable, "condition-problems-health-concerns", a[conditionpb.Condition](), dated + "StartDate", "problem-list-item", ended}}},
	{"47519-4", "Procedures", "ProceduresText", []sectionPart{
		{"Procedures.Observations", procedureObservationTable, "", a[observationpb.Observation](), dated + "DateTime", "procedure", valueKnown},
		{"Procedures.Procedures", procedureTable, "procedure", a[procedurepb.Procedure](), dated + "DateTime", "any", nil},
		{"Procedures.Services", serviceTable, "procedure", a[procedurepb.Procedure](), dated + "DateTime", "", nil}}},
	{"42349-1", "Reason for referral", "ReasonForReferralText", nil},
	{"29299-5", "Reason for visit", "ReasonForVisitText", []sectionPart{
		{"ReasonForVisit", reasonForVisitTable, "condition-encounter-diagnosis", a[conditionpb.Condition](), dated, "", nil}}},
	{"11348-0", "Resolved problems", "ResolvedProblemsText", []sectionPart{
		{"ResolvedProblems", problemTable, "condition-problems-health-concerns", a[conditionpb.Condition](), dated + "StartDate", "", ended}}},
	{"30954-2", "Results", "ResultText", []sectionPart{
		{"Results", panelTable, "diagnosticreport-lab", a[reportpb.DiagnosticReport](), dated, "any", nil}}},
	{"10187-3", "Review of systems", "ReviewOfSystemsText", nil},
	{"29762-2", "Social history", "SocialHistoryText", []sectionPart{
		{"SocialHistory.Observations", socialTable, "", a[observationpb.Observation](), dated + "StartDate", "social-history", valueKnown},
		{"SocialHistory.Pregnancy", pregnancyTable, "", a[observationpb.Observation](), "StartDate", "", nil},
		{"SocialHistory.TobaccoUse", tobaccoTable, "smokingstatus", a[observationpb.Observation](), dated + "StartDate", "", valueKnown}}},
	{"61150-9", "Subjective", "SubjectiveText", nil},
	{"8716-3", "Vital signs", "VitalSignsText", []sectionPart{
		{"VitalSigns", vitalsTable, "vital-signs", a[observationpb.Observation](), "DateTime", "vital-signs", nil}}},
}

const medicationKeys = "Product.Code Product.CodeSystem Product.Name StartDate"

// sectionOf finds a section by its code.
func sectionOf(code string) *section {
	for i := range sections {
		if sections[i].code == code {
			return &sections[i]
		}
	}
	return nil
}

// summaryPath finds a member of a summary, and keeps where it is.
var summaryPaths sync.Map // path → []int

func summaryPath(path string) []int {
	if p, ok := summaryPaths.Load(path); ok {
		return p.([]int)
	}
	p := memberPath(reflect.TypeFor[ClinicalSummary](), path)
	summaryPaths.Store(path, p)
	return p
}

func (s *section) textPath() []int { return summaryPath(s.text) }
func (p *sectionPart) path() []int { return summaryPath(p.member) }

func (p *sectionPart) descriptor() protoreflect.MessageDescriptor {
	return p.new().ProtoReflect().Descriptor()
}

func (p *sectionPart) make() proto.Message { return p.new() }

// key names an item by its members.
func (p *sectionPart) key(object reflect.Value) string {
	key := []string{p.member}
	for path := range strings.FieldsSeq(p.keys) {
		if at := lookAt(object, path); at.IsValid() && at.Kind() == reflect.String {
			key = append(key, at.String())
		} else {
			key = append(key, "")
		}
	}
	return joinKey(key...)
}

// lookAt finds a member by the names on its path; not valid for a missing one.
func lookAt(v reflect.Value, path string) reflect.Value {
	for name := range strings.SplitSeq(path, ".") {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}
			}
			v = v.Elem()
		}
		i, ok := members(v.Type())[name]
		if !ok {
			return reflect.Value{}
		}
		v = v.Field(i)
	}
	return v
}

// tag notes the part that a resource is of, so that it is put there again, and
// the profile that it is to meet.
func tag(m proto.Message, p *sectionPart) {
	meta := &dtpb.Meta{Tag: []*dtpb.Coding{coding(partCodeset, p.member, "")}}
	if p.profile != "" {
		meta.Profile = profile(p.profile).Profile
	}
	m.ProtoReflect().Set(m.ProtoReflect().Descriptor().Fields().ByName("meta"), protoreflect.ValueOfMessage(meta.ProtoReflect()))
}

// gather makes a Composition of whatever there is of a patient: each resource
// goes to the part that it came from, or to the one for its type and category.
func (r *reader) gather() *compositionpb.Composition {
	out := &compositionpb.Composition{}
	in := map[*sectionPart][]*dtpb.Reference{}
	inside := r.contained()
	for i, e := range r.m.Entries {
		if p := r.m.Entries[i].Resource.GetPatient(); p != nil && out.Subject == nil {
			out.Subject = r.m.Ref(i)
		}
		if p := partOf(e.Resource, inside[i]); p != nil {
			in[p] = append(in[p], r.m.Ref(i))
		}
	}
	for i := range sections {
		s := &sections[i]
		section := &compositionpb.Composition_Section{Code: concept(loinc, s.code, "", "")}
		for j := range s.parts {
			entries := in[&s.parts[j]]
			if len(s.parts) == 1 {
				section.Entry = entries
			} else if len(entries) > 0 {
				section.Section = append(section.Section, &compositionpb.Composition_Section{
					Code: concept(partCodeset, s.parts[j].member, "", ""), Entry: entries})
			}
		}
		if section.Entry != nil || section.Section != nil {
			out.Section = append(out.Section, section)
		}
	}
	return out
}

// contained are the entries that reports and panels have: their results are
// not told a second time.
func (r *reader) contained() map[int]bool {
	inside := map[int]bool{}
	for _, e := range r.m.Entries {
		for _, ref := range slices.Concat(e.Resource.GetDiagnosticReport().GetResult(), e.Resource.GetObservation().GetHasMember()) {
			inside[r.m.Find(ref)] = true
		}
	}
	return inside
}

// partOf finds the part of a resource; nil for one that belongs to none.
func partOf(c *crpb.ContainedResource, inside bool) *sectionPart {
	resource := mapping.Typed(c)
	meta, _ := resource.(interface{ GetMeta() *dtpb.Meta })
	tagged := ""
	for _, t := range meta.GetMeta().GetTag() {
		if t.GetSystem().GetValue() == partCodeset {
			tagged = t.GetCode().GetValue()
		}
	}
	if inside {
		return nil
	}
	kinds := categories(resource)
	for i := range sections {
		for j := range sections[i].parts {
			p := &sections[i].parts[j]
			if resource.ProtoReflect().Descriptor() != p.descriptor() {
				continue
			}
			if tagged != "" && tagged == p.member || tagged == "" && (p.kind == "any" || p.kind != "" && slices.Contains(kinds, p.kind)) {
				return p
			}
		}
	}
	return nil
}

// categories are the codes of a resource's categories.
func categories(m proto.Message) (codes []string) {
	c, ok := m.(interface {
		GetCategory() []*dtpb.CodeableConcept
	})
	if !ok {
		return nil
	}
	for _, one := range c.GetCategory() {
		for _, k := range one.GetCoding() {
			codes = append(codes, k.GetCode().GetValue())
		}
	}
	return codes
}
