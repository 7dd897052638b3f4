package notifications

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// The example of the Standard Webhooks specification's libraries, and the
// construction computed here from its words: HMAC-SHA256 of id, timestamp and
// body with full stops between, key and result in base64.
func TestSignature_standardWebhooks(t *testing.T) {
	for _, v := range []struct{ secret, id, timestamp, body, want string }{
		{
			"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", `{"test": 2432232314}`,
			"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		},
		{"whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 24))), "a.b", "0", "", ""},
		{"whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xff", 64))), "id", "1772442000", "{\"Ü\":1}\n", ""},
	} {
		raw, err := base64.StdEncoding.DecodeString(v.secret[len("whsec_"):])
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, raw)
		mac.Write([]byte(v.id + "." + v.timestamp + "." + v.body))
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if v.want != "" && v.want != want {
			t.Fatalf("the test is wrong: %s, want %s", want, v.want)
		}
		key, err := signingKey(v.secret)
		if err != nil {
			t.Fatal(err)
		}
		var seconds int64
		for _, c := range v.timestamp {
			seconds = seconds*10 + int64(c-'0')
		}
		at := time.Unix(seconds, 0)
		if got := signature(key, v.id, at, []byte(v.body)); got != want {
			t.Errorf("signature %s, want %s", got, want)
		}
		if err := VerifySignature(v.secret, v.id, v.timestamp, "v1a,xyz "+want, []byte(v.body), at.Add(time.Minute), 5*time.Minute); err != nil {
			t.Errorf("its own verification: %v", err)
		}
	}
}

func TestVerifySignature_refuses(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	const good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	const id, at, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", `{"test": 2432232314}`
	now := time.Unix(1614265330, 0)
	for name, err := range map[string]error{
		"another body":      VerifySignature(secret, id, at, good, []byte(body+" "), now, time.Minute),
		"another id":        VerifySignature(secret, id+"x", at, good, []byte(body), now, time.Minute),
		"another time":      VerifySignature(secret, id, "1614265331", good, []byte(body), now, time.Minute),
		"too old":           VerifySignature(secret, id, at, good, []byte(body), now.Add(2*time.Minute), time.Minute),
		"from the future":   VerifySignature(secret, id, at, good, []byte(body), now.Add(-2*time.Minute), time.Minute),
		"no number":         VerifySignature(secret, id, "now", good, []byte(body), now, time.Minute),
		"no signature":      VerifySignature(secret, id, at, "", []byte(body), now, time.Minute),
		"another version":   VerifySignature(secret, id, at, "v2"+good[2:], []byte(body), now, time.Minute),
		"secret's prefix":   VerifySignature(secret[6:], id, at, good, []byte(body), now, time.Minute),
		"secret's length":   VerifySignature("whsec_AAAA", id, at, good, []byte(body), now, time.Minute),
		"secret's encoding": VerifySignature("whsec_!", id, at, good, []byte(body), now, time.Minute),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
