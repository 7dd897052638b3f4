package redox

import (
	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	locationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/location_go_proto"
	schedulepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/schedule_go_proto"
	slotpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/slot_go_proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// slots makes the Slots and Schedules of Scheduling.PushSlots. A Schedule is
// that of a provider at a place.
func (w *writer) slots(body Scheduling) {
	for _, s := range take(&body.Slots) {
		if !isEmpty(s) {
			w.m.Focus = append(w.m.Focus, w.slot(s))
		}
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("Scheduling", &body)...)
}

func (w *writer) slot(s Slot) int {
	out := &slotpb.Slot{Status: &slotpb.Slot_StatusCode{Value: codes_go_proto.SlotStatusCode_FREE}}
	when := s.DateTime
	schedule := w.schedule(take(&s.Provider), take(&s.Location))
	out.Schedule = w.ref(schedule)
	if id := w.number(slotNumber, take(&s.ID)); id != nil {
		out.Identifier = []*dtpb.Identifier{id}
	}
	out.Comment = str(take(&s.Reason))
	// FHIR requires start and end of a slot.
	start, ok := w.o.parseTime(s.DateTime)
	if ok && start.hasTime() {
		s.DateTime = ""
		out.Start, out.End = start.instant(), start.instant()
	} else {
		out.Start = &dtpb.Instant{Timezone: "Z", Precision: dtpb.Instant_SECOND, Extension: w.assumed()}
		out.End = &dtpb.Instant{Timezone: "Z", Precision: dtpb.Instant_SECOND, Extension: w.assumed()}
	}
	if length, known := minutes(s.Duration); known && s.DateTime == "" {
		s.Duration = ""
		out.End = start.plus(length).instant()
	} else {
		out.End.Extension = w.assumed()
	}
	out.Extension = w.rest("Slot", &s)
	entry := known(out.Identifier)
	if len(entry.Identifiers) == 0 && when != "" {
		entry = child(schedule, "slot|"+when)
	}
	return w.add(out, entry)
}

func (w *writer) schedule(p *Provider, l *Location) int {
	type place struct {
		P *Provider
		L *Location
	}
	return w.once("Schedule", place{p, l}, func() int {
		out := &schedulepb.Schedule{Active: boolean(true)}
		owner, key := mapping.NoParent, "schedule"
		if p != nil && !isEmpty(p) {
			ref := w.provider(*p, child(mapping.NoParent, "provider"))
			owner = w.m.Find(ref)
			out.Actor = append(out.Actor, ref)
		}
		if i, ok := w.location(l); ok {
			out.Actor = append(out.Actor, w.ref(i))
			key += "|" + w.placeKey(i)
			if owner == mapping.NoParent {
				owner = i
			}
		}
		if len(out.Actor) == 0 {
			out.Actor = []*dtpb.Reference{{Display: str("unknown"), Extension: w.assumed()}}
		}
		return w.add(out, child(owner, key))
	})
}

// slots reads the Slots of a message.
func (r *reader) slots() *Scheduling {
	body := &Scheduling{}
	r.restore("Scheduling", r.m.Extensions, body)
	for _, in := range all[*slotpb.Slot](r) {
		s := Slot{}
		r.restore("Slot", in.Extension, &s)
		if len(in.Identifier) > 0 {
			give(&s.ID, in.Identifier[0].GetValue().GetValue())
		}
		give(&s.Reason, in.GetComment().GetValue())
		if start, ok := ofInstant(in.Start); ok && !r.assumed(in.Start.Extension) {
			r.giveTime(&s.DateTime, start, ok)
			if end, ok := ofInstant(in.End); ok && !r.assumed(in.End.Extension) {
				s.Duration = minutesBetween(start, end)
			}
		}
		if schedule, i := target[*schedulepb.Schedule](r, in.Schedule); i >= 0 {
			for _, actor := range schedule.Actor {
				if p := r.provider(actor); p != nil && s.Provider == nil {
					s.Provider = p
				} else if _, i := target[*locationpb.Location](r, actor); i >= 0 && s.Location == nil {
					s.Location = r.location(actor)
				}
			}
		}
		body.Slots = append(body.Slots, s)
	}
	return body
}
