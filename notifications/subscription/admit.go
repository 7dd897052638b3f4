package subscription

import (
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// Admit decides about the status of a version that a client writes: it submits
// requested or off, and what it writes as active is a request, since only the
// server knows that an endpoint answers (R4 Subscription.status). It returns the
// resource to store, nil where it stays as it is.
func Admit(resource rawjson.Node) ([]byte, error) {
	failure, _ := resource.Member("error")
	switch status := Status(text(resource, "status")); {
	case status == Error:
		return nil, refuse(outcome.CodeBusinessRule, "status", "Only the server sets the status error. Write requested to be told again, or off.")
	case status == Requested && !failure.Exists(), status == Off:
		return nil, nil
	}
	return WithStatus(resource, Requested, "")
}

// WithStatus is a Subscription with a status, and with an error or none.
func WithStatus(resource rawjson.Node, status Status, failure string) ([]byte, error) {
	out := []byte{'{'}
	for m := range resource.Members() {
		switch m.Name() {
		case "status", "error", "_error":
			continue
		}
		out = append(out, '"')
		out = append(out, m.RawName()...)
		out = append(out, `":`...)
		out = append(append(out, m.Raw()...), ',')
	}
	out = append(out, `"status":`...)
	out = quoted(out, string(status))
	if failure != "" {
		out = append(out, `,"error":`...)
		out = quoted(out, failure)
	}
	return append(out, '}'), nil
}
