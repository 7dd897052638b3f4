package fhirpath

// function is an entry of the function table. call finds the input on
// stack[mark:] and replaces it by the result. Arguments are evaluated by the
// function itself: once, in the scope of the call, or, for criteria and
// projections, once for each item with $this and $index set.
type function struct {
	min, max int
	call     func(m *machine, c *callNode, mark int) error
}

// functions are the functions by name.
var functions = func() map[string]*function {
	all := map[string]*function{}
	for _, table := range []map[string]function{
		existenceFunctions, filteringFunctions, combiningFunctions, conversionFunctions,
		stringFunctions, mathFunctions, utilityFunctions, boundaryFunctions, fhirFunctions,
	} {
		for name, f := range table {
			all[name] = &f
		}
	}
	return all
}()

// callNode is a function call.
type callNode struct {
	input    node
	function *function
	name     string
	args     []node
	pos      int

	// prepared is what a function has made of its arguments at compile time: a
	// *regexp.Regexp for matches().
	prepared any
}

func (c *callNode) evaluate(m *machine) error {
	if err := m.step(c.pos); err != nil {
		return err
	}
	mark := len(m.stack)
	if err := c.input.evaluate(m); err != nil {
		return err
	}
	return c.function.call(m, c, mark)
}

// each evaluates argument arg for every item of stack[mark:end] with $this and
// $index set, and calls use after each; the argument's values are then on the
// stack from top on, and are left there unless use takes them off.
func (m *machine) each(c *callNode, arg, mark, end int, use func(i, top int) (more bool, err error)) error {
	this, index := m.this, m.index
	defer func() { m.this, m.index = this, index }()
	for i := mark; i < end; i++ {
		if err := m.step(c.pos); err != nil {
			return err
		}
		m.this, m.index = m.stack[i], int32(i-mark)
		top := len(m.stack)
		if err := c.args[arg].evaluate(m); err != nil {
			return err
		}
		more, err := use(i, top)
		if err != nil || !more {
			return err
		}
		if err := m.checkSize(c.pos); err != nil {
			return err
		}
	}
	return nil
}

// criterion is the truth of stack[top:], taken off the stack.
func (m *machine) criterion(c *callNode, top int) (truth, error) {
	result := unknown
	switch len(m.stack) - top {
	case 0:
	case 1:
		result = truthOf(&m.stack[top])
	default:
		return unknown, m.errorf(ExecutionError, c.pos, "%s(): the criterion yields more than one item", c.name)
	}
	m.drop(top)
	return result, nil
}

// stringArg evaluates an argument that must be one String or empty.
func (m *machine) stringArg(c *callNode, arg int) (s string, ok bool, err error) {
	v, ok, err := m.single(c.args[arg], c.pos)
	if err != nil || !ok {
		return "", false, err
	}
	if v.kind != KindString {
		return "", false, m.errorf(ExecutionError, c.pos, "%s(): argument %d must be a String", c.name, arg+1)
	}
	return v.str, true, nil
}

// integerArg evaluates an argument that must be one Integer or empty.
func (m *machine) integerArg(c *callNode, arg int) (i int32, ok bool, err error) {
	v, ok, err := m.single(c.args[arg], c.pos)
	if err != nil || !ok {
		return 0, false, err
	}
	if v.kind != KindInteger {
		return 0, false, m.errorf(ExecutionError, c.pos, "%s(): argument %d must be an Integer", c.name, arg+1)
	}
	return v.num, true, nil
}

// bytesPerStep is how much text an operation may pass over for one step.
const bytesPerStep = 256

// inputString takes the input, which must be one String or empty, off the stack.
func (m *machine) inputString(c *callNode, mark int) (s string, ok bool, err error) {
	v, ok, err := m.inputSingle(c, mark)
	if err != nil || !ok {
		return "", false, err
	}
	if v.kind != KindString {
		return "", false, m.errorf(ExecutionError, c.pos, "%s() on something that is no String", c.name)
	}
	return v.str, true, m.work(len(v.str)/bytesPerStep, c.pos)
}

// inputSingle takes the input, which must be one item or empty, off the stack
// and converts it.
func (m *machine) inputSingle(c *callNode, mark int) (v Value, ok bool, err error) {
	if len(m.stack)-mark > 1 {
		return Value{}, false, m.errorf(ExecutionError, c.pos, "%s() on more than one item", c.name)
	}
	v, ok, err = m.singleOf(mark, c.pos)
	m.drop(mark)
	return v, ok, err
}
