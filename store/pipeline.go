package store

import (
	"context"
	"sync"
)

// Pipeline gathers the concurrent commits of one tenant into batches and
// hands the batches to an engine one after the other (group commit).
type Pipeline struct {
	// Append plans a batch, makes it the tenant's next entries and returns
	// an outcome for each commit. The function it returns, if any, waits
	// until the batch is durable; the next Append may run meanwhile. An
	// error stands for all of the batch.
	Append func(ctx context.Context, commits []Commit) ([]Outcome, func() error, error)
	// MaxBatch is the most commits in a batch.
	MaxBatch int

	mu      sync.Mutex
	queue   []*pending
	running bool
	idle    sync.WaitGroup
}

type pending struct {
	commit Commit
	done   chan result
}

type result struct {
	entry Entry
	err   error
}

// Do commits through the pipeline. If ctx ends while the commit still waits
// for its turn, it is taken out and does not happen.
func (p *Pipeline) Do(ctx context.Context, c Commit) (Entry, error) {
	if err := ctx.Err(); err != nil {
		return Entry{}, err
	}
	mine := &pending{commit: c, done: make(chan result, 1)}
	p.mu.Lock()
	p.queue = append(p.queue, mine)
	if !p.running {
		p.running = true
		p.idle.Add(1)
		go p.run()
	}
	p.mu.Unlock()

	select {
	case r := <-mine.done:
		return r.entry, r.err
	case <-ctx.Done():
		p.withdraw(mine)
		select {
		case r := <-mine.done:
			return r.entry, r.err
		default:
			return Entry{}, ctx.Err()
		}
	}
}

// Wait returns when no commit is under way.
func (p *Pipeline) Wait() { p.idle.Wait() }

func (p *Pipeline) withdraw(mine *pending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, q := range p.queue {
		if q == mine {
			p.queue = append(p.queue[:i], p.queue[i+1:]...)
			return
		}
	}
}

// run appends batches until the queue is empty. It uses no caller's context:
// one caller who goes away must not fail the others of a batch.
func (p *Pipeline) run() {
	defer p.idle.Done()
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.running = false
			p.mu.Unlock()
			return
		}
		n := min(len(p.queue), p.MaxBatch)
		taken := append([]*pending(nil), p.queue[:n]...)
		p.queue = append(p.queue[:0], p.queue[n:]...)
		p.mu.Unlock()

		commits := make([]Commit, n)
		for i, q := range taken {
			commits[i] = q.commit
		}
		outcomes, wait, err := p.Append(context.Background(), commits)
		if err != nil {
			for _, q := range taken {
				q.done <- result{err: err}
			}
			continue
		}
		p.requeue(taken, outcomes)
		if wait == nil {
			deliver(taken, outcomes, nil)
			continue
		}
		p.idle.Add(1)
		go func() {
			defer p.idle.Done()
			deliver(taken, outcomes, wait())
		}()
	}
}

// requeue puts commits that must be planned again in front.
func (p *Pipeline) requeue(taken []*pending, outcomes []Outcome) {
	var again []*pending
	for i, o := range outcomes {
		if o.Later {
			again = append(again, taken[i])
		}
	}
	if len(again) > 0 {
		p.mu.Lock()
		p.queue = append(again, p.queue...)
		p.mu.Unlock()
	}
}

func deliver(taken []*pending, outcomes []Outcome, err error) {
	for i, o := range outcomes {
		switch {
		case o.Later:
		case o.Err != nil:
			taken[i].done <- result{err: o.Err}
		case err != nil:
			taken[i].done <- result{err: err}
		default:
			taken[i].done <- result{entry: o.Entry}
		}
	}
}
