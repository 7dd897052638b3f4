package fhirpatch

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// The limits of a patch. Every operation reads the resource anew, so their
// number and the bytes read are bounded together.
const (
	maxOperations = 500
	maxRead       = 256 << 20
	maxSteps      = 100_000
)

// Options are what patches are applied with.
type Options struct {
	Definitions *conformance.Definitions
	Model       fhirpath.Model
	// Now is the clock of now() and today() in paths.
	Now func() time.Time
}

// Apply returns the resource that a patch, a Parameters resource, makes of a
// resource. Errors are *outcome.Error: 400 for what is no patch, 422 for one
// that cannot be applied to this resource.
func Apply(resource []byte, patch rawjson.Node, o Options) ([]byte, error) {
	if t, _ := patch.Member("resourceType"); !t.Is("Parameters") {
		return nil, outcome.BadRequest(outcome.CodeInvalid, "A FHIRPath Patch is a Parameters resource.")
	}
	list, _ := patch.Member("parameter")
	if list.Len() > maxOperations || list.Len()*len(resource) > maxRead {
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeTooCostly, "The patch has too many operations, or too many for a resource of this size.")
	}
	p := patcher{Options: o, context: &fhirpath.Context{Model: o.Model, Units: fhirpath.UCUM{}, Now: o.Now, MaxSteps: maxSteps}}
	i := 0
	for parameter := range list.Elements() {
		var err error
		p.at = "Parameters.parameter[" + strconv.Itoa(i) + "]"
		if resource, err = p.operation(resource, parameter); err != nil {
			return nil, err
		}
		i++
	}
	return resource, nil
}

type patcher struct {
	Options
	context *fhirpath.Context
	// at is the operation at hand, for errors.
	at string
	// doc is the resource as it is now.
	doc rawjson.Document
}

func (p *patcher) invalid(format string, args ...any) error {
	return outcome.BadRequest(outcome.CodeInvalid, format, args...).At(p.at)
}

func (p *patcher) impossible(format string, args ...any) error {
	return outcome.New(http.StatusUnprocessableEntity, outcome.CodeInvalid, format, args...).At(p.at)
}

// operation is one operation's parts by name.
type operation map[string]rawjson.Node

// needs are the parts of each type of operation beside type and path.
var needs = map[string][]string{
	"add": {"name", "value"}, "insert": {"value", "index"}, "delete": nil, "replace": {"value"}, "move": {"source", "destination"},
}

func (p *patcher) operation(resource []byte, parameter rawjson.Node) ([]byte, error) {
	if name, _ := parameter.Member("name"); !name.Is("operation") {
		return nil, p.invalid("A parameter of a FHIRPath Patch has the name operation.")
	}
	op := operation{}
	parts, _ := parameter.Member("part")
	for part := range parts.Elements() {
		name, _ := part.Member("name")
		if _, twice := op[name.String()]; twice {
			return nil, p.invalid("An operation has a part twice.")
		}
		op[name.String()] = part
	}
	typ, _ := op.text("type")
	path, ok := op.text("path")
	wanted, known := needs[typ]
	if !known || !ok {
		return nil, p.invalid("An operation has the parts type (add, insert, delete, replace or move) and path.")
	}
	for _, name := range wanted {
		if _, ok := op[name]; !ok {
			return nil, p.invalid("The operation %s needs the part %s.", typ, name)
		}
	}
	if len(op) != len(wanted)+2 {
		return nil, p.invalid("The operation %s has a part that it does not take.", typ)
	}
	if err := p.doc.Parse(resource, nil); err != nil {
		return nil, p.impossible("The resource would be nested too deeply.")
	}
	found, err := p.find(path)
	if err != nil {
		return nil, err
	}
	switch typ {
	case "add":
		return p.add(op, found)
	case "insert":
		return p.insert(op, found)
	case "delete":
		return p.remove(found)
	case "replace":
		return p.replace(op, found)
	default:
		return p.move(op, found)
	}
}

// text is the value of a part that is a string or code.
func (op operation) text(name string) (string, bool) {
	for _, member := range [2]string{"valueString", "valueCode"} {
		if v, ok := op[name].Member(member); ok && v.Kind() == rawjson.KindString {
			return v.String(), true
		}
	}
	return "", false
}

// index is the value of a part that counts from 0.
func (p *patcher) index(op operation, name string) (int, error) {
	for _, member := range [3]string{"valueInteger", "valueUnsignedInt", "valuePositiveInt"} {
		if v, ok := op[name].Member(member); ok && v.Kind() == rawjson.KindNumber {
			if i, err := strconv.Atoi(v.String()); err == nil && i >= 0 {
				return i, nil
			}
		}
	}
	return 0, p.invalid("The part %s must be a whole number from 0 up.", name)
}

// find evaluates a path on the resource. What it finds is in the resource.
func (p *patcher) find(path string) (fhirpath.Collection, error) {
	expression, err := fhirpath.Compile(path)
	if err != nil {
		return nil, p.invalid("The path is not FHIRPath.")
	}
	root, ok := fhirpath.NewResource(p.Model, p.doc.Root())
	if !ok {
		return nil, p.impossible("The resource has lost its type.")
	}
	found, err := expression.Evaluate(p.context, root)
	var e *fhirpath.Error
	switch {
	case errors.As(err, &e) && e.Kind == fhirpath.LimitError:
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeTooCostly, "The path takes too long to evaluate.").At(p.at)
	case err != nil:
		return nil, p.impossible("The path cannot be evaluated on the resource.")
	}
	for _, v := range found {
		if n := nodeOf(v); v.Kind() != fhirpath.KindElement || !n.Exists() || n.Document() != &p.doc {
			return nil, p.impossible("The path must lead to elements of the resource, not to values made of them or to other resources.")
		}
	}
	return found, nil
}

