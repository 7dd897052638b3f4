package notifications

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/guard"
)

var hello = delivery{ID: "8b2f4a1e-0000-4000-8000-000000000001", ContentType: "application/fhir+json", Body: []byte(`{"resourceType":"Bundle"}`)}

func sendTo(d Destination) (int, *Failure) {
	status, err := NewSender(true, time.Now).send(context.Background(), d, hello)
	var f *Failure
	errors.As(err, &f)
	return status, f
}

func TestSend_headersAndBody(t *testing.T) {
	c := newClock()
	rc := newReceiver(t, statuses(http.StatusAccepted))
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	d := Destination{URL: rc.URL + "/hook?key=1", VerificationToken: "agreed", Secret: secret}
	status, err := NewSender(true, c.Now).send(context.Background(), d, hello)
	if err != nil || status != http.StatusAccepted {
		t.Fatal(status, err)
	}
	got := receive(t, rc.got, "the delivery")
	if string(got.Body) != string(hello.Body) {
		t.Errorf("body %s", got.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/fhir+json", "Application-Name": "fhirfacade", "User-Agent": "fhirfacade",
		"Verification-Token": "agreed", "Webhook-Id": hello.ID, "Webhook-Timestamp": "1772442000",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	h := got.Header
	if err := VerifySignature(secret, h.Get("webhook-id"), h.Get("webhook-timestamp"), h.Get("webhook-signature"), got.Body, c.Now(), time.Minute); err != nil {
		t.Error(err)
	}

	d.VerificationToken, d.Secret = "", ""
	if _, err := NewSender(true, c.Now).send(context.Background(), d, hello); err != nil {
		t.Fatal(err)
	}
	got = receive(t, rc.got, "the delivery")
	for _, name := range []string{"Verification-Token", "Webhook-Signature"} {
		if _, there := got.Header[name]; there {
			t.Errorf("%s was sent without a value", name)
		}
	}
}

func TestSend_answers(t *testing.T) {
	for _, c := range []struct {
		status int
		reason string
	}{
		{200, ""}, {201, ""}, {202, ""}, {204, ""}, {299, ""},
		{301, "the endpoint answered 301 Moved Permanently; redirects are not followed"},
		{302, "the endpoint answered 302 Found; redirects are not followed"},
		{307, "the endpoint answered 307 Temporary Redirect; redirects are not followed"},
		{308, "the endpoint answered 308 Permanent Redirect; redirects are not followed"},
		{304, "the endpoint answered 304 Not Modified; redirects are not followed"},
		{400, "the endpoint answered 400 Bad Request"}, {401, "the endpoint answered 401 Unauthorized"},
		{429, "the endpoint answered 429 Too Many Requests"}, {500, "the endpoint answered 500 Internal Server Error"},
		{599, "the endpoint answered 599"},
	} {
		rc := newReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
		})
		status, f := sendTo(Destination{URL: rc.URL})
		if c.reason == "" && (f != nil || status != c.status) || c.reason != "" && (f == nil || f.Reason != c.reason || f.Status != c.status) {
			t.Errorf("%d: %d, %+v", c.status, status, f)
		}
		<-rc.got
		none(t, rc.got, "a request after a redirect")
	}
	rc := newReceiver(t, statuses(410))
	if _, f := sendTo(Destination{URL: rc.URL}); f == nil || !f.Gone {
		t.Errorf("410: %+v", f)
	}
}

