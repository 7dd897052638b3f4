package topic_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
)

func replace(s string, change [2]string) string { return strings.Replace(s, change[0], change[1], 1) }

func (w *world) admit(basic string) error {
	w.Helper()
	doc, err := rawjson.Parse([]byte(basic), nil)
	w.must(err)
	_, err = w.compiler.Admit(w.ctx, tenant, store.Ref{Type: "Basic", ID: "x"}, doc.Root())
	return err
}

// FuzzTopic reads whatever is a Basic in structure.
func FuzzTopic(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Basic","code":{"coding":[{"system":"http://hl7.org/fhir/fhir-types","code":"SubscriptionTopic"}]},"extension":[{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.url","valueUri":"https://example.org/t"},{"url":"http://hl7.org/fhir/4.3/StructureDefinition/extension-SubscriptionTopic.resourceTrigger","extension":[{"url":"resource","valueUri":"Patient"},{"url":"queryCriteria","extension":[{"url":"requireBoth","valueBoolean":true}]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			return
		}
		got, err := topic.Parse(doc.Root(), conformance.R4())
		if err == nil && (got.URL == "" || len(got.Triggers) == 0) {
			t.Error("a topic without url or trigger was accepted")
		}
	})
}

// BenchmarkIndex is what a commit costs a tenant with 10,000 Subscriptions, of
// which it matches two: from the log entry to those two, its version read and
// its keys made once.
func BenchmarkIndex(b *testing.B) {
	for _, count := range []int{10, 10_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			w := newWorld(b)
			x := topic.NewIndex[int]()
			watches := make([]*topic.Watch, count)
			for i := range watches {
				var err error
				watches[i], err = w.compiler.Criteria(w.ctx, tenant, fmt.Sprintf("Observation?status=final&patient=Patient/%d", i/2))
				w.must(err)
				x.Add(i, watches[i])
			}
			w.put("Observation", "a", observation("a", "final", "3"))
			log, err := w.store.ReadLog(w.ctx, tenant, 0, 1)
			w.must(err)
			b.ReportAllocs()
			matched := 0
			for b.Loop() {
				e := topic.NewEntry(log[0])
				w.must(e.Load(w.ctx, w.repo, tenant, x.Watches))
				x.Each(e, "", func(i int) {
					if w.triggers(watches[i], e) {
						matched++
					}
				})
			}
			if matched != 2*b.N {
				b.Errorf("%d matched in %d", matched, b.N)
			}
		})
	}
}
