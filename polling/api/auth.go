package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
)

// Methods of authorization.
const (
	None              = "none"
	Basic             = "basic"
	APIKey            = "apiKey"
	ClientCredentials = "clientCredentials" // RFC 6749 §4.4 with a secret
	PrivateKeyJWT     = "privateKeyJwt"     // RFC 6749 §4.4 with RFC 7523 §2.2
	Password          = "password"          // RFC 6749 §4.3
	RefreshToken      = "refreshToken"      // RFC 6749 §6
)

// Methods are the methods there are.
func Methods() []string {
	return []string{None, Basic, APIKey, ClientCredentials, PrivateKeyJWT, Password, RefreshToken}
}

// CheckAuth says what of an authorization is missing.
func CheckAuth(a polling.Auth) error {
	need := func(fields ...string) error {
		have := map[string]string{
			"clientId": a.ClientID, "clientSecret": a.ClientSecret, "privateKey": a.PrivateKey, "tokenUrl": a.TokenURL,
			"username": a.Username, "password": a.Password, "refreshToken": a.RefreshToken, "apiKey": a.APIKey,
		}
		for _, f := range fields {
			if have[f] == "" {
				return fmt.Errorf("auth %s: %s is needed", a.Method, f)
			}
		}
		return nil
	}
	switch a.Method {
	case "", None:
		return nil
	case Basic:
		return need("username", "password")
	case APIKey:
		return need("apiKey")
	case ClientCredentials:
		return need("clientId", "clientSecret")
	case PrivateKeyJWT:
		if err := need("clientId", "privateKey"); err != nil {
			return err
		}
		_, err := newSigner(a.PrivateKey, a.KeyID)
		return err
	case Password:
		return need("clientId", "username", "password", "tokenUrl")
	case RefreshToken:
		return need("clientId", "refreshToken", "tokenUrl")
	}
	return fmt.Errorf("auth: method is none of %s", strings.Join(Methods(), ", "))
}

// tokenMargin is how long before its end a token is renewed: one that ends
// while a call is under way is a 401 for nothing.
const tokenMargin = time.Minute

// tokens keeps the token in use. Its mutex is held while a new one is asked
// for, so that one is asked for, however many calls wait.
type tokens struct {
	mu      sync.Mutex
	value   string
	until   time.Time
	url     string // found by discovery
	refresh string // the refresh token of now
}

func (t *tokens) drop(value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value == value {
		t.value = ""
	}
}

func (c *Client) needsToken() bool {
	return slices.Contains([]string{ClientCredentials, PrivateKeyJWT, Password, RefreshToken}, c.o.Auth.Method)
}

// authorize puts into a request what proves who asks.
func (c *Client) authorize(ctx context.Context, header http.Header, query url.Values) (token string, err error) {
	a := c.o.Auth
	switch {
	case a.Method == Basic:
		r := http.Request{Header: header}
		r.SetBasicAuth(a.Username, a.Password)
	case a.Method == APIKey && a.QueryParameter != "":
		query.Set(a.QueryParameter, a.APIKey)
	case a.Method == APIKey:
		name := a.Header
		if name == "" {
			name = "X-API-Key"
		}
		header.Set(name, a.APIKey)
	case c.needsToken():
		if token, err = c.token(ctx); err != nil {
			return "", err
		}
		header.Set("Authorization", "Bearer "+token)
	}
	return token, nil
}

