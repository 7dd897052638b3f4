package server_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/server"
)

// guidePackage writes the package of an implementation guide.
func guidePackage(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	w := tar.NewWriter(zip)
	files["package/package.json"] = `{"name":"example.guide","version":"1.0.0","fhirVersions":["4.0.1"]}`
	for name, body := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "guide.tgz")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What is in a package counts for every organization: for those that were
// there before it, with the resources that they hold, and for new ones.
func TestGuides(t *testing.T) {
	const profile = "http://example.org/StructureDefinition/p"
	const nick = `{"resourceType":"SearchParameter","url":"http://example.org/nick","name":"X","status":"active","description":"x","code":"nick","base":["Patient"],"type":"string","expression":"Patient.name.where(use='nickname').given"}`
	file := guidePackage(t, map[string]string{
		"package/p.json":    `{"resourceType":"StructureDefinition","url":"` + profile + `","name":"X","status":"active","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient","derivation":"constraint","differential":{"element":[{"path":"Patient"},{"path":"Patient.birthDate","min":1}]}}`,
		"package/nick.json": nick,
	})
	c := server.Config{Data: t.TempDir(), Sandbox: true}
	const before, after = "/fhir/R4/before/Staging/Patient", "/fhir/R4/after/Staging/Patient"
	const patient = `{"resourceType":"Patient","id":"1","name":[{"use":"nickname","given":["Bo"]}]}`
	r, stop := startStoppable(t, c)
	put := func(path string) answer {
		return r.send("PUT", path+"/1", patient, "Content-Type", "application/fhir+json")
	}
	r.want(r.send("POST", "/organizations", `{"id":"before"}`), http.StatusCreated)
	r.want(put(before), http.StatusCreated)
	r.want(r.send("GET", before+"?nick=bo", ""), http.StatusBadRequest, "nick")
	stop()

	c.Guides = []string{file}
	r, stop = startStoppable(t, c)
	r.want(r.send("POST", "/organizations", `{"id":"after"}`), http.StatusCreated)
	r.want(put(after), http.StatusCreated)
	for _, path := range []string{before, after} {
		eventually(t, "the parameter is ready", func() bool {
			a := r.send("GET", path+"?nick=bo", "")
			return a.status == http.StatusOK && strings.Contains(string(a.body), `"match"`)
		})
		r.want(r.send("POST", path+"/$validate?profile="+profile, patient, "Content-Type", "application/fhir+json"), http.StatusOK, "Patient.birthDate", "Patient.identifier")
	}
	stop()

	// Without it, what it brought is gone again.
	c.Guides = nil
	r = start(t, c)
	r.want(r.send("GET", before+"?nick=bo", ""), http.StatusBadRequest, "nick")
	r.want(r.send("POST", before+"/$validate?profile="+profile, patient, "Content-Type", "application/fhir+json"), http.StatusBadRequest, "not held")
}

// A package that cannot be used keeps the server from starting, with the file
// and the rule.
func TestBadGuides(t *testing.T) {
	for says, files := range map[string]map[string]string{
		"package/../x.json":                          {"package/../x.json": "{}"},
		"package/x.json: it is not JSON":             {"package/x.json": "{"},
		"http://example.org/x, which cannot be used": {"package/x.json": `{"resourceType":"SearchParameter","url":"http://example.org/x","name":"X","status":"active","description":"x","code":"x","base":["Patient"],"type":"string","expression":"((("}`},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		s, err := server.Open(ctx, server.Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Sandbox: true, Logger: slog.New(slog.DiscardHandler), Guides: []string{guidePackage(t, files)}})
		cancel()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %v", says, s, err)
		}
	}
}
