package mapping

import (
	"sync"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"
	crpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fhirfacade/fhirfacade/mapping/fhirjson"
)

func valueOf(m proto.Message) protoreflect.Value {
	return protoreflect.ValueOfMessage(m.ProtoReflect())
}

// unmarshaller has no state beyond its settings, and building it takes time;
// it is made at first use.
var unmarshaller = sync.OnceValues(func() (*jsonformat.Unmarshaller, error) {
	return jsonformat.NewUnmarshaller("UTC", fhirversion.R4)
})

// MarshalResource writes a resource as FHIR JSON. Dates keep their precision
// and their offset.
func MarshalResource(c *crpb.ContainedResource) ([]byte, error) {
	return AppendResource(make([]byte, 0, 1024), c)
}

// AppendResource appends a resource as FHIR JSON.
func AppendResource(dst []byte, c *crpb.ContainedResource) ([]byte, error) {
	return fhirjson.Append(dst, c)
}

// UnmarshalResource reads a resource from FHIR JSON. It refuses what R4's
// types and cardinalities do not allow. A date and time without an offset is
// in UTC.
func UnmarshalResource(data []byte) (*crpb.ContainedResource, error) {
	u, err := unmarshaller()
	if err != nil {
		return nil, err
	}
	return u.UnmarshalR4(data)
}
