//go:build unix

package redox

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is the processor time that the process has used: what an operation
// costs on a machine that others use as well, where the clock says how long
// the operation waited, too.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMapping is all of the mapping of one message: read it, say it in
// FHIR and write its resources as JSON.
func BenchmarkMapping(b *testing.B) {
	benchMapping(b, "Scheduling", "New")
}

// BenchmarkMappingSummary is the same for a clinical summary.
func BenchmarkMappingSummary(b *testing.B) { benchMapping(b, "ClinicalSummary", "PatientPush") }

func benchMapping(b *testing.B, model, event string) {
	data, _ := benchMessage(b, model, event)
	b.SetBytes(int64(len(data)))
	start := cpuTime(b)
	var out []byte
	for b.Loop() {
		out = mapOnce(b, data, out[:0])
	}
	spent := cpuTime(b) - start
	b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(len(data))*float64(b.N)/1e6/spent.Seconds(), "MB/cpu-s")
}
