package auth

import (
	"testing"
	"time"
)

// No text makes a JWT that a key has not signed, or breaks the reader.
func FuzzParseAssertion(f *testing.F) {
	f.Add("eyJhbGciOiJFUzM4NCIsImtpZCI6ImsifQ.eyJpc3MiOiJhIiwic3ViIjoiYSIsImF1ZCI6WyJ4Il0sImlhdCI6MWU5OSwiZXhwIjotMX0.AAAA")
	f.Add("..")
	f.Add("a.b.c.d")
	key, err := JWK{
		KeyType: "EC", Curve: "P-384",
		X: "qofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3",
		Y: "NhfeSpYmLG9dnpi_kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f",
	}.public()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, ok := parseAssertion(text)
		if !ok {
			return
		}
		a.claims.wrong([]string{"x"}, time.Unix(0, 0))
		if a.signedBy(key) {
			t.Error("a text is signed by a key that nobody has")
		}
	})
}

func TestKeysThatAreRefused(t *testing.T) {
	for rule, k := range map[string]JWK{
		"a point on the curve": {KeyType: "EC", Curve: "P-384", X: "AQ", Y: "AQ"},
		"P-384 alone":          {KeyType: "EC", Curve: "P-256", X: "AQ", Y: "AQ"},
		"2048 bits or more":    {KeyType: "RSA", N: "AQAB", E: "AQAB"},
		"no symmetric keys":    {KeyType: "oct"},
		"coordinates that fit": {KeyType: "EC", Curve: "P-384", X: "_____________________________________________________________________________________w", Y: "AQ"},
	} {
		if _, err := k.public(); err == nil {
			t.Errorf("%s: the key was taken", rule)
		}
	}
}
