// Package bulk is bulk data: $export of everything, of all patients' data or of
// a Group's, as NDJSON files (https://hl7.org/fhir/uv/bulkdata/STU2/).
//
//	job.go      what a job is, and who keeps jobs
//	service.go  kick-off, status, files, end
//	request.go  the parameters of an export
//	export.go   the walk that writes the files
//	members.go  whose data is meant
//	deletes.go  what was deleted since
//	parts.go    files as items of the store
//	manifest.go the answer when it is done
//
// # The snapshot
//
// An export is of the versions that were current at one entry of the change
// log, whatever is written while it runs. It walks the documents of each type
// in the order of their numbers and takes those that have not changed since.
// With each batch it reads what the log has gained: a document that was
// changed, or deleted, and that the walk has not come to, is written at once
// in the version from before. So nothing is locked, no version is written
// twice, and what a crash left is gone on with from a place in the walk and
// one in the log.
package bulk