// An answer of a gigabyte is acknowledged by its status and not read.
func TestSend_hugeAnswer(t *testing.T) {
	var written atomic.Int64
	ended := make(chan struct{})
	rc := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		chunk := make([]byte, 1<<20)
		for range 1024 {
			n, err := w.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	if _, f := sendTo(Destination{URL: rc.URL}); f != nil {
		t.Error(f)
	}
	receive(t, ended, "the end of the answer")
	if n := written.Load(); n > 64<<20 {
		t.Errorf("%d bytes went out", n)
	}
}

// raw answers every connection by hand.
func raw(t *testing.T, answer func(c net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = http.ReadRequest(bufio.NewReader(c))
				answer(c)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestSend_brokenConnections(t *testing.T) {
	for _, c := range []struct{ name, answer, reason string }{
		{"closed before the status", "", "the endpoint closed the connection before it answered"},
		{"closed within the headers", "HTTP/1.1 200 OK\r\nX: y\r\n", "the endpoint closed the connection before it answered"},
		// The status came: what follows does not matter.
		{"closed within the body", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc", ""},
		{"closed within an error's body", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000\r\n\r\nabc", "the endpoint answered 503 Service Unavailable"},
		{"no HTTP", "SSH-2.0-patient Wilhelmina\r\n", "the endpoint cannot be reached, or its answer is no HTTP"},
		{"endless headers", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxAnswer), "the endpoint cannot be reached, or its answer is no HTTP"},
	} {
		_, f := sendTo(Destination{URL: raw(t, func(conn net.Conn) { _, _ = io.WriteString(conn, c.answer) })})
		if got := ""; f != nil {
			if got = f.Reason; got != c.reason {
				t.Errorf("%s: %q, want %q", c.name, got, c.reason)
			}
		} else if c.reason != "" {
			t.Errorf("%s: acknowledged", c.name)
		}
	}
}

// A receiver that takes too long is a failure; one that has answered and
// trickles its body is not.
func TestSend_slow(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	wait := func(r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	silent := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) { wait(r) })
	trickle := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		wait(r)
	})
	s := NewSender(true, time.Now)
	// The caller's deadline stands for the destination's timeout, which is in
	// seconds.
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := s.send(ctx, Destination{URL: silent.URL}, hello)
	if err == nil || err.Error() != "the endpoint did not answer in time" {
		t.Errorf("silent: %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if status, err := s.send(ctx, Destination{URL: trickle.URL}, hello); err != nil || status != 200 {
		t.Errorf("trickling: %d, %v", status, err)
	}
}

func TestSend_tls(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	send := func(trusted *x509.CertPool, url string) string {
		_, err := newSender(guard.Dialer(true), trusted, time.Now).send(context.Background(), Destination{URL: url}, hello)
		if err != nil {
			return err.Error()
		}
		return ""
	}
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	if got := send(pool, server.URL); got != "" {
		t.Errorf("a good certificate: %s", got)
	}
	if got := send(nil, server.URL); got != "the endpoint's TLS certificate is signed by an unknown authority" {
		t.Errorf("an unknown authority: %s", got)
	}
	u, _ := url.Parse(server.URL)
	if got := send(pool, "https://localhost:"+u.Port()); got != "the endpoint's TLS certificate is for another host" {
		t.Errorf("another host: %s", got)
	}
	plain := newReceiver(t, nil)
	if got := send(pool, strings.Replace(plain.URL, "http:", "https:", 1)); got != "no TLS connection can be made to the endpoint" {
		t.Errorf("no TLS: %s", got)
	}
}

func TestVerify(t *testing.T) {
	challengeOf := func(r *http.Request) (string, string) {
		if r.Method == http.MethodGet {
			return r.URL.Query().Get("challenge"), r.URL.Query().Get("verification-token")
		}
		var b map[string]string
		_ = json.NewDecoder(r.Body).Decode(&b)
		return b["challenge"], b["verification-token"]
	}
	for _, c := range []struct {
		name, method string
		answer       func(w http.ResponseWriter, challenge string)
		reason       string
	}{
		{"bare", "", func(w http.ResponseWriter, ch string) { _, _ = io.WriteString(w, ch) }, ""},
		{"bare with a line break", "POST", func(w http.ResponseWriter, ch string) { _, _ = io.WriteString(w, ch+"\n") }, ""},
		{"JSON string", "POST", func(w http.ResponseWriter, ch string) { _ = json.NewEncoder(w).Encode(ch) }, ""},
		{"JSON", "POST", func(w http.ResponseWriter, ch string) {
			_ = json.NewEncoder(w).Encode(map[string]any{"ok": 1, "challenge": ch})
		}, ""},
		{"GET bare", "GET", func(w http.ResponseWriter, ch string) { _, _ = io.WriteString(w, ch) }, ""},
		{"GET JSON", "GET", func(w http.ResponseWriter, ch string) {
			_ = json.NewEncoder(w).Encode(map[string]string{"challenge": ch})
		}, ""},
		{"wrong", "POST", func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, "ok") }, "the endpoint did not answer with the challenge"},
		{"empty", "GET", func(http.ResponseWriter, string) {}, "the endpoint did not answer with the challenge"},
		{"wrong JSON", "POST", func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, `{"challenge":"x"}`) }, "the endpoint did not answer with the challenge"},
		{"right and 500", "POST", func(w http.ResponseWriter, ch string) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, ch)
		}, "the endpoint answered 500 Internal Server Error"},
		{"redirect", "POST", func(w http.ResponseWriter, ch string) {
			w.Header().Set("Location", "/x")
			w.WriteHeader(302)
			_, _ = io.WriteString(w, ch)
		}, "the endpoint answered 302 Found; redirects are not followed"},
		{"too far back", "POST", func(w http.ResponseWriter, ch string) {
			_, _ = io.WriteString(w, strings.Repeat(" ", 2*maxAnswer)+ch)
		}, "the endpoint did not answer with the challenge"},
	} {
		rc := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			challenge, token := challengeOf(r)
			if token != "agreed & kept" || r.Header.Get("verification-token") != token || r.URL.Query().Get("key") != "1" {
				t.Errorf("%s: token %q, header %q", c.name, token, r.Header.Get("verification-token"))
			}
			c.answer(w, challenge)
		}))
		err := NewSender(true, time.Now).Verify(context.Background(), Destination{
			URL: rc.URL + "/hook?key=1", VerificationToken: "agreed & kept", VerificationMethod: c.method,
		}, "r4nd0m-Challenge")
		rc.Close()
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.reason {
			t.Errorf("%s: %q, want %q", c.name, got, c.reason)
		}
	}
	if err := NewSender(false, time.Now).Verify(context.Background(), Destination{URL: "http://127.0.0.1:1/"}, "x"); err == nil || err.Error() != ErrForbiddenAddress.Error() {
		t.Errorf("a forbidden address: %v", err)
	}
}
