package bulk

import (
	"encoding/json"
)

// Manifest is the answer to a status request of a job that has finished (Bulk
// Data Access, complete status).
type Manifest struct {
	TransactionTime     string   `json:"transactionTime"`
	Request             string   `json:"request"`
	RequiresAccessToken bool     `json:"requiresAccessToken"`
	Output              []Output `json:"output"`
	Deleted             []Output `json:"deleted,omitempty"`
	Error               []Output `json:"error"`
}

// Output is a file of a Manifest.
type Output struct {
	Type  string `json:"type"`
	URL   string `json:"url"`
	Count int64  `json:"count"`
}

const instantForm = "2006-01-02T15:04:05.000Z07:00"

// ExportManifest is the manifest of an export. at is the URL below which the
// files of the job are.
func ExportManifest(j *Job, at string, requiresAccessToken bool) (Manifest, error) {
	var w exportWork
	if err := json.Unmarshal(j.Work, &w); err != nil {
		return Manifest{}, err
	}
	m := Manifest{
		TransactionTime: w.At.Format(instantForm), Request: w.Request.URL, RequiresAccessToken: requiresAccessToken,
		Output: []Output{}, Error: []Output{},
	}
	for _, f := range w.Files {
		o := Output{f.Type, at + "/" + f.Name, f.Count}
		switch f.group() {
		case "error":
			m.Error = append(m.Error, o)
		case "deleted":
			m.Deleted = append(m.Deleted, o)
		default:
			m.Output = append(m.Output, o)
		}
	}
	return m, nil
}

// Asked is what an export was asked for.
func Asked(j *Job) (*Request, error) {
	var w exportWork
	err := json.Unmarshal(j.Work, &w)
	return &w.Request, err
}
