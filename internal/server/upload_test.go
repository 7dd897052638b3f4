package server_test

import (
	"bytes"
	"encoding/base64"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/exchange"
	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
)

func (r *running) upload(source, field string, content []byte) answer {
	r.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile(field, "scan.pdf")
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		r.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		r.t.Fatal(err)
	}
	return r.send("POST", "/upload", b.String(), "Content-Type", w.FormDataContentType(), "Redox-Source-Id", source)
}

func TestUploadedFiles(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		staging := exchange.DefaultSourceID(tenant.Of("sandbox", "Staging"))
		other := text(at(decoded(t, r.want(r.send("POST", "/exchange/sandbox/Staging/sources", `{"name":"other"}`), http.StatusCreated)), "id"))
		content := bytes.Repeat([]byte("a page of a report\n"), 100_000) // more than one part
		uri := text(at(decoded(t, r.want(r.upload(staging, "file", content), http.StatusCreated)), "URI"))
		if !strings.HasPrefix(uri, r.url+"/blob/") {
			t.Fatalf("the URI is %s", uri)
		}
		message := edited(t, shipped(t, "Results", "New"), uri, "Orders", 0, "Results", 0, "Value")
		message = edited(t, []byte(message), "Encapsulated Data", "Orders", 0, "Results", 0, "ValueType")

		// What a subscriber gets has the content, and so has FHIR.
		received := newReceiver(t)
		destination := `{"id":"d","name":"d","url":"` + received.URL + `"}`
		r.want(r.send("POST", "/exchange/sandbox/Staging/destinations", destination), http.StatusCreated)
		r.want(r.send("POST", "/exchange/sandbox/Staging/subscriptions", `{"id":"s","destination":"d","dataModel":"Results","content":"redox"}`), http.StatusCreated)
		a := decoded(t, r.want(r.send("POST", "/endpoint", message, "Redox-Source-Id", staging), http.StatusOK))
		inline := base64.StdEncoding.EncodeToString(content)
		if body := received.next(t); !strings.Contains(body, inline) {
			t.Errorf("the subscriber got %d bytes without the file", len(body))
		}
		found := r.want(r.send("GET", "/fhir/R4/sandbox/Staging/Observation", ""), http.StatusOK)
		documents := r.want(r.send("GET", "/fhir/R4/sandbox/Staging/DiagnosticReport?_include=*", ""), http.StatusOK)
		if !bytes.Contains(found.body, []byte(inline)) && !bytes.Contains(documents.body, []byte(inline)) {
			t.Error("FHIR has no content of the file")
		}
		// The log has the message as it was received.
		logged := r.want(r.send("GET", "/exchange/sandbox/Staging/messages/"+text(at(a, "Meta", "Logs", 0, "ID"))+"/body", ""), http.StatusOK)
		if string(logged.body) != message {
			t.Error("the log does not have the message as it was received")
		}
		transmission := text(at(a, "Meta", "Logs", 0, "AttemptID"))
		eventually(t, "the transmission that the answer names", func() bool {
			return r.send("GET", "/exchange/sandbox/Staging/transmissions/"+transmission, "").status == http.StatusOK
		})

		for _, c := range []struct {
			rule, text string
			got        answer
			status     int
		}{
			{"only the same source may use the URI", "has not uploaded", r.send("POST", "/endpoint", message, "Redox-Source-Id", other), 400},
			{"a URI of no file", "has not uploaded", r.send("POST", "/endpoint", strings.Replace(message, uri[len(uri)-4:], "0000", 1), "Redox-Source-Id", staging), 400},
			{"not in Development", "cannot be uploaded in Development", r.upload(exchange.DefaultSourceID(tenant.Of("sandbox", "Development")), "file", []byte("x")), 403},
			{"another field", "field file", r.upload(staging, "document", []byte("x")), 400},
			{"nothing", "empty", r.upload(staging, "file", nil), 400},
			{"not multipart", "multipart/form-data", r.send("POST", "/upload", "x", "Redox-Source-Id", staging), 400},
			{"only POST", "Only POST", r.send("GET", "/upload", ""), 403},
		} {
			if c.got.status != c.status || !strings.Contains(string(c.got.body), c.text) {
				t.Errorf("%s: %d %.300s", c.rule, c.got.status, c.got.body)
			}
		}
	})
}

func TestAFileThatIsTooLarge(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	staging := exchange.DefaultSourceID(tenant.Of("sandbox", "Staging"))
	r.want(r.upload(staging, "file", make([]byte, 30<<20+1)), http.StatusRequestEntityTooLarge, "30 MB")
	r.want(r.upload(staging, "file", make([]byte, 30<<20)), http.StatusCreated)
}
