package topic

import (
	"context"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

// Topic is what a SubscriptionTopic defines.
type Topic struct {
	// URL is the canonical without a version.
	URL, Version, Title string
	Triggers            []Definition
	// Filters are the search parameters that canFilterBy names, by "Type.code",
	// or "code" for any type; none for all.
	Filters []string
	// retired topics are not offered any more.
	retired bool
}

// Definition is a trigger before it is compiled; see Trigger. Current and
// Previous are searches, with or without "Type?"; Path is FHIRPath.
type Definition struct {
	Event                          string
	Type                           string
	Create, Update, Delete         bool
	Current, Previous, Path        string
	RequireBoth                    bool
	PassesOnCreate, PassesOnDelete bool
}

func (t Topic) canFilterBy(typ, parameter string) bool {
	if len(t.Filters) == 0 {
		return true
	}
	return slices.ContainsFunc(t.Filters, func(f string) bool {
		of, code, ok := strings.Cut(f, ".")
		if !ok {
			return f == parameter
		}
		return code == parameter && (typ == "" || of == typ)
	})
}

// Catalog knows topics.
type Catalog interface {
	// Topic finds a topic by its canonical, with or without |version, or
	// returns store.ErrNotFound.
	Topic(ctx context.Context, t store.Tenant, canonical string) (Topic, error)
}

// Base is where the canonicals of the topics built in begin.
const Base = "https://github.com/fhirfacade/fhirfacade/SubscriptionTopic/"

// Version is the version of the topics built in.
const Version = "1.0"

// NamedEvent is an event that has a topic of its name.
type NamedEvent struct {
	Name string
	// Types are those that the focus may have.
	Types []string
}

// BuiltIn are the topics that are there without being added: one for each
// named event, and for each resource type of R4 "[Type]-create", "-update",
// "-delete", and "-change" for all three.
type BuiltIn struct {
	Definitions *conformance.Definitions
	Events      []NamedEvent
}

// Topic finds a built-in topic.
func (b BuiltIn) Topic(_ context.Context, _ store.Tenant, canonical string) (Topic, error) {
	url, version, _ := strings.Cut(canonical, "|")
	name, ok := strings.CutPrefix(url, Base)
	if !ok || version != "" && version != Version {
		return Topic{}, store.ErrNotFound
	}
	for _, e := range b.Events {
		if e.Name == name {
			return b.event(e), nil
		}
	}
	typ, what, _ := strings.Cut(name, "-")
	if !b.Definitions.IsResourceType(typ) {
		return Topic{}, store.ErrNotFound
	}
	d := Definition{Type: typ, Create: what == "create", Update: what == "update", Delete: what == "delete"}
	switch what {
	case "create", "update", "delete":
	case "change":
		d.Create, d.Update, d.Delete = true, true, true
	default:
		return Topic{}, store.ErrNotFound
	}
	return Topic{URL: url, Version: Version, Title: typ + " " + what, Triggers: []Definition{d}}, nil
}

func (b BuiltIn) event(e NamedEvent) Topic {
	t := Topic{URL: Base + e.Name, Version: Version, Title: strings.ReplaceAll(e.Name, "-", " ")}
	for _, typ := range e.Types {
		t.Triggers = append(t.Triggers, Definition{Event: e.Name, Type: typ})
	}
	return t
}

// List lists the canonicals that a server advertises: those of events, and of
// the changes of each type.
func (b BuiltIn) List() []string {
	var all []string
	for _, e := range b.Events {
		all = append(all, Base+e.Name)
	}
	for _, typ := range b.Definitions.ResourceTypes() {
		all = append(all, Base+typ+"-change")
	}
	return all
}
