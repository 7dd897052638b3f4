package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

var update = flag.Bool("update", false, "write docs/conformance.md anew")

// docs/conformance.md is what a server says of itself in its CapabilityStatement
// and answers when it is asked, beside what US Core asks for.
func TestConformancePageIsTrue(t *testing.T) {
	page := conformancePage{running: start(t, server.Config{Data: t.TempDir(), Sandbox: true})}
	page.want(page.send("GET", fhirBase+"/metadata", ""), http.StatusOK).decode(t, &page.statement)
	page.usCore(t)
	got := page.write()
	file := filepath.Join("..", "..", "docs", "conformance.md")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/conformance.md is not what the server does: go test ./internal/server -run ConformancePage -update")
	}
}

type conformancePage struct {
	*running
	statement struct {
		FHIRVersion         string
		Instantiates        []string
		Format, PatchFormat []string
		Rest                []struct {
			Documentation string
			Interaction   []code
			Operation     []named
			Resource      []claimed
		}
	}
	// profiles are those of US Core, by type.
	profiles map[string][]usCoreProfile
	out      bytes.Buffer
}

type code struct{ Code string }

type named struct{ Name string }

type claimed struct {
	Type                            string
	SupportedProfile                []string
	Interaction                     []code
	SearchParam                     []struct{ Name, Type, Definition string }
	SearchInclude, SearchRevInclude []string
	Operation                       []named
}

type usCoreProfile struct {
	Title       string   `json:"profile_name"`
	URL         string   `json:"profile_url"`
	Resource    string   `json:"resource"`
	RevIncludes []string `json:"revincludes"`
	Includes    []string `json:"include_params"`
	Searches    []struct {
		Names       []string `json:"names"`
		Expectation string   `json:"expectation"`
	} `json:"searches"`
}

func (p *conformancePage) usCore(t *testing.T) {
	data, err := os.ReadFile(sharedtest.Dir(t, "data", "uscore", "metadata-6.1.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Groups []usCoreProfile `json:"groups"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	p.profiles = map[string][]usCoreProfile{}
	for _, g := range m.Groups {
		p.profiles[g.Resource] = append(p.profiles[g.Resource], g)
	}
}

func (p *conformancePage) line(format string, args ...any) {
	fmt.Fprintf(&p.out, format+"\n", args...)
}

func (p *conformancePage) write() []byte {
	r := p.statement.Rest[0]
	p.line("# Conformance\n")
	p.line("What the server does, in the words of its CapabilityStatement (`GET [base]/metadata`). This page is written by a test from what a running server says and answers: `go test ./internal/server -run ConformancePage -update`; `make conformance` checks it, and what it says.\n")
	p.line("FHIR %s. Formats: %s. Patches: %s.\n", p.statement.FHIRVersion, ticked(p.statement.Format), ticked(p.statement.PatchFormat))
	if len(p.statement.Instantiates) > 0 {
		p.line("Instantiates: %s.\n", ticked(p.statement.Instantiates))
	}
	p.line("## All resource types\n")
	p.line("%d types. On each: %s; conditional create, read, update, patch and delete. On the whole: %s.\n", len(r.Resource), ticked(codes(r.Resource[0].Interaction)), ticked(codes(r.Interaction)))
	everywhere := p.everywhere()
	p.line("Operations on each: %s. On the whole: %s.\n", ticked(everywhere.operations), ticked(names(r.Operation)))
	p.line("Search parameters of each: %s. `_include` takes every reference parameter, `_revinclude` every one that may refer to the type; both with `:iterate` and `*`.\n", ticked(everywhere.parameters))
	p.line("%s\n", r.Documentation)
	p.kinds()
	p.line("## By type\n")
	p.line("Search parameters by their kind; in italics those of US Core that R4 lacks.\n")
	for _, res := range r.Resource {
		p.resource(res, everywhere)
	}
	p.line("## US Core 6.1.0\n")
	p.line("SHALL and SHOULD are US Core's; all of these searches are run on loaded data by `make conformance`, with their prefixes, several values, POST, and `_revinclude=Provenance:target` where US Core asks for it.\n")
	p.line("| profile | SHALL | SHOULD | `_include` |\n|---|---|---|---|")
	for _, res := range r.Resource {
		for _, g := range p.profiles[res.Type] {
			p.line("| [%s](%s) | %s | %s | %s |", strings.TrimSuffix(strings.TrimPrefix(g.Title, "US Core "), " Profile"), g.URL, g.asked("SHALL"), g.asked("SHOULD"), strings.Join(g.Includes, ", "))
		}
	}
	return p.out.Bytes()
}

func (g usCoreProfile) asked(expectation string) string {
	var all []string
	for _, s := range g.Searches {
		if s.Expectation == expectation {
			all = append(all, strings.Join(s.Names, "+"))
		}
	}
	return strings.Join(all, ", ")
}

// common are the names that all types have.
type common struct{ operations, parameters []string }

func (p *conformancePage) everywhere() common {
	count := map[string]int{}
	all := p.statement.Rest[0].Resource
	for _, res := range all {
		for _, op := range res.Operation {
			count["$"+op.Name]++
		}
		for _, sp := range res.SearchParam {
			count[sp.Name]++
		}
	}
	var c common
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range count {
			if !yield(name) {
				return
			}
		}
	}) {
		switch {
		case count[name] < len(all):
		case name[0] == '$':
			c.operations = append(c.operations, name)
		default:
			c.parameters = append(c.parameters, name)
		}
	}
	return c
}

