package redox

import (
	"slices"
	"strings"
	"sync"
)

// Body is a data model's content: *Scheduling, *PatientAdmin and so on.
type Body interface {
	header() **Meta
}

// eventFacts is what the catalogue says of one event type.
type eventFacts struct {
	new         func() Body
	synchronous bool
	response    bool
	responseTo  string
	required    string // tree of paths: Meta!{DataModel! EventType!} Visit{Location!}
}

// Event describes an event type of a data model.
type Event struct {
	DataModel, EventType string
	Synchronous          bool   // answered in the HTTP reply
	Response             bool   // is such an answer
	ResponseTo           string // the event type it answers
}

// Events lists all events of all data models, by name.
func Events() []Event {
	list := make([]Event, 0, len(events))
	for pair, f := range events {
		model, event, _ := strings.Cut(pair, ":")
		list = append(list, Event{model, event, f.synchronous, f.response, f.responseTo})
	}
	slices.SortFunc(list, func(a, b Event) int {
		return strings.Compare(a.DataModel+":"+a.EventType, b.DataModel+":"+b.EventType)
	})
	return list
}

// canonical finds the catalogue's spelling of a data model and an event type.
// Real messages also have "Clinical Summary" and "Sign-on". An empty result is
// an unknown name.
func canonical(dataModel, eventType string) (model, event string) {
	names := canonicalNames()
	model = names[fold(dataModel)]
	if model != "" {
		event = names[fold(model)+":"+fold(eventType)]
	}
	return model, event
}

var canonicalNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for pair := range events {
		model, event, _ := strings.Cut(pair, ":")
		names[fold(model)] = model
		names[fold(model)+":"+fold(event)] = event
	}
	return names
})

func fold(name string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "").Replace(name))
}
