package exchange

import (
	"context"
	"strconv"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// messageSystem is the identifier system of the messages of the log.
const messageSystem = "urn:fhirfacade:message"

// version names one version of a resource.
func version(ref store.Ref, n int64) string {
	return ref.String() + "/_history/" + strconv.FormatInt(n, 10)
}

// provenance says which message gave which versions (R4 provenance.html): the
// source is its agent, the message its entity. It is committed with them and
// is no event of its own.
func (x *Exchange) provenance(ctx context.Context, t store.Tenant, id string, m *Message, src Source, targets []string, at time.Time) (store.Change, error) {
	type object = map[string]any
	identifier := func(system, value string) object {
		return object{"identifier": object{"system": system, "value": value}}
	}
	var list []object
	for _, target := range targets {
		list = append(list, object{"reference": target})
	}
	who := identifier("urn:ietf:rfc:3986", "urn:uuid:"+src.ID)
	if src.Name != "" {
		who["display"] = src.Name
	}
	p := object{
		"resourceType": "Provenance", "target": list, "recorded": instant(m.ReceivedAt),
		"activity": object{"text": m.DataModel + " " + m.EventType},
		"agent": []object{{
			"type": object{"coding": []object{{
				"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "author",
			}}},
			"who": who,
		}},
		"entity": []object{{"role": "source", "what": identifier(messageSystem, m.ID)}},
	}
	if !at.IsZero() {
		p["occurredDateTime"] = instant(at)
	}
	prepared, err := x.o.Repository.Prepare(ctx, t, id, marshalJSON(p))
	if err != nil {
		return store.Change{}, err
	}
	return prepared.Change(store.Absent()), nil
}
