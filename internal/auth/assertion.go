package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"time"
)

// assertion is a signed JWT (RFC 7515, RFC 7519, RFC 7523) as it was read.
type assertion struct {
	alg, kid string
	claims   claims
	signed   []byte // header.payload
	mac      []byte
}

type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	IssuedAt *float64 `json:"iat"`
	Expires  *float64 `json:"exp"`
	ID       string   `json:"jti"`
}

// audience is a text or a list of texts (RFC 7519 §4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// maxAssertion is the longest assertion in bytes.
const maxAssertion = 16 << 10

// parseAssertion reads a JWT; ok is false for what is none.
func parseAssertion(s string) (a assertion, ok bool) {
	parts := strings.Split(s, ".")
	if len(s) > maxAssertion || len(parts) != 3 {
		return a, false
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return a, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return a, false
	}
	if a.mac, err = base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		return a, false
	}
	var h struct {
		Alg  string   `json:"alg"`
		Kid  string   `json:"kid"`
		Crit []string `json:"crit"`
	}
	if json.Unmarshal(header, &h) != nil || json.Unmarshal(payload, &a.claims) != nil || len(h.Crit) > 0 {
		return a, false
	}
	a.alg, a.kid, a.signed = h.Alg, h.Kid, []byte(parts[0]+"."+parts[1])
	return a, true
}

// signedBy reports whether a key made the signature.
func (a assertion) signedBy(key crypto.PublicKey) bool {
	sum := sha512.Sum384(a.signed)
	switch key := key.(type) {
	case *rsa.PublicKey:
		return a.alg == "RS384" && rsa.VerifyPKCS1v15(key, crypto.SHA384, sum[:], a.mac) == nil
	case *ecdsa.PublicKey:
		if a.alg != "ES384" || len(a.mac) != 2*coordinate { // RFC 7518 §3.4
			return false
		}
		return ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(a.mac[:coordinate]), new(big.Int).SetBytes(a.mac[coordinate:]))
	}
	return false
}

// Times of an assertion (Redox: OAuth API keys): it was made in the past five
// minutes and ends within five; a clock may be ten seconds ahead.
const (
	assertionLife = 5 * time.Minute
	assertionSkew = 10 * time.Second
)

// wrong names the claim that is not as it must be; "" when all are.
func (c claims) wrong(tokenURLs []string, now time.Time) string {
	switch {
	case c.Issuer == "":
		return "iss"
	case c.Subject != c.Issuer:
		return "sub"
	case !c.Audience.any(tokenURLs):
		return "aud"
	case c.ID == "" || len(c.ID) > 255:
		return "jti"
	case c.IssuedAt == nil || unix(*c.IssuedAt).After(now.Add(assertionSkew)) || unix(*c.IssuedAt).Before(now.Add(-assertionLife-assertionSkew)):
		return "iat"
	case c.Expires == nil || unix(*c.Expires).Before(now.Add(-assertionSkew)) || unix(*c.Expires).After(now.Add(assertionLife+assertionSkew)):
		return "exp"
	}
	return ""
}

// farthest keeps times in the range of time.Time.
const farthest = 1e11

func unix(s float64) time.Time {
	return time.Unix(int64(max(-farthest, min(s, farthest))), 0)
}

func (a audience) any(of []string) bool {
	for _, want := range of {
		for _, got := range a {
			if got == want {
				return true
			}
		}
	}
	return false
}
