// Package subscription reads Subscription resources and writes what
// Subscribers get: FHIR R4's own (https://hl7.org/fhir/R4/subscription.html) and
// those of the Subscriptions R5 Backport IG for R4
// (http://hl7.org/fhir/uv/subscriptions-backport, 1.1.0).
//
// A Subscription is the IG's when its criteria are the canonical of a topic, and
// R4's when they are a search. What neither form can mean, or this server does
// not do, is refused with a 422 that names the element.
//
//	spec.go      what a Subscription asks for
//	channel.go   its channel: endpoint, headers, payload
//	admit.go     what of a client's version is stored
//	status.go    SubscriptionStatus as Parameters, and notification Bundles
package subscription
