package fhirpath

import (
	"fmt"
	"unicode/utf8"
)

// ErrorKind tells why an expression failed.
type ErrorKind uint8

// The kinds of errors.
const (
	// SyntaxError: the text is not an expression.
	SyntaxError ErrorKind = iota + 1
	// SemanticError: names something that does not exist, or a function is
	// called with the wrong number of arguments.
	SemanticError
	// ExecutionError: an operation was given what it does not take.
	ExecutionError
	// LimitError: the evaluation exceeded a limit of its Context.
	LimitError
)

var errorKindTexts = [...]string{"", "syntax error", "semantic error", "error", "limit exceeded"}

// Error implements error, so that errors.Is(err, fhirpath.SyntaxError) holds for
// an *Error of that kind.
func (k ErrorKind) Error() string { return "FHIRPath " + errorKindTexts[k] }

// Error is a failure to compile or to evaluate an expression. It tells the
// expression and the place in it, and never a value of the data.
type Error struct {
	Kind       ErrorKind
	Expression string
	Position   int // byte offset in Expression
	Message    string
}

// Error describes the failure.
func (e *Error) Error() string {
	column := utf8.RuneCountInString(e.Expression[:min(e.Position, len(e.Expression))]) + 1
	return fmt.Sprintf("%s at character %d: %s", e.Kind.Error(), column, e.Message)
}

// Unwrap gives the Kind.
func (e *Error) Unwrap() error { return e.Kind }
