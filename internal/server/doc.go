// Package server puts the parts together: one store, the FHIR API, the
// exchange, the notification engine and the poller, behind one HTTP listener.
//
//	server.go   Open builds the parts, Run serves until the context ends
//	core.go     what a server shares with commands that work on its store
//	offline.go  those commands
//	upkeep.go   what maintenance has to know of the other parts
//	routes.go   which path leads to which part, and what guards it
package server
