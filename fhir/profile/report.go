package profile

import (
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
	f := conformance.Finding{
		Issue:  conformance.Issue{Severity: severity, Code: code, Expression: c.at.Expression(), Diagnostics: text},
		Offset: at.Offset(),
	}
	if !slices.Contains(c.findings, f) && c.findings.Add(f, MaxIssues) {
		c.more = true
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
	issues := c.findings.Issues(c.document.Data())
	if c.more {
		issues = append(issues, conformance.Issue{
			Severity: conformance.SeverityInformation, Code: conformance.IssueIncomplete, Line: 1, Column: 1,
			Diagnostics: "only " + strconv.Itoa(MaxIssues) + " issues of profiles are listed",
		})
	}
	return issues
}
