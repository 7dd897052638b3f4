package fhirpath

// The functions of FHIRPath 2.0 § 5.1 Existence, § 5.2 Filtering and projection,
// § 5.3 Subsetting and § 5.4 Combining.

var existenceFunctions = map[string]function{
	"empty": {0, 0, func(m *machine, _ *callNode, mark int) error {
		m.give(mark, Boolean(len(m.stack) == mark))
		return nil
	}},
	"exists": {0, 1, func(m *machine, c *callNode, mark int) error {
		if len(c.args) == 0 {
			m.give(mark, Boolean(len(m.stack) > mark))
			return nil
		}
		return callQuantifier(m, c, mark, yes, false)
	}},
	"all": {1, 1, func(m *machine, c *callNode, mark int) error {
		return callQuantifier(m, c, mark, no, true)
	}},
	"allTrue":  {0, 0, quantifyTruths(no, true)},
	"anyTrue":  {0, 0, quantifyTruths(yes, false)},
	"allFalse": {0, 0, quantifyTruths(yes, true)},
	"anyFalse": {0, 0, quantifyTruths(no, false)},
	"not": {0, 0, func(m *machine, c *callNode, mark int) error {
		result, err := m.criterion(c, mark)
		if err != nil {
			return err
		}
		m.pushTruth(not(result))
		return nil
	}},
	"subsetOf": {1, 1, func(m *machine, c *callNode, mark int) error {
		return callSubset(m, c, mark, false)
	}},
	"supersetOf": {1, 1, func(m *machine, c *callNode, mark int) error {
		return callSubset(m, c, mark, true)
	}},
	"count": {0, 0, func(m *machine, _ *callNode, mark int) error {
		m.give(mark, Integer(int32(len(m.stack)-mark)))
		return nil
	}},
	"distinct": {0, 0, func(m *machine, c *callNode, mark int) error {
		return m.distinct(mark, c.pos)
	}},
	"isDistinct": {0, 0, func(m *machine, c *callNode, mark int) error {
		distinct, err := m.isDistinct(mark, c.pos)
		m.give(mark, Boolean(distinct))
		return err
	}},
}

// callQuantifier looks for an item for which the criterion has the value
// decisive; found or not, that is the result. For all(), an item for which it is
// not known decides too: the criterion has to be true.
func callQuantifier(m *machine, c *callNode, mark int, decisive truth, otherwise bool) error {
	result := otherwise
	err := m.each(c, 0, mark, len(m.stack), func(_, top int) (bool, error) {
		t, err := m.criterion(c, top)
		if t == decisive || otherwise && t == unknown {
			result = !otherwise
			return false, err
		}
		return true, err
	})
	if err != nil {
		return err
	}
	m.give(mark, Boolean(result))
	return nil
}

func quantifyTruths(decisive truth, otherwise bool) func(*machine, *callNode, int) error {
	return func(m *machine, c *callNode, mark int) error {
		result := otherwise
		for i := mark; i < len(m.stack); i++ {
			v := m.stack[i].system()
			if v.kind != KindBoolean {
				return m.errorf(ExecutionError, c.pos, "%s() on something that is no Boolean", c.name)
			}
			if truthOf(&v) == decisive {
				result = !otherwise
			}
		}
		m.give(mark, Boolean(result))
		return nil
	}
}

func callSubset(m *machine, c *callNode, mark int, reversed bool) error {
	middle := len(m.stack)
	if err := c.args[0].evaluate(m); err != nil {
		return err
	}
	end := len(m.stack)
	var result bool
	var err error
	if reversed {
		result, err = m.subset(middle, end, mark, middle, c.pos)
	} else {
		result, err = m.subset(mark, middle, middle, end, c.pos)
	}
	m.give(mark, Boolean(result))
	return err
}

