package redox

// words translates between Redox's words and FHIR's codes. Several words may
// have one code; the first is the one that the code becomes on the way back.
type words []struct{ word, code string }

// code finds the code of a word, not minding case, spaces and hyphens; "" if
// the table does not know the word.
func (t words) code(word string) string {
	if word == "" {
		return ""
	}
	for _, e := range t {
		if sameWord(e.word, word) {
			return e.code
		}
	}
	return ""
}

// word finds the word of a code, "" if there is none.
func (t words) word(code string) string {
	if code == "" {
		return ""
	}
	for _, e := range t {
		if e.code == code {
			return e.word
		}
	}
	return ""
}

// take returns the word's code. The word is taken from its field when the code
// alone leads back to it; else it stays there, to be kept as an extension.
func (t words) take(field *string) string {
	code := t.code(*field)
	if code != "" && t.word(code) == *field {
		*field = ""
	}
	return code
}

// give puts a code's word into the field, unless an extension has brought the
// original word and it still means that code.
func (t words) give(field *string, code string) {
	if code == "" || t.code(*field) == code {
		return
	}
	if w := t.word(code); w != "" {
		*field = w
	}
}

// Redox: Demographics.Sex; FHIR: administrative-gender.
var genders = words{
	{"Male", "male"}, {"Female", "female"}, {"Unknown", "unknown"}, {"Other", "other"},
	{"M", "male"}, {"F", "female"}, {"U", "unknown"}, {"O", "other"}, {"Nonbinary", "other"}, {"Ambiguous", "other"},
}

// Redox: Demographics.Race; FHIR: the OMB categories of CDC Race & Ethnicity
// (US Core › us-core-race).
var races = words{
	{"American Indian or Alaska Native", "1002-5"},
	{"Asian", "2028-9"},
	{"Black or African American", "2054-5"},
	{"Native Hawaiian or Other Pacific Islander", "2076-8"},
	{"White", "2106-3"},
	{"American Indian", "1002-5"}, {"Alaska Native", "1002-5"},
	{"Black", "2054-5"}, {"African American", "2054-5"},
	{"Native Hawaiian", "2076-8"}, {"Pacific Islander", "2076-8"},
	{"Caucasian", "2106-3"},
}

// The words for a race outside the OMB categories.
var (
	otherRaces   = words{{"Other Race", "2131-1"}, {"Other", "2131-1"}}
	unknownRaces = words{{"Unknown", "UNK"}}
)

// The Hispanic or Latino categories of CDC Race & Ethnicity
// (US Core › us-core-ethnicity).
const (
	hispanic    = "2135-2"
	notHispanic = "2186-5"
)

var ethnicities = words{{"Hispanic or Latino", hispanic}, {"Not Hispanic or Latino", notHispanic}}

// Redox: Demographics.MaritalStatus; FHIR: v3-MaritalStatus.
var maritalStatuses = words{
	{"Annulled", "A"}, {"Divorced", "D"}, {"Interlocutory", "I"},
	{"Legally Separated", "L"}, {"Separated", "L"},
	{"Married", "M"}, {"Common law", "C"},
	{"Domestic partner", "T"}, {"Registered domestic partner", "T"},
	{"Single", "S"}, {"Unmarried", "U"}, {"Widowed", "W"},
	{"Unknown", "UNK"}, {"Unreported", "UNK"}, {"Other", "UNK"},
}

// Redox: Visit.PatientClass (the names of HL7 v2-0004); FHIR: v3-ActCode.
var patientClasses = words{
	{"Inpatient", "IMP"}, {"Outpatient", "AMB"}, {"Emergency", "EMER"},
	{"Preadmit", "PRENC"}, {"Observation", "OBSENC"},
	{"Recurring", "AMB"}, {"Recurring patient", "AMB"}, {"Obstetrics", "IMP"}, {"Ambulatory", "AMB"},
	{"Virtual", "VR"}, {"Home", "HH"},
}

// FHIR: the displays of the codes above in v3-ActCode.
var actNames = words{
	{"inpatient encounter", "IMP"}, {"ambulatory", "AMB"}, {"emergency", "EMER"},
	{"pre-admission", "PRENC"}, {"observation encounter", "OBSENC"}, {"virtual", "VR"}, {"home health", "HH"},
}

