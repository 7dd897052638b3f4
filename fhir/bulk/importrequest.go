package bulk

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// ImportRequest is an import that was asked for and understood.
type ImportRequest struct {
	// URL is the kick-off URL, Base the base of the tenant's FHIR service.
	URL    string  `json:"url"`
	Base   string  `json:"base"`
	Inputs []Input `json:"inputs"`
	// DryRun checks all lines and stores none.
	DryRun bool `json:"dryRun,omitempty"`
	// MatchVersions stores a resource only over the version that its
	// meta.versionId names; without one, only where there is none.
	MatchVersions bool `json:"matchVersions,omitempty"`
	// Refused are the interactions that who asked may not do, each with a
	// type: "update Patient". The job runs when nobody is there to be asked.
	Refused []string `json:"refused,omitempty"`
}

// interactions are those that an import may come to.
var interactions = [...]string{"create", "update", "patch", "delete"}

// Ask asks about every interaction with every type, and keeps what is refused.
// If all is, the error is returned.
func (r *ImportRequest) Ask(types []string, may func(interaction, typ string) error) error {
	var refused error
	for _, typ := range types {
		for _, interaction := range interactions {
			if err := may(interaction, typ); err != nil {
				r.Refused, refused = append(r.Refused, interaction+" "+typ), err
			}
		}
	}
	if len(r.Refused) == len(types)*len(interactions) {
		return refused
	}
	slices.Sort(r.Refused)
	return nil
}

// may says what Ask has found.
func (r *ImportRequest) may(interaction, typ string) error {
	if _, refused := slices.BinarySearch(r.Refused, interaction+" "+typ); refused {
		return outcome.New(http.StatusForbidden, outcome.CodeForbidden, "Who asked for the import may not %s a resource of this type.", interaction)
	}
	return nil
}

// Input is a file to be imported: at a URL, or one that was sent.
type Input struct {
	// Type is the type of all resources in it, "" for any.
	Type string `json:"type,omitempty"`
	URL  string `json:"url,omitempty"`
	// Sent is a file that was sent with the kick-off.
	Sent *File `json:"sent,omitempty"`
	// Whole says that the file is one resource, a Bundle, and not NDJSON.
	Whole bool `json:"whole,omitempty"`
}

// maxInputs is the most inputs of an import.
const maxInputs = 10_000

// FHIRJSON is the format of an input that is one Bundle.
const FHIRJSON = "application/fhir+json"

// Flags of a kick-off that sends its file.
const (
	DryRun        = "dryRun"
	MatchVersions = "matchVersions"
)

// Set sets a flag.
func (r *ImportRequest) Set(name, value string) error {
	on, err := strconv.ParseBool(value)
	switch {
	case name != DryRun && name != MatchVersions:
		return outcome.BadRequest(outcome.CodeNotSupported, "$import has no parameter %q; it has dryRun and matchVersions, and in a body inputFormat, inputSource, storageDetail and input.", printable(name))
	case err != nil:
		return outcome.BadRequest(outcome.CodeValue, "%s must be true or false.", name)
	case name == DryRun:
		r.DryRun = on
	default:
		r.MatchVersions = on
	}
	return nil
}

// ParseManifest reads the kick-off of an import by a list of URLs: a Parameters
// resource, or the JSON of the bulk import proposal, which has the same names
// (https://github.com/smart-on-fhir/bulk-import).
func (r *ImportRequest) ParseManifest(d *conformance.Definitions, root rawjson.Node) error {
	format := NDJSON
	var err error
	if t, _ := root.Member("resourceType"); t.Is("Parameters") {
		list, _ := root.Member("parameter")
		for p := range list.Elements() {
			if err = r.parameter(d, p, &format); err != nil {
				return err
			}
		}
	} else {
		for m := range root.Members() {
			if err = r.member(d, m, &format); err != nil {
				return err
			}
		}
	}
	switch {
	case len(r.Inputs) == 0:
		return outcome.BadRequest(outcome.CodeRequired, "input is required: the type and url of a file, as often as there are files.")
	case len(r.Inputs) > maxInputs:
		return outcome.BadRequest(outcome.CodeTooCostly, "More than %d inputs are named.", maxInputs)
	}
	switch format {
	case NDJSON, "application/ndjson", "application/x-ndjson", "ndjson":
	case FHIRJSON, "application/json":
		for i := range r.Inputs {
			r.Inputs[i].Whole = true
		}
	default:
		return outcome.BadRequest(outcome.CodeNotSupported, "inputFormat must be %s, or %s for files that are a Bundle each.", NDJSON, FHIRJSON)
	}
	return nil
}

