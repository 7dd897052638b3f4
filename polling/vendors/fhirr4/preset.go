package fhirr4

import (
	"maps"
	"slices"
	"time"

	"github.com/fhirfacade/fhirfacade/polling/api"
)

// preset is what is peculiar to a vendor's servers.
type preset struct {
	// sorted: searches can be sorted by _lastUpdated.
	sorted bool
	// updated are the types that are searched by _lastUpdated; all when nil.
	updated map[string]bool
	// exactTotal: Bundle.total can be relied on.
	exactTotal bool
	pageSize   int // the vendor's most
	limits     []api.Limit
	// practiceHeader is the header that names the practice.
	practiceHeader string
	// narrowed are the types whose searches need one more parameter, with the
	// parameters of which one will do.
	narrowed map[string][]string
}

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// presets by the name that a connection has. What is not known of a vendor is
// taken as not there: a window finds the same changes at more cost.
var presets = map[string]preset{
	"": {sorted: true, exactTotal: true, pageSize: 100},
	"epic": {
		updated: set(), pageSize: 100,
	},
	"cerner": {
		exactTotal: false, pageSize: 100,
		updated: set("Encounter", "Observation", "Condition", "DiagnosticReport", "MedicationRequest", "Procedure",
			"AllergyIntolerance", "Immunization", "DocumentReference", "ServiceRequest"),
		narrowed: map[string][]string{"Appointment": {"patient", "practitioner", "location", "_id"}},
	},
	"canvas": {updated: set(), pageSize: 100},
	"nextech": {
		updated: set("Appointment"), pageSize: 50, practiceHeader: "nx-practice-id",
		limits: []api.Limit{{Calls: 20, Per: time.Second}},
	},
	"eclinicalworks": {
		updated: set(), pageSize: 100, limits: []api.Limit{{Calls: 250, Per: time.Minute}},
	},
}

// Presets are the names of the presets, the empty one left out.
func Presets() []string {
	names := slices.Sorted(maps.Keys(presets))
	return names[1:]
}

// window is how a type without _lastUpdated is looked through: the date
// parameter, and the days around now. A type that has none is read whole.
type window struct {
	parameter   string
	back, ahead time.Duration
}

const day = 24 * time.Hour

var windows = map[string]window{
	"Appointment":        {"date", 2 * day, 60 * day},
	"Encounter":          {"date", 7 * day, 2 * day},
	"Observation":        {"date", 7 * day, day},
	"DiagnosticReport":   {"date", 7 * day, day},
	"Procedure":          {"date", 14 * day, day},
	"Immunization":       {"date", 14 * day, day},
	"DocumentReference":  {"date", 7 * day, day},
	"ServiceRequest":     {"authored", 14 * day, day},
	"MedicationRequest":  {"authoredon", 14 * day, day},
	"Condition":          {"recorded-date", 14 * day, day},
	"AllergyIntolerance": {"date", 14 * day, day},
	"CarePlan":           {"date", 30 * day, 30 * day},
	"Communication":      {"sent", 7 * day, day},
	"Composition":        {"date", 7 * day, day},
	"Task":               {"modified", 7 * day, day},
}

// types are the actions there are.
var types = []string{
	"AllergyIntolerance", "Appointment", "CarePlan", "CareTeam", "Communication", "Composition", "Condition", "Coverage", "Device",
	"DiagnosticReport", "DocumentReference", "Encounter", "Goal", "Immunization", "Location", "MedicationRequest", "Observation",
	"Organization", "Patient", "Practitioner", "PractitionerRole", "Procedure", "RelatedPerson", "Schedule", "ServiceRequest", "Slot", "Task",
}
