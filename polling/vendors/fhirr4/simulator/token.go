package simulator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"

	"github.com/fhirfacade/fhirfacade/polling/vendors/simulate"
)

// ErrNoSuch: the server has no such resource.
var ErrNoSuch = simulate.ErrNoSuch

// token answers POST /token (RFC 6749 §4 and §6, RFC 7523 §2.2).
func (s *Simulator) token(w http.ResponseWriter, r *http.Request) {
	s.Serve(w, r, "POST token", "token", func(w http.ResponseWriter, r *http.Request, _ string) {
		id, secret, basic := r.BasicAuth()
		if !basic {
			id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
		}
		ok := id == s.o.ClientID && secret == s.o.ClientSecret
		switch r.PostFormValue("grant_type") {
		case "client_credentials":
			if assertion := r.PostFormValue("client_assertion"); assertion != "" {
				ok = r.PostFormValue("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" && s.asserts(assertion, base(r)+"/token")
			}
		case "password":
			ok = id == s.o.ClientID && r.PostFormValue("username") != "" && r.PostFormValue("password") == s.o.ClientSecret
		case "refresh_token":
			ok = ok && r.PostFormValue("refresh_token") != ""
		default:
			simulate.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
			return
		}
		if !ok {
			simulate.WriteJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
			return
		}
		simulate.WriteJSON(w, http.StatusOK, map[string]any{"access_token": s.Issue(s.o.TokenLife), "token_type": "bearer", "expires_in": int(s.o.TokenLife.Seconds())})
	})
}

// asserts checks a client assertion (RFC 7523 §3).
func (s *Simulator) asserts(jwt, audience string) bool {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return false
	}
	var header struct {
		Alg string `json:"alg"`
	}
	var claims struct {
		Iss, Sub, Aud, Jti string
		Exp                int64
	}
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			return false
		}
	}
	now := s.Now().Unix()
	if claims.Iss != s.o.ClientID || claims.Sub != s.o.ClientID || claims.Aud != audience || claims.Jti == "" || claims.Exp <= now || claims.Exp > now+300 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) == 0 {
		return false
	}
	if s.o.PublicKey == "" {
		return true
	}
	block, _ := pem.Decode([]byte(s.o.PublicKey))
	if block == nil {
		return false
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return false
	}
	sum := sha512.Sum384([]byte(parts[0] + "." + parts[1]))
	switch k := key.(type) {
	case *rsa.PublicKey:
		return header.Alg == "RS384" && rsa.VerifyPKCS1v15(k, crypto.SHA384, sum[:], signature) == nil
	case *ecdsa.PublicKey:
		return header.Alg == "ES384" && len(signature) == 96 &&
			ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(signature[:48]), new(big.Int).SetBytes(signature[48:]))
	}
	return false
}
