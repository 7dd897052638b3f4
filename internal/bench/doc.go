// Package bench measures the server as its clients meet it: over HTTP, on the
// embedded store, client and server on the same machine. Each figure stands
// beside what gin or encoding/json do with the same bytes in the same run.
//
//	go test ./internal/bench -run '^$' -bench . -timeout 60m -resources 500000
package bench
