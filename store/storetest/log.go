package storetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

func (f *fixture) log(after int64, limit int) []store.Entry {
	f.t.Helper()
	es, err := f.s.ReadLog(f.ctx, f.tenant, after, limit)
	f.ok(err)
	return es
}

func (f *fixture) sameEntry(got, want store.Entry) {
	f.t.Helper()
	f.equal("entry", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
}

var logTests = []test{
	{"entries in order, without gaps, at most limit", func(f *fixture) {
		f.equal("head of nothing", f.head(), 0)
		f.equal("log of nothing", len(f.log(0, 10)), 0)
		var made []store.Entry
		for i := range 10 {
			e, err := f.s.Commit(f.ctx, f.tenant, store.Commit{
				Source: fmt.Sprint("s", i), Event: fmt.Sprint("e", i), Info: []byte{byte(i)},
				Changes: []store.Change{put(obs(fmt.Sprint(i%3)), "")},
			})
			f.ok(err)
			made = append(made, e)
		}
		f.equal("head", f.head(), 10)
		for after := int64(0); after <= 11; after++ {
			for limit := 1; limit <= 11; limit++ {
				want := made[min(after, 10):]
				want = want[:min(limit, len(want))]
				got := f.log(after, limit)
				f.equal(fmt.Sprintf("entries after %d, limit %d", after, limit), len(got), len(want))
				for i := range min(len(got), len(want)) {
					f.sameEntry(got[i], want[i])
				}
			}
		}
	}},
	{"entries of commits that were made at once are read one by one", func(f *fixture) {
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if _, err := f.try(put(obs(fmt.Sprint(i)), "")); err != nil {
					f.t.Errorf("commit: %v", err)
				}
			})
		}
		wg.Wait()
		for after := range int64(50) {
			es := f.log(after, 1)
			if len(es) != 1 || es[0].Seq != after+1 {
				f.t.Fatalf("the entry after %d is %v", after, es)
			}
		}
		for after := range int64(50) {
			f.equal("entries", len(f.log(after, 7)), min(7, 50-after))
		}
	}},
	{"times never decrease", func(f *fixture) {
		var last time.Time
		for range 20 {
			e := f.commit(put(obs("1"), ""))
			if e.Time.Before(last) {
				f.t.Errorf("%v comes after %v", e.Time, last)
			}
			last = e.Time
		}
	}},
	{"WaitLog returns at once when the log is longer", func(f *fixture) {
		f.commit(put(obs("1"), ""))
		f.commit(put(obs("1"), ""))
		for after := range int64(2) {
			h, err := f.s.WaitLog(f.ctx, f.tenant, after)
			f.ok(err)
			f.equal("head", h, 2)
		}
	}},
	{"WaitLog wakes every waiter when the log grows", func(f *fixture) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				h, err := f.s.WaitLog(f.ctx, f.tenant, int64(i/2))
				if err != nil || h <= int64(i/2) {
					f.t.Errorf("WaitLog: %d, %v", h, err)
				}
			})
		}
		for range 4 {
			f.commit(put(obs("1"), ""))
		}
		wg.Wait()
	}},
	{"a reader that follows the log never meets a version that it cannot read", func(f *fixture) {
		const n = 100
		var wg sync.WaitGroup
		wg.Go(func() {
			for at := int64(0); at < n; {
				h, err := f.s.WaitLog(f.ctx, f.tenant, at)
				if err != nil {
					f.t.Errorf("WaitLog: %v", err)
					return
				}
				es := f.log(at, 10)
				if h > at && len(es) == 0 {
					f.t.Errorf("the head is %d and nothing comes after %d", h, at)
					return
				}
				for _, e := range es {
					f.equal("seq", e.Seq, at+1)
					at = e.Seq
					for _, c := range e.Changes {
						d, err := f.s.GetVersion(f.ctx, f.tenant, c.Ref, c.Version)
						if err != nil || d.Seq != e.Seq {
							f.t.Errorf("version of entry %d: %v, %v", e.Seq, d, err)
							return
						}
						now, err := f.s.Get(f.ctx, f.tenant, c.Ref)
						if err != nil || now.Version < c.Version {
							f.t.Errorf("current version after entry %d: %v, %v", e.Seq, now, err)
							return
						}
					}
				}
			}
		})
		for i := range n {
			f.commit(put(obs(fmt.Sprint(i%7)), "", "k"), put(pat(fmt.Sprint(i%3)), ""))
		}
		wg.Wait()
	}},
	{"WaitLog returns the context's error when that ends first", func(f *fixture) {
		f.commit(put(obs("1"), ""))
		ctx, cancel := context.WithCancel(f.ctx)
		done := make(chan error)
		go func() {
			_, err := f.s.WaitLog(ctx, f.tenant, 1)
			done <- err
		}()
		cancel()
		f.is(<-done, context.Canceled)
		ctx, cancel = context.WithTimeout(f.ctx, time.Millisecond)
		defer cancel()
		_, err := f.s.WaitLog(ctx, f.tenant, 1)
		f.is(err, context.DeadlineExceeded)
	}},
	{"a refused commit leaves no trace", func(f *fixture) {
		f.commit(put(obs("1"), ""))
		_, err := f.try(expecting(store.Absent(), put(obs("1"), "")))
		f.is(err, store.ErrConflict)
		f.equal("seq", f.commit(put(obs("1"), "")).Seq, 2)
		f.equal("log", len(f.log(0, 10)), 2)
	}},
}
