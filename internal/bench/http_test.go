package bench_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkHTTP loads the store and then asks in turns the server, and gin
// serving the same answers from memory.
func BenchmarkHTTP(b *testing.B) {
	c := readCorpus(b)
	l := serve(b, c, *resources)
	b.Run("import", func(b *testing.B) {
		if l.took == 0 {
			b.Skip("loaded by an earlier run")
		}
		for b.Loop() { // was done once, above; encoding/json is the yardstick
		}
		decoded := decodeAll(b, c, l.bytes)
		b.ReportMetric(float64(l.resources)/l.took.Seconds(), "resources/s")
		b.ReportMetric(float64(l.bytes)/1e6/l.took.Seconds(), "MB/s")
		b.ReportMetric(decoded, "encoding/json-MB/s")
		b.ReportMetric(float64(l.bytes)/1e6/l.took.Seconds()/decoded, "ratio")
		b.ReportMetric(0, "ns/op")
	})
	patients := l.ids(b, "Patient?_sort=_id", 500)
	observations := l.ids(b, "Observation?_sort=_id", 2000)
	for _, q := range []struct {
		name  string
		paths []string
	}{
		{"read", each(observations, "Observation/%s")},
		{"equality", each(codes, "Observation?code=http://loinc.org|%s&_count=20")},
		{"date range", months("Encounter?date=ge%s-01&date=lt%s-15&_count=20")},
		{"quantity", each(numbers(100, 160), "Observation?component-code-value-quantity=8480-6$gt%s&_count=20")},
		{"chain", each(patients, "Encounter?patient._id=%s&_count=20")},
		{"patient and code", each(patients, "Observation?patient=%s&code=http://loinc.org|8302-2&_count=20")},
		{"patient, newest first", each(patients, "Observation?patient=%s&_sort=-date&_count=20")},
		{"with included", each(patients, "Encounter?patient=%s&_include=Encounter:service-provider&_count=20")},
		{"has", each(patients[:min(100, len(patients))], "Patient?_has:Observation:patient:code=8302-2&_id=%s&_count=20")},
	} {
		b.Run(q.name, func(b *testing.B) { l.beside(b, q.paths) })
	}
}

// beside reports the requests/s of both, their ratio, and the median time of
// one of the server's answers to a client that is alone.
func (l *loaded) beside(b *testing.B, paths []string) {
	answers, size := map[string][]byte{}, 0
	for _, p := range paths {
		body, err := get(l.client, l.url, p)
		if err != nil {
			b.Fatal(err)
		}
		answers[p] = body
		size += len(body)
	}
	gin := bare(b, answers)
	const round = 400
	var spent [2]time.Duration
	rounds := 0
	for b.Loop() {
		for i := range 2 {
			who, base := (i+rounds)%2, l.url
			if who == 1 {
				base = gin
			}
			start := time.Now()
			l.atOnce(b, base, paths, rounds*round, round)
			spent[who] += time.Since(start)
		}
		rounds++
	}
	b.ReportMetric(float64(round*rounds)/spent[0].Seconds(), "server/s")
	b.ReportMetric(float64(round*rounds)/spent[1].Seconds(), "gin/s")
	b.ReportMetric(spent[1].Seconds()/spent[0].Seconds(), "ratio")
	b.ReportMetric(float64(l.median(b, paths).Microseconds()), "p50-µs")
	b.ReportMetric(float64(size/len(paths)), "B/answer")
	b.ReportMetric(0, "ns/op")
}

// atOnce asks n times by several workers.
func (l *loaded) atOnce(b *testing.B, base string, paths []string, from, n int) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if _, err := get(l.client, base, paths[(from+i)%len(paths)]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func (l *loaded) median(b *testing.B, paths []string) time.Duration {
	var times []time.Duration
	for i := range 301 {
		start := time.Now()
		if _, err := get(l.client, l.url, paths[i%len(paths)]); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// decodeAll is how many MB/s encoding/json decodes of the bundles, on as many
// cores as posters had.
func decodeAll(b *testing.B, c *corpus, limit int64) float64 {
	var next, done atomic.Int64
	var all sync.WaitGroup
	limit = min(limit, 100e6)
	start := time.Now()
	for range 2 {
		all.Go(func() {
			var buf []byte
			for done.Load() < limit {
				body, _ := c.bundle(int(next.Add(1))-1, buf)
				buf = body
				var v any
				if err := json.Unmarshal(body, &v); err != nil {
					b.Error(err)
					return
				}
				done.Add(int64(len(body)))
			}
		})
	}
	all.Wait()
	return float64(done.Load()) / 1e6 / time.Since(start).Seconds()
}

// codes are LOINC codes that Synthea's patients have.
var codes = []string{"8302-2", "29463-7", "39156-5", "8867-4", "9279-1", "72514-3", "85354-9", "2093-3", "2571-8", "18262-6"}

func each(values []string, path string) []string {
	var out []string
	for _, v := range values {
		out = append(out, fmt.Sprintf(path, v))
	}
	return out
}

func numbers(from, to int) []string {
	var out []string
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

func months(path string) []string {
	var out []string
	for year := 2010; year < 2019; year++ {
		for month := 1; month <= 12; month++ {
			m := fmt.Sprintf("%d-%02d", year, month)
			out = append(out, fmt.Sprintf(path, m, m))
		}
	}
	return out
}
