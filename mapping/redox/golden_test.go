package redox

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/fhirfacade/fhirfacade/mapping"
)

var update = flag.Bool("update", false, "write the golden files")

// goldenEntry is an entry of a message in a golden file.
type goldenEntry struct {
	FullURL     string               `json:"fullUrl"`
	Identifiers []mapping.Identifier `json:"identifiers,omitempty"`
	Parent      int                  `json:"parent"`
	Key         string               `json:"key,omitempty"`
	Resource    jsontext.Value       `json:"resource"`
}

type goldenMessage struct {
	Event        string          `json:"event"`
	Time         string          `json:"time"`
	Test         bool            `json:"test"`
	FacilityCode string          `json:"facilityCode"`
	Source       mapping.Party   `json:"source"`
	Destinations []mapping.Party `json:"destinations"`
	Focus        []int           `json:"focus"`
	Entries      []goldenEntry   `json:"entries"`
}

func golden(t testing.TB, m *mapping.Message) []byte {
	t.Helper()
	out := goldenMessage{
		Event: m.Event.URI, Time: writeTime(m), Test: m.Test, FacilityCode: m.FacilityCode,
		Source: m.Source, Destinations: m.Destinations, Focus: m.Focus,
	}
	for _, e := range m.Entries {
		data, err := mapping.MarshalResource(e.Resource)
		if err != nil {
			t.Fatal(err)
		}
		out.Entries = append(out.Entries, goldenEntry{e.FullURL, e.Identifiers, e.Parent, e.Key, data})
	}
	data, err := json.Marshal(out, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

// invented are the messages that the repository carries.
func invented(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, pattern := range []string{"samples/*.json", "testdata/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name := strings.TrimSuffix(filepath.Base(f), ".json")
			if strings.Count(name, ".") != 1 || strings.HasPrefix(name, "writeback") {
				continue
			}
			if all[name], err = os.ReadFile(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// TestGolden compares the FHIR of invented messages with what it was. Run with
// -update to accept a change.
func TestGolden(t *testing.T) {
	for name, data := range invented(t) {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			f, back := through(t, m)
			path := filepath.Join("testdata", name+".fhir.golden")
			got := golden(t, f)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got) {
				t.Errorf("FHIR differs from %s (-want +got):\n%s", path, cmp.Diff(string(want), string(got)))
			}
			sent, received := plain(t, data), plain(t, marshal(t, back))
			if diff := cmp.Diff(sent, forgive(sent, received, "")); diff != "" {
				t.Errorf("the way back differs (-sent +got):\n%s", diff)
			}
		})
	}
}

func TestSample(t *testing.T) {
	for _, pair := range []string{"Scheduling:New", "PatientAdmin:Arrival"} {
		model, event, _ := strings.Cut(pair, ":")
		data, ok := Sample(model, event)
		if !ok {
			t.Fatalf("Sample(%s): none", pair)
		}
		m, err := Parse(data)
		if err != nil || m.Pair() != pair {
			t.Errorf("Sample(%s): %v", pair, err)
		}
	}
	if _, ok := Sample("Scheduling", "Nonsense"); ok {
		t.Error("Sample found a message that is not there")
	}
}
