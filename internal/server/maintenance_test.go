package server_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/receiver"
	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/documents"
	"github.com/fhirfacade/fhirfacade/store/mongo"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

const maintenancePath = "/maintenance/sandbox/Development"

// quick makes instances learn of each other sooner than in service.
func quick(c server.Config) server.Config {
	c.Learn = 200 * time.Millisecond
	return c
}

// inStore opens a server's store while the server does not run.
func inStore(t *testing.T, c server.Config, do func(s store.Store)) {
	t.Helper()
	var s store.Store
	var err error
	if c.MongoDBURI != "" {
		s, err = mongo.Open(t.Context(), mongo.Options{URI: c.MongoDBURI, Database: c.MongoDBDatabase, Logger: slog.New(slog.DiscardHandler)})
	} else {
		s, err = pebble.Open(c.Data, pebble.Options{Logger: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		t.Fatal(err)
	}
	do(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func (r *running) put(resource, path string) {
	r.t.Helper()
	if a := r.send("PUT", fhirBase+"/"+path, resource, "Content-Type", "application/fhir+json"); a.status != http.StatusOK && a.status != http.StatusCreated {
		r.t.Fatalf("PUT %s: %d %.600s", path, a.status, a.body)
	}
}

func eyed(id, colour string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"extension":[{"url":"http://example.org/eye","valueCode":%q},{"url":"http://example.org/hair","valueCode":"red"}]}`, id, colour)
}

func eyeParameter(status, extension string) string {
	return fmt.Sprintf(`{"resourceType":"SearchParameter","id":"eye","url":"http://example.org/SearchParameter/eye","name":"Eye","status":%q,
		"description":"colour of the eyes","code":"eye","base":["Patient"],"type":"token","expression":"Patient.extension('http://example.org/%s').value"}`, status, extension)
}

// ids are what a search finds, in order.
func (r *running) ids(query string) string {
	r.t.Helper()
	var all []string
	for _, res := range r.search(query) {
		if res["resourceType"] != "OperationOutcome" {
			all = append(all, text(res["id"]))
		}
	}
	return strings.Join(all, " ")
}

func (r *running) ready() {
	r.t.Helper()
	eventually(r.t, "the search parameter", func() bool {
		a := r.want(r.send("GET", maintenancePath+"/search-parameters", ""), http.StatusOK)
		return strings.Contains(string(a.body), `"state":"ready"`)
	})
}

// A search parameter that a tenant defines: refused while it is built, with
// the progress; then searched, chained and sorted by, and in the
// CapabilityStatement; with another expression it means something else.
func TestCustomSearchParameter(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		c = quick(c)
		r := start(t, c)
		for i := range 300 {
			r.put(eyed(fmt.Sprintf("p%03d", i), []string{"blue", "brown"}[i%2]), fmt.Sprintf("Patient/p%03d", i))
		}
		r.put(`{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p000"}}`, "Observation/o")
		r.want(r.send("GET", fhirBase+"/Patient?eye=blue", ""), http.StatusBadRequest, "no search parameter named")
		r.want(r.send("PUT", fhirBase+"/SearchParameter/eye", strings.Replace(eyeParameter("active", "eye"), `"code":"eye"`, `"code":"birthdate"`, 1), "Content-Type", "application/fhir+json"),
			http.StatusBadRequest, "duplicate", "SearchParameter.code")
		r.put(eyeParameter("active", "eye"), "SearchParameter/eye")
		if c.MongoDBURI != "" {
			// There it takes a while: other instances have to learn of it.
			r.want(r.send("GET", fhirBase+"/Patient?eye=blue", ""), http.StatusBadRequest, "SearchParameter/eye is not ready")
			a := r.want(r.send("GET", fhirBase+"/Patient?eye=blue&_id=p000", "", "Prefer", "handling=lenient"), http.StatusOK, "left out of this search", "not ready")
			if strings.Contains(string(a.body), `eye=blue"`) {
				t.Errorf("the self link has what was left out: %.400s", a.body)
			}
		}
		r.put(eyed("late", "blue"), "Patient/late")
		r.ready()
		if got := len(r.search("Patient?eye=blue&_count=500")); got != 151 {
			t.Errorf("found %d", got)
		}
		if got := r.ids("Patient?eye=brown&_count=2&_sort=-eye"); got != "p001 p003" {
			t.Errorf("found %s", got)
		}
		if got := r.ids("Observation?subject:Patient.eye=blue"); got != "o" {
			t.Errorf("chained: %s", got)
		}
		if got := r.ids("Patient?_sort=-eye&_count=1"); got != "p001" {
			t.Errorf("sorted: %s", got)
		}
		r.want(r.send("GET", fhirBase+"/metadata", ""), http.StatusOK, `"name":"eye","definition":"http://example.org/SearchParameter/eye"`)
		a := r.want(r.send("GET", "/fhir/R4/sandbox/Staging/metadata", ""), http.StatusOK)
		if strings.Contains(string(a.body), "example.org/SearchParameter/eye") {
			t.Error("another environment has the parameter")
		}
		eventually(t, "the job's end", func() bool {
			return strings.Contains(string(r.send("GET", maintenancePath+"/jobs", "").body), `"state":"finished"`)
		})
		jobs := r.want(r.send("GET", maintenancePath+"/jobs", ""), http.StatusOK, `"reason":"search parameter eye"`, `"state":"finished"`, `"types":["Patient"]`)
		var list struct{ Items []struct{ Done, Total int64 } }
		jobs.decode(t, &list)
		if j := list.Items[0]; j.Done != j.Total || j.Done < 300 || j.Done > 301 {
			t.Errorf("%+v", j)
		}

		r.put(eyeParameter("active", "hair"), "SearchParameter/eye")
		r.ready()
		if got := len(r.search("Patient?eye=red&_count=500")); got != 301 {
			t.Errorf("found %d by the new expression", got)
		}
		if got := r.ids("Patient?eye=blue"); got != "" {
			t.Errorf("the earlier expression still finds %s", got)
		}
		r.put(eyeParameter("retired", "hair"), "SearchParameter/eye")
		r.want(r.send("GET", fhirBase+"/Patient?eye=red", ""), http.StatusBadRequest, "no search parameter named")
	})
}

// Keys that an earlier version made are built anew when a server starts, and
// searches say so until that is done.
func TestReindexAfterUpgrade(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		c = quick(c)
		r, stop := startStoppable(t, c)
		for i := range 50 {
			r.put(eyed(fmt.Sprintf("p%03d", i), "blue"), fmt.Sprintf("Patient/p%03d", i))
		}
		stop()
		const tenant = store.Tenant("sandbox/Development")
		inStore(t, c, func(s store.Store) {
			// What a version that made other keys leaves behind: found by their
			// type alone.
			page, err := s.Search(t.Context(), tenant, store.Query{Where: store.Prefix(""), Limit: 100})
			if err != nil || len(page.Documents) != 50 {
				t.Fatal(len(page.Documents), err)
			}
			var changes []store.KeyChange
			for _, d := range page.Documents {
				changes = append(changes, store.KeyChange{Ref: d.Ref, Version: d.Version, Keys: []store.Key{everyPatient}})
			}
			if n, err := s.Rekey(t.Context(), tenant, changes); err != nil || n != 50 {
				t.Fatal(n, err)
			}
			if err := documents.Put(t.Context(), s, tenant, store.Item{Kind: "search-index", ID: "record"}, map[string]any{"generation": 9, "form": 0, "fingerprint": "earlier"}, store.ItemAny); err != nil {
				t.Fatal(err)
			}
		})
		r = start(t, c)
		if !strings.Contains(r.log(), "search keys are made differently now") {
			t.Error("the log does not say what is done")
		}
		if c.MongoDBURI != "" { // there it takes a while
			r.want(r.send("GET", fhirBase+"/Patient?_id=p007", ""), http.StatusOK, "being rebuilt")
			r.want(r.send("POST", fhirBase+"/Patient", eyed("x", "blue"), "Content-Type", "application/fhir+json", "If-None-Exist", "_id=p007"),
				http.StatusServiceUnavailable, "being rebuilt")
		}
		eventually(t, "the keys", func() bool {
			a := r.want(r.send("GET", fhirBase+"/Patient?_id=p007", ""), http.StatusOK)
			return !strings.Contains(string(a.body), "rebuilt") && r.ids("Patient?_id=p007") == "p007"
		})
		if got := len(r.search("Patient?_count=100")); got != 50 {
			t.Errorf("found %d", got)
		}
		eventually(t, "the job's end", func() bool {
			return strings.Contains(string(r.send("GET", maintenancePath+"/jobs", "").body), `"state":"finished"`)
		})
		r.want(r.send("GET", maintenancePath+"/jobs", ""), http.StatusOK, "the program makes search keys differently now", `"done":50`, `"total":50`)
	})
}

