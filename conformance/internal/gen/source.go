package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The structs below name only the members that hold facts the tables carry.

type structureDefinition struct {
	Name           string `json:"name"`
	Kind           string `json:"kind"`
	Type           string `json:"type"`
	Abstract       bool   `json:"abstract"`
	Derivation     string `json:"derivation"`
	BaseDefinition string `json:"baseDefinition"`
	Snapshot       struct {
		Element []elementDefinition `json:"element"`
	} `json:"snapshot"`
}

type elementDefinition struct {
	Path      string `json:"path"`
	SliceName string `json:"sliceName"`
	Min       int    `json:"min"`
	Max       string `json:"max"`
	Base      struct {
		Path string `json:"path"`
	} `json:"base"`
	ContentReference string `json:"contentReference"`
	Type             []struct {
		Extension []struct {
			URL      string `json:"url"`
			ValueURL string `json:"valueUrl"`
		} `json:"extension"`
		Code          string   `json:"code"`
		Profile       []string `json:"profile"`
		TargetProfile []string `json:"targetProfile"`
	} `json:"type"`
	IsModifier bool `json:"isModifier"`
	IsSummary  bool `json:"isSummary"`
	Binding    *struct {
		Strength string `json:"strength"`
		ValueSet string `json:"valueSet"`
	} `json:"binding"`
	Constraint []struct {
		Key        string `json:"key"`
		Severity   string `json:"severity"`
		Expression string `json:"expression"`
		Source     string `json:"source"`
	} `json:"constraint"`
}

type searchParameter struct {
	URL         string   `json:"url"`
	Code        string   `json:"code"`
	Base        []string `json:"base"`
	Type        string   `json:"type"`
	Expression  string   `json:"expression"`
	XPathUsage  string   `json:"xpathUsage"`
	Target      []string `json:"target"`
	MultipleOr  *bool    `json:"multipleOr"`
	MultipleAnd *bool    `json:"multipleAnd"`
	Comparator  []string `json:"comparator"`
	Modifier    []string `json:"modifier"`
	Chain       []string `json:"chain"`
	Component   []struct {
		Definition string `json:"definition"`
		Expression string `json:"expression"`
	} `json:"component"`
}

type compartmentDefinition struct {
	ID       string `json:"id"`
	URL      string `json:"url"`
	Code     string `json:"code"`
	Resource []struct {
		Code  string   `json:"code"`
		Param []string `json:"param"`
	} `json:"resource"`
}

type operationDefinition struct {
	ID           string   `json:"id"`
	URL          string   `json:"url"`
	Code         string   `json:"code"`
	Resource     []string `json:"resource"`
	System       bool     `json:"system"`
	Type         bool     `json:"type"`
	Instance     bool     `json:"instance"`
	AffectsState bool     `json:"affectsState"`
}

type valueSet struct {
	URL     string `json:"url"`
	Compose struct {
		Include []valueSetInclude `json:"include"`
		Exclude []valueSetInclude `json:"exclude"`
	} `json:"compose"`
}

type valueSetInclude struct {
	System  string `json:"system"`
	Concept []struct {
		Code string `json:"code"`
	} `json:"concept"`
	Filter   []json.RawMessage `json:"filter"`
	ValueSet []string          `json:"valueSet"`
}

type codeSystem struct {
	URL     string    `json:"url"`
	Content string    `json:"content"`
	Concept []concept `json:"concept"`
}

type concept struct {
	Code    string    `json:"code"`
	Concept []concept `json:"concept"`
}

// readBundle calls visit with each resource of a definition bundle.
func readBundle(dir, file string, visit func(resourceType string, resource json.RawMessage) error) error {
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	var bundle struct {
		Entry []struct {
			Resource json.RawMessage `json:"resource"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(data, &bundle); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, entry := range bundle.Entry {
		var head struct {
			ResourceType string `json:"resourceType"`
		}
		if err := json.Unmarshal(entry.Resource, &head); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := visit(head.ResourceType, entry.Resource); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

const structureDefinitionPrefix = "http://hl7.org/fhir/StructureDefinition/"

// lastSegment reduces a canonical URL of a structure to the structure's name.
func lastSegment(canonical string) string {
	return strings.TrimPrefix(canonical, structureDefinitionPrefix)
}

// withoutVersion drops the |version of a canonical: all the definitions read
// here are of one release.
func withoutVersion(canonical string) string {
	url, _, _ := strings.Cut(canonical, "|")
	return url
}
