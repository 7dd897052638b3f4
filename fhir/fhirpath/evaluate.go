package fhirpath

import (
	"fmt"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Expression is a compiled expression. It may be evaluated by many goroutines
// at once, each with a Context of its own.
type Expression struct {
	text string
	node node
}

// String returns the expression's text.
func (e *Expression) String() string { return e.text }

// The limits of a Context that sets none; large documents raise them.
const (
	DefaultMaxSteps      = 1_000_000
	DefaultMaxCollection = 100_000
)

// maxStringLength bounds what string functions build.
const maxStringLength = 1 << 20

// Context is what an evaluation may use besides its root. Only Model is
// required. A Context keeps the memory of its evaluations for the next one, so
// reuse it; it is for one goroutine at a time.
type Context struct {
	Model Model

	// Resource is %resource, the resource that holds the root, and RootResource
	// is %rootResource, the container of a contained one (R4 § 2.9.3). Where
	// they are the zero Value, the root stands for Resource if it is a resource,
	// and Resource for RootResource.
	Resource, RootResource Value
	// Variables are further environment variables, by name without the %.
	Variables map[string]Collection

	// Now is the clock of now(), today() and timeOfDay(); an evaluation asks
	// once. Without it these functions fail.
	Now func() time.Time
	// Resolve finds what a reference refers to, for resolve(). Without it the
	// type of the target is taken from the reference itself, and resolve()
	// yields a value of which only that is known. References to contained
	// resources (#id) are followed in any case.
	Resolve func(reference string) (Value, bool)
	// Units converts between units; without it only equal units, and calendar
	// durations, can be compared.
	Units Units
	// MemberOf answers memberOf(); ok is false if the value set is not known.
	MemberOf func(v Value, valueSet string) (member, ok bool)
	// Subsumes answers subsumes() and subsumedBy().
	Subsumes func(general, special Value) (subsumes, ok bool)
	// ConformsTo answers conformsTo(); ok is false if the profile is not known.
	// Without it only the types' own definitions are known.
	ConformsTo func(v Value, profile string) (conforms, ok bool)
	// Trace receives what trace() is called on.
	Trace func(name string, values Collection)

	// MaxSteps bounds the operations of an evaluation and MaxCollection the
	// items that it holds at once; zero means the default.
	MaxSteps, MaxCollection int
	// Strict makes it an error to name an element that the type does not have,
	// to rely on the order of an unordered collection, or to give iif() a
	// criterion that is not a Boolean; otherwise they give what they can.
	Strict bool

	machine *machine
}

// Steps is how many operations the last evaluation with the Context took, as
// MaxSteps counts them.
func (ctx *Context) Steps() int {
	if ctx.machine == nil {
		return 0
	}
	return ctx.machine.steps
}

// Evaluate evaluates the expression on root. The result's values refer to the
// root's document.
func (e *Expression) Evaluate(ctx *Context, root Value) (Collection, error) {
	return e.AppendTo(nil, ctx, root)
}

// AppendTo is Evaluate that appends to dst, so that a caller can reuse memory.
func (e *Expression) AppendTo(dst Collection, ctx *Context, root Value) (Collection, error) {
	m := ctx.machine
	if m == nil || m.ctx != ctx {
		m = &machine{ctx: ctx} // the second case is a copy of another Context
		ctx.machine = m
	}
	if m.depth > 0 {
		// A hook evaluates with the Context that it was called from: its values
		// go on top of ours.
		saved := m.scope
		defer func() { m.scope = saved }()
	} else {
		m.begin(&root)
	}
	mark := len(m.stack)
	m.expression, m.root, m.this = e, root, root
	m.index, m.total = 0, nil
	m.depth++
	defer func() {
		m.depth--
		m.drop(mark)
	}()
	if err := e.node.evaluate(m); err != nil {
		return dst, err
	}
	return append(dst, m.stack[mark:]...), nil
}

// begin sets the clock and the limits for an evaluation. The default limits grow
// with the document: a large one takes more, whatever the expression.
func (m *machine) begin(root *Value) {
	m.steps, m.now = 0, time.Time{}
	size := 0
	if root.doc != nil {
		size = root.doc.Len()
	}
	m.maxSteps, m.maxItems = m.ctx.MaxSteps, m.ctx.MaxCollection
	if m.maxSteps == 0 {
		m.maxSteps = DefaultMaxSteps + 20*size
	}
	if m.maxItems == 0 {
		m.maxItems = DefaultMaxCollection + 2*size
	}
}

// Truth evaluates the expression and takes the result as a truth value the way
// criteria and invariants do (FHIRPath 2.0 § 4.5): ok is false for empty.
func (e *Expression) Truth(ctx *Context, root Value) (truth, ok bool, err error) {
	var buffer [4]Value
	result, err := e.AppendTo(buffer[:0], ctx, root)
	switch {
	case err != nil || len(result) == 0:
		return false, false, err
	case len(result) > 1:
		return false, false, &Error{Kind: ExecutionError, Expression: e.text, Message: "more than one item where a truth value is needed"}
	}
	truth = truthOf(&result[0]) == yes
	return truth, true, nil
}

// node is a part of a compiled expression.
type node interface {
	// evaluate puts the result on top of the machine's stack.
	evaluate(m *machine) error
}

// machine evaluates. All collections are stretches of one stack: a node's
// operands are evaluated onto its top and then replaced by its result, so that
// nothing is allocated once the stack has grown.
type machine struct {
	ctx   *Context
	stack []Value
	scope
	steps, maxSteps, maxItems int
	now                       time.Time
}

// scope is what belongs to one evaluation, or one iteration of a function like
// where().
type scope struct {
	expression *Expression
	root       Value // %context
	this       Value // $this; none while iif() has an empty input
	index      int32 // $index
	total      Collection
	depth      int // evaluations under way
}

// resource is %resource.
func (m *machine) resource() *Value {
	if m.ctx.Resource.kind == NoKind && m.root.IsResource() {
		return &m.root
	}
	return &m.ctx.Resource
}

// rootResource is %rootResource.
func (m *machine) rootResource() *Value {
	if m.ctx.RootResource.kind == NoKind {
		return m.resource()
	}
	return &m.ctx.RootResource
}

func (m *machine) errorf(kind ErrorKind, pos int, format string, args ...any) error {
	return &Error{Kind: kind, Expression: m.expression.text, Position: pos, Message: fmt.Sprintf(format, args...)}
}

// step counts work, and fails when there is too much of it.
func (m *machine) step(pos int) error {
	m.steps++
	if m.steps > m.maxSteps {
		return m.errorf(LimitError, pos, "more than %d steps", m.maxSteps)
	}
	return nil
}

// work counts what takes as long as several steps.
func (m *machine) work(steps, pos int) error {
	m.steps += steps
	return m.step(pos)
}

// push puts a value on the stack.
func (m *machine) push(v Value) { m.stack = append(m.stack, v) }

// checkSize fails when the stack holds too much.
func (m *machine) checkSize(pos int) error {
	if len(m.stack) > m.maxItems {
		return m.errorf(LimitError, pos, "more than %d items", m.maxItems)
	}
	return nil
}

// cut replaces stack[mark:end] by what lies above it.
func (m *machine) cut(mark, end int) {
	n := copy(m.stack[mark:], m.stack[end:])
	m.stack = m.stack[:mark+n]
}

// give replaces stack[mark:] by one value.
func (m *machine) give(mark int, v Value) {
	m.stack = append(m.stack[:mark], v)
}

// drop removes stack[mark:].
func (m *machine) drop(mark int) { m.stack = m.stack[:mark] }

// single evaluates n, which must yield one value or none, and takes it off the
// stack; a primitive element is converted (FHIRPath 2.0 § 4.5).
func (m *machine) single(n node, pos int) (v Value, ok bool, err error) {
	mark := len(m.stack)
	if err := n.evaluate(m); err != nil {
		return Value{}, false, err
	}
	v, ok, err = m.singleOf(mark, pos)
	m.drop(mark)
	return v, ok, err
}

// singleOf is the only value of stack[mark:], converted.
func (m *machine) singleOf(mark, pos int) (v Value, ok bool, err error) {
	switch len(m.stack) - mark {
	case 0:
		return Value{}, false, nil
	case 1:
		v = m.stack[mark].system()
		return v, v.kind != NoKind, nil
	}
	return Value{}, false, m.errorf(ExecutionError, pos, "more than one item where one is needed")
}

// truth values are three: FHIRPath's empty is "not known".
type truth int8

const (
	unknown truth = iota
	no
	yes
)

func truthFrom(b bool) truth {
	if b {
		return yes
	}
	return no
}

// pushTruth puts a truth value on the stack; unknown is the empty collection.
func (m *machine) pushTruth(t truth) {
	if t != unknown {
		m.push(Boolean(t == yes))
	}
}

// truthOf takes a single item as a truth value: anything that is not a Boolean
// is there and therefore true (FHIRPath 2.0 § 4.5).
func truthOf(v *Value) truth {
	switch v.kind {
	case KindBoolean:
		return truthFrom(v.num != 0)
	case KindElement:
		if v.typ.System == KindBoolean {
			switch v.Node().Kind() {
			case rawjson.KindTrue:
				return yes
			case rawjson.KindFalse:
				return no
			case rawjson.KindInvalid, rawjson.KindNull:
				return unknown
			}
		}
	}
	return yes
}

// truth evaluates n as a truth value.
func (m *machine) truth(n node, pos int) (truth, error) {
	mark := len(m.stack)
	if err := n.evaluate(m); err != nil {
		return unknown, err
	}
	result := unknown
	switch len(m.stack) - mark {
	case 0:
	case 1:
		result = truthOf(&m.stack[mark])
	default:
		return unknown, m.errorf(ExecutionError, pos, "more than one item where a truth value is needed")
	}
	m.drop(mark)
	return result, nil
}