// everyPatient is the key that every Patient has: the type's number and 1.
const everyPatient = "\x00\x68\x00\x01"

func TestJobsOverHTTP(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, quick(c))
		r.put(eyed("1", "blue"), "Patient/1")
		r.want(r.send("POST", maintenancePath+"/reindex", `{"types":["Shoe"]}`), http.StatusBadRequest, `"field":"types"`)
		r.want(r.send("POST", maintenancePath+"/reindex", `{"type":"Patient"}`), http.StatusBadRequest, "type")
		var j struct{ ID, State string }
		r.want(r.send("POST", maintenancePath+"/reindex", `{"types":["Patient"]}`), http.StatusCreated, `"requested"`).decode(t, &j)
		eventually(t, "the job", func() bool {
			r.want(r.send("GET", maintenancePath+"/jobs/"+j.ID, ""), http.StatusOK).decode(t, &j)
			return j.State == "finished"
		})
		r.want(r.send("GET", maintenancePath+"/jobs/"+j.ID, ""), http.StatusOK, `"done":1`, `"total":1`)
		r.want(r.send("POST", maintenancePath+"/jobs/"+j.ID+"/cancel", ""), http.StatusConflict, "ended already")
		r.want(r.send("GET", maintenancePath+"/jobs/none", ""), http.StatusNotFound)
		r.want(r.send("GET", "/maintenance/nobody/Development/jobs", ""), http.StatusNotFound)
		r.want(r.send("GET", maintenancePath+"/log", ""), http.StatusOK, `"floor":1`, `"head":1`, `"readers":[]`)
		if c.MongoDBURI != "" {
			r.want(r.send("POST", "/maintenance/backup", `{"folder":"/tmp/backup"}`), http.StatusNotImplemented, "MongoDB")
		}
	})
}

