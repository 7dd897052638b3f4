package crashtest

import (
	"fmt"
	"net/http"
	"regexp"
	"sync"
)

// fate is what is known of a write.
type fate uint8

const (
	// unknown: no answer arrived. It happened or it did not.
	unknown fate = iota
	acknowledged
	refused
	// gone: it got no answer, and was not there after the next start. It must
	// never turn up any more.
	gone
)

// anyVersion is the base of a write without a precondition.
const anyVersion = -1

// write is one write of one resource.
type write struct {
	// token is in the body, as an identifier by which it is found; of a
	// delete it is in no body.
	token string
	// ref is "Type/id"; "" when the server gives the id.
	ref string
	// base is the version that it replaces; 0 for none, or anyVersion.
	base int64
	body []byte // as sent; nil for a delete
	fate fate
	// version and ref are the answer's once it is acknowledged.
	version int64
	// seen is where the history has it.
	seen *version
	unit *unit
}

// unit is a set of writes that happen together or not at all.
type unit struct {
	writes []*write
	// message is the text's token of a Redox message, whose resources the
	// server makes: one of each of these types holds it.
	message string
	makes   []string
	record  string // the id of the message's record, from the answer
	made    []*version
	fate    fate
}

// book keeps what was asked and what was answered.
type book struct {
	mu       sync.Mutex
	tokens   map[string]*write
	messages map[string]*unit
	deletes  map[string][]*write // of a ref
	open     []*unit             // not yet compared with the history
	n        int
	counts   map[fate]int
}

func newBook() *book {
	return &book{tokens: map[string]*write{}, messages: map[string]*unit{}, deletes: map[string][]*write{}, counts: map[fate]int{}}
}

// tokenForm is how a token looks wherever it occurs in a body.
var tokenForm = regexp.MustCompile(`crash-[0-9]+`)

func (b *book) token() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	return fmt.Sprintf("crash-%d", b.n)
}

// ask notes writes before they are sent.
func (b *book) ask(u *unit) *unit {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range u.writes {
		w.unit = u
		if w.body == nil {
			b.deletes[w.ref] = append(b.deletes[w.ref], w)
		} else {
			b.tokens[w.token] = w
		}
	}
	if u.message != "" {
		b.messages[u.message] = u
	}
	b.open = append(b.open, u)
	return u
}

// answered notes what a unit got. A server's fault says nothing of whether it
// happened; a refusal says that it did not.
func (b *book) answered(u *unit, status int, err error) fate {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil || status >= http.StatusInternalServerError:
		u.fate = unknown
	case status >= http.StatusBadRequest:
		u.fate = refused
	default:
		u.fate = acknowledged
	}
	for _, w := range u.writes {
		w.fate = u.fate
	}
	b.counts[u.fate]++
	return u.fate
}

// takeOpen are the units asked since the last call.
func (b *book) takeOpen() []*unit {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.open
	b.open = nil
	return out
}

func (b *book) count(f fate) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts[f]
}

// more reports whether at least n writes were acknowledged.
func (b *book) more(n int) error {
	if got := b.count(acknowledged); got < n {
		return fmt.Errorf("%d acknowledged of %d", got, n)
	}
	return nil
}

func (b *book) summary() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%d acknowledged, %d refused, %d without an answer", b.counts[acknowledged], b.counts[refused], b.counts[unknown])
}
