// Package athenahealth polls the athenaOne API.
//
// Its action "appointments" follows the changed data subscription of
// appointments: GET /v1/{practiceid}/appointments/changed names what changed,
// GET patients, providers and departments fill the container, and a Redox
// Scheduling message tells of it.
//
// # Reading a feed that forgets
//
// What the feed hands out it does not hand out again. So it is read with
// leaveunprocessed=true, the first page only; everything on it is delivered
// or kept; the time is put into the cursor; then the same page is read
// without leaveunprocessed, which makes room for the next. Offsets are never
// used on a feed that is being consumed. If the run ends between, the next
// one asks for what was processed since that time
// (showprocessedstartdatetime, Eastern time, with a margin for clocks that
// differ) before it goes on.
//
// # Scheduling events
//
//	not known before                           New
//	not known, another appointment became it   Reschedule, with OldVisitNumber and OldDateTime
//	start differs                              Reschedule, with OldDateTime
//	status x                                   Cancel; NoShow if the reason says so
//	was cancelled or open, is booked           New
//	slot open again, nobody in it              Cancel
//	anything else that a message tells         Modification
//
// An open slot that never was an appointment makes no message.
//
// # What is not certain
//
// The vendor does not say in which zone lastmodified is; it is taken as
// Eastern, like the times of the feed's parameters, and is used for
// Meta.EventDateTime only. Start times are local to the department, whose
// zone is used where it names one, and the practice's where not.
package athenahealth