func TestBackupFolders(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := start(t, server.Config{Data: data, Sandbox: true})
	r.put(eyed("1", "blue"), "Patient/1")
	full := t.TempDir()
	for folder, says := range map[string]string{
		"":                            "is required",
		"relative/folder":             "absolute",
		"/":                           "absolute",
		data:                          "inside the data folder",
		filepath.Join(data, "backup"): "inside the data folder",
		data + "/../data/x":           "inside the data folder",
		filepath.Dir(full):            "not empty",
		filepath.Dir(data):            "not empty",
	} {
		body := fmt.Sprintf(`{"folder":%q}`, folder)
		r.want(r.send("POST", "/maintenance/backup", body), http.StatusBadRequest, says)
	}
	to := filepath.Join(full, "a", "backup")
	r.want(r.send("POST", "/maintenance/backup", fmt.Sprintf(`{"folder":%q}`, to)), http.StatusCreated)
	r.want(r.send("POST", "/maintenance/backup", fmt.Sprintf(`{"folder":%q}`, to)), http.StatusBadRequest, "not empty")
	inStore(t, server.Config{Data: to}, func(s store.Store) {
		if _, err := s.Get(t.Context(), "sandbox/Development", store.Ref{Type: "Patient", ID: "1"}); err != nil {
			t.Error(err)
		}
	})
}

