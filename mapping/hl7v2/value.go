package hl7v2

import (
	"bytes"
	"iter"
	"strings"
)

// Value is a field, a repetition, a component or a subcomponent. A value that
// is asked for parts that it is too deep to have is its own first part, and
// has no others: senders of an older version write simple values where newer
// versions have components. HL7 v2.5.1 § 2.8.2.
type Value struct {
	m       *Message
	raw     []byte
	level   level
	literal bool // not to be unescaped
}

// Raw is the value as written, with its separators and escape sequences.
func (v Value) Raw() []byte { return v.raw }

// Empty tells whether nothing is written: no statement about the value.
func (v Value) Empty() bool { return len(v.raw) == 0 }

// Null tells whether the value is "", which says that it is to be deleted.
// HL7 v2.5.1 § 2.5.3.
func (v Value) Null() bool { return string(v.raw) == `""` }

// Repetitions is the number of repetitions, 0 for an empty value.
func (v Value) Repetitions() int {
	if len(v.raw) == 0 {
		return 0
	}
	if v.level > fieldLevel || v.m.Delimiters.Repetition == 0 {
		return 1
	}
	return bytes.Count(v.raw, []byte{v.m.Delimiters.Repetition}) + 1
}

// Repetition is the repetition with the number n, from 0.
func (v Value) Repetition(n int) Value { return v.part(fieldLevel, n) }

// Component is the component with the standard's number, from 1. Of a field
// it is one of the first repetition.
func (v Value) Component(n int) Value {
	return v.part(fieldLevel, 0).part(repetitionLevel, n-1)
}

// Components is the number of components that are written.
func (v Value) Components() int {
	first := v.part(fieldLevel, 0)
	if len(first.raw) == 0 {
		return 0
	}
	if first.level > repetitionLevel {
		return 1
	}
	return bytes.Count(first.raw, []byte{v.m.Delimiters.Component}) + 1
}

// Subcomponent is the subcomponent with the standard's number, from 1.
func (v Value) Subcomponent(n int) Value {
	return v.first().part(componentLevel, n-1)
}

// first is the value as a component: the first one where it has several.
func (v Value) first() Value {
	return v.part(fieldLevel, 0).part(repetitionLevel, 0)
}

// part is part n, from 0, of a value whose parts lie at the level below l.
func (v Value) part(l level, n int) Value {
	if v.level > l || v.m == nil {
		if n == 0 {
			return v
		}
		return Value{}
	}
	raw, sep := v.raw, v.m.Delimiters.of(l)
	for {
		i := -1
		if sep != 0 {
			i = bytes.IndexByte(raw, sep)
		}
		switch {
		case n < 0 || i < 0 && n > 0:
			return Value{}
		case i < 0:
			return Value{m: v.m, raw: raw, level: l + 1}
		case n == 0:
			return Value{m: v.m, raw: raw[:i], level: l + 1}
		}
		raw, n = raw[i+1:], n-1
	}
}

// Parts are the value's parts at the next level: a field's repetitions, their
// components, their subcomponents. A value that has no parts is its own.
func (v Value) Parts() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if len(v.raw) == 0 {
			return
		}
		sep := byte(0)
		if v.level < subcomponentLevel {
			sep = v.m.Delimiters.of(v.level)
		}
		from := 0
		for i := 0; sep != 0 && i < len(v.raw); i++ {
			if v.raw[i] == sep {
				if !yield(Value{m: v.m, raw: v.raw[from:i], level: v.level + 1}) {
					return
				}
				from = i + 1
			}
		}
		yield(Value{m: v.m, raw: v.raw[from:], level: min(v.level+1, subcomponentLevel), literal: v.literal})
	}
}

// String is what the first leaf of the value says: escape sequences resolved,
// blanks around it dropped, "" where it is null.
func (v Value) String() string {
	s := v.leaf()
	if s == `""` {
		return ""
	}
	return strings.TrimSpace(s)
}

// Text is what the value says as a whole: of a text whose delimiters the
// sender forgot to escape, all of it, and of a formatted text its line breaks.
func (v Value) Text() string {
	if v.m == nil || v.Null() {
		return ""
	}
	if v.literal {
		return string(v.raw)
	}
	return string(v.m.unescape(nil, v.raw))
}

func (v Value) leaf() string {
	if v.m == nil || len(v.raw) == 0 {
		return ""
	}
	if v.literal || v.level == subcomponentLevel && v.m.Delimiters.Escape == 0 {
		return string(v.raw)
	}
	first := v.part(fieldLevel, 0).part(repetitionLevel, 0).part(componentLevel, 0)
	if first.m.Delimiters.Escape == 0 || bytes.IndexByte(first.raw, first.m.Delimiters.Escape) < 0 {
		return string(first.raw)
	}
	return string(first.m.unescape(nil, first.raw))
}
