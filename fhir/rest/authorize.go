package rest

import (
	"net/http"
	"strings"

	"github.com/fhirfacade/fhirfacade/store"
)

// Access is what a request, or an entry of a batch or transaction, is about to
// do: Options.Authorize says whether it may.
type Access struct {
	Tenant store.Tenant
	// Interaction is the code of R4's restful interactions
	// (http://hl7.org/fhir/restful-interaction): read, vread, update, patch,
	// delete, history-instance, history-type, history-system, create,
	// search-type, search-system, capabilities, transaction, batch; and
	// operation. Conditional interactions are those that they are conditional
	// on.
	Interaction string
	// Type is the resource type, "" for all. A search across types that names
	// them in the URL by _type is asked about once for each; what a search
	// includes, or chains through, is not asked about.
	Type string
	// ID is the resource's, "" where the interaction has none or the server
	// has yet to find it.
	ID string
	// Compartment is the one that is searched, empty for none.
	Compartment store.Ref
	// Operation is the operation's name: $everything.
	Operation string
}

// authorize asks whether a request may do what its route says.
func (a *API) authorize(r *request) error {
	if a.o.Authorize == nil {
		return nil
	}
	access, ok := r.access()
	if !ok {
		return nil // nothing will be done, or the bundle says what
	}
	// A form may say more about types than the URL: then all are meant.
	if types := r.first("_type"); access.Interaction == "search-system" && types != "" && r.Request.Method != http.MethodPost {
		for typ := range strings.SplitSeq(types, ",") {
			access.Type = typ
			if err := a.o.Authorize(r.Request.Context(), access); err != nil {
				return err
			}
		}
		return nil
	}
	return a.o.Authorize(r.Request.Context(), access)
}

// allowed asks about what the route does not say.
func (a *API) allowed(r *request, access Access) error {
	if a.o.Authorize == nil {
		return nil
	}
	access.Tenant = r.tenant
	return a.o.Authorize(r.Request.Context(), access)
}

// first is the value of the only parameter of a name; "" when there is none,
// or there are several, which narrow each other down.
func (r *request) first(name string) string {
	value, n := "", 0
	for _, p := range r.query {
		if p.Name == name {
			value = p.Value
			n++
		}
	}
	if n > 1 {
		return ""
	}
	return value
}

// byMethod are the interactions with one resource, or of one type.
var byMethod = map[string]string{
	http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
}

// access is what a request is about to do, by its route.
func (r *request) access() (access Access, ok bool) {
	route := strings.TrimPrefix(r.FullPath(), BasePath)
	get := r.Request.Method == http.MethodGet || r.Request.Method == http.MethodHead
	access = Access{Tenant: r.tenant, Type: r.typ, ID: r.id}
	last := route[strings.LastIndexByte(route, '/')+1:]
	switch route {
	case "", "/":
		access.Interaction = "search-system"
		return access, get && r.FullPath() != ""
	case "/metadata":
		access.Interaction = "capabilities"
	case "/_history":
		access.Interaction = "history-system"
	case "/:type/_history":
		access.Interaction = "history-type"
	case "/:type/:id/_history":
		access.Interaction = "history-instance"
	case "/:type/:id/_history/:version":
		access.Interaction = "vread"
	case "/:type", "/:type/:id":
		switch {
		case r.typ == "_search" && route == "/:type":
			access.Type, access.Interaction = "", "search-system"
		case r.id == "_search":
			access.ID, access.Interaction = "", "search-type"
		case strings.HasPrefix(r.id, "$"):
			access.ID, access.Operation = "", r.id
		case get && route == "/:type":
			access.Interaction = "search-type"
		case get:
			access.Interaction = "read"
		default:
			access.Interaction = byMethod[r.Request.Method]
		}
	case "/:type/:id/:sub", "/:type/:id/:sub/:version":
		if strings.HasPrefix(r.sub, "$") {
			access.Operation = r.sub
			break
		}
		access = Access{Tenant: r.tenant, Interaction: "search-type", Type: r.sub, Compartment: r.ref()}
		if r.sub == "*" {
			access.Type, access.Interaction = "", "search-system"
		}
	case bulkStatus + "/:job", bulkFile + "/:job/:file":
		return access, false // asked about when the job is known
	default:
		access.Operation = last // a route of its own
	}
	if access.Operation != "" {
		access.Interaction = "operation"
	}
	return access, access.Interaction != ""
}
