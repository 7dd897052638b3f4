package v2fhir

import (
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// line is one line of a table: a field and an element, which mean the same.
type line struct {
	v2   hl7v2.Path
	fhir path
	at   string // the path's text
	as   datatype
	only direction
	// required tells that no message can be written without the field.
	required bool
}

func (l line) v2Text() string { return l.v2.String() }

// required marks a line whose field must be written.
func required(l line) line {
	l.required = true
	return l
}

type direction uint8

const (
	both direction = iota
	toOnly
	fromOnly
)

// field is a line that is read in both directions.
func field(v2, fhir string, as datatype) line {
	p, err := hl7v2.ParsePath(v2)
	if err != nil {
		panic("v2fhir: " + v2 + " is not a path")
	}
	return line{v2: p, fhir: compilePath(fhir), at: fhir, as: as}
}

// read is a line for reading alone: an older or a second place of what is
// written elsewhere.
func read(v2, fhir string, as datatype) line {
	l := field(v2, fhir, as)
	l.only = toOnly
	return l
}

// written is a line for writing alone.
func written(v2, fhir string, as datatype) line {
	l := field(v2, fhir, as)
	l.only = fromOnly
	return l
}

// segment says what a segment is in a resource.
type segment struct {
	name string
	// into is the element that each segment of that name makes; empty is the
	// resource itself.
	into string
	// anchor is the field without which the segment is not written.
	anchor string
	// set are values that the segment writes where no line has one, by field.
	set map[string]string
	// always tells to write the segment though no line has a value for it.
	always bool
	lines  []line
}

// resource says what makes a resource of a message.
type resource struct {
	typ string
	// group is the group that one resource is made for, each the segment; both
	// empty is one for the group around.
	group, each string
	// when are segments of which one must be there to make a resource.
	when     []string
	segments []segment
	// set are values that every resource made has: path, value.
	set [][2]string
	// links refer to other resources of the message: the path of the reference
	// and the type of the nearest resource made before.
	links [][2]string
	// back is the path, in the resource around, of the reference to this one.
	back string
	// under are the resources inside of this one.
	under []resource
	// key are paths that tell, with the resource around or the patient, one
	// record from another where there are no identifiers.
	key []string
	// only limits the resource to a direction.
	only direction
	// required tells that no message can be written without the resource.
	required bool
}

// message says what a message type is in FHIR.
type message struct {
	resources []resource
	// order are the segments in the order they are written in, where that is
	// not the order of the resources.
	order string
}

// event says what one event is: its message, the structure it is written in,
// the values of resources that it implies, and its name in Redox's models.
type event struct {
	code      string // "ADT^A01"
	of        *message
	dataModel string
	eventType string
	// set are values that the event gives: "Encounter.status", "finished".
	// They are not written back.
	set [][2]string
}

// numbered are the segments whose field 1 is their number in the message.
var numbered = map[string]bool{
	"PID": true, "NK1": true, "PV1": true, "AL1": true, "DG1": true, "IN1": true, "OBR": true, "OBX": true, "NTE": true,
	"AIS": true, "AIL": true, "AIP": true, "AIG": true, "RGS": true, "TXA": true, "FT1": true, "TQ1": true,
}
