package conformance

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Step is one element on the way from the outermost resource; Index is -1
// unless it repeats.
type Step struct {
	Name  string
	Index int
}

// Path leads from a resource to an element.
type Path []Step

// Expression is the path as FHIRPath: Appointment.participant[0].status.
func (p Path) Expression() string {
	var b strings.Builder
	for i, s := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.Name)
		if s.Index >= 0 {
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.Index))
			b.WriteByte(']')
		}
	}
	return b.String()
}

// Finding is an issue at a byte of the text, whose line and column are not
// known yet.
type Finding struct {
	Issue
	Offset int
}

// Findings are what a check has found.
type Findings []Finding

// Add adds a finding, of limit at most: others make room for errors, so that
// the list's length never hides one. It reports whether one was left out.
func (all *Findings) Add(f Finding, limit int) (cut bool) {
	if len(*all) >= limit {
		i := slices.IndexFunc(*all, func(f Finding) bool { return f.Severity != SeverityError })
		if f.Severity != SeverityError || i < 0 {
			return true
		}
		*all, cut = slices.Delete(*all, i, i+1), true
	}
	*all = append(*all, f)
	return cut
}

// Issues are the findings in the order of the text that they are about, with
// their lines and columns.
func (all Findings) Issues(data []byte) []Issue {
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	issues := make([]Issue, 0, len(all)+1)
	line, start, at := 1, 0, 0
	for _, f := range all {
		for ; at < f.Offset; at++ {
			if data[at] == '\n' {
				line, start = line+1, at+1
			}
		}
		f.Line = line
		_, f.Column = rawjson.LineColumn(data[start:], f.Offset-start)
		issues = append(issues, f.Issue)
	}
	return issues
}
