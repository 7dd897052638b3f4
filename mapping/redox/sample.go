package redox

import "embed"

//go:embed samples/*.json
var sampleFiles embed.FS

// Sample returns a message about an invented patient, to try the product with:
// Scheduling New and PatientAdmin Arrival are there. ok is false for others.
func Sample(dataModel, eventType string) (data []byte, ok bool) {
	data, err := sampleFiles.ReadFile("samples/" + dataModel + "." + eventType + ".json")
	return data, err == nil
}
