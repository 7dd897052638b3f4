package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

var client = &http.Client{Timeout: 20 * time.Second}

// call sends JSON and reads the answer into out, unless that is nil. A status
// other than 2xx is an error.
func call(ctx context.Context, method, url string, in, out any) error {
	var body io.Reader
	switch v := in.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s answered %d: %.400s", method, url, res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// bundle is what the demo reads of a searchset.
type bundle struct {
	Total int `json:"total"`
	Entry []struct {
		FullURL  string          `json:"fullUrl"`
		Resource json.RawMessage `json:"resource"`
		Response struct {
			Status   string `json:"status"`
			Location string `json:"location"`
		} `json:"response"`
	} `json:"entry"`
}

// resource is what the demo reads of a resource.
type resource struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Status       string `json:"status"`
	Start        string `json:"start"`
}

// find runs a FHIR search and returns the matches.
func (d *demo) find(ctx context.Context, search string) ([]resource, error) {
	var b bundle
	if err := call(ctx, http.MethodGet, d.fhir()+"/"+search, nil, &b); err != nil {
		return nil, err
	}
	found := make([]resource, len(b.Entry))
	for i, e := range b.Entry {
		if err := json.Unmarshal(e.Resource, &found[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// findOne wants exactly one match.
func (d *demo) findOne(ctx context.Context, search string) (resource, error) {
	found, err := d.find(ctx, search)
	if err != nil {
		return resource{}, err
	}
	if len(found) != 1 {
		return resource{}, fmt.Errorf("%s found %d resources, want 1", search, len(found))
	}
	return found[0], nil
}
