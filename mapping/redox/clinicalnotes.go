package redox

import (
	"encoding/base64"
	"google.golang.org/protobuf/proto"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	compositionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/composition_go_proto"
	documentpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/document_reference_go_proto"
)

// Redox: ContentType of notes; FHIR: the media type. Everything else is
// base64.
const (
	plainContent = "Plain Text"
	richContent  = "Rich Text"
	codedContent = "Base64 Encoded"
)

// contentKind is the ContentType that a media type is on its own.
func contentKind(mime string) string {
	switch mime {
	case "":
		return ""
	case "text/plain":
		return plainContent
	case "text/rtf":
		return richContent
	}
	return codedContent
}

// noteContent is FileContents, ContentType and FileType as an attachment. A
// note without contents, which a deletion has, keeps the attachment that FHIR
// requires.
var noteContent = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		contents, kind := f.text(0), f.text(1)
		fileType := new(string)
		if len(f) > 2 {
			fileType = f.text(2)
		}
		a, mime := &dtpb.Attachment{}, ""
		switch *kind {
		case plainContent:
			mime = "text/plain"
		case richContent:
			mime = "text/rtf"
		case codedContent:
			data, ok := decodeBase64(*contents)
			switch {
			case ok:
				a.Data = &dtpb.Base64Binary{Value: data}
				*contents = ""
			case isURI(*contents):
				a.Url = &dtpb.Url{Value: take(contents)}
			}
			if mime = mediaTypes.take(fileType); mime == "" {
				mime = "application/octet-stream"
			}
		}
		if *contents != "" && *kind != codedContent {
			a.Data = &dtpb.Base64Binary{Value: []byte(take(contents))}
		}
		if mime != "" || a.Data == nil && a.Url == nil {
			a.ContentType = w.mediaType(mime)
		}
		if contentKind(mime) == *kind {
			*kind = ""
		}
		put(filler(func(m proto.Message) { proto.Merge(m, a) }))
	},
	read: func(r *reader, f fields, v any) {
		a, contents, kind := v.(*dtpb.Attachment), f.text(0), f.text(1)
		mime := r.mediaType(a)
		give(kind, contentKind(mime))
		switch {
		case a.GetUrl() != nil:
			give(contents, a.GetUrl().GetValue())
		case a.GetData() != nil && *kind == codedContent:
			give(contents, base64.StdEncoding.EncodeToString(a.GetData().GetValue()))
		case a.GetData() != nil:
			give(contents, string(a.GetData().GetValue()))
		}
		if len(f) > 2 && *kind == codedContent {
			mediaTypes.give(f.text(2), mime)
		}
	},
}

// Redox: Note.Status; FHIR: composition-status, of DocumentReference.docStatus.
var documentStatuses = words{
	{"Final", "final"}, {"Signed", "final"}, {"Completed", "final"}, {"Complete", "final"},
	{"Preliminary", "preliminary"}, {"Unsigned", "preliminary"}, {"Partial", "preliminary"}, {"In Progress", "preliminary"}, {"Active", "preliminary"},
	{"Amended", "amended"}, {"Addended", "amended"}, {"Corrected", "amended"},
	{"Entered in error", "entered-in-error"},
}

// noteSectionTable is a section of notes.
var noteSectionTable = tableOf[NoteSection, *compositionpb.Composition_Section]("NoteSection",
	line{codeAll, "code", clinicalCode},
	line{"Title", "title", plainText},
	line{"Text", "text", narrated},
	line{"Notes", "entry", sectionNotes},
)

// sectionNoteTable is a note of such a section as a us-core-documentreference.
var sectionNoteTable = tableOf[NoteSectionNote, *documentpb.DocumentReference]("NoteSectionNote",
	line{"", "status", fixed("current")},
	line{"Status", "docStatus", code(documentStatuses)},
	line{codeAll, "type", codeOrUnknown},
	line{"", "category", clinicalNote},
	line{"DateTime", "date", instant},
	line{"FileContents ContentType", "content.attachment", noteContent},
	line{"Encounter", "context.encounter", clinicalEncounter},
	line{"", "subject", subject},
)

var clinicalNote = category("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", "Clinical Note")

// narrated is a text with markup.
var narrated = codec{
	write: func(_ *writer, f fields, put func(any)) {
		if n := narrative(*f.text(0)); n != nil {
			*f.text(0) = ""
			put(n)
		}
	},
	read: func(_ *reader, f fields, v any) { give(f.text(0), readNarrative(v.(*dtpb.Narrative))) },
}

var sectionNotes = codec{
	write: func(w *writer, f fields, put func(any)) {
		for _, n := range take(f[0].(*[]NoteSectionNote)) {
			if !isEmpty(n) {
				key := joinKey("note", n.CodeSystem, n.Code, n.Name, n.DateTime)
				put(w.ref(w.record(sectionNoteTable, &n, &documentpb.DocumentReference{Meta: profile("documentreference")}, child(w.visitOwner(), key))))
			}
		}
	},
	read: func(r *reader, f fields, v any) {
		if in, i := target[*documentpb.DocumentReference](r, v.(*dtpb.Reference)); i >= 0 {
			n := NoteSectionNote{}
			r.read(sectionNoteTable, in, &n)
			list := f[0].(*[]NoteSectionNote)
			*list = append(*list, n)
		}
	},
}

