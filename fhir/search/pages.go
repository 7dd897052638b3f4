package search

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// PageTokens writes and reads the opaque places in page links. A token is
// bound by a MAC to the tenant and to the search that it continues, so that it
// cannot be carried to another.
type PageTokens struct{ Key []byte }

// place is a token's content. Keys are bytes, nil where a sort key is missing.
type place struct {
	Number int64    `json:"n"`
	Keys   [][]byte `json:"k,omitempty"`
}

const macSize = 16

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
	payload, _ := json.Marshal(p) // numbers and bytes: cannot fail
	return Parameter{pageParameter, base64.RawURLEncoding.EncodeToString(append(t.mac(r, payload), payload...))}
}

func (t PageTokens) mac(r *Request, payload []byte) []byte {
	h := hmac.New(sha256.New, t.Key)
	bind, _ := json.Marshal([]any{r.scope, r.Type, r.Applied})
	h.Write(bind)
	h.Write(payload)
	return h.Sum(nil)[:macSize]
}

func (t PageTokens) open(token string, r *Request) (*store.Cursor, error) {
	bad := outcome.New(http.StatusBadRequest, outcome.CodeValue,
		"The page link does not belong to this search. Start the search again without %s.", pageParameter)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < macSize || !hmac.Equal(raw[:macSize], t.mac(r, raw[macSize:])) {
		return nil, bad
	}
	var p place
	if err := json.Unmarshal(raw[macSize:], &p); err != nil || len(p.Keys) != len(r.Sort) {
		return nil, bad
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
