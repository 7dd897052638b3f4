package athenahealth

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
)

// scope is all of the athenaOne API that the client was granted.
const scope = "athena/service/Athenanet.MDP.*"

// tokenMargin is how long before its end a token is renewed: one that ends
// while a call is under way is a 401 for nothing.
const tokenMargin = time.Minute

// tokens keeps the token in use. Its mutex is held while a new one is asked
// for, as the vendor allows few of those calls.
type tokens struct {
	mu    sync.Mutex
	value string
	until time.Time
}

// drop forgets a token that the API did not accept.
func (t *tokens) drop(value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value == value {
		t.value = ""
	}
}

// token returns a token that should be good.
func (c *Client) token(ctx context.Context) (string, error) {
	t := &c.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value != "" && c.o.Now().Before(t.until) {
		return t.value, nil
	}
	const name = "POST /oauth2/v1/token"
	request := c.rest.R().SetBasicAuth(c.o.ClientID, c.o.ClientSecret).
		SetFormData(map[string]string{"grant_type": "client_credentials", "scope": scope})
	asked := c.o.Now()
	response, err := c.send(ctx, request, http.MethodPost, "/oauth2/v1/token", name)
	if err != nil {
		return "", err
	}
	if err := c.check(response, name); err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   number `json:"expires_in"`
	}
	if err := decode(response, &answer, name); err != nil {
		return "", err
	}
	if answer.AccessToken == "" {
		return "", &polling.CallError{Kind: polling.ErrMalformed, Call: name, Status: response.StatusCode(), Reason: "no token in the answer"}
	}
	life := time.Duration(answer.ExpiresIn) * time.Second
	t.value, t.until = answer.AccessToken, asked.Add(life-min(tokenMargin, life/2))
	return t.value, nil
}
