package fhirr4

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
	"github.com/fhirfacade/fhirfacade/polling/api"
)

// row is a resource of a searchset.
type row struct {
	id      string
	updated time.Time
	version string
	raw     json.RawMessage
}

// page is a page of a searchset.
type page struct {
	rows  []row
	next  string
	total *int
}

// idPattern is R4's rule for ids.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9\-.]{1,64}$`)

// search reads a page: the first by its parameters, others by their link.
func (c *Connector) search(ctx context.Context, typ string, query url.Values, link string) (page, error) {
	k := api.Call{Method: http.MethodGet, URL: typ, Query: query, Name: "GET " + typ}
	if link != "" {
		k.URL, k.Query = link, nil
	}
	answer, err := c.client.Do(ctx, k)
	if err != nil {
		return page{}, err
	}
	malformed := func(reason string) (page, error) {
		return page{}, &polling.CallError{Kind: polling.ErrMalformed, Call: k.Name, Status: answer.Status, Reason: reason}
	}
	if !answer.IsJSON() {
		return malformed("the answer is not JSON")
	}
	var b struct {
		ResourceType string `json:"resourceType"`
		Type         string `json:"type"`
		Total        *int   `json:"total"`
		Link         []struct {
			Relation string `json:"relation"`
			URL      string `json:"url"`
		} `json:"link"`
		Entry []struct {
			Resource json.RawMessage `json:"resource"`
			Search   struct {
				Mode string `json:"mode"`
			} `json:"search"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(answer.Body, &b); err != nil {
		return malformed("the answer is JSON of another shape")
	}
	if b.ResourceType != "Bundle" || b.Type != "searchset" {
		return malformed("the answer is no searchset")
	}
	found := page{total: b.Total}
	for _, l := range b.Link {
		if l.Relation == "next" {
			found.next = l.URL
		}
	}
	if found.next != "" && found.next == link {
		return malformed("the next link does not go on")
	}
	for _, e := range b.Entry {
		if e.Search.Mode == "include" || e.Search.Mode == "outcome" {
			continue
		}
		r, ok := readRow(typ, e.Resource)
		if !ok {
			return malformed("an entry is no resource of the type with an id")
		}
		if r.id != "" {
			found.rows = append(found.rows, r)
		}
	}
	return found, nil
}

// readRow reads what a poll needs to know of a resource. An OperationOutcome
// among the entries is passed over.
func readRow(typ string, raw json.RawMessage) (row, bool) {
	var r struct {
		ResourceType string `json:"resourceType"`
		ID           string `json:"id"`
		Meta         struct {
			VersionID   string `json:"versionId"`
			LastUpdated string `json:"lastUpdated"`
		} `json:"meta"`
	}
	if json.Unmarshal(raw, &r) != nil {
		return row{}, false
	}
	if r.ResourceType == "OperationOutcome" {
		return row{}, true
	}
	if r.ResourceType != typ || !idPattern.MatchString(r.ID) {
		return row{}, false
	}
	updated, _ := time.Parse(time.RFC3339, r.Meta.LastUpdated)
	return row{id: r.ID, updated: updated, version: r.Meta.VersionID, raw: raw}, true
}

// stamp tells two states of a resource apart: by content, because versions
// may grow without a change, and the other way round.
func (r row) stamp() (string, error) {
	content, err := canonical(r.raw)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16]), nil
}

// canonical is a resource in a form that is the same bytes for the same
// facts: without version and time of change, members in order.
func canonical(raw []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // decimals keep their digits
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		return nil, &polling.CallError{Kind: polling.ErrMalformed, Call: "GET", Reason: "a resource is not JSON"}
	}
	if meta, ok := v["meta"].(map[string]any); ok {
		delete(meta, "versionId")
		delete(meta, "lastUpdated")
		if len(meta) == 0 {
			delete(v, "meta")
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
