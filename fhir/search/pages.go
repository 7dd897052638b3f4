package search

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// PageTokens writes and reads the opaque places in page links. A token is
// sealed for the tenant and for the search that it continues, so that it
// cannot be carried to another; and it is encrypted, since a place holds
// values of a resource (the name that a search is sorted by) and links end up
// in logs.
type PageTokens struct{ Key []byte }

// place is a token's content. Keys are bytes, nil where a sort key is missing.
type place struct {
	Number int64    `json:"n"`
	Keys   [][]byte `json:"k,omitempty"`
}

// Next is the parameter that continues r behind a place.
func (t PageTokens) Next(r *Request, c store.Cursor) Parameter {
	p := place{Number: c.Number}
	for _, k := range c.Keys {
		if k == nil {
			p.Keys = append(p.Keys, nil)
		} else {
			p.Keys = append(p.Keys, []byte("k"+*k))
		}
	}
	content, _ := json.Marshal(p) // numbers and bytes: cannot fail
	return Parameter{pageParameter, t.Seal(content, r.scope, r.Applied)}
}

func (t PageTokens) open(token string, r *Request) (*store.Cursor, error) {
	var p place
	content, ok := t.Open(token, r.scope, r.Applied)
	if !ok || json.Unmarshal(content, &p) != nil || len(p.Keys) != len(r.Sort) {
		return nil, outcome.BadRequest(outcome.CodeValue,
			"The page link does not belong to this search. Start the search again without %s.", pageParameter)
	}
	c := &store.Cursor{Number: p.Number}
	for _, k := range p.Keys {
		if len(k) == 0 {
			c.Keys = append(c.Keys, nil)
			continue
		}
		s := string(k[1:])
		c.Keys = append(c.Keys, &s)
	}
	return c, nil
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
