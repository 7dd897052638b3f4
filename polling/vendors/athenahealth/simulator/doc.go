// Package simulator is an athenahealth practice that exists only in memory:
// an http.Handler with the vendor's paths, parameters, authentication,
// limits and oddities, filled with people that a seed invents.
//
// It follows the vendor's public documentation of the athenaOne API and of
// changed data subscriptions. What a poller has to survive is in it on
// purpose:
//
//   - GET /v1/{practiceid}/appointments/changed forgets what it has handed
//     out, unless leaveunprocessed is true; showprocessedstartdatetime and
//     showprocessedenddatetime show it again, in Eastern time.
//   - Only events that were subscribed to when they happened are in the feed.
//   - Ids are JSON strings in appointments and patients and numbers in
//     providers; single records come as an array of one; dates are
//     mm/dd/yyyy, and a start time is local to its department.
//   - Errors of the application are JSON with error and detailedmessage;
//     errors of the gateway before it are not JSON.
//
// # Paths of the vendor
//
//	POST   /oauth2/v1/token
//	GET    /v1/{practiceid}/appointments/changed/subscription        also POST, DELETE
//	GET    /v1/{practiceid}/appointments/changed/subscription/events
//	GET    /v1/{practiceid}/appointments/changed
//	GET    /v1/{practiceid}/appointments/booked
//	GET    /v1/{practiceid}/appointments/open                        POST makes slots
//	GET    /v1/{practiceid}/appointments/{id}                        PUT books a slot
//	PUT    /v1/{practiceid}/appointments/{id}/reschedule             into another slot
//	PUT    /v1/{practiceid}/appointments/{id}/cancel
//	PUT    /v1/{practiceid}/appointments/booked/{id}
//	POST   /v1/{practiceid}/appointments/{id}/checkin                and /checkout
//	GET    /v1/{practiceid}/appointmentcancelreasons
//	GET    /v1/{practiceid}/patients/{id}
//	GET    /v1/{practiceid}/providers/{id}                           also /providers
//	GET    /v1/{practiceid}/departments/{id}                         also /departments
//
// # Paths of the simulator
//
// These need no token. They are what the practice's staff would do at their
// screens, and what the network and the vendor do to a client; each has a
// method of [Simulator] of the same name. Bodies are JSON, all members
// optional.
//
//	GET    /simulator/appointments?status=f      what the practice has
//	POST   /simulator/appointments               book {"patientid","providerid","departmentid","appointmenttypeid","date","starttime","duration"}
//	POST   /simulator/appointments/{id}/reschedule   {"date","starttime","replace":true}
//	POST   /simulator/appointments/{id}/cancel       {"reason"}
//	POST   /simulator/appointments/{id}/noshow
//	POST   /simulator/appointments/{id}/status       {"status":"2"}
//	POST   /simulator/appointments/{id}/update       {"appointmenttypeid","providerid","departmentid","duration"}
//	GET    /simulator/patients, /simulator/providers, /simulator/departments
//	GET    /simulator/feed                       what waits in the changed feed
//	GET    /simulator/counters                   calls by path and answer; DELETE sets them to nought
//	GET    /simulator/faults                     faults to come; DELETE removes them
//	POST   /simulator/faults                     {"kind","path","times","skip","seconds"}, see [Fault]
//	POST   /simulator/changes                    {"count":3} random changes now
//	POST   /simulator/stream                     {"interval":"2s"} random changes from now on; DELETE stops
//
// Rescheduling moves an appointment and keeps its id, as staff do who drag it
// on the schedule. With replace it happens in the way of the vendor's API:
// the appointment is cancelled, its rescheduledappointmentid naming the one
// that replaces it.
package simulator
