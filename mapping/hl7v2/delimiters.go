package hl7v2

// Delimiters are the characters of MSH-1 and MSH-2. Zero stands for one that
// the message does not have: senders leave out those they do not use.
// HL7 v2.5.1 § 2.5.4.
type Delimiters struct {
	Field, Component, Repetition, Escape, Subcomponent byte
	// Truncation is the fifth character of MSH-2, from 2.7 on.
	Truncation byte
}

// Standard are the delimiters that the standard recommends, and that drafts
// are written with.
var Standard = Delimiters{Field: '|', Component: '^', Repetition: '~', Escape: '\\', Subcomponent: '&'}

// Terminator ends a segment. It cannot be changed. HL7 v2.5.1 § 2.5.4.
const Terminator = '\r'

// encoding is the text of MSH-2.
func (d Delimiters) encoding() []byte {
	var text []byte
	for _, c := range []byte{d.Component, d.Repetition, d.Escape, d.Subcomponent, d.Truncation} {
		if c == 0 {
			break
		}
		text = append(text, c)
	}
	return text
}

// readDelimiters reads them from the header segment, whose name is three
// characters long: MSH, or FHS and BHS of batches.
func readDelimiters(text []byte) (Delimiters, error) {
	var d Delimiters
	if len(text) < 5 {
		return d, problem(ErrDelimiters, Path{Segment: "MSH", Field: 2}, "MSH ends before MSH-2")
	}
	d.Field = text[3]
	if !delimits(d.Field) {
		return d, problem(ErrDelimiters, Path{Segment: "MSH", Field: 1}, "MSH-1 must be a printable character that is no letter, digit or quote")
	}
	for i, at := range []*byte{&d.Component, &d.Repetition, &d.Escape, &d.Subcomponent, &d.Truncation} {
		if 4+i >= len(text) || text[4+i] == d.Field || text[4+i] == Terminator || text[4+i] == '\n' {
			break
		}
		*at = text[4+i]
	}
	seen := map[byte]bool{d.Field: true}
	for _, c := range d.encoding() {
		if !delimits(c) {
			return d, problem(ErrDelimiters, Path{Segment: "MSH", Field: 2}, "MSH-2 must be printable characters that are no letters, digits or quotes")
		}
		if seen[c] {
			return d, problem(ErrDelimiters, Path{Segment: "MSH", Field: 2}, "MSH-1 and MSH-2 must differ in every character")
		}
		seen[c] = true
	}
	if d.Component == 0 {
		return d, problem(ErrDelimiters, Path{Segment: "MSH", Field: 2}, "MSH-2 must have a component separator")
	}
	if end := 4 + len(d.encoding()); end < len(text) && text[end] != d.Field && text[end] != Terminator && text[end] != '\n' {
		return d, problem(ErrDelimiters, Path{Segment: "MSH", Field: 2}, "MSH-2 has at most five characters")
	}
	return d, nil
}

func delimits(c byte) bool {
	return c > ' ' && c < 0x7F && c != '"' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

// of is the separator between the parts of a value of that level.
func (d Delimiters) of(l level) byte {
	switch l {
	case fieldLevel:
		return d.Repetition
	case repetitionLevel:
		return d.Component
	case componentLevel:
		return d.Subcomponent
	}
	return 0
}

// level is how deep a value lies.
type level uint8

const (
	fieldLevel level = iota
	repetitionLevel
	componentLevel
	subcomponentLevel
)
