// Package auth decides who may call the server.
//
// In a sandbox everyone may: it listens on the loopback interface only.
// Elsewhere every API needs a bearer token: the administrator's, which opens
// everything, or an access token of a source, which opens the Redox API for
// that source (Redox: legacy API keys).
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/documents"
)

// Lifetimes of tokens (Redox: an access token lives 24 hours).
const (
	accessLife  = 24 * time.Hour
	refreshLife = 30 * 24 * time.Hour
)

// Kinds of items, in the System tenant. Only hashes of secrets are kept.
const (
	kindKey     = "api-key"
	kindAccess  = "access-token"
	kindRefresh = "refresh-token"
)

// Auth checks credentials.
type Auth struct {
	items store.Items
	now   func() time.Time
	// admin is the hash of the administrator's token.
	admin   [sha256.Size]byte
	sandbox bool
	// PublicURL is the scheme and host that clients use, which the audience of
	// their assertions names; "" to take it from requests.
	PublicURL string
	fetched   keySets
}

// ErrNoAdminToken: a server that is no sandbox needs an administrator.
var ErrNoAdminToken = errors.New("an admin token is required without --sandbox: set --admin-token or FHIRFACADE_ADMIN_TOKEN to a long random value")

// minAdminToken is the least length of the administrator's token.
const minAdminToken = 16

// New makes an Auth. Without sandbox the admin token must be given.
func New(items store.Items, now func() time.Time, adminToken string, sandbox bool) (*Auth, error) {
	if !sandbox {
		if adminToken == "" {
			return nil, ErrNoAdminToken
		}
		if len(adminToken) < minAdminToken {
			return nil, errors.New("the admin token is too short: at least 16 characters")
		}
	}
	return &Auth{items: items, now: now, admin: sha256.Sum256([]byte(adminToken)), sandbox: sandbox}, nil
}