// examples are a parameter of each kind, with a value.
var examples = []struct{ kind, query, value string }{
	{"string", "Patient?family", "x"}, {"token", "Patient?gender", "male"}, {"reference", "Observation?subject", "x"},
	{"date", "Patient?birthdate", "2020"}, {"number", "RiskAssessment?probability", "0.5"}, {"quantity", "Observation?value-quantity", "1"},
	{"uri", "ValueSet?url", "http://example.org/x"}, {"composite", "Observation?code-value-quantity", "x$1"}, {"special", "Location?near", "1|2|3"},
}

// kinds asks the server which modifiers and prefixes each kind of parameter
// takes.
func (p *conformancePage) kinds() {
	takes := func(query string) bool {
		name, value, _ := strings.Cut(query, "=")
		return p.send("GET", fhirBase+"/"+name+"="+url.QueryEscape(value)+"&_count=1", "").status == http.StatusOK
	}
	const sites = `{"resourceType":"CodeSystem","id":"sites","url":"http://example.org/sites","status":"active","content":"complete","concept":[{"code":"arm"}]}`
	p.want(p.send("PUT", fhirBase+"/CodeSystem/sites", sites, "Content-Type", "application/fhir+json"), http.StatusCreated)
	p.line("| kind of parameter | modifiers | prefixes |\n|---|---|---|")
	for _, e := range examples {
		var modifiers, prefixes []string
		for modifier, value := range map[string]string{
			"exact": e.value, "contains": e.value, "text": e.value, "not": e.value, "in": "http://hl7.org/fhir/ValueSet/administrative-gender",
			"not-in": "http://hl7.org/fhir/ValueSet/administrative-gender", "above": e.value, "below": e.value, "identifier": e.value, "missing": "true",
		} {
			if takes(e.query + ":" + modifier + "=" + value) {
				modifiers = append(modifiers, ":"+modifier)
			}
		}
		switch e.kind {
		case "token":
			if !takes("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|1") {
				p.t.Error("identifiers have lost :of-type")
			}
			modifiers = append(modifiers, ":of-type (identifiers)")
			const site = "http://example.org/sites|arm"
			if takes("Condition?body-site:above="+site) && takes("Condition?body-site:below="+site) {
				modifiers = append(modifiers, ":above", ":below")
			}
		case "reference":
			if takes("Observation?subject:Patient=x") {
				modifiers = append(modifiers, ":[type]")
			}
			if !takes("Location?partof:below=x") {
				p.t.Error("hierarchies have lost :below")
			}
		case "date", "number", "quantity":
			for _, prefix := range []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"} {
				if takes(e.query + "=" + prefix + e.value) {
					prefixes = append(prefixes, prefix)
				}
			}
		}
		slices.Sort(modifiers)
		p.line("| %s | %s | %s |", e.kind, ticked(slices.Compact(modifiers)), strings.Join(prefixes, " "))
	}
	p.line("")
}

func (p *conformancePage) resource(res claimed, everywhere common) {
	p.line("### %s\n", res.Type)
	byKind := map[string][]string{}
	for _, sp := range res.SearchParam {
		if slices.Contains(everywhere.parameters, sp.Name) {
			continue
		}
		name := sp.Name
		if strings.Contains(sp.Definition, "/us/core/") {
			name = "*" + name + "*"
		}
		byKind[sp.Type] = append(byKind[sp.Type], name)
	}
	for _, e := range examples {
		if len(byKind[e.kind]) > 0 {
			p.line("- %s: %s", e.kind, strings.Join(byKind[e.kind], ", "))
		}
	}
	if len(res.SupportedProfile) > 0 {
		var profiles []string
		for _, url := range res.SupportedProfile {
			profiles = append(profiles, url[strings.LastIndexByte(url, '/')+1:])
		}
		p.line("- profiles: %s", strings.Join(profiles, ", "))
	}
	var own []string
	for _, op := range res.Operation {
		if name := "$" + op.Name; !slices.Contains(everywhere.operations, name) {
			own = append(own, name)
		}
	}
	if len(own) > 0 {
		p.line("- operations: %s", ticked(own))
	}
	if !slices.Equal(codes(res.Interaction), codes(p.statement.Rest[0].Resource[0].Interaction)) {
		p.t.Errorf("%s has other interactions than the first type: the page does not say so", res.Type)
	}
	p.line("")
}

func codes(all []code) []string {
	var list []string
	for _, c := range all {
		list = append(list, c.Code)
	}
	return list
}

func names(all []named) []string {
	var list []string
	for _, n := range all {
		list = append(list, "$"+n.Name)
	}
	return list
}

func ticked(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return "`" + strings.Join(all, "`, `") + "`"
}
