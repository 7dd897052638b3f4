package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/store"
)

// saidExtension in a resource's meta is when a source last said something of
// it: by the EventDateTime of its message, not by when that arrived.
const saidExtension = redox.DefaultBase + "/StructureDefinition/said"

// eventTime is when a message says that it happened, in UTC, zero where it
// does not. One that is in the future counts as now, or a sender with a wrong
// clock would silence those that come after it.
func eventTime(said *mapping.Message, received time.Time) time.Time {
	if said.Time.IsZero() {
		return time.Time{}
	}
	at := said.Time.UTC().Truncate(time.Millisecond)
	if received = received.Truncate(time.Millisecond); at.After(received) {
		return received
	}
	return at
}

// overtaken reports whether the source has said something later of a record
// than a message of the time at: as the record has it, or as the log has it of
// messages that said nothing new of it.
func (x *Exchange) overtaken(ctx context.Context, t store.Tenant, r *record, source string, at time.Time) (bool, error) {
	if at.IsZero() || r.current.Body == nil {
		return false, nil
	}
	doc, err := rawjson.Parse(r.current.Body, nil)
	if err != nil {
		return false, err
	}
	if at.Before(lastSaid(doc.Root(), source)) {
		return true, nil
	}
	repeated, err := x.messages.lastRepeated(ctx, t, r.ref, source)
	return at.Before(repeated), err
}

// lastSaid reads the extension; zero where the source has said nothing.
func lastSaid(root rawjson.Node, source string) time.Time {
	meta, _ := root.Member("meta")
	extensions, _ := meta.Member("extension")
	for e := range extensions.Elements() {
		if u, _ := e.Member("url"); !u.Is(saidExtension) {
			continue
		}
		if inner(e, "source", "valueString").Is(source) {
			when := inner(e, "time", "valueInstant")
			at, _ := time.Parse(time.RFC3339, when.String()) // zero, if somebody else wrote it
			return at
		}
	}
	return time.Time{}
}

// inner is the value of a part of a complex extension.
func inner(extension rawjson.Node, url, value string) rawjson.Node {
	parts, _ := extension.Member("extension")
	for p := range parts.Elements() {
		if u, _ := p.Member("url"); u.Is(url) {
			v, _ := p.Member(value)
			return v
		}
	}
	return rawjson.Node{}
}

// stamped is a resource with the time at which the source said this of it.
func stamped(text []byte, source string, at time.Time) ([]byte, error) {
	if at.IsZero() {
		return text, nil
	}
	doc, err := rawjson.Parse(text, nil)
	if err != nil {
		return nil, err
	}
	who, err := json.Marshal(source)
	if err != nil {
		return nil, err
	}
	list := fmt.Appendf(nil, `[{"extension":[{"url":"source","valueString":%s},{"url":"time","valueInstant":"%s"}],"url":%q}`,
		who, instant(at), saidExtension)
	meta, _ := doc.Root().Member("meta")
	extensions, _ := meta.Member("extension")
	for e := range extensions.Elements() {
		u, _ := e.Member("url")
		if u.Is(saidExtension) && inner(e, "source", "valueString").Is(source) {
			continue
		}
		list = append(append(list, ','), e.Raw()...)
	}
	return doc.AppendEdited(nil, []rawjson.Edit{{Parent: "meta", Name: "extension", Value: append(list, ']')}})
}

// mergeMeta lays the meta of a message over the one that is known: profiles,
// tags and labels are joined. versionId and lastUpdated are the store's.
func mergeMeta(known, said rawjson.Node) []byte {
	var b strings.Builder
	add := func(m rawjson.Node, raw []byte) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + string(m.RawName()) + `":` + string(raw))
	}
	for m := range known.Members() {
		if m.NameIs("versionId") || m.NameIs("lastUpdated") {
			continue
		}
		if now, ok := said.Member(m.Name()); !ok {
			add(m, m.Raw())
		} else if m.Kind() == rawjson.KindArray {
			add(m, union(m, now, sameText))
		} else {
			add(m, now.Raw())
		}
	}
	for m := range said.Members() {
		if _, ok := known.Member(m.Name()); !ok {
			add(m, m.Raw())
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return []byte("{" + b.String() + "}")
}

func sameText(a, b rawjson.Node) bool { return string(a.Raw()) == string(b.Raw()) }