var filteringFunctions = map[string]function{
	"where": {1, 1, func(m *machine, c *callNode, mark int) error {
		kept := mark
		err := m.each(c, 0, mark, len(m.stack), func(i, top int) (bool, error) {
			t, err := m.criterion(c, top)
			if t == yes {
				m.stack[kept] = m.stack[i]
				kept++
			}
			return true, err
		})
		m.drop(kept)
		return err
	}},
	"select": {1, 1, func(m *machine, c *callNode, mark int) error {
		end := len(m.stack)
		err := m.each(c, 0, mark, end, func(_, _ int) (bool, error) { return true, nil })
		if err != nil {
			return err
		}
		m.cut(mark, end)
		return nil
	}},
	"repeat": {1, 1, callRepeat},
	"single": {0, 0, func(m *machine, c *callNode, mark int) error {
		if len(m.stack)-mark > 1 {
			return m.errorf(ExecutionError, c.pos, "single() on more than one item")
		}
		return nil
	}},
	"first": {0, 0, ordered(func(m *machine, mark int) (int, int) { return mark, min(mark+1, len(m.stack)) })},
	"last":  {0, 0, ordered(func(m *machine, mark int) (int, int) { return max(mark, len(m.stack)-1), len(m.stack) })},
	"tail":  {0, 0, ordered(func(m *machine, mark int) (int, int) { return min(mark+1, len(m.stack)), len(m.stack) })},
	"skip": {1, 1, func(m *machine, c *callNode, mark int) error {
		return callPart(m, c, mark, func(n int) (int, int) { return mark + n, len(m.stack) })
	}},
	"take": {1, 1, func(m *machine, c *callNode, mark int) error {
		return callPart(m, c, mark, func(n int) (int, int) { return mark, mark + n })
	}},
	"children": {0, 0, func(m *machine, c *callNode, mark int) error {
		end := len(m.stack)
		for i := mark; i < end; i++ {
			v := m.stack[i]
			m.pushChildren(&v)
		}
		m.cut(mark, end)
		return m.checkSize(c.pos)
	}},
	"descendants": {0, 0, func(m *machine, c *callNode, mark int) error {
		end := len(m.stack)
		// The result itself is the queue.
		for i := mark; i < len(m.stack); i++ {
			if err := m.step(c.pos); err != nil {
				return err
			}
			v := m.stack[i]
			m.pushChildren(&v)
			if err := m.checkSize(c.pos); err != nil {
				return err
			}
		}
		m.cut(mark, end)
		return nil
	}},
}

// callRepeat applies the projection to what it yields, until nothing new comes.
func callRepeat(m *machine, c *callNode, mark int) error {
	this, index := m.this, m.index
	defer func() { m.this, m.index = this, index }()
	end := len(m.stack)
	found := set{start: end}
	for i := mark; i < len(m.stack); i++ {
		if err := m.step(c.pos); err != nil {
			return err
		}
		m.this, m.index = m.stack[i], int32(i-mark)
		top := len(m.stack)
		if err := c.args[0].evaluate(m); err != nil {
			return err
		}
		kept := top
		for k := top; k < len(m.stack); k++ {
			old, err := found.find(m, kept, &m.stack[k], c.pos)
			if err != nil {
				return err
			}
			if !old {
				m.stack[kept] = m.stack[k]
				kept++
			}
		}
		m.drop(kept)
		if err := m.checkSize(c.pos); err != nil {
			return err
		}
	}
	m.cut(mark, end)
	return nil
}

// ordered makes a function that keeps a part of its input, for which the order
// must mean something.
func ordered(part func(m *machine, mark int) (from, to int)) func(*machine, *callNode, int) error {
	return func(m *machine, c *callNode, mark int) error {
		if m.ctx.Strict && unordered(c.input) {
			return m.errorf(SemanticError, c.pos, "%s() on a collection without order", c.name)
		}
		from, to := part(m, mark)
		m.drop(to)
		m.cut(mark, from)
		return nil
	}
}

func callPart(m *machine, c *callNode, mark int, part func(n int) (from, to int)) error {
	n, ok, err := m.integerArg(c, 0)
	if err != nil {
		return err
	}
	if !ok {
		m.drop(mark)
		return nil
	}
	return ordered(func(m *machine, mark int) (int, int) {
		from, to := part(min(max(0, int(n)), len(m.stack)-mark))
		return from, to
	})(m, c, mark)
}

var combiningFunctions = map[string]function{
	"union": {1, 1, func(m *machine, c *callNode, mark int) error {
		if err := c.args[0].evaluate(m); err != nil {
			return err
		}
		return m.distinct(mark, c.pos)
	}},
	"combine": {1, 1, func(m *machine, c *callNode, _ int) error {
		if err := c.args[0].evaluate(m); err != nil {
			return err
		}
		return m.checkSize(c.pos)
	}},
	"intersect": {1, 1, func(m *machine, c *callNode, mark int) error {
		middle := len(m.stack)
		if err := c.args[0].evaluate(m); err != nil {
			return err
		}
		if err := m.filterBy(mark, middle, true, c.pos); err != nil {
			return err
		}
		return m.distinct(mark, c.pos)
	}},
	"exclude": {1, 1, func(m *machine, c *callNode, mark int) error {
		middle := len(m.stack)
		if err := c.args[0].evaluate(m); err != nil {
			return err
		}
		return m.filterBy(mark, middle, false, c.pos)
	}},
}
