package server_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/internal/exchange"
	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
)

const adminToken = "an-administrator-of-this-test"

// signed is a JWT as a client makes it.
func signed(t *testing.T, key crypto.Signer, header, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(header) + "." + part(claims)
	sum := sha512.Sum384([]byte(text))
	var mac []byte
	var err error
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, e := ecdsa.Sign(rand.Reader, key, sum[:])
		mac, err = append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...), e
	default:
		mac, err = key.Sign(rand.Reader, sum[:], crypto.SHA384)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(mac)
}

func (r *running) token(form url.Values) answer {
	return r.send("POST", "/v2/auth/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func assertionForm(jwt string) url.Values {
	return url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {jwt},
	}
}

func TestTokensBySignedAssertion(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		c.Sandbox, c.AdminToken = false, adminToken
		r := start(t, c)
		r.auth = adminToken
		r.want(r.send("POST", "/organizations", `{"id":"clinic","name":"Clinic"}`), http.StatusCreated)
		staging := exchange.DefaultSourceID(tenant.Of("clinic", "Staging"))
		production := exchange.DefaultSourceID(tenant.Of("clinic", "Production"))

		key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		given, err := json.Marshal(map[string]string{
			"clientId": "app", "kid": "k1", "publicKey": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		})
		if err != nil {
			t.Fatal(err)
		}
		clients := "/exchange/clinic/Staging/sources/" + staging + "/clients"
		r.want(r.send("POST", clients, string(given)), http.StatusOK, `"clientId":"app"`)
		r.want(r.send("POST", clients, `{"clientId":"app"}`), http.StatusBadRequest, "publicKey")
		r.want(r.send("POST", "/exchange/clinic/Production/sources/"+production+"/clients", string(given)), http.StatusBadRequest, "another environment")
		r.auth = ""

		now := time.Now()
		claims := func(change map[string]any) map[string]any {
			m := map[string]any{
				"iss": "app", "sub": "app", "aud": r.url + "/v2/auth/token", "iat": now.Unix(), "exp": now.Add(4 * time.Minute).Unix(), "jti": uuid.NewString(),
			}
			for k, v := range change {
				m[k] = v
			}
			return m
		}
		header := map[string]any{"alg": "ES384", "typ": "JWT", "kid": "k1"}
		good := signed(t, key, header, claims(nil))
		got := decoded(t, r.want(r.token(assertionForm(good)), http.StatusOK, `"token_type":"Bearer"`, `"expires_in":300`))
		r.auth = text(at(got, "access_token"))

		message := string(shipped(t, "Scheduling", "New"))
		message = edited(t, []byte(message), nil, "Meta", "Source")
		r.want(r.send("POST", "/endpoint", edited(t, []byte(message), nil, "Meta", "Destinations")), http.StatusOK)
		r.want(r.send("POST", "/endpoint", message, "Redox-Source-Id", production), http.StatusForbidden)
		r.want(r.send("GET", "/exchange/clinic/Staging/sources", ""), http.StatusUnauthorized)
		r.auth = "no-token"
		r.want(r.send("POST", "/endpoint", message), http.StatusUnauthorized, "Invalid access token")
		r.auth = ""

		other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		without := func(name string) url.Values {
			f := assertionForm(good)
			f.Del(name)
			return f
		}
		replaced := func(name, value string) url.Values {
			f := assertionForm(good)
			f.Set(name, value)
			return f
		}
		by := func(change map[string]any) url.Values { return assertionForm(signed(t, key, header, claims(change))) }
		for _, c := range []struct {
			rule, text string
			form       url.Values
			status     int
		}{
			{"an assertion opens once", "Unexpected jti claim value", assertionForm(good), 401},
			{"grant_type is required", "Missing grant_type parameter", without("grant_type"), 400},
			{"grant_type is one", "The grant_type parameter should equal 'client_credentials'", replaced("grant_type", "password"), 400},
			{"the type is required", "Missing client assertion type", without("client_assertion_type"), 400},
			{"the type is one", "Invalid client assertion type", replaced("client_assertion_type", "x"), 400},
			{"the assertion is required", "Missing client assertion", without("client_assertion"), 400},
			{"the assertion is a JWT", "Invalid client assertion", replaced("client_assertion", "a.b"), 400},
			{"kid is required", "JWT header kid property is required", assertionForm(signed(t, key, map[string]any{"alg": "ES384"}, claims(nil))), 400},
			{"kid names a key", "Public key not found", assertionForm(signed(t, key, map[string]any{"alg": "ES384", "kid": "k2"}, claims(nil))), 401},
			{"the client is known", "Public key not found", by(map[string]any{"iss": "nobody", "sub": "nobody"}), 401},
			{"the key signed it", "signature", assertionForm(signed(t, other, header, claims(nil))), 401},
			{"alg is not none", "signature", assertionForm(signed(t, key, map[string]any{"alg": "none", "kid": "k1"}, claims(nil))), 401},
			{"sub is iss", "Unexpected sub claim value", by(map[string]any{"sub": "x"}), 401},
			{"aud is here", "Unexpected aud claim value", by(map[string]any{"aud": "https://elsewhere/v2/auth/token"}), 401},
			{"iat is lately", "Unexpected iat claim value", by(map[string]any{"iat": now.Add(-6 * time.Minute).Unix()}), 401},
			{"iat is not to come", "Unexpected iat claim value", by(map[string]any{"iat": now.Add(time.Minute).Unix()}), 401},
			{"exp is not over", "Unexpected exp claim value", by(map[string]any{"exp": now.Add(-time.Minute).Unix()}), 401},
			{"exp is soon", "Unexpected exp claim value", by(map[string]any{"exp": now.Add(time.Hour).Unix()}), 401},
			{"jti is required", "Unexpected jti claim value", by(map[string]any{"jti": ""}), 401},
		} {
			a := r.token(c.form)
			if v := decoded(t, a); a.status != c.status || text(at(v, "error")) != "invalid_request" {
				t.Errorf("%s: %d %s", c.rule, a.status, a.body)
			}
			r.want(a, c.status, c.text)
		}
		r.want(r.send("POST", "/v2/auth/token", "{}", "Content-Type", "application/json"), http.StatusBadRequest, "x-www-form-urlencoded content-type required")
	})
}

// A JWKS URL goes before a key, and a key that is put there later is found.
func TestTokensByJWKS(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "kid": "r1", "alg": "RS384", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": "AQAB",
		}}})
	}))
	defer keys.Close()
	source := exchange.DefaultSourceID(tenant.Of("sandbox", "Development"))
	r.want(r.send("POST", admin+"/sources/"+source+"/clients", `{"clientId":"app","jwksUrl":"`+keys.URL+`"}`), http.StatusOK)
	now := time.Now()
	claims := map[string]any{"iss": "app", "sub": "app", "aud": []string{r.url + "/v2/auth/token"}, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": "1"}
	r.want(r.token(assertionForm(signed(t, key, map[string]any{"alg": "RS384", "kid": "r1"}, claims))), http.StatusOK, "access_token")
	r.want(r.token(assertionForm(signed(t, key, map[string]any{"alg": "RS384", "kid": "r2"}, claims))), http.StatusUnauthorized, "Public key not found")
}
