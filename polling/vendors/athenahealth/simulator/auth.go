package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Scope is what the vendor wants a token to be asked for with.
const Scope = "athena/service/Athenanet.MDP.*"

// limits counts calls in the second, the minute and the day that run.
type limits struct {
	second, minute, day             time.Time
	inSecond, tokensInMinute, inDay int
}

// token answers POST /oauth2/v1/token.
func (s *Simulator) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	minute := s.now().Truncate(time.Minute)
	if s.limits.minute != minute {
		s.limits.minute, s.limits.tokensInMinute = minute, 0
	}
	if s.limits.tokensInMinute++; s.limits.tokensInMinute > s.o.TokensPerMinute {
		fail(w, http.StatusTooManyRequests, "Too many token requests.", "")
		return
	}
	id, secret, ok := r.BasicAuth()
	switch {
	case !ok || id != s.o.ClientID || secret != s.o.ClientSecret:
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
	case r.PostFormValue("grant_type") != "client_credentials":
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
	case !strings.HasPrefix(r.PostFormValue("scope"), "athena/service/"):
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_scope"})
	default:
		s.issued++
		sum := sha256.Sum256(fmt.Appendf(nil, "%d.%d", s.o.Seed, s.issued))
		token := hex.EncodeToString(sum[:16])
		s.tokens[token] = s.now().Add(s.o.TokenLife)
		writeJSON(w, http.StatusOK, map[string]any{
			"token_type": "Bearer", "expires_in": int(s.o.TokenLife.Seconds()), "access_token": token, "scope": r.PostFormValue("scope"),
		})
	}
}

// ExpireTokens ends all tokens now.
func (s *Simulator) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// admit checks token and limits with the mutex held, and reports whether the
// call may go on; if not it has answered.
func (s *Simulator) admit(w http.ResponseWriter, r *http.Request) bool {
	now := s.now()
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	expires, known := s.tokens[token]
	if !ok || !known || !now.Before(expires) {
		fail(w, http.StatusUnauthorized, "Invalid access token", "")
		return false
	}
	if second := now.Truncate(time.Second); s.limits.second != second {
		s.limits.second, s.limits.inSecond = second, 0
	}
	if day := now.UTC().Truncate(24 * time.Hour); s.limits.day != day {
		s.limits.day, s.limits.inDay = day, 0
	}
	s.limits.inSecond++
	s.limits.inDay++
	if s.o.DailyQuota > 0 && s.limits.inDay > s.o.DailyQuota {
		gateway(w, http.StatusForbidden, "Developer Over Rate")
		return false
	}
	if s.o.RatePerSecond > 0 && s.limits.inSecond > s.o.RatePerSecond {
		if s.o.RetryAfter {
			w.Header().Set("Retry-After", "1")
		}
		gateway(w, http.StatusTooManyRequests, "Developer Over Qps")
		return false
	}
	if r.PathValue("practiceid") != s.o.PracticeID {
		fail(w, http.StatusNotFound, "The practice does not exist.", "")
		return false
	}
	return true
}
