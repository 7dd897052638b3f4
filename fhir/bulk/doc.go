// Package bulk is bulk data: $export of everything, of all patients' data or of
// a Group's, as NDJSON files (https://hl7.org/fhir/uv/bulkdata/STU2/), and
// $import of such files and of Bundles, sent or at URLs
// (https://github.com/smart-on-fhir/bulk-import, a proposal).
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
//	importrequest.go  the parameters of an import, and its answer
//	importing.go      lines stored, batch by batch
//	fetch.go          where the files come from
//	ndjson.go         lines, one by one
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
//
// # Once
//
// An import commits a batch of lines and then writes how far it is. Each of its
// commits names the job and the lines in the log, so that whoever goes on
// after a crash knows those that were committed and not written down.
package bulk
