package store

import (
	"context"
	"slices"
	"time"
)

// State is what planning needs to know of a document's current version.
type State struct {
	Number, Version int64
	Deleted         bool
}

// View is the state of one tenant with every entry of its log applied.
type View interface {
	// States returns the current versions of those refs that exist.
	States(ctx context.Context, refs []Ref) (map[Ref]State, error)
	// Find returns at most limit documents that where selects.
	Find(ctx context.Context, where Clause, limit int) ([]Ref, error)
}

// Write is one version to be stored.
type Write struct {
	Ref     Ref
	Number  int64
	Version int64
	Method  Method
	Body    []byte
	// Keys are sorted and without duplicates; nil for a delete.
	Keys []Key
	// Replaces is the version that this one replaces; 0 for none.
	Replaces int64
}

// Outcome is what planning decided about one commit of a batch: an error, an
// entry with its writes, or (Later) that it must be planned again on top of
// what this batch writes.
type Outcome struct {
	Entry  Entry
	Writes []Write
	Err    error
	Later  bool
}

// Planner decides what commits become. Engines share it.
type Planner struct {
	// MaxBody is the largest body in bytes; 0 for no limit.
	MaxBody int
}

// Plan decides, in order, which of the commits can be appended behind head
// and what each writes. A commit sees what those before it in the batch
// write. An error of the view is returned as it is and nothing is decided.
func (p Planner) Plan(ctx context.Context, view View, head int64, now time.Time, commits []Commit) ([]Outcome, error) {
	b := batch{view: view, head: head, now: now.UTC().Truncate(time.Millisecond), maxBody: p.MaxBody}
	if err := b.load(ctx, commits); err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(commits))
	for i := range commits {
		var err error
		if outcomes[i], err = b.plan(ctx, &commits[i]); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// batch is the state of the view with the batch's own writes laid over it.
type batch struct {
	view    View
	head    int64
	now     time.Time
	maxBody int
	states  map[Ref]State
	written map[Ref][]Key // keys of what this batch wrote; nil for a delete
}

func (b *batch) load(ctx context.Context, commits []Commit) error {
	var refs []Ref
	seen := map[Ref]struct{}{}
	for i := range commits {
		for _, ch := range commits[i].Changes {
			if _, ok := seen[ch.Ref]; !ok {
				seen[ch.Ref] = struct{}{}
				refs = append(refs, ch.Ref)
			}
		}
	}
	var err error
	b.states, err = b.view.States(ctx, refs)
	b.written = map[Ref][]Key{}
	return err
}

func (b *batch) plan(ctx context.Context, c *Commit) (Outcome, error) {
	for i, g := range c.Guards {
		if len(b.written) > 0 && hasSubquery(g.Where) {
			return Outcome{Later: true}, nil
		}
		found, err := b.find(ctx, g)
		if err != nil {
			return Outcome{}, err
		}
		if !sameRefs(found, g.Matches) {
			return Outcome{Err: &GuardError{Index: i, Found: found}}, nil
		}
	}
	seq := b.head + 1
	out := Outcome{Entry: Entry{Time: b.now, Source: c.Source, Event: c.Event, Info: c.Info}}
	for _, ch := range c.Changes {
		state, exists := b.states[ch.Ref]
		live := exists && !state.Deleted
		if !ch.Expect.holds(live, state.Version) {
			e := &ConflictError{Ref: ch.Ref}
			if live {
				e.Current = state.Version
			}
			return Outcome{Err: e}, nil
		}
		if ch.Render == nil && !live {
			continue
		}
		w := Write{Ref: ch.Ref, Number: state.Number, Version: state.Version + 1, Replaces: state.Version, Method: Update}
		if !exists {
			w.Number = NumberOf(seq, len(out.Writes))
		}
		switch {
		case ch.Render == nil:
			w.Method = Delete
		case !live:
			w.Method = Create
		}
		if ch.Render != nil {
			content := ch.Render(Stamp{Version: w.Version, Time: b.now})
			if b.maxBody > 0 && len(content.Body) > b.maxBody {
				return Outcome{Err: ErrTooLarge}, nil
			}
			if err := checkKeys(content.Keys); err != nil {
				return Outcome{Err: err}, nil //nolint:nilerr // refuses this commit; the batch goes on
			}
			w.Body, w.Keys = content.Body, SortKeys(content.Keys)
		}
		out.Writes = append(out.Writes, w)
		out.Entry.Changes = append(out.Entry.Changes, EntryChange{Ref: ch.Ref, Version: w.Version, Method: w.Method})
	}
	if len(out.Writes) == 0 {
		return out, nil
	}
	out.Entry.Seq = seq
	b.head = seq
	for _, w := range out.Writes {
		b.states[w.Ref] = State{Number: w.Number, Version: w.Version, Deleted: w.Method == Delete}
		b.written[w.Ref] = w.Keys
	}
	return out, nil
}

// find is the view's answer corrected by what the batch wrote.
func (b *batch) find(ctx context.Context, g Guard) ([]Ref, error) {
	found, err := b.view.Find(ctx, g.Where, len(g.Matches)+len(b.written)+3)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(r Ref) bool { _, ok := b.written[r]; return ok })
	for ref, keys := range b.written {
		if keys != nil && MatchKeys(g.Where, keys) {
			found = append(found, ref)
		}
	}
	return found, nil
}

func (e Expect) holds(live bool, version int64) bool {
	switch e.kind {
	case expectAbsent:
		return !live
	case expectVersion:
		return live && version == e.version
	}
	return true
}

func sameRefs(a, b []Ref) bool {
	if len(a) != len(b) {
		return false
	}
	for _, r := range a {
		if !slices.Contains(b, r) {
			return false
		}
	}
	return true
}

func hasSubquery(c Clause) bool {
	switch c := c.(type) {
	case And:
		return slices.ContainsFunc(c, hasSubquery)
	case Or:
		return slices.ContainsFunc(c, hasSubquery)
	case Not:
		return hasSubquery(c.Clause)
	case Refers, ReferredBy:
		return true
	}
	return false
}
