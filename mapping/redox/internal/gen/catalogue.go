package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// field is one row of the catalogue.
type field struct {
	Path     string   `json:"path"`
	Type     string   `json:"type"`
	Items    string   `json:"items"`
	Required bool     `json:"required"`
	Enum     []string `json:"enum"`
}

// event is one event type of a data model.
type event struct {
	name       string
	Fields     []field `json:"fields"`
	Async      bool    `json:"async"`
	IsResponse bool    `json:"isResponse"`
	ResponseTo string  `json:"responseTo"`
	Sample     string  `json:"sample"`
}

// model is a data model with the union of its events' fields. Where the
// events disagree about a field's kind, the responses have a tree of their own.
type model struct {
	name     string
	events   []event
	body     *node
	response *node // nil where the responses share body
}

// node is a member of a Redox object, in the union over events.
type node struct {
	name    string // JSON member name; a model's name at the top
	kind    string // string, date, datetime, number, boolean, object, raw
	array   bool
	model   string
	parent  *node
	members []*node // of an object
	enum    []string
	placed  bool // by a sample
	typ     *goType
}

func (n *node) member(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

func (n *node) path() string {
	if n.parent == nil {
		return n.name
	}
	return n.parent.path() + "." + n.name
}

func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, m := range n.members {
		m.walk(visit)
	}
}

func readCatalogue(dir string) ([]*model, error) {
	data, err := os.ReadFile(filepath.Join(dir, "models.json"))
	if err != nil {
		return nil, err
	}
	var raw map[string]map[string]event
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	var models []*model
	for name, events := range raw {
		m := &model{name: name}
		for eventName, e := range events {
			e.name = eventName
			m.events = append(m.events, e)
		}
		sort.Slice(m.events, func(i, j int) bool { return m.events[i].name < m.events[j].name })
		m.union()
		for _, e := range m.events {
			if e.Sample == "" {
				continue
			}
			if err := m.order(filepath.Join(dir, e.Sample), e); err != nil {
				return nil, err
			}
		}
		models = append(models, m)
	}
	sort.Slice(models, func(i, j int) bool { return models[i].name < models[j].name })
	return models, nil
}

// union builds one tree of all the model's events, or one of the requests and
// one of the responses where a member changes its kind between them.
func (m *model) union() {
	m.body = &node{name: m.name, kind: "object", model: m.name}
	var conflicts []*node
	for _, e := range m.events {
		conflicts = append(conflicts, m.body.add(e)...)
	}
	if len(conflicts) == 0 {
		return
	}
	m.body = &node{name: m.name, kind: "object", model: m.name}
	m.response = &node{name: m.name + "Response", kind: "object", model: m.name}
	for _, e := range m.events {
		tree := m.body
		if e.IsResponse {
			tree = m.response
		}
		for _, n := range tree.add(e) {
			n.kind, n.members = "raw", nil
		}
	}
}

// add merges an event's fields into the tree and returns the members whose
// kind differs from what earlier events said.
func (n *node) add(e event) (conflicts []*node) {
	for _, f := range e.Fields {
		at, parts := n, strings.Split(f.Path, ".")
		if slices.Contains(parts, "Extensions") {
			continue // allowed on every object: Object.Extensions
		}
		for _, p := range parts[:len(parts)-1] {
			if at = at.member(strings.TrimSuffix(p, "[]")); at == nil || at.kind == "raw" {
				break
			}
		}
		if at == nil || at.kind == "raw" {
			continue // below a member that is kept as it is
		}
		last := parts[len(parts)-1]
		name, array := strings.TrimSuffix(last, "[]"), strings.HasSuffix(last, "[]")
		kind := f.Type
		if array {
			kind = f.Items
		}
		found := at.member(name)
		if found == nil {
			at.members = append(at.members, &node{name: name, kind: kind, array: array, model: n.model, parent: at, enum: f.Enum})
			continue
		}
		if found.kind != kind && isText(found.kind) && isText(kind) {
			found.kind = finest(found.kind, kind)
		}
		if found.array != array || found.kind != kind && !(isText(found.kind) && isText(kind)) {
			conflicts = append(conflicts, found)
		}
		for _, word := range f.Enum {
			if !slices.Contains(found.enum, word) {
				found.enum = append(found.enum, word)
			}
		}
	}
	return conflicts
}

// finest is what two events say of one text together: the catalogue infers
// dates from samples, so an event without a sample says only string.
func finest(a, b string) string {
	switch {
	case a == "datetime" || b == "datetime":
		return "datetime"
	case a == "date" || b == "date":
		return "date"
	}
	return "string"
}

func isText(kind string) bool { return kind == "string" || kind == "date" || kind == "datetime" }

// order sorts the members as the documented sample has them; members that no
// sample shows come last, by name.
func (m *model) order(path string, e event) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s.%s: %w", m.name, e.name, err)
	}
	defer f.Close()
	tree := m.body
	if e.IsResponse && m.response != nil {
		tree = m.response
	}
	dec := json.NewDecoder(f)
	return orderFrom(dec, tree)
}

func orderFrom(dec *json.Decoder, n *node) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('['):
		for dec.More() {
			if err := orderFrom(dec, n); err != nil {
				return err
			}
		}
		_, err = dec.Token()
		return err
	case json.Delim('{'):
		previous := ""
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			var child *node
			if n != nil {
				if child = n.member(key.(string)); child != nil {
					n.place(child, previous)
					previous = child.name
				}
			}
			if err := orderFrom(dec, child); err != nil {
				return err
			}
		}
		_, err = dec.Token()
		return err
	}
	return nil
}

// place moves a member behind the one the sample has before it, unless an
// earlier sample has placed it already.
func (n *node) place(child *node, previous string) {
	if child.placed {
		return
	}
	child.placed = true
	n.members = slices.DeleteFunc(n.members, func(m *node) bool { return m == child })
	at := 0
	for i, m := range n.members {
		if m.name == previous {
			at = i + 1
		}
	}
	n.members = slices.Insert(n.members, at, child)
}
