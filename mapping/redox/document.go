package redox

import (
	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	documentpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/document_reference_go_proto"
	requestpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/service_request_go_proto"
	"google.golang.org/protobuf/proto"
)

var mediaTranslations = map[string]translation{
	"New": mediaDocuments, "Replace": mediaDocuments, "Delete": mediaDocuments,
	"QueryResponse": {write: (*writer).mediaList, read: (*reader).mediaList},
}

var notesTranslations = map[string]translation{"New": noteDocuments, "Replace": noteDocuments, "Delete": noteDocuments, "QueryResponse": noteDocuments}

var (
	mediaDocuments = translation{write: (*writer).media, read: (*reader).media}
	noteDocuments  = translation{write: (*writer).notes, read: (*reader).notes}
)

// Redox: Availability (HL7 v2 TXA-19); FHIR: document-reference-status. A new
// document is often called unavailable, so it must not mean deleted.
var availabilities = words{{"Available", "current"}, {"Unavailable", "current"}, {"Obsolete", "superseded"}}

// mediaTable is a file as a us-core-documentreference. HL7 v2-to-FHIR: TXA.
var mediaTable = tableOf[Media, *documentpb.DocumentReference]("Media",
	line{"DocumentID", "identifier", identifier(documentNumber)},
	line{"OriginalDocumentID", "relatesTo", replaces},
	line{"Availability", "status", documentStatus},
	line{"Authenticated", "docStatus", code(words{{"True", "final"}, {"False", "preliminary"}})},
	line{"DocumentType", "type", inText},
	line{"DocumentDescription", "description", plainText},
	line{"FileName", "content.attachment.title", plainText},
	line{"CreationDateTime", "content.attachment.creation", dateTime},
	line{"FileContents FileType", "content.attachment", fileContent},
	line{"ServiceDateTime", "context.period.start", dateTime},
	line{"Provider", "author", provider},
	line{"Authenticator", "authenticator", provider},
	line{"Notifications", "extension", providersIn("document-notification")},
	line{"", "context.encounter", encounterOf},
	line{"", "subject", subject},
).byIdentifier()

// noteTable is a note as a us-core-documentreference.
var noteTable = tableOf[Note, *documentpb.DocumentReference]("Note",
	line{"", "category", clinicalNote},
	line{"DocumentID", "identifier", identifier(documentNumber)},
	line{"OriginalDocumentID", "relatesTo", replaces},
	line{"Availability", "status", documentStatus},
	line{"Status", "docStatus", code(documentStatuses)},
	line{"DocumentType", "type", inText},
	line{"DocumentDescription", "description", plainText},
	line{"FileName", "content.attachment.title", plainText},
	line{"FileContents ContentType FileType", "content.attachment", noteContent},
	line{"DocumentationDateTime", "date", instant},
	line{"ServiceDateTime", "context.period.start", dateTime},
	line{"Provider", "author", provider},
	line{"Authenticator", "authenticator", provider},
	line{"Notifications", "extension", providersIn("document-notification")},
	line{"", "context.encounter", encounterOf},
	line{"", "subject", subject},
).byIdentifier()

// documentStatus follows the event: a deleted document was entered in error.
var documentStatus = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		if w.m.EventType == "Delete" {
			put("entered-in-error")
		} else if c := availabilities.take(f.text(0)); c != "" {
			put(c)
		} else {
			put(assumedValue{"current"})
		}
	},
	read: func(r *reader, f fields, v any) {
		if r.m.EventType != "Delete" {
			availabilities.give(f.text(0), v.(string))
		}
	},
}

// replaces refers to the document that is replaced, which is superseded.
var replaces = codec{
	write: func(w *writer, f fields, put func(any)) {
		id := w.number(documentNumber, *f.text(0))
		if id == nil || w.sharing("DocumentReference", known([]*dtpb.Identifier{id}).Identifiers) >= 0 {
			return
		}
		if own := w.m.Entries[w.at].Resource.GetDocumentReference().Identifier; sharesIdentifier(own, []*dtpb.Identifier{id}) {
			return // it replaces itself
		}
		*f.text(0) = ""
		old := w.add(&documentpb.DocumentReference{
			Identifier: []*dtpb.Identifier{id},
			Status:     &documentpb.DocumentReference_StatusCode{Value: codes_go_proto.DocumentReferenceStatusCode_SUPERSEDED},
			Content:    []*documentpb.DocumentReference_Content{{Attachment: &dtpb.Attachment{Extension: w.assumed()}}},
		}, known([]*dtpb.Identifier{id}))
		put(&documentpb.DocumentReference_RelatesTo{
			Code:   &documentpb.DocumentReference_RelatesTo_CodeType{Value: codes_go_proto.DocumentRelationshipTypeCode_REPLACES},
			Target: w.ref(old),
		})
	},
	read: func(r *reader, f fields, v any) {
		in := v.(*documentpb.DocumentReference_RelatesTo)
		if old, i := target[*documentpb.DocumentReference](r, in.Target); i >= 0 && in.GetCode().GetValue() == codes_go_proto.DocumentRelationshipTypeCode_REPLACES {
			give(f.text(0), r.anyIdentifier(old))
		}
	},
}

// fileContent is FileContents and FileType as an attachment: base64, or the
// URI of an uploaded file.
var fileContent = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		a := &dtpb.Attachment{}
		if *f.text(0) != "" {
			if made := w.document(f.text(0), new(string)); made != nil {
				a = made
			}
		}
		a.ContentType = w.mediaType(mediaTypes.take(f.text(1)))
		put(filler(func(m proto.Message) { proto.Merge(m, a) }))
	},
	read: func(r *reader, f fields, v any) { r.readDocument(v.(*dtpb.Attachment), f.text(0), f.text(1)) },
}

