package conformance

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Severity is how bad an issue is
// (https://hl7.org/fhir/R4/valueset-issue-severity.html).
type Severity string

// The severities.
const (
	SeverityFatal       Severity = "fatal"
	SeverityError       Severity = "error"
	SeverityWarning     Severity = "warning"
	SeverityInformation Severity = "information"
)

// IssueCode is what an issue is about
// (https://hl7.org/fhir/R4/valueset-issue-type.html).
type IssueCode string

// The issue codes that validation gives, here and in fhir/validate.
const (
	IssueStructure   IssueCode = "structure"    // not JSON, or not shaped like FHIR
	IssueRequired    IssueCode = "required"     // an element is missing
	IssueValue       IssueCode = "value"        // not in the format of its type
	IssueTooLong     IssueCode = "too-long"     // beyond a length that R4 sets
	IssueInvariant   IssueCode = "invariant"    // a constraint is not met
	IssueCodeInvalid IssueCode = "code-invalid" // not in a required value set
	IssueIncomplete  IssueCode = "incomplete"   // the list of issues was cut
	IssueDuplicate   IssueCode = "duplicate"    // an id stands twice
	IssueExtension   IssueCode = "extension"    // an extension where it may not stand, or unknown
	IssueTooCostly   IssueCode = "too-costly"   // a rule takes more work than is allowed
)

// Issue is one finding, with what an OperationOutcome.issue needs
// (https://hl7.org/fhir/R4/operationoutcome.html). It holds names of elements,
// types and rules, never a value or a member name from the resource: those may
// identify a patient, and outcomes end up in logs.
type Issue struct {
	Severity     Severity
	Code         IssueCode
	Expression   string // FHIRPath of the element: Appointment.participant[0].status
	Line, Column int    // from 1, of the JSON text that was validated
	Diagnostics  string
}

// maxIssues bounds the answer to a resource in which everything is wrong.
const maxIssues = 100

// step is one element on the way from the resource to the value at hand.
type step struct {
	name  string
	index int // -1 unless the element repeats
}

// finding is an issue whose line and column are not known yet.
type finding struct {
	Issue
	offset int
}

// report adds an issue about the element at the end of the path.
func (v *validator) report(offset int, code IssueCode, diagnostics string) {
	if len(v.findings) >= maxIssues {
		v.more = true
		return
	}
	v.findings = append(v.findings, finding{
		Issue:  Issue{Severity: SeverityError, Code: code, Expression: v.expression(), Diagnostics: diagnostics},
		offset: offset,
	})
}

// reportChild adds an issue about a child of the element at hand.
func (v *validator) reportChild(child string, offset int, code IssueCode, diagnostics string) {
	v.path = append(v.path, step{child, -1})
	v.report(offset, code, diagnostics)
	v.path = v.path[:len(v.path)-1]
}

func (v *validator) expression() string {
	var b strings.Builder
	for i, s := range v.path {
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

// issues returns the findings in the order of the text, with their places.
func (v *validator) issues(data []byte) []Issue {
	if len(v.findings) == 0 {
		return nil
	}
	slices.SortStableFunc(v.findings, func(a, b finding) int { return cmp.Compare(a.offset, b.offset) })
	issues := make([]Issue, 0, len(v.findings)+1)
	line, lineStart, at := 1, 0, 0
	for _, f := range v.findings {
		for ; at < f.offset; at++ {
			if data[at] == '\n' {
				line, lineStart = line+1, at+1
			}
		}
		_, f.Column = rawjson.LineColumn(data[lineStart:], f.offset-lineStart)
		f.Line = line
		issues = append(issues, f.Issue)
	}
	if v.more {
		issues = append(issues, Issue{
			Severity: SeverityInformation, Code: IssueIncomplete,
			Expression: v.findings[0].root(), Line: 1, Column: 1,
			Diagnostics: "only the first " + strconv.Itoa(maxIssues) + " issues are listed",
		})
	}
	return issues
}

func (f *finding) root() string {
	root, _, _ := strings.Cut(f.Expression, ".")
	return root
}
