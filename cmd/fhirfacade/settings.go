package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// yamlSettings reads the file that --config names: flags by their names. A
// flag on the command line or in the environment goes before the file.
func yamlSettings(r io.Reader) (kong.Resolver, error) {
	settings := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&settings); err != nil && err != io.EOF { //nolint:errorlint // the decoder returns it bare
		return nil, fmt.Errorf("the settings file is not YAML: %w", err)
	}
	return &resolver{settings}, nil
}

type resolver struct{ settings map[string]any }

// Validate refuses settings that no flag has, which are spelling mistakes.
func (r *resolver) Validate(app *kong.Application) error {
	known := []string{}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			known = append(known, f.Name)
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(app.Node)
	for name := range r.settings {
		if !slices.Contains(known, name) {
			return fmt.Errorf("the settings file has %q, which is no setting", name)
		}
	}
	return nil
}

func (r *resolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Tag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	v, ok := r.settings[flag.Name]
	if !ok {
		return nil, nil
	}
	if list, ok := v.([]any); ok {
		texts := make([]string, len(list))
		for i, item := range list {
			texts[i] = fmt.Sprint(item)
		}
		return strings.Join(texts, ","), nil
	}
	return fmt.Sprint(v), nil
}
