package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/guard"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/documents"
)

// Client is who gets access tokens by signed assertions (Redox: OAuth API
// keys; RFC 6749 §4.4 with private_key_jwt).
type Client struct {
	// ID is the client_id: iss and sub of its assertions.
	ID string `json:"clientId"`
	// Keys are its public keys; where JWKSURL is given, the keys there count
	// instead.
	Keys    []JWK  `json:"keys,omitempty"`
	JWKSURL string `json:"jwksUrl,omitempty"`
	// Sources are those that it may act for, all of one environment. With more
	// than one, each request names its source.
	Sources []string `json:"sources"`
}

const (
	kindClient = "oauth-client"
	kindNonce  = "oauth-nonce"
)

// tokenLife is how long an access token of this kind is good.
const tokenLife = 5 * time.Minute

// TokenPath is where access tokens are asked for.
const TokenPath = "/v2/auth/token"

// ClientRequest is what a source is given access by.
type ClientRequest struct {
	// ClientID is made where it is not given. The same one at several sources
	// serves them all.
	ClientID string `json:"clientId,omitempty"`
	// PublicKey is a PEM public key or certificate.
	PublicKey string `json:"publicKey,omitempty"`
	// KeyID is the PEM key's kid; its RFC 7638 thumbprint where not given.
	KeyID   string `json:"kid,omitempty"`
	JWK     *JWK   `json:"jwk,omitempty"`
	JWKSURL string `json:"jwksUrl,omitempty"`
}

// ErrClient: what was given for a client cannot be used.
type ErrClient struct{ Field, Rule string }

func (e *ErrClient) Error() string { return e.Field + " " + e.Rule }

// keys are the keys of a request.
func (r ClientRequest) keys() ([]JWK, error) {
	var keys []JWK
	if r.PublicKey != "" {
		k, err := fromPEM(r.PublicKey)
		if err != nil {
			return nil, &ErrClient{"publicKey", err.Error() + ", in PEM"}
		}
		k.KeyID = r.KeyID
		keys = append(keys, k)
	}
	if r.JWK != nil {
		keys = append(keys, *r.JWK)
	}
	for i, k := range keys {
		if _, err := k.public(); err != nil {
			return nil, &ErrClient{"jwk", err.Error()}
		}
		if k.KeyID == "" {
			keys[i].KeyID = k.keyID()
		}
	}
	if r.JWKSURL != "" {
		u, err := url.Parse(r.JWKSURL)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
			return nil, &ErrClient{"jwksUrl", "must be an absolute https URL"}
		}
	}
	if len(keys) == 0 && r.JWKSURL == "" {
		return nil, &ErrClient{"publicKey", "is required, or jwk, or jwksUrl"}
	}
	return keys, nil
}

