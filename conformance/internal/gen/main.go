// Command gen reads HL7's FHIR R4 definition files, and of US Core the search
// parameters that R4 lacks, and writes the two files that package conformance
// embeds:
//
//   - r4.tables: the facts of the definitions in a line format (see write.go).
//     Facts only; the definitions' prose stays where it is.
//   - numbers.txt: the numbers that persistent index keys use for resource
//     types and search parameters. It is append-only: gen adds what is missing
//     and never renumbers, because a changed number would make every stored
//     index key mean something else.
//
// It is run by go generate ./conformance.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	r4 := flag.String("r4", filepath.Join("..", "shared", "data", "r4"), "folder with HL7's R4 definition files")
	uscore := flag.String("uscore", filepath.Join("..", "shared", "data", "uscore", "package"), "folder with the US Core package")
	out := flag.String("out", "r4.tables", "tables file to write")
	numbers := flag.String("numbers", "numbers.txt", "numbers file to extend")
	flag.Parse()
	if err := run(*r4, *uscore, *out, *numbers); err != nil {
		log.Fatal(err)
	}
}

func run(r4, uscore, out, numbersFile string) error {
	facts, err := read(r4, uscore)
	if err != nil {
		return err
	}
	var tables bytes.Buffer
	if err := facts.write(&tables); err != nil {
		return err
	}

	assigned := newNumbers()
	switch old, err := os.ReadFile(numbersFile); {
	case err == nil:
		if assigned, err = parseNumbers(old); err != nil {
			return fmt.Errorf("%s: %w", numbersFile, err)
		}
	case !os.IsNotExist(err):
		return err
	}
	if err := assigned.extend(facts.resourceTypeNames(), facts.searchParameterURLs()); err != nil {
		return err
	}

	if err := os.WriteFile(out, tables.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(numbersFile, assigned.format(), 0o644)
}

// facts is everything that goes into r4.tables, in the order it is written.
type facts struct {
	types        []typeFact
	parameters   []parameterFact
	compartments []compartmentFact
	operations   []operationFact
	valueSets    []valueSetFact
}

func read(dir, uscore string) (*facts, error) {
	var f facts
	var err error
	if f.types, err = readTypes(dir); err != nil {
		return nil, err
	}
	if f.parameters, err = readSearchParameters(dir); err != nil {
		return nil, err
	}
	if err = f.addUSCoreParameters(uscore); err != nil {
		return nil, err
	}
	if f.compartments, err = readCompartments(dir); err != nil {
		return nil, err
	}
	if f.operations, err = readOperations(dir); err != nil {
		return nil, err
	}
	if f.valueSets, err = readValueSets(dir, f.requiredValueSets()); err != nil {
		return nil, err
	}
	return &f, nil
}

// resourceTypeNames lists the resource types, abstract ones included, sorted:
// the order in which new ones get their numbers.
func (f *facts) resourceTypeNames() []string {
	var names []string
	for _, t := range f.types {
		if t.kind == "resource" {
			names = append(names, t.name)
		}
	}
	return names
}

func (f *facts) searchParameterURLs() []string {
	urls := make([]string, 0, len(f.parameters))
	for _, p := range f.parameters {
		urls = append(urls, p.url)
	}
	return urls
}

// requiredValueSets is the set of value sets that some element is bound to with
// strength required: only their codes are worth carrying, because only a
// required binding makes a code wrong.
func (f *facts) requiredValueSets() map[string]bool {
	urls := map[string]bool{}
	for _, t := range f.types {
		for _, e := range t.elements {
			if e.bindingStrength == "required" {
				urls[e.bindingValueSet] = true
			}
		}
	}
	return urls
}
