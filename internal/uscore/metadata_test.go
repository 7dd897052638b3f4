package uscore

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// group is what US Core asks for one profile.
type group struct {
	Name         string       `json:"name"`
	Resource     string       `json:"resource"`
	Searches     []asked      `json:"searches"`
	Interactions []expected   `json:"interactions"`
	Operations   []expected   `json:"operations"`
	Includes     []string     `json:"include_params"`
	RevIncludes  []string     `json:"revincludes"`
	Definitions  definitionOf `json:"search_definitions"`
}

// expected is an ability and how strongly it is asked for.
type expected struct {
	Code        string `json:"code"`
	Expectation string `json:"expectation"`
}

// asked is a combination of parameters.
type asked struct {
	Names       []string `json:"names"`
	Expectation string   `json:"expectation"`
}

type definitionOf map[string]*definition

// definition says where the values of a parameter are.
type definition struct {
	Paths       []string          `json:"full_paths"`
	Type        string            `json:"type"`
	Values      []string          `json:"values"`
	Comparators map[string]string `json:"comparators"`
	MultipleOr  string            `json:"multiple_or"`
	Chain       []struct {
		Chain string `json:"chain"`
	} `json:"chain"`
}

// key tells definitions of the same values from others.
func (d *definition) key() string { return d.Paths[0] }

func metadata(t *testing.T) []group {
	t.Helper()
	data, err := os.ReadFile(sharedtest.Dir(t, "data", "uscore", "metadata-6.1.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Groups []group `json:"groups"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m.Groups
}

// fixed are the codes that tell a profile from others of its type: only these
// parameters have values that the profile fixes.
func (g *group) fixed() map[string][]string {
	all := map[string][]string{}
	for _, name := range []string{"category", "intent", "code"} {
		d := g.Definitions[name]
		if d == nil || len(d.Values) == 0 || name == "code" && g.Resource != "Observation" {
			continue
		}
		all[name] = d.Values
	}
	return all
}

// fits reports whether a resource is of the group's kind.
func (g *group) fits(r *resource) bool {
	for name, codes := range g.fixed() {
		if !slices.ContainsFunc(r.values(g.Definitions[name]), func(v any) bool {
			return slices.ContainsFunc(codes, func(code string) bool { return matchesToken(v, "", code, false) })
		}) {
			return false
		}
	}
	return true
}
