package remote

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/terminology"
)

func TestAsks(t *testing.T) {
	all, err := New(Settings{URL: "https://tx.example.org/r4/", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	some, err := New(Settings{URL: "http://tx.example.org", Systems: []string{"http://snomed.info/sct", "http://loinc.org"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		client *Client
		url    string
		want   terminology.Routing
	}{
		{all, "http://snomed.info/sct", terminology.Unheld},
		{all, "ValueSet/1", terminology.Never},
		{all, "ConceptMap/1", terminology.Never},
		{some, "http://snomed.info/sct", terminology.Always},
		{some, "http://snomed.info/sct?fhir_vs=isa/1", terminology.Always},
		{some, "http://loinc.org/vs/LL1", terminology.Always},
		{some, "http://loinc.org.example", terminology.Never},
		{some, "http://www.nlm.nih.gov/research/umls/rxnorm", terminology.Never},
	} {
		if got := c.client.Asks(c.url); got != c.want {
			t.Errorf("%s: %d, want %d", c.url, got, c.want)
		}
	}
}

func TestSettings(t *testing.T) {
	for name, s := range map[string]Settings{
		"terminology-server":        {URL: "tx.example.org"},
		"http or https":             {URL: "ftp://tx.example.org"},
		"terminology-authorization": {URL: "https://u:p@tx.example.org"},
		"terminology-systems":       {URL: "https://tx.example.org", Systems: []string{"SNOMED"}},
	} {
		if _, err := New(s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v does not name %s", s, err, name)
		}
	}
}

// The cache keeps what was used last, and no more than it may.
func TestCacheIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	c := newCache(10_000, time.Minute, func() time.Time { return now })
	for i := range 100 {
		c.put(fmt.Sprint(i), make([]byte, 1000))
		if _, ok := c.get("0"); !ok {
			t.Fatalf("what is used went at %d", i)
		}
		if c.size > c.max {
			t.Fatalf("%d bytes", c.size)
		}
	}
	if _, ok := c.get("50"); ok {
		t.Error("what was used long ago is there")
	}
	c.put("large", make([]byte, 5000))
	if _, ok := c.get("large"); ok {
		t.Error("an answer of half the cache is remembered")
	}
	now = now.Add(time.Minute)
	if _, ok := c.get("0"); ok {
		t.Error("an answer is remembered too long")
	}
	c.put("1", nil)
	c.put("1", nil)
	if c.used.Len() != len(c.byKey) {
		t.Errorf("%d entries, %d keys", c.used.Len(), len(c.byKey))
	}
}

// After the pause one call tries, and its failure begins another pause.
func TestBreaker(t *testing.T) {
	now := time.Unix(0, 0)
	b := newBreaker(2, time.Second, func() time.Time { return now })
	for range 2 {
		if !b.enter() {
			t.Fatal("closed too early")
		}
		b.leave(bad)
	}
	if b.enter() {
		t.Error("a call in the pause")
	}
	now = now.Add(time.Second)
	if !b.enter() || b.enter() {
		t.Error("not exactly one call tries")
	}
	b.leave(bad)
	if b.enter() {
		t.Error("no second pause")
	}
	now = now.Add(time.Second)
	if !b.enter() {
		t.Fatal("no second try")
	}
	b.leave(good)
	for range 2 {
		if !b.enter() {
			t.Error("still closed")
		}
	}
}
