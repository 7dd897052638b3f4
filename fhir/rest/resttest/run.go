package resttest

import "testing"

// Run checks the API on stores that open makes.
func Run(t *testing.T, open Open) {
	for _, suite := range []struct {
		name string
		run  func(t *testing.T, open Open)
	}{
		{"Interactions", interactions},
		{"Formats", formats},
		{"Caches", caches},
		{"History", histories},
		{"Search", searches},
		{"Results", results},
		{"Paging", paging},
		{"Bounds", bounds},
		{"BadInput", badInput},
		{"Conditionals", conditionals},
		{"Patch", patches},
		{"FHIRPathPatch", fhirPathPatches},
		{"Batch", batches},
		{"Transaction", transactions},
		{"Failing store", failing},
		{"Large transactions", large},
		{"Authorize", authorize},
		{"Meta", metas},
		{"Scopes", scopes},
		{"Across types", acrossTypes},
		{"Operations", searchOperations},
		{"Terminology", terminologies},
		{"Terminology elsewhere", terminologyElsewhere},
		{"Words", wordSearches},
		{"Contained", containedEntries},
		{"Capabilities", capabilities},
		{"Definitions", definitions},
		{"Documents", docref},
	} {
		t.Run(suite.name, func(t *testing.T) { suite.run(t, open) })
	}
}
