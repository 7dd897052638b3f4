package search

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// PageTokens writes and reads the opaque places in page links. A token is
// sealed for the tenant and for the search that it continues, so that it
// cannot be carried to another; and it is encrypted, since a place holds
// values of a resource (the name that a search is sorted by) and links end up
// in logs.
type PageTokens struct{ Key []byte }

// place is a cursor in a token. Keys are bytes, nil where a sort key is missing.
type place struct {
	Number int64    `json:"n"`
	Keys   [][]byte `json:"k,omitempty"`
}

// pageToken is a token's content: where its page begins, and where those
// before it do.
type pageToken struct {
	place
	// Page counts from the first; a token is for the second or a later one.
	Page int `json:"p"`
	// Trail are the places of the pages from the second to the one before,
	// or of the last of them (see maxTrail).
	Trail []place `json:"t,omitempty"`
}

// maxTrail bounds the bytes of sort keys in a trail: links stay short, and
// going back ends somewhere.
const maxTrail = 1500

// Next is the parameter that continues r behind a place.
func (t PageTokens) Next(r *Request, c store.Cursor) Parameter {
	to := pageToken{place: placeOf(c), Page: r.page + 1, Trail: slices.Clone(r.trail)}
	if r.After != nil {
		to.Trail = append(to.Trail, placeOf(*r.After))
	}
	size := 0
	for i := range slices.Backward(to.Trail) {
		if size += to.Trail[i].size(); size > maxTrail {
			to.Trail = to.Trail[i+1:]
			break
		}
	}
	return t.parameter(r, to)
}

// Previous is the parameter of the page before r's: none, and ok, when that is
// the first one; not ok when r is the first or its trail does not go back.
func (t PageTokens) Previous(r *Request) (back []Parameter, ok bool) {
	switch n := len(r.trail); {
	case r.page == 2:
		return nil, true
	case r.page > 2 && n > 0:
		return []Parameter{t.parameter(r, pageToken{place: r.trail[n-1], Page: r.page - 1, Trail: r.trail[:n-1]})}, true
	}
	return nil, false
}

func (t PageTokens) parameter(r *Request, p pageToken) Parameter {
	content, _ := json.Marshal(p) // numbers and bytes: cannot fail
	return Parameter{pageParameter, t.Seal(content, r.scope, r.Applied)}
}

// open reads a token into the search that it continues.
func (t PageTokens) open(token string, r *Request) error {
	content, ok := t.Open(token, r.scope, r.Applied)
	var p pageToken
	sorts := len(r.Sort)
	if len(r.Branches) > 0 {
		sorts = len(r.Branches[0].Sort)
	}
	if r.Contained != nil {
		sorts = 1
	}
	if !ok || json.Unmarshal(content, &p) != nil || p.Page < 2 || len(p.Keys) != sorts && (len(r.Along) == 0 || len(p.Keys) != 1) {
		return outcome.BadRequest(outcome.CodeValue, "The page link (_page) does not belong to this search. Start again with its first page.")
	}
	r.After, r.page, r.trail = p.cursor(), p.Page, p.Trail
	return nil
}

func placeOf(c store.Cursor) place {
	p := place{Number: c.Number}
	for _, k := range c.Keys {
		if k == nil {
			p.Keys = append(p.Keys, nil)
		} else {
			p.Keys = append(p.Keys, []byte("k"+*k))
		}
	}
	return p
}

func (p place) cursor() *store.Cursor {
	c := &store.Cursor{Number: p.Number}
	for _, k := range p.Keys {
		if len(k) == 0 {
			c.Keys = append(c.Keys, nil)
			continue
		}
		s := string(k[1:])
		c.Keys = append(c.Keys, &s)
	}
	return c
}

func (p place) size() int {
	n := 16
	for _, k := range p.Keys {
		n += len(k)
	}
	return n
}

// Seal makes a token that only Open with the same scope opens.
func (t PageTokens) Seal(content []byte, scope ...any) string {
	aead, bind := t.cipher(scope)
	// The nonce is made from what is sealed, so equal nonces mean equal
	// tokens; no source of randomness is needed.
	nonce := t.mac("nonce", append(bind, content...))[:aead.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, content, bind))
}

// Open returns what was sealed in a token of this scope.
func (t PageTokens) Open(token string, scope ...any) (content []byte, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	aead, bind := t.cipher(scope)
	if err != nil || len(sealed) < aead.NonceSize() {
		return nil, false
	}
	content, err = aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], bind)
	return content, err == nil
}

func (t PageTokens) cipher(scope []any) (aead cipher.AEAD, bind []byte) {
	block, _ := aes.NewCipher(t.mac("encryption", nil)) // 32 bytes: cannot fail
	aead, _ = cipher.NewGCM(block)                      // a standard block: cannot fail
	bind, _ = json.Marshal(scope)                       // names and values: cannot fail
	return aead, bind
}

func (t PageTokens) mac(purpose string, data []byte) []byte {
	h := hmac.New(sha256.New, t.Key)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(data)
	return h.Sum(nil)
}
