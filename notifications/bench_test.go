package notifications

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkFanOut is what a commit costs when a tenant has 1,000 subscriptions
// and each commit matches two of them: from the log to the queues, without
// delivery.
func BenchmarkFanOut(b *testing.B) {
	const subscriptions = 1000
	l := newMemoryLog()
	tl := startTail(b, l, newClock())
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var matched, woken atomic.Int64
	got := make(chan struct{}, 1<<20)
	for i := range subscriptions {
		f := newFollower(Subscription{ID: fmt.Sprint(i), Destination: fmt.Sprint(i), DataModel: fmt.Sprint("Model", i/2), Content: Redox})
		if _, _, err := tl.take(ctx, f, 0); err != nil {
			b.Fatal(err)
		}
		all.Add(1)
		go func() {
			defer all.Done()
			for after := int64(0); ; {
				select {
				case <-f.ready:
				case <-ctx.Done():
					return
				}
				woken.Add(1)
				found, through, err := tl.take(ctx, f, after)
				if err != nil {
					return
				}
				after = through
				tl.wrote(f, through)
				matched.Add(int64(len(found)))
				for range found {
					got <- struct{}{}
				}
			}
		}()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		e := booking(i)
		e.DataModel = fmt.Sprint("Model", i%(subscriptions/2))
		l.add(e)
		<-got
		<-got
	}
	b.StopTimer()
	b.ReportMetric(float64(woken.Load())/float64(b.N), "wakeups/op")
	cancel()
	all.Wait()
	if n := matched.Load(); n != int64(2*b.N) {
		b.Errorf("%d matched of %d", n, 2*b.N)
	}
}

// BenchmarkStart is what 1,000 queues that start with the process cost, a
// window of 4,096 entries behind, nothing matching.
func BenchmarkStart(b *testing.B) {
	l := newMemoryLog()
	l.add(many(window, other)...)
	for b.Loop() {
		tl := startTail(b, l, newClock())
		for range 1000 {
			if _, _, err := tl.take(context.Background(), newFollower(scheduling), 0); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkDeliver is one event from its commit to its acknowledgement and
// record, on Pebble, to a receiver on this machine; the messages wait for one
// another, as they do in the queue of one subscription.
func BenchmarkDeliver(b *testing.B) {
	w := newTestWorld(b)
	rc := newReceiver(b, nil)
	w.subscribe(production, rc.URL)
	w.start()
	b.ResetTimer()
	go func() {
		for range b.N {
			w.book(production, "x")
		}
	}()
	for range b.N {
		<-rc.got
		w.attempt()
	}
}