// An organization is removed with all that belongs to it, here and in what is
// kept for the whole server, while it is in use.
func TestDropOrganization(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		c = quick(c)
		r, stop := startStoppable(t, c)
		r.want(r.send("POST", "/organizations", `{"id":"gone","name":"Soon gone"}`), http.StatusCreated)
		r.want(r.send("POST", "/organizations", `{"id":"stays"}`), http.StatusCreated)
		app, err := receiver.New(receiver.Options{Name: "app", Token: "hello", Out: t.Output(), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		hook := httptest.NewServer(app)
		defer hook.Close()
		for _, organization := range []string{"gone", "stays"} {
			x := "/exchange/" + organization + "/Development"
			r.want(r.send("POST", x+"/destinations", fmt.Sprintf(`{"id":"app","name":"app","url":%q,"verificationToken":"hello"}`, hook.URL)), http.StatusCreated)
			r.want(r.send("POST", x+"/subscriptions", `{"id":"s","destination":"app","dataModel":"*","content":"detailed"}`), http.StatusCreated)
			r.want(r.send("POST", x+"/connections", `{"id":"c","vendor":"athenahealth","baseUrl":"http://127.0.0.1:1","practice":"1","clientId":"c","clientSecret":"s","timeZone":"UTC","actions":[{"name":"appointments","schedule":"@every 1h"}]}`), http.StatusCreated)
			var sources []struct{ ID string }
			r.want(r.send("GET", x+"/sources", ""), http.StatusOK).decode(t, &sources)
			r.want(r.send("POST", x+"/sources/"+sources[0].ID+"/keys", ""), http.StatusOK)
			r.want(r.send("PUT", "/fhir/R4/"+organization+"/Development/Patient/1", eyed("1", "blue"), "Content-Type", "application/fhir+json"), http.StatusCreated)
		}
		r.want(r.send("DELETE", "/organizations/none?confirm=none", ""), http.StatusNotFound)
		r.want(r.send("DELETE", "/organizations/gone", ""), http.StatusBadRequest, `"field":"confirm"`)
		r.want(r.send("DELETE", "/organizations/gone?confirm=stays", ""), http.StatusBadRequest, `"field":"confirm"`)
		r.want(r.send("DELETE", "/organizations/gone?dry-run=true", ""), http.StatusOK, `"Patient":1`, `"logEntries":1`, `"subscriptions":1`, `"connections":1`)
		r.want(r.send("GET", "/fhir/R4/gone/Development/Patient/1", ""), http.StatusOK)

		var j struct{ ID, State, Error string }
		r.want(r.send("DELETE", "/organizations/gone?confirm="+url.QueryEscape("gone"), ""), http.StatusAccepted).decode(t, &j)
		r.want(r.send("GET", "/fhir/R4/gone/Development/Patient/1", ""), http.StatusNotFound)
		r.want(r.send("POST", "/organizations", `{"id":"gone"}`), http.StatusBadRequest, "being removed")
		eventually(t, "the end of the organization", func() bool {
			r.want(r.send("GET", "/maintenance/jobs/"+j.ID, ""), http.StatusOK).decode(t, &j)
			return j.State == "finished"
		})
		if a := r.want(r.send("GET", "/organizations", ""), http.StatusOK); strings.Contains(string(a.body), "gone") {
			t.Errorf("it is still there: %s", a.body)
		}
		r.want(r.send("GET", "/fhir/R4/stays/Development/Patient/1", ""), http.StatusOK)
		stop()
		inStore(t, c, func(s store.Store) {
			tenants, err := s.Tenants(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range tenants {
				if strings.HasPrefix(string(name), "gone/") {
					t.Errorf("%s is left", name)
				}
			}
			for kind, want := range map[string]int{"api-key": 1, "source-tenant": 6, "organization": 2, "lease": 0} {
				page, err := s.ScanItems(t.Context(), store.System, store.ItemScan{Kind: kind, Limit: 100})
				if err != nil || len(page.Items) != want {
					t.Errorf("%d items of kind %s are left, want %d, %v", len(page.Items), kind, want, err)
				}
			}
		})
		// The name can be had again, by someone new.
		r = start(t, c)
		r.want(r.send("POST", "/organizations", `{"id":"gone"}`), http.StatusCreated)
		r.want(r.send("GET", "/fhir/R4/gone/Development/Patient/1", ""), http.StatusNotFound)
		r.want(r.send("PUT", "/fhir/R4/gone/Development/Patient/1", eyed("1", "blue"), "Content-Type", "application/fhir+json"), http.StatusCreated)
		r.want(r.send("GET", "/maintenance/gone/Development/log", ""), http.StatusOK, `"head":1`)

		// One environment goes, the organization stays.
		r.want(r.send("DELETE", "/organizations/gone/environments/Development?confirm=gone/Development", ""), http.StatusAccepted).decode(t, &j)
		eventually(t, "the end of the environment", func() bool {
			r.want(r.send("GET", "/maintenance/jobs/"+j.ID, ""), http.StatusOK).decode(t, &j)
			return j.State == "finished"
		})
		eventually(t, "a new beginning", func() bool {
			return r.send("GET", "/fhir/R4/gone/Development/Patient", "").status == http.StatusOK
		})
		r.want(r.send("GET", "/fhir/R4/gone/Development/Patient/1", ""), http.StatusNotFound)
		r.want(r.send("GET", "/exchange/gone/Development/sources", ""), http.StatusOK, "gone Development")
	})
}