// PutClient gives a source a client, new or known. siblings are the sources of
// the source's environment: a client serves those of one alone.
func (a *Auth) PutClient(ctx context.Context, source string, siblings []string, r ClientRequest) (Client, error) {
	keys, err := r.keys()
	if err != nil {
		return Client{}, err
	}
	if u, _ := url.Parse(r.JWKSURL); u != nil && u.Scheme == "http" && !a.sandbox {
		return Client{}, &ErrClient{"jwksUrl", "must be an absolute https URL"}
	}
	id := r.ClientID
	if id == "" {
		id = random()
	}
	if store.CheckItem(kindClient, id, nil) != nil || len(id) > 128 {
		return Client{}, &ErrClient{"clientId", "must be at most 128 characters, without slashes"}
	}
	c, err := documents.Get[Client](ctx, a.items, store.System, kindClient, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	for _, s := range c.Sources {
		if !slices.Contains(siblings, s) {
			return c, &ErrClient{"clientId", "is taken by another environment"}
		}
	}
	c.ID, c.Keys, c.JWKSURL = id, keys, r.JWKSURL
	if !slices.Contains(c.Sources, source) {
		c.Sources = append(c.Sources, source)
	}
	return c, documents.Put(ctx, a.items, store.System, store.Item{Kind: kindClient, ID: id}, c, store.ItemAny)
}

// refusal is an answer of the token endpoint that is an error (RFC 6749 §5.2).
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// token answers a client's assertion with an access token.
func (a *Auth) token(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	access, err := a.exchange(c)
	var r *refusal
	switch {
	case errors.As(err, &r):
		c.JSON(r.status, gin.H{"error": "invalid_request", "error_description": r.text})
	case err != nil:
		_ = c.Error(err)
		c.JSON(http.StatusServiceUnavailable, gin.H{"error": "temporarily_unavailable", "error_description": "Try again later."})
	default:
		c.JSON(http.StatusOK, gin.H{"access_token": access, "token_type": "Bearer", "expires_in": int(tokenLife.Seconds())})
	}
}

func (a *Auth) exchange(c *gin.Context) (string, error) {
	const badRequest = http.StatusBadRequest
	if c.ContentType() != "application/x-www-form-urlencoded" {
		return "", refuse(badRequest, "x-www-form-urlencoded content-type required")
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, 4*maxAssertion)
	form := c.PostForm
	switch {
	case form("grant_type") == "":
		return "", refuse(badRequest, "Missing grant_type parameter")
	case form("grant_type") != "client_credentials":
		return "", refuse(badRequest, "The grant_type parameter should equal 'client_credentials'")
	case form("client_assertion_type") == "":
		return "", refuse(badRequest, "Missing client assertion type")
	case form("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		return "", refuse(badRequest, "Invalid client assertion type")
	case form("client_assertion") == "":
		return "", refuse(badRequest, "Missing client assertion")
	}
	jwt, ok := parseAssertion(form("client_assertion"))
	switch {
	case !ok:
		return "", refuse(badRequest, "Invalid client assertion")
	case jwt.kid == "":
		return "", refuse(badRequest, "JWT header kid property is required")
	}
	ctx, now := c.Request.Context(), a.now()
	if name := jwt.claims.wrong(a.tokenURLs(c), now); name != "" {
		return "", refuse(http.StatusUnauthorized, "Unexpected %s claim value", name)
	}
	client, err := documents.Get[Client](ctx, a.items, store.System, kindClient, jwt.claims.Issuer)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	key, err := a.keyOf(ctx, client, jwt.kid)
	if err != nil {
		return "", err
	}
	public, err := key.public()
	if err != nil || !jwt.signedBy(public) {
		return "", refuse(http.StatusUnauthorized, "The signature of the client assertion is not the key's, or its alg is not RS384 or ES384")
	}
	// Once: an assertion that was seen on its way opens nothing.
	nonce := store.Item{Kind: kindNonce, ID: hash(client.ID + "\x00" + jwt.claims.ID), Expires: now.Add(2 * (assertionLife + assertionSkew))}
	if _, err := a.items.PutItem(ctx, store.System, nonce, 0); errors.Is(err, store.ErrConflict) {
		return "", refuse(http.StatusUnauthorized, "Unexpected jti claim value")
	} else if err != nil {
		return "", err
	}
	access := random()
	kept := token{Sources: client.Sources, Key: client.ID}
	if len(client.Sources) == 1 {
		kept.Source = client.Sources[0]
	}
	return access, documents.Put(ctx, a.items, store.System,
		store.Item{Kind: kindAccess, ID: hash(access), Expires: now.Add(tokenLife)}, kept, 0)
}

// tokenURLs are the token endpoint's names: what aud must be one of.
func (a *Auth) tokenURLs(c *gin.Context) []string {
	if a.PublicURL != "" {
		return []string{strings.TrimSuffix(a.PublicURL, "/") + TokenPath}
	}
	return []string{"http://" + c.Request.Host + TokenPath, "https://" + c.Request.Host + TokenPath}
}

// unknownKey is the answer for a client or a key that is not known, which
// does not tell which of them.
func unknownKey() error {
	return refuse(http.StatusUnauthorized, "Public key not found, check client_id, kid and the source's settings")
}

func (a *Auth) keyOf(ctx context.Context, c Client, kid string) (JWK, error) {
	keys := c.Keys
	if c.JWKSURL != "" {
		var err error
		if keys, err = a.fetched.keys(ctx, c.JWKSURL, kid, a.sandbox, a.now()); err != nil {
			return JWK{}, refuse(http.StatusUnauthorized, "The JWKS URL does not answer with a JWK Set")
		}
	}
	for _, k := range keys {
		if k.KeyID == kid {
			return k, nil
		}
	}
	return JWK{}, unknownKey()
}

// keySets are the JWK Sets (RFC 7517 §5) that were fetched lately.
type keySets struct {
	mu   sync.Mutex
	sets map[string]keySet
}

type keySet struct {
	keys []JWK
	at   time.Time
}

// A set is fetched again after setLife, and for a key that it lacks no sooner
// than setPause.
const (
	setLife  = 5 * time.Minute
	setPause = 10 * time.Second
	maxSets  = 1000
)

func (s *keySets) keys(ctx context.Context, address, kid string, private bool, now time.Time) ([]JWK, error) {
	s.mu.Lock()
	known, ok := s.sets[address]
	s.mu.Unlock()
	age := now.Sub(known.at)
	has := slices.ContainsFunc(known.keys, func(k JWK) bool { return k.KeyID == kid })
	if ok && (age < setPause || has && age < setLife) {
		return known.keys, nil
	}
	keys, err := fetchKeys(ctx, address, private)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sets == nil || len(s.sets) >= maxSets {
		s.sets = map[string]keySet{}
	}
	s.sets[address] = keySet{keys, now}
	return keys, nil
}

func fetchKeys(ctx context.Context, address string, private bool) ([]JWK, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: guard.Dialer(private).DialContext, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %d", res.StatusCode)
	}
	var set struct {
		Keys []JWK `json:"keys"`
	}
	return set.Keys, json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&set)
}

// forgetClients takes sources from the clients that serve them.
func (a *Auth) forgetClients(ctx context.Context, sources []string) error {
	all, err := documents.List[Client](ctx, a.items, store.System, kindClient)
	if err != nil {
		return err
	}
	for _, c := range all {
		left := slices.DeleteFunc(slices.Clone(c.Sources), func(s string) bool { return slices.Contains(sources, s) })
		switch {
		case len(left) == len(c.Sources):
			continue
		case len(left) == 0:
			err = a.items.DeleteItem(ctx, store.System, kindClient, c.ID, store.ItemAny)
		default:
			c.Sources = left
			err = documents.Put(ctx, a.items, store.System, store.Item{Kind: kindClient, ID: c.ID}, c, store.ItemAny)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
