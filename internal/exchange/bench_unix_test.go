//go:build unix

package exchange

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/redox"
)

// senders are the sources that push at the same time.
const senders = 64

// numbered gives the sample a patient and a visit of its own. Its provider
// and its place stay, as they do for the messages of one clinic.
func numbered(sample string, n int64) []byte {
	number := strconv.FormatInt(n, 10)
	return []byte(strings.NewReplacer("LV-0048213", "P"+number, "7b1f3d0a-52c4-4c61-9d9e-0c5a6e3f8b10", "E"+number, "LV-APT-90021", "V"+number).Replace(sample))
}

// BenchmarkIngest takes messages of many sources from their text to a commit
// on disk.
func BenchmarkIngest(b *testing.B) {
	raw, ok := redox.Sample("Scheduling", "New")
	if !ok {
		b.Fatal("no sample")
	}
	x := open(b, nil)
	// The provider and the place are known before, as they are in a store that
	// is in use.
	if _, err := x.Ingest(context.Background(), testTenant, Source{ID: "first"}, numbered(string(raw), 0)); err != nil {
		b.Fatal(err)
	}
	var n, failed atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	begin, cpu := time.Now(), processTime(b)
	for s := range senders {
		group.Go(func() {
			src := Source{ID: "source-" + strconv.Itoa(s), Name: "clinic"}
			for {
				i := n.Add(1)
				if i > int64(b.N) {
					return
				}
				rc, err := x.Ingest(context.Background(), testTenant, src, numbered(string(raw), i))
				if err != nil || rc.Message.Seq == 0 {
					failed.Add(1)
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
	if f := failed.Load(); f > 0 {
		b.Fatalf("%d of %d messages were not committed", f, b.N)
	}
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "messages/s")
	// What a message costs in processor time does not depend on what else the
	// machine does.
	b.ReportMetric(float64(processTime(b)-cpu)/float64(b.N)/1e3, "cpu-µs/op")
}

func processTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
