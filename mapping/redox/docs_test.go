package redox

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// eventTable is what docs/redox.md says of the events: how each is translated,
// how it was tested and which resources the shipped message of it becomes.
func eventTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| data model | event | FHIR | resources of the shipped message |\n|---|---|---|---|\n")
	for _, e := range Events() {
		how := ""
		_, search := searches[e.DataModel+":"+e.EventType]
		switch {
		case translated(e.DataModel, e.EventType):
			how = "both ways"
		case search:
			how = "a search, answered from the store"
		case e.DataModel == clinicalSummary && (e.EventType == "PatientQuery" || e.EventType == "VisitQuery"):
			how = "answered from the store"
		case e.DataModel+":"+e.EventType == "Scheduling:Booked":
			how = "a search, answered from the store"
		default:
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", e.DataModel, e.EventType, how, strings.Join(shippedTypes(t, e), ", "))
	}
	return b.String()
}

func shippedTypes(t *testing.T, e Event) (types []string) {
	data, ok := Sample(e.DataModel, e.EventType)
	if !ok || !translated(e.DataModel, e.EventType) {
		return nil
	}
	m, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	f, err := m.ToFHIR(testOptions)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range f.Entries {
		if name := mapping.TypeName(entry.Resource); !slices.Contains(types, name) {
			types = append(types, name)
		}
	}
	slices.Sort(types)
	return types
}

// TestEventTable keeps the table of docs/redox.md true. Run with -update to
// write it anew.
func TestEventTable(t *testing.T) {
	const path, mark = "../../docs/redox.md", "## Events\n\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, table, ok := strings.Cut(string(page), mark)
	if !ok {
		t.Fatalf("%s has no %q", path, mark)
	}
	want := eventTable(t)
	if *update {
		if err := os.WriteFile(path, []byte(text+mark+want), 0o644); err != nil {
			t.Fatal(err)
		}
		table = want
	}
	if table != want {
		t.Errorf("the table of %s is not what the code does; run go test ./mapping/redox -run EventTable -update", path)
	}
}
