package notifications

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2/v2fhir"
	"github.com/fhirfacade/fhirfacade/store"
)

// HL7v2 is the content of destinations that take HL7 v2, over MLLP or HTTP.
const HL7v2 Content = "hl7v2"

// HL7v2Type is the media type of HL7 v2 messages.
const HL7v2Type = "application/hl7-v2"

// HL7v2Settings say how a destination wants its HL7 v2 messages.
type HL7v2Settings struct {
	// The applications and facilities of MSH-3 to MSH-6.
	SendingApplication   string `json:"sendingApplication,omitempty"`
	SendingFacility      string `json:"sendingFacility,omitempty"`
	ReceivingApplication string `json:"receivingApplication,omitempty"`
	ReceivingFacility    string `json:"receivingFacility,omitempty"`
	// TimeZone is the one that times are written in; UTC when empty.
	TimeZone string `json:"timeZone,omitempty"`
	// Systems and Codes are local names and codes; see v2fhir.Options.
	Systems map[string]string            `json:"systems,omitempty"`
	Codes   map[string]map[string]string `json:"codes,omitempty"`
	// Events are the messages of events, where they are not the usual ones:
	// {"Order.New": "OML^O21"}.
	Events map[string]string `json:"events,omitempty"`
	// Omit are segments and fields that are left out: "PV2", "PID-19".
	Omit []string `json:"omit,omitempty"`
	// Set are fixed values by their path, in the segments that the message
	// has; Z segments that are not there are appended.
	Set map[string]string `json:"set,omitempty"`
	// OnError is what follows AE: "park" (default) sets the message aside with
	// its reason and goes on, "retry" sends it again.
	OnError string `json:"onError,omitempty"`
	// OnReject is the same for AR.
	OnReject string `json:"onReject,omitempty"`
	// CA is the certificate, in PEM, that signs the receiver's, where it is
	// none that everybody knows. Certificate and PrivateKey are shown to it.
	CA          string `json:"ca,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	PrivateKey  string `json:"privateKey,omitempty"`
}

// usualEvents are the messages that events are sent as.
var usualEvents = map[string]string{
	"PatientAdmin.Arrival": "ADT^A01", "PatientAdmin.Transfer": "ADT^A02", "PatientAdmin.Discharge": "ADT^A03",
	"PatientAdmin.Registration": "ADT^A04", "PatientAdmin.PreAdmit": "ADT^A05", "PatientAdmin.VisitUpdate": "ADT^A08",
	"PatientAdmin.Cancel": "ADT^A11", "PatientAdmin.NewPatient": "ADT^A28", "PatientAdmin.PatientUpdate": "ADT^A31",
	"PatientAdmin.PatientMerge": "ADT^A40",
	"Scheduling.New":            "SIU^S12", "Scheduling.Reschedule": "SIU^S13", "Scheduling.Modification": "SIU^S14",
	"Scheduling.Cancel": "SIU^S15", "Scheduling.NoShow": "SIU^S26",
	"Results.New": "ORU^R01", "Results.NewUnsolicited": "ORU^R01",
	"Order.New": "ORM^O01", "Order.GroupedOrders": "ORM^O01", "Order.Update": "ORM^O01", "Order.Cancel": "ORM^O01",
	"Media.New": "MDM^T02", "Media.Replace": "MDM^T10", "Notes.New": "MDM^T02", "Notes.Replace": "MDM^T10",
	"Vaccination.New": "VXU^V04", "Financial.Transaction": "DFT^P03",
	"Referral.New": "REF^I12", "Referral.Modify": "REF^I13", "Referral.Cancel": "REF^I14",
}

// Code is the message of an event, "SIU^S12"; "" where there is none.
func (s *HL7v2Settings) Code(dataModel, eventType string) string {
	pair := dataModel + "." + eventType
	if s != nil && s.Events[pair] != "" {
		return s.Events[pair]
	}
	return usualEvents[pair]
}

// Validate checks the settings.
func (s HL7v2Settings) Validate() error {
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		return &FieldError{"hl7v2.timeZone", `must be a time zone such as "America/Chicago"`}
	}
	for pair, code := range s.Events {
		if usualEvents[pair] == "" || !slices.Contains(v2fhir.Events(), code) {
			return &FieldError{"hl7v2.events", `must be events and their messages, such as "Order.New": "OML^O21"`}
		}
	}
	for _, o := range s.Omit {
		if p, ok := placeOf(o); !ok || p.Segment == "MSH" || p.Repetition+p.Component > 0 {
			return &FieldError{"hl7v2.omit", `must be segments or fields, such as "PV2" and "PID-19", and not of MSH`}
		}
	}
	for at := range s.Set {
		p, ok := placeOf(at)
		if !ok || p.Field == 0 || p.Segment == "MSH" && slices.Contains([]int{1, 2, 7, 9, 10, 12, 18}, p.Field) {
			return &FieldError{"hl7v2.set", `must be values by their path, such as "ZPI-1.2"; the fields of MSH that say what the message is cannot be set`}
		}
	}
	for field, v := range map[string]string{"hl7v2.onError": s.OnError, "hl7v2.onReject": s.OnReject} {
		if v != "" && v != "park" && v != "retry" {
			return &FieldError{field, "must be park or retry"}
		}
	}
	if (s.Certificate == "") != (s.PrivateKey == "") {
		return &FieldError{"hl7v2.certificate", "must come with privateKey"}
	}
	return nil
}

// placeOf reads a path, or a segment's name alone.
func placeOf(at string) (hl7v2.Path, bool) {
	if len(at) == 3 {
		at += "-1"
		p, err := hl7v2.ParsePath(at)
		return hl7v2.Path{Segment: p.Segment}, err == nil
	}
	p, err := hl7v2.ParsePath(at)
	return p, err == nil
}

// isMLLP reports whether a URL is an MLLP receiver's.
func isMLLP(u *url.URL) bool { return u.Scheme == "mllp" || u.Scheme == "mllps" }

// ControlID is MSH-10 of a delivery: the same each time it is sent, so that
// its receiver knows it again.
func ControlID(delivery string) string {
	return strings.ToUpper(strings.ReplaceAll(delivery, "-", ""))[:min(20, len(strings.ReplaceAll(delivery, "-", "")))]
}

// MakeHL7v2 makes the message of an event of a FHIR message Bundle. slug names
// the organization in systems.
func (s HL7v2Settings) MakeHL7v2(bundle []byte, code, slug, controlID string, at time.Time) (*v2fhir.Written, []byte, error) {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return nil, nil, err
	}
	w, err := v2fhir.FromFHIR(bundle, code, v2fhir.Options{
		Slug: slug, Zone: zone, Systems: s.Systems, Codes: s.Codes, Now: at, ControlID: controlID,
		SendingApplication: s.SendingApplication, SendingFacility: s.SendingFacility,
		ReceivingApplication: s.ReceivingApplication, ReceivingFacility: s.ReceivingFacility,
	})
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(code, "MDM^") {
		withVisit(w.Draft)
	}
	s.edit(w.Draft)
	text, err := w.Encode()
	return w, text, err
}

// withVisit gives a message the PV1 that its structure requires: not
// applicable (table 0004), where the Bundle has no Encounter.
func withVisit(d *hl7v2.Draft) {
	behind := 0
	for i, x := range d.Segments {
		switch x.Name {
		case "PV1":
			return
		case "PID", "PD1", "NK1":
			behind = i + 1
		}
	}
	pv1 := d.Add("PV1")
	pv1.Set(hl7v2.Path{Field: 1}, "1")
	pv1.Set(hl7v2.Path{Field: 2}, "N")
	d.Segments = slices.Insert(d.Segments[:len(d.Segments)-1], behind, pv1)
}

// edit leaves out and sets what the destination wants.
func (s HL7v2Settings) edit(d *hl7v2.Draft) {
	for _, o := range s.Omit {
		p, _ := placeOf(o)
		if p.Field == 0 {
			d.Segments = slices.DeleteFunc(d.Segments, func(x *hl7v2.DraftSegment) bool { return x.Name == p.Segment })
			continue
		}
		for _, x := range d.Segments {
			if x.Name == p.Segment {
				x.Clear(p.Field)
			}
		}
	}
	paths := make([]string, 0, len(s.Set))
	for at := range s.Set {
		paths = append(paths, at)
	}
	slices.Sort(paths)
	for _, at := range paths {
		p, _ := placeOf(at)
		n := max(p.Occurrence, 1)
		var segment *hl7v2.DraftSegment
		for _, x := range d.Segments {
			if x.Name == p.Segment && n > 0 {
				if n--; n == 0 {
					segment = x
				}
			}
		}
		for ; n > 0 && p.Segment[0] == 'Z'; n-- {
			segment = d.Add(p.Segment)
		}
		if segment != nil {
			segment.Set(p, s.Set[at])
		}
	}
}

// hl7v2 makes the HL7 v2 message of an event. What cannot be made now cannot
// be made later either.
func (r *Renderer) hl7v2(ctx context.Context, t store.Tenant, d Destination, id string, entry store.Entry, e Event) (Payload, error) {
	settings := HL7v2Settings{}
	if d.HL7v2 != nil {
		settings = *d.HL7v2
	}
	bundle, err := r.bundleOf(ctx, t, entry, e)
	if err != nil {
		return Payload{}, err
	}
	organization, _, _ := strings.Cut(string(t), "/")
	_, text, err := settings.MakeHL7v2(bundle, settings.Code(e.DataModel, e.EventType), organization, ControlID(id), entry.Time)
	if err != nil {
		return Payload{}, &Failure{Reason: "the HL7 v2 message cannot be made: " + unmade(err), Park: true}
	}
	return Payload{HL7v2Type, text}, nil
}

// unmade words why there is no message, by elements and rules.
func unmade(err error) string {
	var fhir *v2fhir.Error
	var v2 *hl7v2.Error
	if errors.As(err, &fhir) || errors.As(err, &v2) {
		return err.Error()
	}
	return "it cannot be written"
}

// bundleOf is what an event says, as a FHIR message.
func (r *Renderer) bundleOf(ctx context.Context, t store.Tenant, entry store.Entry, e Event) ([]byte, error) {
	if e.Writeback {
		return r.WritebackBundle(ctx, t, e.Message)
	}
	type reference struct {
		Reference string `json:"reference"`
	}
	header := struct {
		ResourceType string            `json:"resourceType"`
		EventURI     string            `json:"eventUri"`
		Source       map[string]string `json:"source"`
		Focus        []reference       `json:"focus,omitempty"`
	}{"MessageHeader", "urn:fhirfacade:event:" + e.DataModel + "." + e.EventType, map[string]string{"endpoint": endpoint(e.SourceID)}, nil}
	for _, f := range e.Focus {
		header.Focus = append(header.Focus, reference{r.Base(t) + "/" + f})
	}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	tag := ""
	if e.Test {
		tag = `"meta":{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HTEST"}]},`
	}
	b := fmt.Appendf(nil, `{"resourceType":"Bundle",%s"type":"message","timestamp":%q,"entry":[{"fullUrl":"urn:uuid:%s","resource":%s}`,
		tag, entry.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00"), deliveries, text)
	seen := map[string]bool{}
	for _, ref := range slices.Concat(e.Focus, e.Patients, e.Resources) {
		if seen[ref] {
			continue
		}
		seen[ref] = true
		doc, err := r.asOf(ctx, t, ref, entry)
		if errors.Is(err, store.ErrNotFound) || err == nil && doc.Deleted {
			continue
		}
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, `,{"fullUrl":%q,"resource":%s}`, r.Base(t)+"/"+ref, doc.Body)
	}
	return append(b, "]}"...), nil
}
