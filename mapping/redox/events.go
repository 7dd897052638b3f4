package redox

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
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

// fold is a name without what senders write differently: case, spaces,
// hyphens, underscores.
func fold(name string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' {
			return -1
		}
		return r
	}, name))
}

// sameWord compares as fold does, for tables that are searched often.
func sameWord(a, b string) bool {
	for {
		var x, y rune
		x, a = nextRune(a)
		y, b = nextRune(b)
		if x != y {
			return false
		}
		if x == 0 {
			return true
		}
	}
}

// nextRune is the first rune that counts, in lower case, and what follows it;
// 0 at the end.
func nextRune(s string) (rune, string) {
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if r != ' ' && r != '-' && r != '_' && r != 0 {
			return unicode.ToLower(r), s
		}
	}
	return 0, ""
}

// ResponseEvent is the event type that answers a query; "" for other messages.
func (m *Message) ResponseEvent() string {
	for pair, f := range events {
		model, event, _ := strings.Cut(pair, ":")
		if f.response && model == m.DataModel && f.responseTo == m.EventType {
			return event
		}
	}
	return ""
}
