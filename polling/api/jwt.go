package api

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
	"errors"
	"fmt"
	"time"
)

// signer signs client assertions with RS384 or ES384, the two algorithms that
// SMART Backend Services asks clients for.
type signer struct {
	key   crypto.Signer
	keyID string
}

// newSigner reads a private key in PEM: PKCS #8, PKCS #1 or SEC 1.
func newSigner(text, keyID string) (*signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the private key is not PEM")
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, errors.New("the private key cannot be read")
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < 2048 {
			return nil, errors.New("the private key has fewer than 2048 bits")
		}
		return &signer{k, keyID}, nil
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P384() {
			return nil, errors.New("the private key is on another curve than P-384")
		}
		return &signer{k, keyID}, nil
	}
	return nil, errors.New("the private key is neither RSA nor ECDSA")
}

// assertionLife is how long an assertion is good: SMART allows five minutes.
const assertionLife = 4 * time.Minute

// assertion is a signed JWT that says who asks for a token (RFC 7523 §3).
func (s *signer) assertion(clientID, audience, id string, now time.Time) (string, error) {
	header := map[string]string{"alg": "RS384", "typ": "JWT"}
	if _, ok := s.key.(*ecdsa.PrivateKey); ok {
		header["alg"] = "ES384"
	}
	if s.keyID != "" {
		header["kid"] = s.keyID
	}
	claims := map[string]any{
		"iss": clientID, "sub": clientID, "aud": audience, "jti": id,
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	}
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	sum := sha512.Sum384([]byte(signed))
	var signature []byte
	switch k := s.key.(type) {
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA384, sum[:])
	case *ecdsa.PrivateKey:
		// RFC 7518 §3.4: r and s side by side, 48 bytes each.
		r, t, e := ecdsa.Sign(rand.Reader, k, sum[:])
		if err = e; err == nil {
			signature = make([]byte, 96)
			r.FillBytes(signature[:48])
			t.FillBytes(signature[48:])
		}
	default:
		err = fmt.Errorf("a key of type %T", k)
	}
	if err != nil {
		return "", errors.New("the client assertion cannot be signed")
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
