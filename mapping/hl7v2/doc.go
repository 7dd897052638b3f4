// Package hl7v2 reads and writes HL7 v2.x messages in the bar notation
// (HL7 v2.5.1 chapter 2: Control). It takes in 2.1 to 2.8 and writes 2.5.1.
//
// [Parse] makes a [Message] of bytes: views of segments, fields, repetitions,
// components and subcomponents that share memory with the text. Values are
// named as the standard names them:
//
//	m, err := hl7v2.Parse(data, hl7v2.Options{})
//	m.Get("PID-3[2].4.1").String() // of the second identifier, the assigning authority's name space
//
// A [Draft] is a message being written; [Draft.Append] encodes it. [Structure]
// and [Message.Group] know the groups of the message structures; [Framer] cuts
// the frames of MLLP out of a stream; [Acknowledgement] answers.
//
// What is wrong with a message is an [*Error] with an identity, the place and
// the rule, never the value. What senders do against the standard, and can be
// understood, is taken in and listed in [Message.Warnings].
//
// Everything is pure: no I/O, no clock, no state.
package hl7v2
