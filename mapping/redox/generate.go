package redox

//go:generate go run ./internal/gen
