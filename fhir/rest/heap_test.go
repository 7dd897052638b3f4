package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
)

// A searchset of large resources is not in memory at once, neither its matches
// nor what they bring along. While a client has read half of an answer and
// reads no further, far less of it is alive than was sent and is to come: some
// rounds of bodies and no more. (The engine's cache is full before.)
func TestLargeSearchsetsAreStreamed(t *testing.T) {
	const number, size = 64, 1 << 20
	s := resttest.Serve(t, open)
	data := strings.Repeat("QUJD", size/4)
	var items []string
	for i := range number {
		id := fmt.Sprintf("d%d", i)
		s.Put(`{"resourceType":"Media","id":"` + id + `","status":"completed","content":{"data":"` + data + `"}}`)
		items = append(items, `{"item":{"reference":"Media/`+id+`"}}`)
	}
	s.Put(`{"resourceType":"List","id":"l","status":"current","mode":"working","entry":[` + strings.Join(items, ",") + `]}`)
	s.Get("Media?_count=1000") // which fills the engine's cache
	for _, query := range []string{
		"Media?_count=1000", "Media?_sort=-_lastUpdated&_count=1000", "?_type=Media,List&_sort=_id&_count=1000", "List?_include=List:item",
		"Media?_count=1&_id=d0&_revinclude=List:item&_include:iterate=List:item", "Media?_count=1000&_pretty=true", "Media?_count=1000&_summary=data",
	} {
		t.Run(query, func(t *testing.T) {
			before := alive()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Base+"/"+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if _, err := io.CopyN(io.Discard, res.Body, number*size/2); err != nil {
				t.Fatal(err)
			}
			if grown := alive() - before; grown > number*size/2 {
				t.Errorf("%d MiB more are alive in the middle of an answer of %d MiB", grown>>20, number*size>>20)
			}
			rest, err := io.Copy(io.Discard, res.Body)
			if err != nil || rest < (number/2-2)*size {
				t.Errorf("the rest of the answer is %d bytes long, %v", rest, err)
			}
		})
	}
}

// alive is the size of what is reachable now.
func alive() int64 {
	runtime.GC()
	runtime.GC() // what the first has finalised
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
