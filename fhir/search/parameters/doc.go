// Package parameters knows by which search parameters each tenant can be
// searched: those of R4 and US Core, and those that the tenant defines by storing active
// SearchParameter resources
// (https://hl7.org/fhir/R4/searchparameter.html).
//
//	definition.go  reads and checks a SearchParameter
//	record.go      what is kept of a tenant: numbers, states, the fingerprint
//	registry.go    the record in the store, changed by compare-and-set
//	reconcile.go   makes the record that of the stored SearchParameters
//	view.go        what extraction and searches go by, cached
//	use.go         who is writing by which view
//
// # The life of a parameter
//
// A SearchParameter that becomes active gets a number from the tenant's own
// range and is Building: every resource written from then on has its keys, and
// a search that names it is refused with the progress. A job gives the
// resources that were there their keys; then it is Ready. Another type,
// expression, base or component is another meaning, so it gets another number
// and is built again. Numbers are never used twice, so keys that are left of an
// earlier meaning are never found.
//
// # How no write is missed
//
// The job must not pass over a resource before the last write that was
// extracted without the parameter is committed. Within a process this is
// exact: a commit counts as a use of the view that is current when it begins,
// content that was extracted by an earlier one is extracted again when it is
// rendered, and the job waits until the uses of earlier views have ended
// (Settle).
//
// Instances that share a store learn of a change by reading the record. A
// view is used for at most Options.Life without looking again, and Settle
// waits that long and Options.Allowance more, without comparing clocks. A
// commit that took longer than the allowance looks at the record once more
// before it is acknowledged, and gives its resources the keys that it missed.
// What is left is an instance that stops for longer than the allowance in the
// middle of a commit, goes on, and is killed before it has looked: the
// resources of that one commit stay without the new keys until they are
// written again or the type is reindexed.
package parameters
