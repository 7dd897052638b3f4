package notifications

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"
)

// askTime is how long a live system may take to answer (Redox: synchronous
// messages).
const askTime = 120 * time.Second

// maxReply is the most bytes of an answer that are read.
const maxReply = 40 << 20

// ErrNoAnswer: the system did not answer in time.
var ErrNoAnswer = errors.New("no answer in time")

// Ask sends a query to a live system and returns its answer, whatever the
// status. A *Failure says that there was none; with ErrNoAnswer it took too
// long. It is asked once.
func (s *Sender) Ask(ctx context.Context, d Destination, id string, body []byte) (status int, reply []byte, err error) {
	limit := askTime
	if d.TimeoutSeconds > 0 {
		limit = time.Duration(d.TimeoutSeconds) * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	at := s.now()
	r := s.client.R().SetContext(ctx).SetBody(body).
		SetHeader("Content-Type", "application/json").
		SetHeader("application-name", applicationName).
		SetHeader("webhook-id", id).
		SetHeader("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	if d.VerificationToken != "" {
		r.SetHeader("verification-token", d.VerificationToken)
	}
	if d.Secret != "" {
		key, err := signingKey(d.Secret)
		if err != nil {
			return 0, nil, &Failure{Reason: "the destination's secret " + err.Error()}
		}
		r.SetHeader("webhook-signature", signature(key, id, at, body))
	}
	answer, err := r.Post(d.URL)
	if answer != nil && answer.RawResponse != nil {
		defer func() { _ = answer.RawBody().Close() }()
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return 0, nil, ErrNoAnswer
	}
	if answer == nil || answer.StatusCode() == 0 {
		return 0, nil, &Failure{Reason: reason(err)}
	}
	reply, err = io.ReadAll(io.LimitReader(answer.RawBody(), maxReply+1))
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return 0, nil, ErrNoAnswer
	case err != nil:
		return 0, nil, &Failure{Reason: "the answer ended early"}
	case len(reply) > maxReply:
		return 0, nil, &Failure{Reason: "the answer is larger than 40 MB"}
	}
	return answer.StatusCode(), reply, nil
}