// parameter reads one of a Parameters resource.
func (r *ImportRequest) parameter(d *conformance.Definitions, p rawjson.Node, format *string) error {
	n, _ := p.Member("name")
	switch name := n.String(); name {
	case "inputFormat":
		*format = valueOf(p)
	case "inputSource":
	case "storageDetail":
		return storage(partOf(p, "type"))
	case "input":
		return r.add(d, partOf(p, "type"), partOf(p, "url"))
	default:
		return r.Set(name, valueOf(p))
	}
	return nil
}

// member reads one of the proposal's JSON.
func (r *ImportRequest) member(d *conformance.Definitions, m rawjson.Node, format *string) error {
	text := func(n rawjson.Node, name string) string {
		v, _ := n.Member(name)
		return v.String()
	}
	switch name := m.Name(); name {
	case "inputFormat":
		*format = m.String()
	case "inputSource":
	case "storageDetail":
		return storage(text(m, "type"))
	case "input":
		for in := range m.Elements() {
			if err := r.add(d, text(in, "type"), text(in, "url")); err != nil {
				return err
			}
		}
	default:
		return r.Set(name, string(m.Raw()))
	}
	return nil
}

func storage(typ string) error {
	if typ == "" || typ == "https" || typ == "http" {
		return nil
	}
	return outcome.BadRequest(outcome.CodeNotSupported, "storageDetail.type must be https: files are read by URL.")
}

func (r *ImportRequest) add(d *conformance.Definitions, typ, from string) error {
	if typ != "" && !d.IsResourceType(typ) {
		return outcome.BadRequest(outcome.CodeValue, "The type of input %d is no FHIR R4 resource type.", len(r.Inputs)+1)
	}
	u, err := url.Parse(from)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return outcome.BadRequest(outcome.CodeValue, "The url of input %d must be absolute, and of https or http.", len(r.Inputs)+1)
	}
	r.Inputs = append(r.Inputs, Input{Type: typ, URL: from})
	return nil
}

func valueOf(p rawjson.Node) string {
	for m := range p.Members() {
		if name := m.Name(); len(name) > 5 && name[:5] == "value" {
			if s := m.String(); s != "" {
				return s
			}
			return string(m.Raw())
		}
	}
	return ""
}

func partOf(p rawjson.Node, name string) string {
	parts, _ := p.Member("part")
	for part := range parts.Elements() {
		if n, _ := part.Member("name"); n.Is(name) {
			return valueOf(part)
		}
	}
	return ""
}

// expected is what a resource's meta.versionId expects to be stored.
func expected(version string) (store.Expect, error) {
	if version == "" {
		return store.Absent(), nil
	}
	v, err := strconv.ParseInt(version, 10, 64)
	if err != nil || v < 1 {
		return store.Expect{}, outcome.BadRequest(outcome.CodeConflict, "The versionId is none of this server's.").At("meta.versionId")
	}
	return store.AtVersion(v), nil
}

// ImportManifest is the answer to a status request of an import that has
// finished.
type ImportManifest struct {
	TransactionTime     string         `json:"transactionTime"`
	Request             string         `json:"request"`
	RequiresAccessToken bool           `json:"requiresAccessToken"`
	DryRun              bool           `json:"dryRun,omitempty"`
	Output              []ImportOutput `json:"output"`
	Error               []ImportOutput `json:"error"`
}

// ImportOutput is what became of an input: how many of its resources were
// stored, or the file with what was rejected, an OperationOutcome each.
type ImportOutput struct {
	Type     string `json:"type,omitempty"`
	InputURL string `json:"inputUrl,omitempty"`
	URL      string `json:"url,omitempty"`
	Count    int64  `json:"count"`
}

// ImportManifestOf is the manifest of an import.
func ImportManifestOf(j *Job, at string, requiresAccessToken bool) (ImportManifest, error) {
	var w importWork
	if err := json.Unmarshal(j.Work, &w); err != nil {
		return ImportManifest{}, err
	}
	m := ImportManifest{
		TransactionTime: w.At.Format(instantForm), Request: w.Import.URL, RequiresAccessToken: requiresAccessToken, DryRun: w.Import.DryRun,
		Output: []ImportOutput{}, Error: []ImportOutput{},
	}
	for n, in := range w.Import.Inputs {
		m.Output = append(m.Output, ImportOutput{Type: in.Type, InputURL: in.URL, Count: w.Stored[n]})
	}
	for _, f := range w.Files {
		o := ImportOutput{Type: f.Type, URL: at + "/" + f.Name, Count: f.Count}
		if n, err := strconv.Atoi(f.group()[len("rejected."):]); err == nil && n < len(w.Import.Inputs) {
			o.InputURL = w.Import.Inputs[n].URL
		}
		m.Error = append(m.Error, o)
	}
	return m, nil
}
