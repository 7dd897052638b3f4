package rest_test

import (
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
)

// TestAPIOnMongoDB is the same suite on the other engine: whatever is asked,
// the answers are the same. It needs a MongoDB, such as scripts/mongodb
// starts.
func TestAPIOnMongoDB(t *testing.T) { resttest.Run(t, resttest.OnMongoDB(t)) }
