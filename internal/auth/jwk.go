package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
)

// JWK is a public key (RFC 7517): RSA for RS384, P-384 for ES384.
type JWK struct {
	KeyType string `json:"kty"`
	KeyID   string `json:"kid,omitempty"`
	Use     string `json:"use,omitempty"`
	Alg     string `json:"alg,omitempty"`
	N       string `json:"n,omitempty"`
	E       string `json:"e,omitempty"`
	Curve   string `json:"crv,omitempty"`
	X       string `json:"x,omitempty"`
	Y       string `json:"y,omitempty"`
}

// errKey: a key that no assertion can be checked by.
var errKey = errors.New("must be an RSA key of 2048 bits or more, or an EC key on P-384")

// minRSA is the least size of an RSA key in bits (RFC 7518 §3.3).
const minRSA = 2048

// coordinate is the size of a coordinate on P-384 in bytes.
const coordinate = 48

func decode(s string) *big.Int {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return new(big.Int).SetBytes(b)
}

// public is the key, *rsa.PublicKey or *ecdsa.PublicKey.
func (k JWK) public() (crypto.PublicKey, error) {
	switch k.KeyType {
	case "RSA":
		n, e := decode(k.N), decode(k.E)
		if n == nil || e == nil || n.BitLen() < minRSA || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
			return nil, errKey
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
	case "EC":
		x, y := decode(k.X), decode(k.Y)
		if k.Curve != "P-384" || x == nil || y == nil {
			return nil, errKey
		}
		if x.BitLen() > 8*coordinate || y.BitLen() > 8*coordinate {
			return nil, errKey
		}
		point := make([]byte, 1+2*coordinate)
		point[0] = 4 // uncompressed (SEC 1 §2.3.3)
		x.FillBytes(point[1 : 1+coordinate])
		y.FillBytes(point[1+coordinate:])
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P384(), point)
		if err != nil {
			return nil, errKey // not on the curve
		}
		return key, nil
	}
	return nil, errKey
}

// fromPEM is the JWK of a PEM public key or certificate.
func fromPEM(text string) (JWK, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return JWK{}, errKey
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		return JWK{}, errKey // a private key is not to be sent here
	}
	if err != nil {
		return JWK{}, errKey
	}
	encode := base64.RawURLEncoding.EncodeToString
	switch key := key.(type) {
	case *rsa.PublicKey:
		return JWK{KeyType: "RSA", N: encode(key.N.Bytes()), E: encode(big.NewInt(int64(key.E)).Bytes())}, nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P384() {
			return JWK{}, errKey
		}
		point, err := key.Bytes()
		if err != nil {
			return JWK{}, errKey
		}
		half := (len(point) - 1) / 2
		return JWK{KeyType: "EC", Curve: "P-384", X: encode(point[1 : 1+half]), Y: encode(point[1+half:])}, nil
	}
	return JWK{}, errKey
}

// keyID is the key's name of RFC 7638, for keys that were given without one.
func (k JWK) keyID() string {
	members := map[string]string{"kty": k.KeyType}
	if k.KeyType == "RSA" {
		members["n"], members["e"] = k.N, k.E
	} else {
		members["crv"], members["x"], members["y"] = k.Curve, k.X, k.Y
	}
	b, _ := json.Marshal(members) // sorted, as the RFC asks; strings cannot fail
	h := crypto.SHA256.New()
	h.Write(b)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