func bearer(c *gin.Context) string {
	scheme, token, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func (a *Auth) isAdmin(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return token != "" && subtle.ConstantTimeCompare(sum[:], a.admin[:]) == 1
}

// RequireAdmin lets only the administrator through.
func (a *Auth) RequireAdmin(c *gin.Context) {
	if a.sandbox || a.isAdmin(bearer(c)) {
		return
	}
	c.Header("WWW-Authenticate", `Bearer realm="fhirfacade"`)
	c.Abort()
	c.Data(http.StatusUnauthorized, "application/fhir+json; charset=utf-8", outcome.JSON([]outcome.Issue{{
		Severity: outcome.SeverityError, Code: outcome.CodeLogin,
		Diagnostics: "This needs a valid bearer token in the Authorization header.",
	}}))
}

// token is what is kept of an access or refresh token, and of an API key.
type token struct {
	Source string `json:"source"`
	// Sources are those of an OAuth client; Source is the only one of them.
	Sources []string `json:"sources,omitempty"`
	Key     string   `json:"key"`
	// Secret is the hash of an API key's secret.
	Secret string `json:"secret,omitempty"`
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// ErrUnauthorized: no or a wrong credential.
var ErrUnauthorized = errors.New("unauthorized")

// Source checks that the request's token may act for a source.
func (a *Auth) Source(c *gin.Context, source string) error {
	t := bearer(c)
	if a.sandbox || a.isAdmin(t) {
		return nil
	}
	found, err := a.find(c.Request.Context(), kindAccess, t)
	if err != nil {
		return err
	}
	if found.Source != source && !slices.Contains(found.Sources, source) {
		return ErrUnauthorized
	}
	return nil
}

// OnlySource is the source of a request's token, "" when the token is for
// several or for none, or when there is no token.
func (a *Auth) OnlySource(c *gin.Context) string {
	t := bearer(c)
	if t == "" || a.isAdmin(t) {
		return ""
	}
	found, err := a.find(c.Request.Context(), kindAccess, t)
	if err != nil {
		return ""
	}
	return found.Source
}

// RequireToken lets through whoever has a valid token of any kind. Redox
// answers 401 in plain text.
func (a *Auth) RequireToken(c *gin.Context) {
	t := bearer(c)
	if a.sandbox || a.isAdmin(t) {
		return
	}
	switch _, err := a.find(c.Request.Context(), kindAccess, t); {
	case err == nil:
	case errors.Is(err, ErrUnauthorized):
		c.Abort()
		c.String(http.StatusUnauthorized, "Invalid access token")
	default:
		c.Abort()
		c.String(http.StatusServiceUnavailable, "Try again later")
	}
}

func (a *Auth) find(ctx context.Context, kind, secret string) (token, error) {
	if secret == "" {
		return token{}, ErrUnauthorized
	}
	t, err := documents.Get[token](ctx, a.items, store.System, kind, hash(secret))
	if errors.Is(err, store.ErrNotFound) {
		return t, ErrUnauthorized
	}
	return t, err
}

// NewKey makes an API key for a source. The secret is shown this once.
func (a *Auth) NewKey(ctx context.Context, source string) (key, secret string, err error) {
	key, secret = random(), random()
	kept := token{Source: source, Key: key, Secret: hash(secret)}
	err = documents.Put(ctx, a.items, store.System, store.Item{Kind: kindKey, ID: hash(key)}, kept, 0)
	return key, secret, err
}

func random() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Register adds /auth/authenticate, /auth/refreshToken and /v2/auth/token.
func (a *Auth) Register(e gin.IRoutes) {
	e.POST("/auth/authenticate", a.authenticate)
	e.POST("/auth/refreshToken", a.refresh)
	e.POST(TokenPath, a.token)
}

func (a *Auth) authenticate(c *gin.Context) {
	var in struct {
		APIKey string `json:"apiKey"`
		Secret string `json:"secret"`
	}
	if err := c.ShouldBindJSON(&in); err != nil {
		c.String(http.StatusBadRequest, "Invalid request")
		return
	}
	key, err := a.find(c.Request.Context(), kindKey, in.APIKey)
	if err == nil && subtle.ConstantTimeCompare([]byte(key.Secret), []byte(hash(in.Secret))) != 1 {
		err = ErrUnauthorized
	}
	a.issue(c, key, err)
}

func (a *Auth) refresh(c *gin.Context) {
	var in struct {
		APIKey       string `json:"apiKey"`
		RefreshToken string `json:"refreshToken"`
	}
	if err := c.ShouldBindJSON(&in); err != nil {
		c.String(http.StatusBadRequest, "Invalid request")
		return
	}
	key, err := a.find(c.Request.Context(), kindRefresh, in.RefreshToken)
	if err == nil && subtle.ConstantTimeCompare([]byte(key.Key), []byte(in.APIKey)) != 1 {
		err = ErrUnauthorized
	}
	a.issue(c, key, err)
}

// issue answers with a pair of tokens for a key, or with why there is none.
func (a *Auth) issue(c *gin.Context, key token, err error) {
	if errors.Is(err, ErrUnauthorized) {
		c.String(http.StatusUnauthorized, "Invalid request")
		return
	}
	access, refresh := random(), random()
	expires := a.now().UTC().Add(accessLife)
	if err == nil {
		err = a.keep(c.Request.Context(), kindAccess, access, key, expires)
	}
	if err == nil {
		err = a.keep(c.Request.Context(), kindRefresh, refresh, key, a.now().Add(refreshLife))
	}
	if err != nil {
		_ = c.Error(err)
		c.String(http.StatusServiceUnavailable, "Try again later")
		return
	}
	c.JSON(http.StatusOK, gin.H{
		"accessToken": access, "expires": expires.Format("2006-01-02T15:04:05.000Z07:00"), "refreshToken": refresh,
	})
}

func (a *Auth) keep(ctx context.Context, kind, secret string, key token, expires time.Time) error {
	kept := token{Source: key.Source, Key: key.Key}
	return documents.Put(ctx, a.items, store.System, store.Item{Kind: kind, ID: hash(secret), Expires: expires}, kept, 0)
}

// Forget removes the API keys and tokens of sources.
func (a *Auth) Forget(ctx context.Context, sources []string) error {
	for _, kind := range []string{kindKey, kindAccess, kindRefresh} {
		scan := store.ItemScan{Kind: kind, Limit: 500}
		for {
			page, err := a.items.ScanItems(ctx, store.System, scan)
			if err != nil {
				return err
			}
			for _, item := range page.Items {
				var t token
				if err := json.Unmarshal(item.Body, &t); err != nil {
					return err
				}
				if !slices.ContainsFunc(append(t.Sources, t.Source), func(s string) bool { return slices.Contains(sources, s) }) {
					continue
				}
				if err := a.items.DeleteItem(ctx, store.System, kind, item.ID, store.ItemAny); err != nil {
					return err
				}
			}
			if page.Next == "" {
				break
			}
			scan.After = page.Next
		}
	}
	return a.forgetClients(ctx, sources)
}