// Redox: Visit.Status of an appointment; FHIR: appointmentstatus.
var appointmentStatuses = words{
	{"Scheduled", "booked"}, {"Booked", "booked"}, {"Confirmed", "booked"}, {"New", "booked"},
	{"Arrived", "arrived"}, {"Checked In", "checked-in"},
	{"Completed", "fulfilled"}, {"Complete", "fulfilled"}, {"Fulfilled", "fulfilled"},
	{"Canceled", "cancelled"}, {"Cancelled", "cancelled"},
	{"No Show", "noshow"}, {"Pending", "pending"}, {"Proposed", "proposed"},
	{"Waitlist", "waitlist"}, {"Waitlisted", "waitlist"}, {"Entered in error", "entered-in-error"},
}

// Redox: Contact.Roles[]; FHIR: v2-0131.
var contactRoles = words{
	{"Emergency Contact", "C"}, {"Next of Kin", "N"}, {"Employer", "E"},
	{"Federal Agency", "F"}, {"Insurance Company", "I"}, {"State Agency", "S"}, {"Unknown", "U"},
}

// Redox: RelationToPatient, of contacts and guarantors; FHIR: v3-RoleCode.
var relations = words{
	{"Mother", "MTH"}, {"Father", "FTH"}, {"Parent", "PRN"}, {"Spouse", "SPS"}, {"Wife", "WIFE"}, {"Husband", "HUSB"},
	{"Domestic Partner", "DOMPART"}, {"Significant Other", "SIGOTHR"},
	{"Child", "CHILD"}, {"Son", "SONC"}, {"Daughter", "DAUC"}, {"Stepchild", "STPCHLD"}, {"Foster Child", "CHLDFOST"},
	{"Brother", "BRO"}, {"Sister", "SIS"}, {"Sibling", "SIB"},
	{"Grandmother", "GRMTH"}, {"Grandfather", "GRFTH"}, {"Grandparent", "GRPRN"}, {"Grandchild", "GRNDCHILD"},
	{"Aunt", "AUNT"}, {"Uncle", "UNCLE"}, {"Cousin", "COUSN"}, {"Friend", "FRND"}, {"Neighbor", "NBOR"},
	{"Roommate", "ROOM"}, {"Extended Family", "EXT"}, {"Family Member", "FAMMEMB"}, {"Guardian", "GUARD"},
}

// Redox: Insured.Relationship says what the insured person is to the patient;
// FHIR: Coverage.relationship says what the patient is to the subscriber
// (subscriber-relationship), the other way round.
var subscriberRelationships = words{
	{"Self", "self"}, {"Spouse", "spouse"}, {"Wife", "spouse"}, {"Husband", "spouse"},
	{"Parent", "child"}, {"Mother", "child"}, {"Father", "child"}, {"Guardian", "child"},
	{"Child", "parent"}, {"Son", "parent"}, {"Daughter", "parent"},
	{"Common law spouse", "common"}, {"Domestic Partner", "common"}, {"Other", "other"},
}

// Redox: Insurance.Priority; FHIR: Coverage.order.
var priorities = words{{"Primary", "1"}, {"Secondary", "2"}, {"Tertiary", "3"}}

// Redox: Diagnosis.Type; FHIR: diagnosis-role.
var diagnosisUses = words{{"Admitting", "AD"}, {"Final", "DD"}, {"Working", "CM"}, {"Discharge", "DD"}, {"Billing", "billing"}}

// Redox: Allergy.Status; FHIR: allergyintolerance-clinical.
var allergyStatuses = words{{"Active", "active"}, {"Inactive", "inactive"}, {"Resolved", "resolved"}}

// Redox: Allergy.Type, by its name; FHIR: AllergyIntolerance.category. SNOMED
// CT names the same kinds.
var allergyCategories = words{
	{"Drug allergy", "medication"}, {"Drug", "medication"}, {"Medication", "medication"}, {"Drug intolerance", "medication"},
	{"Propensity to adverse reactions to drug", "medication"},
	{"Food allergy", "food"}, {"Food", "food"}, {"Food intolerance", "food"},
	{"Environmental allergy", "environment"}, {"Environment", "environment"}, {"Environmental", "environment"},
}

// Redox: Allergy.Severity, by its name; FHIR: AllergyIntolerance.reaction.severity.
var severities = words{{"Mild", "mild"}, {"Moderate", "moderate"}, {"Severe", "severe"}}

// Redox: Visit.Type; FHIR: v2-0276, the appointment reason codes.
var appointmentTypes = words{
	{"Checkup", "CHECKUP"}, {"Emergency", "EMERGENCY"}, {"Follow up", "FOLLOWUP"},
	{"Routine", "ROUTINE"}, {"Walk in", "WALKIN"},
}
