package notifications

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"
)

// challengeTimeout is how long an endpoint may take to answer.
const challengeTimeout = 15 * time.Second

// Verify asks an endpoint to prove that it belongs to the subscriber: it gets
// a challenge and the token that both agreed on, and must answer with the
// challenge, bare or as {"challenge": …} (Redox: endpoint verification).
func (s *Sender) Verify(ctx context.Context, d Destination, challenge string) error {
	ctx, cancel := context.WithTimeout(ctx, challengeTimeout)
	defer cancel()
	r := s.client.R().SetContext(ctx).
		SetHeader("application-name", applicationName).
		SetHeader("verification-token", d.VerificationToken)
	method := "POST"
	if d.VerificationMethod == "GET" {
		method = "GET"
		r.SetQueryParam("challenge", challenge).SetQueryParam("verification-token", d.VerificationToken)
	} else {
		r.SetHeader("Content-Type", "application/json").
			SetBody(map[string]string{"verification-token": d.VerificationToken, "challenge": challenge})
	}
	answer, err := r.Execute(method, d.URL)
	var body []byte
	if answer != nil && answer.RawResponse != nil {
		body, _ = io.ReadAll(io.LimitReader(answer.RawBody(), maxAnswer)) // what is cut off does not hold the challenge
		_ = answer.RawBody().Close()
	}
	if err := s.judge(answer, err); err != nil {
		return err
	}
	body = bytes.TrimSpace(body)
	if string(body) == challenge || strings.Trim(string(body), `"`) == challenge {
		return nil
	}
	var said struct {
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal(body, &said) == nil && said.Challenge == challenge {
		return nil
	}
	return &Failure{Status: answer.StatusCode(), Reason: "the endpoint did not answer with the challenge"}
}