// token returns a token that should be good.
func (c *Client) token(ctx context.Context) (string, error) {
	t := &c.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value != "" && c.env.Now().Before(t.until) {
		return t.value, nil
	}
	at, err := c.tokenURL(ctx)
	if err != nil {
		return "", err
	}
	form, header, err := c.grant(at)
	if err != nil {
		return "", err
	}
	const name = "POST token"
	asked := c.env.Now()
	answer, err := c.send(ctx, http.MethodPost, at, name, header, []byte(form.Encode()))
	if err != nil {
		return "", err
	}
	if answer.Status == http.StatusBadRequest {
		// RFC 6749 §5.2: a refused client or grant is a 400 as well.
		return "", &polling.CallError{Kind: polling.ErrUnauthorized, Call: name, Status: answer.Status}
	}
	if err := c.check(answer, name); err != nil {
		return "", err
	}
	var said struct {
		AccessToken  string      `json:"access_token"`
		ExpiresIn    json.Number `json:"expires_in"`
		RefreshToken string      `json:"refresh_token"`
	}
	malformed := func(reason string) error {
		return &polling.CallError{Kind: polling.ErrMalformed, Call: name, Status: answer.Status, Reason: reason}
	}
	if err := json.Unmarshal(answer.Body, &said); err != nil {
		return "", malformed("the answer is not JSON")
	}
	if said.AccessToken == "" {
		return "", malformed("no token in the answer")
	}
	life := 5 * time.Minute // where the server does not say
	if s, err := strconv.ParseFloat(said.ExpiresIn.String(), 64); err == nil && s > 0 {
		life = time.Duration(min(s, 1e8) * float64(time.Second))
	}
	if said.RefreshToken != "" {
		t.refresh = said.RefreshToken
	}
	t.value, t.until = said.AccessToken, asked.Add(life-min(tokenMargin, life/2))
	return t.value, nil
}

// grant is what a token is asked for with.
func (c *Client) grant(at string) (url.Values, http.Header, error) {
	a := c.o.Auth
	form := url.Values{}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if a.Scope != "" {
		form.Set("scope", a.Scope)
	}
	switch a.Method {
	case PrivateKeyJWT:
		form.Set("grant_type", "client_credentials")
		assertion, err := c.signer.assertion(a.ClientID, at, c.env.NewID(), c.env.Now())
		if err != nil {
			return nil, nil, err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
		return form, header, nil
	case ClientCredentials:
		form.Set("grant_type", "client_credentials")
	case Password:
		form.Set("grant_type", "password")
		form.Set("username", a.Username)
		form.Set("password", a.Password)
	case RefreshToken:
		form.Set("grant_type", "refresh_token")
		refresh := c.tokens.refresh
		if refresh == "" {
			refresh = a.RefreshToken
		}
		form.Set("refresh_token", refresh)
	}
	if a.SecretInBody || a.ClientSecret == "" {
		form.Set("client_id", a.ClientID)
		if a.ClientSecret != "" {
			form.Set("client_secret", a.ClientSecret)
		}
	} else {
		r := http.Request{Header: header}
		r.SetBasicAuth(url.QueryEscape(a.ClientID), url.QueryEscape(a.ClientSecret)) // RFC 6749 §2.3.1
	}
	return form, header, nil
}

// tokenURL is where tokens are: as set, or as the server's SMART
// configuration says (https://hl7.org/fhir/smart-app-launch/conformance.html).
func (c *Client) tokenURL(ctx context.Context) (string, error) {
	if c.o.Auth.TokenURL != "" {
		return c.o.Auth.TokenURL, nil
	}
	if c.tokens.url != "" {
		return c.tokens.url, nil
	}
	const name = "GET .well-known/smart-configuration"
	answer, err := c.send(ctx, http.MethodGet, c.base+"/.well-known/smart-configuration", name, http.Header{"Accept": {"application/json"}}, nil)
	if err != nil {
		return "", err
	}
	if err := c.check(answer, name); err != nil {
		return "", err
	}
	var said struct {
		TokenEndpoint string `json:"token_endpoint"`
	}
	if err := json.Unmarshal(answer.Body, &said); err != nil || said.TokenEndpoint == "" {
		return "", &polling.CallError{Kind: polling.ErrMalformed, Call: name, Status: answer.Status, Reason: "no token_endpoint in the answer"}
	}
	if err := checkURL(said.TokenEndpoint); err != nil {
		return "", &polling.CallError{Kind: polling.ErrMalformed, Call: name, Status: answer.Status, Reason: "token_endpoint is no address"}
	}
	c.tokens.url = said.TokenEndpoint
	return c.tokens.url, nil
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("not an absolute address with http or https")
	}
	return nil
}