// documentOrderTable is an order that a document belongs to.
var documentOrderTable = tableOf[Order, *requestpb.ServiceRequest]("Order",
	line{"ID", "identifier", identifier(placerNumber)},
	line{"", "status", fixed(assumedValue{"active"})},
	line{"", "intent", fixed(assumedValue{"order"})},
	line{"", "code", fixed(assumedValue{inWords("unknown")})},
	line{"", "subject", subject},
).byIdentifier()

// relate refers from a document to the orders of its message.
func (w *writer) relate(document int, orders []Order) {
	d := w.m.Entries[document].Resource.GetDocumentReference()
	for _, o := range orders {
		if isEmpty(o) {
			continue
		}
		i := w.record(documentOrderTable, &o, &requestpb.ServiceRequest{}, child(document, joinKey("order", o.Name)))
		if d.Context == nil {
			d.Context = &documentpb.DocumentReference_Context{}
		}
		d.Context.Related = append(d.Context.Related, w.ref(i))
	}
}

func (r *reader) related(d *documentpb.DocumentReference) (orders []Order) {
	for _, ref := range d.GetContext().GetRelated() {
		if in, i := target[*requestpb.ServiceRequest](r, ref); i >= 0 {
			o := Order{}
			r.read(documentOrderTable, in, &o)
			orders = append(orders, o)
		}
	}
	return orders
}

func documentReference() *documentpb.DocumentReference {
	return &documentpb.DocumentReference{Meta: profile("documentreference")}
}

// documentOf makes the record of a document. Contents that the message does not
// have must not take the place of known ones.
func (w *writer) documentOf(t *table, object any, key string) int {
	out := documentReference()
	at := w.record(t, object, out, child(w.visitOwner(), key))
	for _, c := range out.Content {
		if a := c.GetAttachment(); a.GetData() == nil && a.GetUrl() == nil {
			c.Extension = append(c.Extension, w.assumed()...)
		}
	}
	w.ownVisit(at)
	w.m.Focus = append(w.m.Focus, at)
	return at
}

// aboutDocument reads whom a document is about.
func (r *reader) aboutDocument(d *documentpb.DocumentReference) (*Patient, *Visit) {
	var encounter *dtpb.Reference
	if list := d.GetContext().GetEncounter(); len(list) > 0 {
		encounter = list[0]
	}
	return r.about(d.Subject, encounter)
}

func (w *writer) media(message Body) {
	b := *message.(*MediaMessage)
	b.Meta = nil
	w.about(take(&b.Patient), take(&b.Visit))
	m := Media{}
	if p := take(&b.Media); p != nil {
		m = *p
	}
	at := w.documentOf(mediaTable, &m, joinKey("media", m.FileName, m.CreationDateTime))
	w.relate(at, take(&b.Orders))
	w.m.Extensions = append(w.m.Extensions, w.rest("MediaMessage", &b)...)
}

func (r *reader) media() (Body, error) {
	found := focused[*documentpb.DocumentReference](r)
	if len(found) == 0 {
		return nil, absent("DocumentReference")
	}
	body := &MediaMessage{Media: &Media{}}
	r.restore("MediaMessage", r.m.Extensions, body)
	r.read(mediaTable, found[0], body.Media)
	body.Patient, body.Visit = r.aboutDocument(found[0])
	body.Orders = r.related(found[0])
	return body, nil
}

func (w *writer) mediaList(message Body) {
	b := *message.(*MediaResponse)
	b.Meta = nil
	for _, m := range take(&b.Media) {
		if isEmpty(m) {
			continue
		}
		w.about(take(&m.Patient), take(&m.Visit))
		w.documentOf(mediaTable, &m, joinKey("media", m.FileName, m.CreationDateTime))
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("MediaResponse", &b)...)
}

func (r *reader) mediaList() (Body, error) {
	body := &MediaResponse{Media: []Media{}}
	r.restore("MediaResponse", r.m.Extensions, body)
	for _, in := range focused[*documentpb.DocumentReference](r) {
		m := Media{}
		r.read(mediaTable, in, &m)
		m.Patient, m.Visit = r.aboutDocument(in)
		body.Media = append(body.Media, m)
	}
	return body, nil
}

func (w *writer) notes(message Body) {
	b := *message.(*Notes)
	b.Meta = nil
	list := take(&b.Notes)
	answer := w.m.EventType == "QueryResponse"
	if !answer {
		w.about(take(&b.Patient), take(&b.Visit))
		b.Notes, list = list, nil
		if n := take(&b.Note); n != nil {
			list = []Note{*n}
		}
	}
	for _, n := range list {
		if isEmpty(n) {
			continue
		}
		if answer {
			w.about(take(&n.Patient), take(&n.Visit))
		}
		at := w.documentOf(noteTable, &n, joinKey("note", n.FileName, n.DocumentationDateTime))
		if !answer {
			w.relate(at, take(&b.Orders))
		}
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("Notes", &b)...)
}

func (r *reader) notes() (Body, error) {
	found := focused[*documentpb.DocumentReference](r)
	body := &Notes{}
	r.restore("Notes", r.m.Extensions, body)
	if r.m.EventType == "QueryResponse" {
		body.Notes = []Note{}
	} else if len(found) == 0 {
		return nil, absent("DocumentReference")
	}
	for _, in := range found {
		n := Note{}
		r.read(noteTable, in, &n)
		p, v := r.aboutDocument(in)
		if r.m.EventType == "QueryResponse" {
			n.Patient, n.Visit = p, v
			body.Notes = append(body.Notes, n)
		} else if body.Note == nil {
			body.Note, body.Patient, body.Visit, body.Orders = &n, p, v, r.related(in)
		}
	}
	return body, nil
}