// nodeOf is where a value stands: of a primitive that has extensions only, at
// these.
func nodeOf(v fhirpath.Value) rawjson.Node {
	if n := v.Node(); n.Exists() {
		return n
	}
	return v.Underscore()
}

// single is the one element that a path must lead to.
func (p *patcher) single(found fhirpath.Collection) (fhirpath.Value, error) {
	switch len(found) {
	case 0:
		return fhirpath.Value{}, p.impossible("There is nothing at the path.")
	case 1:
		return found[0], nil
	}
	return fhirpath.Value{}, p.impossible("The path leads to more than one element.")
}

// add: a further element of a list, or one that is not there yet.
func (p *patcher) add(op operation, found fhirpath.Collection) ([]byte, error) {
	target, err := p.single(found)
	if err != nil {
		return nil, err
	}
	name, _ := op.text("name")
	v, err := p.valueFor(target.Type().Name, name, op["value"])
	if err != nil {
		return nil, err
	}
	if target.Type().Kind == fhirpath.PrimitiveType {
		return p.addToPrimitive(target, v)
	}
	object := target.Node()
	if v.repeats {
		m := p.membersOf(object, v)
		m.insert(m.len(), v)
		return p.write(object, m), nil
	}
	if p.has(object, target.Type().Name, v) {
		return nil, p.impossible("The element to add is there already and does not repeat. Replace it.")
	}
	return p.write(object, membersFor(v)), nil
}

// has reports whether an object has an element, of whatever type of a choice.
func (p *patcher) has(object rawjson.Node, typ string, v value) bool {
	for m := range object.Members() {
		name := bare(m.Name())
		if name == v.name {
			return true
		}
		if e, _, ok := p.Definitions.ChoiceElement(typ, name); ok && e == v.element {
			return true
		}
	}
	return false
}

// addToPrimitive adds an id or an extension.
func (p *patcher) addToPrimitive(target fhirpath.Value, v value) ([]byte, error) {
	at := p.locate(nodeOf(target))
	under := target.Underscore()
	if under.Exists() {
		m := p.membersOf(under, v)
		if !v.repeats && m.len() > 0 {
			return nil, p.impossible("The element to add is there already and does not repeat. Replace it.")
		}
		m.insert(m.len(), v)
		return p.write(under, m), nil
	}
	text := v.text
	if v.repeats {
		text = "[" + text + "]"
	}
	m := at.members()
	m.unders[at.index] = fmt.Sprintf(`{"%s":%s}`, v.name, text)
	return p.write(at.object, m), nil
}

// insert: an element into a list.
func (p *patcher) insert(op operation, found fhirpath.Collection) ([]byte, error) {
	at, err := p.list(found)
	if err != nil {
		return nil, err
	}
	i, err := p.index(op, "index")
	if err != nil {
		return nil, err
	}
	v, err := p.valueFor(p.typeOf(at.object), at.name, op["value"])
	if err != nil {
		return nil, err
	}
	m := at.members()
	if i > m.len() {
		return nil, p.impossible("The index is beyond the end of the list.")
	}
	m.insert(i, v)
	return p.write(at.object, m), nil
}

// remove: one element, if there is one.
func (p *patcher) remove(found fhirpath.Collection) ([]byte, error) {
	if len(found) == 0 {
		return p.doc.Data(), nil
	}
	target, err := p.single(found)
	if err != nil {
		return nil, err
	}
	if nodeOf(target).Index() == 0 {
		return nil, p.impossible("A patch does not delete the resource itself.")
	}
	at := p.locate(nodeOf(target))
	m := at.members()
	m.remove(at.index)
	return p.write(at.object, m), nil
}

// replace: one element by another.
func (p *patcher) replace(op operation, found fhirpath.Collection) ([]byte, error) {
	target, err := p.single(found)
	if err != nil {
		return nil, err
	}
	if nodeOf(target).Index() == 0 {
		return nil, p.impossible("A patch does not replace the resource itself. Update it.")
	}
	at := p.locate(nodeOf(target))
	name := at.name
	if e, _, ok := p.Definitions.ChoiceElement(p.typeOf(at.object), name); ok {
		name = e.Name // of another type, perhaps
	}
	v, err := p.valueFor(p.typeOf(at.object), name, op["value"])
	if err != nil {
		return nil, err
	}
	m := at.members()
	m.set(at.index, v)
	return p.write(at.object, m), nil
}

// move: an element to another place in its list.
func (p *patcher) move(op operation, found fhirpath.Collection) ([]byte, error) {
	at, err := p.list(found)
	if err != nil {
		return nil, err
	}
	source, err := p.index(op, "source")
	if err != nil {
		return nil, err
	}
	destination, err := p.index(op, "destination")
	if err != nil {
		return nil, err
	}
	m := at.members()
	if source >= m.len() || destination >= m.len() {
		return nil, p.impossible("The list has no element at the source, or none at the destination.")
	}
	v := value{text: m.values[source], under: m.unders[source]}
	m.remove(source)
	m.insert(destination, v)
	return p.write(at.object, m), nil
}

// list is the list that a path leads to, all of it.
func (p *patcher) list(found fhirpath.Collection) (location, error) {
	if len(found) == 0 {
		return location{}, p.impossible("There is no list at the path. The first element is added by the operation add.")
	}
	var at location
	for i, v := range found {
		n := p.locate(nodeOf(v))
		if i == 0 {
			at = n
		}
		if !n.repeats || n.object != at.object || n.name != at.name {
			return location{}, p.impossible("The path must lead to the elements of one list.")
		}
	}
	if len(found) != at.members().len() {
		return location{}, p.impossible("The path must lead to all elements of a list.")
	}
	return at, nil
}
