package conformance

import (
	"strconv"
	"strings"
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

// report adds an issue about the element at the end of the path.
func (v *validator) report(offset int, code IssueCode, diagnostics string) {
	if len(v.findings) >= maxIssues {
		v.more = true
		return
	}
	v.findings.Add(Finding{
		Issue:  Issue{Severity: SeverityError, Code: code, Expression: v.path.Expression(), Diagnostics: diagnostics},
		Offset: offset,
	}, maxIssues)
}

// reportChild adds an issue about a child of the element at hand.
func (v *validator) reportChild(child string, offset int, code IssueCode, diagnostics string) {
	v.path = append(v.path, Step{child, -1})
	v.report(offset, code, diagnostics)
	v.path = v.path[:len(v.path)-1]
}

// issues returns the findings in the order of the text, with their places.
func (v *validator) issues(data []byte) []Issue {
	issues := v.findings.Issues(data)
	if v.more {
		issues = append(issues, Issue{
			Severity: SeverityInformation, Code: IssueIncomplete,
			Expression: v.findings[0].root(), Line: 1, Column: 1,
			Diagnostics: "only the first " + strconv.Itoa(maxIssues) + " issues are listed",
		})
	}
	return issues
}

func (f Finding) root() string {
	root, _, _ := strings.Cut(f.Expression, ".")
	return root
}
