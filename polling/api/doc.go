// Package api makes the calls that connectors send to vendors: it proves who
// calls, renews tokens, keeps to the vendor's limits, and tells failures
// apart as the errors of package polling.
//
//	client.go  one call: rate, send, check
//	auth.go    how a call is authorized, and tokens (RFC 6749)
//	jwt.go     client assertions (RFC 7523; SMART Backend Services)
//	budget.go  so many calls a second, minute, hour or day
package api
