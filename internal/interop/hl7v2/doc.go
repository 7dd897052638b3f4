// Package hl7v2 tests the reading, writing and carrying of HL7 v2 messages
// with implementations that this repository has not written: Debian's
// python3-hl7 and node-hl7-client of npm.
package hl7v2
