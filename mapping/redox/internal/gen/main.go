// Command gen writes the typed Go models of package redox from the catalogue
// of Redox's data models: every model, event and field with its type and
// whether it is required.
//
// The catalogue is a folder with models.json and the documented samples it
// names; the samples only decide the order of the fields. By default it is
// ../shared/data/redox, seen from the module root.
package main

import (
	"flag"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	catalogue := flag.String("catalogue", "", "folder with models.json (default ../shared/data/redox beside the module root)")
	out := flag.String("out", ".", "folder of package redox")
	flag.Parse()
	if err := run(*catalogue, *out); err != nil {
		log.Fatal("gen: ", err)
	}
}

func run(catalogue, out string) error {
	if catalogue == "" {
		root, err := moduleRoot()
		if err != nil {
			return err
		}
		catalogue = filepath.Join(filepath.Dir(root), "shared", "data", "redox")
	}
	models, err := readCatalogue(catalogue)
	if err != nil {
		return err
	}
	types, err := nameTypes(models)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"zz_generated_shared.go": writeShared(types),
		"zz_generated_events.go": writeEvents(models),
	}
	for _, group := range modelGroups {
		files["zz_generated_"+group.file+".go"] = writeModels(types, models, group)
	}
	for name, src := range files {
		formatted, err := format.Source(src)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, src)
		}
		if err := os.WriteFile(filepath.Join(out, name), formatted, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = parent
	}
}
