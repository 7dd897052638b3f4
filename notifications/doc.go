// Package notifications tells subscribers what was committed: by webhook,
// strictly in order, at least once, retried until acknowledged.
//
// A subscription is a position in its tenant's change log. Its queue reads the
// log from there, skips what does not match, sends what does, and moves the
// position when the subscriber has answered 2xx. So retry is standing still,
// pause is stopping, replay is stepping back, and a crash loses nothing.
//
//	event.go         what a log entry says about the event that it was
//	subscription.go  subscriptions and destinations, and what matches
//	registry.go      where they are kept
//	engine.go        one queue for each active subscription, here or elsewhere
//	queue.go         the loop of one subscription; deliver.go one event of it
//	position.go      how far a subscription is; stepping back, skipping
//	tail.go          the end of a log, read once for all queues of a tenant
//	route.go         which of them an entry is for
//	schedule.go      when a failed delivery is tried again
//	render.go        payloads: lightweight, detailed, Redox
//	webhook.go       one attempt over HTTP; sign.go its signature
//	reason.go        what is said of a failed one
//	guard.go         which addresses may be called
//	verify.go        proof that an endpoint is the subscriber's
//	transmission.go  the log of deliveries and their attempts
//	meter.go         figures: attempts, and what waits
package notifications
