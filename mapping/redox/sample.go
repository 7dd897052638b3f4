package redox

import "embed"

//go:embed samples/*.json
var sampleFiles embed.FS

// Sample returns a message about an invented patient, to try the product with.
// ok is false for an event that has none.
func Sample(dataModel, eventType string) (data []byte, ok bool) {
	data, err := sampleFiles.ReadFile("samples/" + dataModel + "." + eventType + ".json")
	return data, err == nil
}
