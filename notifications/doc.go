// Package notifications tells subscribers what was committed: by webhook,
// strictly in order, at least once, retried until acknowledged.
//
// A subscription is a position in its tenant's change log. Its queue reads the
// log from there, skips what does not match, sends what does, and moves the
// position when the subscriber has answered 2xx. So retry is standing still,
// pause is stopping, replay is stepping back, and a crash loses nothing.
//
// # What a commit costs
//
// A tenant's log is read and decoded once for all of its queues, and an entry
// is handed to those queues alone that an index of (writeback, data model,
// source) finds; the others are not woken. With 1,000 subscriptions of which
// each commit matches two, that is 2 wake-ups and 26 to 44 µs a commit, on two
// busy cores, against 690 wake-ups and 7.3 ms when every queue looked at every
// entry:
//
//	go test ./notifications -run '^$' -bench FanOut -benchtime 20000x
//
// # What a delivery writes
//
// One item: the transmission, after the attempt. The position follows lazily
// (see queue), so that an attempt whose record was lost in a crash is made
// again and nothing else is. A transmission is written by compare-and-set as
// the position is, which is what keeps an instance that lost its lease from
// writing. At rest nothing is written, apart from the renewal of leases where
// several instances share the store: one write for each subscription in a
// third of a lease's life. From commit to record an event takes 2.0 ms on
// Pebble with a receiver on the same machine, two synced writes (the commit and
// the record) and the commits of the benchmark itself included:
//
//	go test ./notifications -run '^$' -bench Deliver -benchtime 1000x
//
// # What is promised
//
// Order and at-least-once are per subscription; a repeated delivery has the
// same webhook-id. Two instances may send the same event at the same time only
// if one was stopped for longer than a lease lasts, in the middle of an
// attempt: what it then writes is refused, but what it sent was sent.
//
// # Files
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
//	ask.go           a query to a live system, and its answer
//	reason.go        what is said of a failed one
//	verify.go        proof that an endpoint is the subscriber's
//	transmission.go  the log of deliveries and their attempts
//	meter.go         figures: attempts, and what waits
//
// Subscriptions that are FHIR resources:
//
//	keeper.go        who follows them, keeping.go what follows from one
//	resource.go      what they are sent, topics.go the events with topics
//	query.go         $status and $events
//	topic/           what they are told of
//	subscription/    the resources, and what is written for them
package notifications
