package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// fail is an error of the application.
func fail(w http.ResponseWriter, status int, message, detail string) {
	e := map[string]string{"error": message}
	if detail != "" {
		e["detailedmessage"] = detail
	}
	writeJSON(w, status, e)
}

// gateway is an error of what stands before the application: no JSON.
func gateway(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<h1>" + message + "</h1>"))
}

// failFor answers an error of the practice.
func failFor(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, ErrNoSuch):
		status = http.StatusNotFound
	case errors.Is(err, ErrState):
		status = http.StatusConflict
	}
	fail(w, status, err.Error(), "")
}

// The fault of a list travels with its request.
type faultKey struct{}

func withFault(ctx context.Context, kind string) context.Context {
	return context.WithValue(ctx, faultKey{}, kind)
}

func faultOf(ctx context.Context) string {
	kind, _ := ctx.Value(faultKey{}).(string)
	return kind
}
