package mapping

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	crpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/google/fhir/go/jsonformat"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Message is one thing that happened, said in FHIR: the resources it speaks of
// and what it says happened to them. As a FHIR message (R4 §3.4 messaging) it
// is a Bundle of type message whose MessageHeader has Event.URI and Focus.
type Message struct {
	ID                   string // of a message that came in FHIR
	DataModel, EventType string // Redox's names: "Scheduling", "New"
	Event                Event  // zero where no notification is known for the pair
	Time                 time.Time
	Test                 bool
	FacilityCode         string
	Source               Party   // who says it
	Destinations         []Party // to whom
	// Extensions are what the message says beyond its resources, for
	// MessageHeader.extension.
	Extensions []*dtpb.Extension
	Entries    []Entry
	Focus      []int // indexes into Entries: what the message is about
	// Mentioned are records that are no entries, and that entries with Raw
	// refer to.
	Mentioned []Mention
}

// Mention is a record of the sender's that a message refers to and does not
// have.
type Mention struct {
	// FullURL is how entries name it, "urn:uuid:…"; Type its resource type.
	FullURL, Type string
	// Identifier is how it is known here, if it is.
	Identifier Identifier
	// URL is where it is at the sender's, for when it is not.
	URL string
}

// Party is a source or a destination. ID is a UUID; as an endpoint it is
// urn:uuid:<ID>.
type Party struct{ ID, Name string }

// Entry is one resource of a message.
type Entry struct {
	// FullURL is "urn:uuid:…", local to the message; the references between
	// the entries use it. The same place in the same kind of message always
	// has the same one.
	FullURL  string
	Resource *crpb.ContainedResource
	// Raw is the resource in JSON, of a message that came in FHIR; Resource is
	// nil then.
	Raw []byte
	// Whole says that the sender's state is all that there is of the record:
	// it replaces what is known and is not laid over it.
	Whole bool
	// Identifiers: records of one resource type that share any of these are
	// the same record.
	Identifiers []Identifier
	// Parent and Key say the same where there is no identifier: it is the same
	// record when it has the same type and Key and belongs to the same parent
	// record, the entry with the index Parent, or -1 for the organization
	// itself. An empty Key is a record of this message alone.
	Parent int
	Key    string
}

// Type is the entry's resource type.
func (e Entry) Type() string {
	if e.Resource == nil {
		return rawType(e.Raw)
	}
	return TypeName(e.Resource)
}

func rawType(raw []byte) string {
	doc, err := rawjson.Parse(raw, nil)
	if err != nil {
		return ""
	}
	typ, _ := doc.Root().Member("resourceType")
	return typ.String()
}

// Identifier is a FHIR identifier that can tell records apart.
type Identifier struct{ System, Value string }

// NoParent is the Parent of entries that belong to the organization itself.
const NoParent = -1

// messageNamespace makes the local urn:uuid addresses.
var messageNamespace = uuid.MustParse("6f0c4f0e-54ac-5a6e-9d8e-0f6c6d1f2f5b")

// Add appends a resource and returns its index. The resource is a typed one,
// such as *patient_go_proto.Patient. The entry's FullURL is set when it is empty.
func (m *Message) Add(resource proto.Message, e Entry) int {
	e.Resource = Contain(resource)
	if e.FullURL == "" {
		name := append(make([]byte, 0, 80), m.DataModel...)
		name = append(append(append(name, ':'), m.EventType...), '/')
		name = append(append(name, TypeName(e.Resource)...), '/')
		name = strconv.AppendInt(name, int64(len(m.Entries)), 10)
		e.FullURL = "urn:uuid:" + uuid.NewSHA1(messageNamespace, name).String()
	}
	m.Entries = append(m.Entries, e)
	return len(m.Entries) - 1
}

// Ref refers to the entry with the index i.
func (m *Message) Ref(i int) *dtpb.Reference {
	return &dtpb.Reference{Reference: &dtpb.Reference_Uri{Uri: &dtpb.String{Value: m.Entries[i].FullURL}}}
}

// Find returns the index of the entry that a reference means, or -1. It knows
// the entries by FullURL, absolute or relative, and by Type/id.
func (m *Message) Find(ref *dtpb.Reference) int {
	target := RefString(ref)
	if target == "" {
		return -1
	}
	relative := strings.Contains(target, "/") && !strings.Contains(target, ":") // Type/id
	for i, e := range m.Entries {
		if e.FullURL == target || relative && (strings.HasSuffix(e.FullURL, "/"+target) || TypeName(e.Resource)+"/"+ID(e.Resource) == target) {
			return i
		}
	}
	return -1
}

// Contain wraps a typed resource. It panics for what is no R4 resource.
func Contain(resource proto.Message) *crpb.ContainedResource {
	if c, ok := resource.(*crpb.ContainedResource); ok {
		return c
	}
	c := &crpb.ContainedResource{}
	f, ok := wrappers()[resource.ProtoReflect().Descriptor().FullName()]
	if !ok {
		panic(fmt.Sprintf("mapping: %s is not a FHIR R4 resource", resource.ProtoReflect().Descriptor().FullName()))
	}
	c.ProtoReflect().Set(f, valueOf(resource))
	return c
}

// wrappers are the fields of ContainedResource by the types that they hold.
var wrappers = sync.OnceValue(func() map[protoreflect.FullName]protoreflect.FieldDescriptor {
	all := map[protoreflect.FullName]protoreflect.FieldDescriptor{}
	fields := (&crpb.ContainedResource{}).ProtoReflect().Descriptor().Oneofs().Get(0).Fields()
	for i := range fields.Len() {
		all[fields.Get(i).Message().FullName()] = fields.Get(i)
	}
	return all
})

// Typed returns the resource in the wrapper: *patient_go_proto.Patient and so
// on, nil for an empty wrapper.
func Typed(c *crpb.ContainedResource) proto.Message {
	r := c.ProtoReflect()
	f := r.WhichOneof(r.Descriptor().Oneofs().Get(0))
	if f == nil {
		return nil
	}
	return r.Get(f).Message().Interface()
}

// TypeName is the resource type: "Patient".
func TypeName(c *crpb.ContainedResource) string {
	r := Typed(c)
	if r == nil {
		return ""
	}
	return string(r.ProtoReflect().Descriptor().Name())
}

// ID is the resource's id.
func ID(c *crpb.ContainedResource) string {
	if r, ok := Typed(c).(interface{ GetId() *dtpb.Id }); ok {
		return r.GetId().GetValue()
	}
	return ""
}

// RefString is the reference as FHIR JSON has it: "urn:uuid:…", "Patient/1".
func RefString(ref *dtpb.Reference) string {
	if ref == nil {
		return ""
	}
	if uri := ref.GetUri(); uri != nil {
		return uri.GetValue()
	}
	plain := proto.Clone(ref).(*dtpb.Reference)
	if err := jsonformat.DenormalizeReference(plain); err != nil {
		return ""
	}
	return plain.GetUri().GetValue()
}
