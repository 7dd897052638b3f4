// Package topic decides what FHIR Subscriptions are told of
// (https://hl7.org/fhir/R5/subscriptiontopic.html, and the criteria of
// https://hl7.org/fhir/R4/subscription.html, which are a topic with one
// trigger).
//
// A Watch is what one Subscription waits for: triggers on changes of a resource
// type or on named events, each with the Subscription's filters. Whether a
// change triggers follows from the keys of its version and, where the topic
// asks, of the one before: the same keys that searches walk, made again from the
// stored text once for each change, however many Subscriptions there are.
//
// An Index finds the watches that a change may be for by its type and by one
// key that a watch cannot do without. So a commit costs what may match, not
// what there is.
//
//	trigger.go  triggers and watches
//	entry.go    the changes of a log entry, with their keys
//	index.go    from changes to watches
//	compile.go  from the text of criteria and filters to triggers
//	catalog.go  the topics that there are
//	resource.go SubscriptionTopics as resources
package topic
