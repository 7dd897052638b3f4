package fhirr4

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/mapping/fhirmessage"
	"github.com/fhirfacade/fhirfacade/polling"
	"github.com/fhirfacade/fhirfacade/polling/api"
)

// content is what a message tells of a resource.
type content struct {
	Resource json.RawMessage        `json:"resource"`
	Related  []fhirmessage.Resource `json:"related,omitempty"`
}

// followed are the types of references that fill a container.
var followed = []string{"Patient", "Practitioner", "Location"}

// Fill implements polling.Connector.
func (c *Connector) Fill(ctx context.Context, action polling.ActionConfig, change polling.Change, cache *polling.Cache) (polling.Container, error) {
	var filled content
	var err error
	if filled.Resource, err = canonical(change.Row); err != nil {
		return polling.Container{}, err
	}
	types := action.Follow
	if types == nil {
		types = followed
	}
	for _, name := range c.references(filled.Resource) {
		typ, id, _ := strings.Cut(name, "/")
		if !slices.Contains(types, typ) || typ == action.Name && id == change.ID {
			continue
		}
		body, err := polling.Cached(ctx, cache, name, func(ctx context.Context) (json.RawMessage, error) { return c.read(ctx, typ, id) })
		if err != nil {
			return polling.Container{}, err
		}
		if body != nil {
			filled.Related = append(filled.Related, fhirmessage.Resource{Name: name, Body: body})
		}
	}
	raw, err := json.Marshal(filled)
	if err != nil {
		return polling.Container{}, errors.New("fhir: a container cannot be written as JSON")
	}
	change.Row = nil // the content has it
	return polling.Container{Change: change, Content: raw}, nil
}

// read reads a resource; nil is one that is not there any more.
func (c *Connector) read(ctx context.Context, typ, id string) (json.RawMessage, error) {
	k := api.Call{Method: http.MethodGet, URL: typ + "/" + id, Name: "GET " + typ + "/{id}"}
	answer, err := c.client.Do(ctx, k)
	if errors.Is(err, polling.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, ok := readRow(typ, answer.Body)
	if !ok || r.id != id {
		return nil, &polling.CallError{Kind: polling.ErrMalformed, Call: k.Name, Status: answer.Status, Reason: "the answer is not the resource"}
	}
	return canonical(answer.Body)
}

// references are the names of the server's own resources that a resource
// refers to, each once, in order.
func (c *Connector) references(raw []byte) []string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	var names []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			if text, ok := v["reference"].(string); ok {
				if name, ok := c.name(text); ok && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(v)
	slices.Sort(names)
	return names
}

// name is what a reference means: "Patient/7" if it is the server's own.
func (c *Connector) name(reference string) (string, bool) {
	text := strings.TrimPrefix(reference, c.client.Base()+"/")
	text, _, _ = strings.Cut(text, "/_history/")
	typ, id, ok := strings.Cut(text, "/")
	return text, ok && typ != "" && idPattern.MatchString(id)
}
