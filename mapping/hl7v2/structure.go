package hl7v2

import (
	"strings"
)

// Structure is a node of an abstract message structure: a segment, or a group
// of what is in it. HL7 v2.5.1 § 2.12.
type Structure struct {
	Name     string // "PID", or of a group "PATIENT"; the root has the structure's: "ADT_A01"
	Optional bool
	Repeats  bool
	Parts    []*Structure // nil for a segment
}

// StructureOf is the structure of a message type and event, such as ADT and
// A04, or nil for one that is not known. The third component of MSH-9 is not
// asked, since many senders leave it out or wrong.
func StructureOf(messageType, event string) *Structure {
	return structures[eventStructures[messageType+"^"+event]]
}

// StructureNamed is the structure of that name, such as "ADT_A01", or nil.
func StructureNamed(name string) *Structure { return structures[name] }

// compileStructures reads the notation of structures.go: segments by name,
// [optional], {repeating}, groups with their name and a colon behind the
// bracket.
func compileStructures(texts map[string]string) map[string]*Structure {
	all := make(map[string]*Structure, len(texts))
	for name, text := range texts {
		for _, c := range "[]{}:" {
			text = strings.ReplaceAll(text, string(c), " "+string(c)+" ")
		}
		r := &structureReader{words: strings.Fields(text)}
		all[name] = &Structure{Name: name, Parts: r.parts("")}
		if len(r.words) > 0 {
			panic("hl7v2: the structure " + name + " is not in the notation")
		}
	}
	return all
}

type structureReader struct{ words []string }

func (r *structureReader) next() string {
	if len(r.words) == 0 {
		return ""
	}
	w := r.words[0]
	r.words = r.words[1:]
	return w
}

func (r *structureReader) parts(end string) []*Structure {
	var parts []*Structure
	for len(r.words) > 0 && r.words[0] != end {
		switch w := r.next(); w {
		case "[":
			parts = append(parts, r.bracket("]", func(s *Structure) { s.Optional = true }))
		case "{":
			parts = append(parts, r.bracket("}", func(s *Structure) { s.Repeats = true }))
		default:
			parts = append(parts, &Structure{Name: w})
		}
	}
	return parts
}

// bracket reads what is inside a bracket; one part alone takes the bracket's
// meaning on, several are a group.
func (r *structureReader) bracket(end string, mark func(*Structure)) *Structure {
	name := ""
	if len(r.words) > 1 && r.words[1] == ":" {
		name = r.next()
		r.next()
	}
	parts := r.parts(end)
	if r.next() != end {
		panic("hl7v2: a bracket of a structure is not closed")
	}
	one := &Structure{Name: name, Parts: parts}
	if len(parts) == 1 && name == "" {
		one = parts[0]
	}
	mark(one)
	return one
}

// has tells whether a segment may stand in the structure at any depth.
func (s *Structure) has(segment string) bool {
	if s.Parts == nil {
		return s.Name == segment
	}
	for _, p := range s.Parts {
		if p.has(segment) {
			return true
		}
	}
	return false
}

// starts tells whether the structure may begin with the segment: nothing that
// is required stands before it.
func (s *Structure) starts(segment string) bool {
	if s.Parts == nil {
		return s.Name == segment
	}
	for _, p := range s.Parts {
		if p.starts(segment) {
			return true
		}
		if !p.Optional {
			return false
		}
	}
	return false
}

// Group is a structure as a message has it.
type Group struct {
	Structure *Structure
	// Segments are those that stand in the group itself, in the message's
	// order, with those that the structure does not know: behind the segment
	// that they stood behind.
	Segments []Segment
	Groups   []*Group
}

// Name is the group's name.
func (g *Group) Name() string { return g.Structure.Name }

// Segment is the segment of that name with the number n, from 0, in the group
// itself.
func (g *Group) Segment(name string, n int) Segment {
	if g != nil {
		for _, s := range g.Segments {
			if s.Is(name) {
				if n == 0 {
					return s
				}
				n--
			}
		}
	}
	return Segment{}
}

// All are the groups of that name at any depth, in the message's order.
func (g *Group) All(name string) []*Group {
	if g == nil {
		return nil
	}
	var all []*Group
	for _, sub := range g.Groups {
		if sub.Name() == name {
			all = append(all, sub)
		}
		all = append(all, sub.All(name)...)
	}
	return all
}