func (w *writer) noteSections(list []NoteSection) *compositionpb.Composition_Section {
	out := &compositionpb.Composition_Section{Title: str("Notes"), Code: concept(partCodeset, noteSections, "", "")}
	for _, n := range list {
		if isEmpty(n) {
			continue
		}
		one := &compositionpb.Composition_Section{}
		w.fill(noteSectionTable, &n, one)
		out.Section = append(out.Section, one)
	}
	if out.Section == nil {
		return nil
	}
	return out
}

func (r *reader) noteSection(in *compositionpb.Composition_Section) NoteSection {
	n := NoteSection{}
	r.read(noteSectionTable, in, &n)
	return n
}

// documentListTable is a document that there is, as a us-core-documentreference.
var documentListTable = tableOf[ClinicalSummaryDocument, *documentpb.DocumentReference]("ClinicalSummaryDocument",
	line{"ID", "identifier", identifier(documentNumber)},
	line{"", "status", fixed(assumedValue{"current"})},
	line{"Type", "type", clinicalObject},
	line{"Title", "content.attachment.title", plainText},
	line{"FileType", "content.attachment", fileType},
	line{"DateTime", "date", instant},
	line{"Author", "author", provider},
	line{"Visit", "context.encounter", documentVisit},
	line{"", "subject", subject},
)

// documentNumber is the IDType of documents, which have their ID alone.
const documentNumber = "DOCUMENT"

// anyIdentifier is how a document of other origin is known: by another number,
// or by the address that it has in the store.
func (r *reader) anyIdentifier(in *documentpb.DocumentReference) string {
	for _, id := range append([]*dtpb.Identifier{in.MasterIdentifier}, in.Identifier...) {
		if v := id.GetValue().GetValue(); v != "" {
			return v
		}
	}
	for _, e := range r.m.Entries {
		if e.Resource.GetDocumentReference() == in {
			return e.FullURL
		}
	}
	return ""
}

// fileType is the media type of an attachment, which there is in any case.
var fileType = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		mime := mediaTypes.code(*f.text(0))
		if mime == "" && isMediaType(*f.text(0)) {
			mime = take(f.text(0))
		}
		put(filler(func(m proto.Message) {
			m.(*dtpb.Attachment).ContentType = w.mediaType(mime)
		}))
	},
	read: func(r *reader, f fields, v any) { give(f.text(0), r.mediaType(v.(*dtpb.Attachment))) },
}

// documentList makes the documents of an answer.
func (w *writer) documentList(message Body) {
	b := *message.(*ClinicalSummary)
	b.Meta = nil
	if p := take(&b.Patient); p != nil && !isEmpty(p) {
		w.subject = w.patient(*p)
	}
	for _, d := range take(&b.Documents) {
		if !isEmpty(d) {
			w.m.Focus = append(w.m.Focus, w.listedDocument(d))
		}
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("ClinicalSummary", &b)...)
}

func (w *writer) listedDocument(d ClinicalSummaryDocument) int {
	entry := alone
	if id := w.number(documentNumber, d.ID); id != nil {
		entry = known([]*dtpb.Identifier{id})
	}
	return w.record(documentListTable, &d, &documentpb.DocumentReference{Meta: profile("documentreference")}, entry)
}

func (r *reader) documentList() (Body, error) {
	body := &ClinicalSummary{Documents: []ClinicalSummaryDocument{}}
	r.restore("ClinicalSummary", r.m.Extensions, body)
	for _, in := range focused[*documentpb.DocumentReference](r) {
		d := ClinicalSummaryDocument{}
		r.read(documentListTable, in, &d)
		give(&d.ID, r.anyIdentifier(in))
		give(&d.Title, in.GetDescription().GetValue())
		if p, _ := r.about(in.Subject, nil); p != nil && body.Patient == nil {
			body.Patient = p
		}
		body.Documents = append(body.Documents, d)
	}
	return body, nil
}

// documentContent makes the document of an answer, with its contents.
func (w *writer) documentContent(message Body) {
	b := *message.(*ClinicalSummary)
	b.Meta = nil
	d := ClinicalSummaryDocument{FileType: take(&b.FileType)}
	if b.Document != nil {
		asked := *b.Document
		d.ID = take(&asked.ID)
		b.Document = &asked
	}
	at := w.listedDocument(d)
	a := w.m.Entries[at].Resource.GetDocumentReference().Content[0].Attachment
	if data, ok := decodeBase64(b.Data); ok {
		a.Data, b.Data = &dtpb.Base64Binary{Value: data}, ""
	} else if isURI(b.Data) {
		a.Url = &dtpb.Url{Value: take(&b.Data)}
	}
	w.m.Focus = []int{at}
	w.m.Extensions = append(w.m.Extensions, w.rest("ClinicalSummary", &b)...)
}

func (r *reader) documentContent() (Body, error) {
	found := focused[*documentpb.DocumentReference](r)
	if len(found) == 0 {
		return nil, absent("DocumentReference")
	}
	body := &ClinicalSummary{}
	r.restore("ClinicalSummary", r.m.Extensions, body)
	d := ClinicalSummaryDocument{}
	r.read(documentListTable, found[0], &d)
	give(&d.ID, r.anyIdentifier(found[0]))
	if body.Document == nil {
		body.Document = &ClinicalSummaryClinicalSummaryDocument{}
	}
	give(&body.Document.ID, d.ID)
	give(&body.FileType, d.FileType)
	for _, c := range found[0].Content {
		r.readDocument(c.GetAttachment(), &body.Data, new(string))
	}
	return body, nil
}
