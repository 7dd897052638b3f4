package server_test

import (
	"net/http"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/server"
)

// How writes are checked is a setting of an organization, counts at once, and
// outlives a restart.
func TestValidationSetting(t *testing.T) {
	c := server.Config{Data: t.TempDir(), Sandbox: true}
	const strict, lax = "/fhir/R4/strict/Staging/Patient/1", "/fhir/R4/lax/Staging/Patient/1"
	const unmet = `{"resourceType":"Patient","id":"1","telecom":[{"value":"1"}]}`
	const misshapen = `{"resourceType":"Patient","id":"1","gender":"x"}`
	r, stop := startStoppable(t, c)
	put := func(path, body string) answer {
		return r.send("PUT", path, body, "Content-Type", "application/fhir+json")
	}
	r.want(r.send("POST", "/organizations", `{"id":"strict","validation":{"level":"full","unknownModifierExtensions":"refuse"}}`), http.StatusCreated, `"level":"full"`)
	r.want(r.send("POST", "/organizations", `{"id":"lax"}`), http.StatusCreated)
	r.want(r.send("POST", "/organizations", `{"id":"other","validation":{"level":"some"}}`), http.StatusBadRequest, "validation.level")

	r.want(put(strict, unmet), http.StatusBadRequest, "cpt-2")
	r.want(put(lax, misshapen), http.StatusBadRequest, "code-invalid")
	r.want(r.send("PUT", "/organizations/lax/validation", `{"level":"off"}`), http.StatusOK)
	r.want(put(lax, misshapen), http.StatusCreated)
	for body, says := range map[string]string{`{"level":"most"}`: "validation.level", `{"levels":"off"}`: "levels", `{`: "", `{"unknownModifierExtensions":"no"}`: "unknownModifierExtensions"} {
		r.want(r.send("PUT", "/organizations/lax/validation", body), http.StatusBadRequest, says)
	}
	r.want(r.send("PUT", "/organizations/nobody/validation", `{"level":"off"}`), http.StatusNotFound)
	r.want(r.send("GET", "/organizations", ""), http.StatusOK, `"validation":{"level":"off"}`)
	stop()

	r = start(t, c)
	r.want(put(strict, unmet), http.StatusBadRequest, "cpt-2")
	r.want(put(lax, misshapen), http.StatusOK)
	r.want(r.send("PUT", "/organizations/strict/validation", `{}`), http.StatusOK)
	r.want(put(strict, unmet), http.StatusCreated)
}
