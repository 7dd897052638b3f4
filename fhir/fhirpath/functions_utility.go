package fhirpath

import (
	"slices"
	"time"
)

// The functions of FHIRPath 2.0 § 5.9 Utility, § 7 Aggregates, § 10 Reflection.
var utilityFunctions = map[string]function{
	"trace": {1, 2, callTrace},
	"now": {0, 0, func(m *machine, c *callNode, mark int) error {
		return m.giveNow(c, mark, KindDateTime)
	}},
	"today": {0, 0, func(m *machine, c *callNode, mark int) error {
		return m.giveNow(c, mark, KindDate)
	}},
	"timeOfDay": {0, 0, func(m *machine, c *callNode, mark int) error {
		return m.giveNow(c, mark, KindTime)
	}},
	"aggregate": {1, 2, callAggregate},
	"type": {0, 0, func(m *machine, _ *callNode, mark int) error {
		for i := mark; i < len(m.stack); i++ {
			v := &m.stack[i]
			if v.kind == KindElement {
				*v = typeInfo("FHIR", v.typ.Name)
			} else {
				*v = typeInfo("System", v.kind.systemName())
			}
		}
		return nil
	}},
	"sort": {0, 16, callSort},
}

// callTrace hands its input, or a projection of it, to Context.Trace and passes
// the input on.
func callTrace(m *machine, c *callNode, mark int) error {
	name, _, err := m.stringArg(c, 0)
	if err != nil {
		return err
	}
	end := len(m.stack)
	from := mark
	if len(c.args) > 1 {
		from = end
		if err := m.each(c, 1, mark, end, func(_, _ int) (bool, error) { return true, nil }); err != nil {
			return err
		}
	}
	if m.ctx.Trace != nil {
		m.ctx.Trace(name, slices.Clone(Collection(m.stack[from:])))
	}
	m.drop(end)
	return nil
}

// giveNow replaces the input by the time of the evaluation, which is one for the
// whole of it (FHIRPath 2.0 § 5.9.2).
func (m *machine) giveNow(c *callNode, mark int, kind Kind) error {
	if m.ctx.Now == nil {
		return m.errorf(ExecutionError, c.pos, "%s() without a clock", c.name)
	}
	if m.now.Equal(time.Time{}) {
		m.now = m.ctx.Now()
	}
	t := dateTimeOf(m.now)
	if kind != KindDateTime {
		t.HasOffset, t.Offset = false, 0
	}
	if kind == KindDate {
		t.Precision, t.FractionDigits = Day, 0
		t = cutTo(t)
	}
	m.give(mark, temporal(kind, t))
	return nil
}

// callAggregate evaluates the aggregator for each item with $total the result of
// the one before (FHIRPath 2.0 § 7.1).
func callAggregate(m *machine, c *callNode, mark int) error {
	total := m.total
	defer func() { m.total = total }()
	var current Collection
	end := len(m.stack)
	if len(c.args) > 1 {
		if err := c.args[1].evaluate(m); err != nil {
			return err
		}
		current = slices.Clone(Collection(m.stack[end:]))
		m.drop(end)
	}
	m.total = current
	err := m.each(c, 0, mark, end, func(_, top int) (bool, error) {
		current = append(current[:0:0], m.stack[top:]...)
		m.total = current
		m.drop(top)
		return true, nil
	})
	if err != nil {
		return err
	}
	m.stack = append(m.stack[:mark], current...)
	return nil
}

// callSort orders by keys; a minus before a key means descending. Empty keys come
// first in either direction, and items whose keys are equal keep their order.
func callSort(m *machine, c *callNode, mark int) error {
	end := len(m.stack)
	type item struct {
		value Value
		keys  []Value
	}
	items := make([]item, 0, end-mark)
	for i := mark; i < end; i++ {
		items = append(items, item{value: m.stack[i], keys: make([]Value, max(1, len(c.args)))})
	}
	descending := make([]bool, max(1, len(c.args)))
	if len(c.args) == 0 {
		for i := range items {
			items[i].keys[0] = items[i].value.system()
		}
	}
	this, index := m.this, m.index
	defer func() { m.this, m.index = this, index }()
	for k, arg := range c.args {
		if sign, ok := arg.(*signNode); ok && sign.negative {
			arg, descending[k] = sign.operand, true
		}
		for i := range items {
			m.this, m.index = items[i].value, int32(i)
			key, _, err := m.single(arg, c.pos)
			if err != nil {
				return err
			}
			items[i].keys[k] = key
		}
	}
	var failure error
	slices.SortStableFunc(items, func(a, b item) int {
		for k := range a.keys {
			x, y := &a.keys[k], &b.keys[k]
			if err := m.step(c.pos); err != nil {
				failure = err
			}
			switch {
			case x.kind == NoKind && y.kind == NoKind:
				continue
			case x.kind == NoKind:
				return -1
			case y.kind == NoKind:
				return 1
			}
			order, _, ok := m.compare(x, y)
			if !ok {
				failure = m.errorf(ExecutionError, c.pos, "sort() by keys that cannot be compared")
			}
			if descending[k] {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
	for i := range items {
		m.stack[mark+i] = items[i].value
	}
	m.drop(end)
	return failure
}