// First is the first group of that name, or nil.
func (g *Group) First(name string) *Group {
	if all := g.All(name); len(all) > 0 {
		return all[0]
	}
	return nil
}

// Unknown are the segments that the structure has no place for, Z segments
// among them, of the group and those below.
func (g *Group) Unknown() []Segment {
	var all []Segment
	for _, s := range g.Segments {
		if !g.Structure.direct(s.Name()) {
			all = append(all, s)
		}
	}
	for _, sub := range g.Groups {
		all = append(all, sub.Unknown()...)
	}
	return all
}

func (s *Structure) direct(segment string) bool {
	for _, p := range s.Parts {
		if p.Parts == nil && p.Name == segment {
			return true
		}
	}
	return false
}

// Group sorts a message's segments into the groups of a structure. No segment
// is left out: one that stands out of order is in the nearest group that may
// hold it, one that is not known in the group that it stands in.
func (m *Message) Group(s *Structure) *Group {
	root := &Group{Structure: s}
	g := &grouper{stack: []*cursor{{group: root, at: -1}}}
	for _, segment := range m.segments {
		g.add(segment)
	}
	return root
}

// grouper walks a structure along with a message.
type grouper struct{ stack []*cursor }

// cursor is a group that is being filled and the place in it of what came
// last.
type cursor struct {
	group *Group
	at    int
}

func (g *grouper) add(s Segment) {
	name := s.Name()
	top := len(g.stack) - 1
	// What may follow, in this group or one around it.
	for i := top; i >= 0; i-- {
		if at := g.stack[i].forward(name, (*Structure).starts); at >= 0 {
			g.enter(i, at, s, name)
			return
		}
	}
	// What should have come earlier.
	for i := top; i >= 0; i-- {
		if g.stack[i].group.Structure.direct(name) {
			g.stack[i].group.Segments = append(g.stack[i].group.Segments, s)
			return
		}
	}
	// What may follow but for required segments that are missing.
	for i := top; i >= 0; i-- {
		if at := g.stack[i].forward(name, (*Structure).has); at >= 0 {
			g.enter(i, at, s, name)
			return
		}
	}
	g.stack[top].group.Segments = append(g.stack[top].group.Segments, s)
}

// forward is the place of the part that a segment may open from here on, or -1.
func (c *cursor) forward(name string, fits func(*Structure, string) bool) int {
	for at := max(c.at, 0); at < len(c.group.Structure.Parts); at++ {
		p := c.group.Structure.Parts[at]
		if fits(p, name) && (at > c.at || p.Repeats) {
			return at
		}
	}
	return -1
}

// enter puts the segment into part at of the group at depth i, and opens the
// groups on the way.
func (g *grouper) enter(i, at int, s Segment, name string) {
	g.stack = g.stack[:i+1]
	c := g.stack[i]
	for {
		c.at = at
		p := c.group.Structure.Parts[at]
		if p.Parts == nil {
			c.group.Segments = append(c.group.Segments, s)
			return
		}
		sub := &Group{Structure: p}
		c.group.Groups = append(c.group.Groups, sub)
		c = &cursor{group: sub, at: -1}
		g.stack = append(g.stack, c)
		if at = c.forward(name, (*Structure).starts); at < 0 {
			at = c.forward(name, (*Structure).has)
		}
	}
}

// Check lists the required segments that the group and those below lack.
func (g *Group) Check() Errors { return g.check(g.Structure.Name) }

func (g *Group) check(structure string) Errors {
	var problems Errors
	for _, p := range g.Structure.Parts {
		there := false
		if p.Parts == nil {
			there = g.Segment(p.Name, 0).Exists()
		} else {
			for _, sub := range g.Groups {
				there = there || sub.Structure == p
			}
		}
		if !there && !p.Optional {
			name := p.Name
			if p.Parts != nil {
				name = p.Parts[0].Name
			}
			problems = append(problems, problem(ErrSequence, Path{Segment: name}, name+" is required in "+structure))
		}
	}
	for _, sub := range g.Groups {
		problems = append(problems, sub.check(structure)...)
	}
	return problems
}
