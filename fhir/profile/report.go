package profile

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// Issue codes of this package besides those of package conformance.
const (
	issueNotSupported conformance.IssueCode = "not-supported"
	issueInvalid      conformance.IssueCode = "invalid"
	issueProcessing   conformance.IssueCode = "processing"
	issueInformation  conformance.IssueCode = "informational"
)

type finding struct {
	conformance.Issue
	offset int
}

// expression is the FHIRPath of where the checker is.
func (c *checker) expression() string {
	var b strings.Builder
	for i, s := range c.at {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.name)
		if s.index >= 0 {
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.index))
			b.WriteByte(']')
		}
	}
	return b.String()
}

// fail reports that an element of the structure at hand is not met.
func (c *checker) fail(at rawjson.Node, severity conformance.Severity, code conformance.IssueCode, n *node, text string) {
	if c.silent > 0 {
		c.failed = c.failed || severity == conformance.SeverityError
		return
	}
	var b strings.Builder
	if strings.IndexByte(n.id, ':') >= 0 {
		b.WriteString("Slice '" + shorten(n.id) + "': ")
	} else {
		b.WriteString(shorten(n.id) + ": ")
	}
	b.WriteString(text)
	b.WriteString(" (profile " + shorten(c.structure.Canonical()) + ")")
	c.report(at, severity, code, b.String())
}

// report adds an issue about the element at the end of the path.
func (c *checker) report(at rawjson.Node, severity conformance.Severity, code conformance.IssueCode, text string) {
	if severity == conformance.SeverityError {
		c.failed = true
	}
	if c.silent > 0 {
		return
	}
	if len(c.findings) >= MaxIssues {
		// Others make room for errors, so that the list's length never hides
		// one.
		i := slices.IndexFunc(c.findings, func(f finding) bool { return f.Severity != conformance.SeverityError })
		c.more = true
		if severity != conformance.SeverityError || i < 0 {
			return
		}
		c.findings = slices.Delete(c.findings, i, i+1)
	}
	f := finding{
		Issue:  conformance.Issue{Severity: severity, Code: code, Expression: c.expression(), Diagnostics: text},
		offset: at.Offset(),
	}
	if !slices.Contains(c.findings, f) {
		c.findings = append(c.findings, f)
	}
}

// place is the JSON of a value.
func place(v fhirpath.Value) rawjson.Node {
	if n := v.Node(); n.Exists() {
		return n
	}
	return v.Underscore()
}

// issues gives the findings in the order of the text.
func (c *checker) issues() []conformance.Issue {
	if len(c.findings) == 0 {
		return nil
	}
	slices.SortStableFunc(c.findings, func(a, b finding) int { return cmp.Compare(a.offset, b.offset) })
	data := c.document.Data()
	issues := make([]conformance.Issue, 0, len(c.findings)+1)
	line, start, at := 1, 0, 0
	for _, f := range c.findings {
		for ; at < f.offset; at++ {
			if data[at] == '\n' {
				line, start = line+1, at+1
			}
		}
		f.Line = line
		_, f.Column = rawjson.LineColumn(data[start:], f.offset-start)
		issues = append(issues, f.Issue)
	}
	if c.more {
		issues = append(issues, conformance.Issue{
			Severity: conformance.SeverityInformation, Code: conformance.IssueIncomplete, Line: 1, Column: 1,
			Diagnostics: "only " + strconv.Itoa(MaxIssues) + " issues of profiles are listed",
		})
	}
	return issues
}
