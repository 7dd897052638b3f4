package hl7v2

import (
	"strconv"
)

// Path is the place of a value. Numbers are the standard's, from 1; 0 stands
// for what the path does not say.
type Path struct {
	Segment                                                string
	Occurrence, Field, Repetition, Component, Subcomponent int
}

// maxNumber bounds the numbers of a path.
const maxNumber = 99999

// ParsePath reads "PID-3[2].4.1", "OBX[3]-5" or "MSH-9.2": of the second
// repetition of PID-3 the fourth component's first subcomponent, and so on.
func ParsePath(text string) (Path, error) {
	r := pathReader{rest: text}
	var p Path
	ok := len(text) >= 3 && text[0] >= 'A' && text[0] <= 'Z' && alphanumeric(text[1]) && alphanumeric(text[2])
	if ok {
		p.Segment, r.rest = text[:3], text[3:]
		ok = r.index(&p.Occurrence)
	}
	if ok && r.rest != "" {
		ok = r.number('-', &p.Field) && r.index(&p.Repetition)
		if ok && r.rest != "" {
			ok = r.number('.', &p.Component)
		}
		if ok && r.rest != "" {
			ok = r.number('.', &p.Subcomponent)
		}
		ok = ok && r.rest == ""
	}
	if !ok {
		return Path{}, problem(ErrPath, Path{}, "a path is a segment, a field and perhaps parts of it, such as PID-3[2].4.1")
	}
	return p, nil
}

func alphanumeric(c byte) bool { return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' }

type pathReader struct{ rest string }

// number reads a character and the number behind it.
func (r *pathReader) number(before byte, n *int) bool {
	if r.rest == "" || r.rest[0] != before {
		return false
	}
	end := 1
	for end < len(r.rest) && r.rest[end] >= '0' && r.rest[end] <= '9' {
		end++
	}
	digits := r.rest[1:end]
	if digits == "" || digits[0] == '0' || len(digits) > 5 {
		return false
	}
	v, err := strconv.Atoi(digits)
	*n, r.rest = v, r.rest[end:]
	return err == nil && v <= maxNumber
}

// index reads a number in brackets, if there is one.
func (r *pathReader) index(n *int) bool {
	if r.rest == "" || r.rest[0] != '[' {
		return true
	}
	if !r.number('[', n) || r.rest == "" || r.rest[0] != ']' {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// String writes the path as [ParsePath] reads it.
func (p Path) String() string {
	s := p.Segment
	if p.Occurrence > 0 {
		s += "[" + strconv.Itoa(p.Occurrence) + "]"
	}
	if p.Field == 0 {
		return s
	}
	s += "-" + strconv.Itoa(p.Field)
	if p.Repetition > 0 {
		s += "[" + strconv.Itoa(p.Repetition) + "]"
	}
	if p.Component > 0 {
		s += "." + strconv.Itoa(p.Component)
	}
	if p.Subcomponent > 0 {
		s += "." + strconv.Itoa(p.Subcomponent)
	}
	return s
}
