package hl7v2

import "strconv"

// The codes of table 0008, acknowledgement code.
const (
	ApplicationAccept = "AA"
	ApplicationError  = "AE"
	ApplicationReject = "AR"
	CommitAccept      = "CA"
	CommitError       = "CE"
	CommitReject      = "CR"
)

// Header is what MSH says that a message is handled by.
type Header struct {
	SendingApplication, SendingFacility     string
	ReceivingApplication, ReceivingFacility string
	Time                                    string
	Type, Event                             string // MSH-9.1 and MSH-9.2
	ControlID                               string // MSH-10
	ProcessingID                            string // MSH-11: P, T or D
	Version                                 string // MSH-12
	AcceptAck, ApplicationAck               string // MSH-15 and MSH-16, of table 0155
}

// Header reads MSH.
func (m *Message) Header() Header {
	s := m.Segment("MSH", 0)
	h := Header{
		SendingApplication: s.Field(3).String(), SendingFacility: s.Field(4).String(),
		ReceivingApplication: s.Field(5).String(), ReceivingFacility: s.Field(6).String(),
		Time: s.Field(7).String(), Type: s.Field(9).Component(1).String(), Event: s.Field(9).Component(2).String(),
		ControlID: s.Field(10).String(), ProcessingID: s.Field(11).String(), Version: s.Field(12).String(),
		AcceptAck: s.Field(15).String(), ApplicationAck: s.Field(16).String(),
	}
	if h.Event == "" && len(h.Type) == 7 && h.Type[3] == '_' {
		h.Type, h.Event = h.Type[:3], h.Type[4:] // ADT_A01 alone
	}
	return h
}

// Enhanced tells whether the sender asks for enhanced mode: an accept
// acknowledgement of storing and an application acknowledgement of its own.
// HL7 v2.5.1 § 2.9.3.
func (h Header) Enhanced() bool { return h.AcceptAck != "" || h.ApplicationAck != "" }

// Wants tells whether an acknowledgement with the code is sent under a
// condition of table 0155: always, never, on errors, on success. Nothing
// stands for always in original mode and for never in enhanced mode.
func (h Header) Wants(code string) bool {
	condition := h.ApplicationAck
	if code[0] == 'C' {
		condition = h.AcceptAck
	}
	success := code == ApplicationAccept || code == CommitAccept
	switch condition {
	case "AL":
		return true
	case "ER":
		return !success
	case "SU":
		return success
	case "NE":
		return false
	}
	return !h.Enhanced() && code[0] == 'A'
}

// Acknowledgement answers a message.
type Acknowledgement struct {
	Code      string // of table 0008
	ControlID string // of the answer
	Time      string // of the answer, as MSH-7 has it
	Text      string // for people, in MSA-3 and so for senders of 2.3
	Problems  Errors
	// Warning tells that the problems did not keep the message from being
	// taken.
	Warning bool
}

// CodeOf is the code that answers an error in original mode.
func CodeOf(err error) string {
	for _, e := range problemsOf(err) {
		if e.Reject() {
			return ApplicationReject
		}
	}
	if err == nil {
		return ApplicationAccept
	}
	return ApplicationError
}

func problemsOf(err error) Errors {
	switch e := err.(type) { //nolint:errorlint // these are what this package returns
	case Errors:
		return e
	case *Error:
		return Errors{e}
	}
	return nil
}

// Acknowledge drafts the answer to a message whose header was h; of one that
// could not be read, h may be zero. HL7 v2.5.1 § 2.9.2, § 2.15.1, § 2.15.5.
func Acknowledge(h Header, a Acknowledgement) *Draft {
	d := NewDraft()
	msh := d.Add("MSH")
	for n, text := range map[int]string{
		3: h.ReceivingApplication, 4: h.ReceivingFacility, 5: h.SendingApplication, 6: h.SendingFacility,
		7: a.Time, 10: a.ControlID, 11: or(h.ProcessingID, "P"), 12: or(h.Version, "2.5.1"), 18: UTF8,
	} {
		msh.Set(Path{Field: n}, text)
	}
	msh.Set(Path{Field: 9, Component: 1}, "ACK")
	msh.Set(Path{Field: 9, Component: 2}, h.Event)
	if h.Event != "" {
		msh.Set(Path{Field: 9, Component: 3}, "ACK")
	}
	if a.Code[0] == 'A' && h.Enhanced() {
		// A message of its own: its arrival is acknowledged, it itself is not.
		msh.Set(Path{Field: 15}, "NE")
		msh.Set(Path{Field: 16}, "NE")
	}
	msa := d.Add("MSA")
	msa.Set(Path{Field: 1}, a.Code)
	msa.Set(Path{Field: 2}, h.ControlID)
	text := a.Text
	if text == "" && len(a.Problems) > 0 && !a.Warning {
		text = a.Problems[0].Error()
	}
	msa.Set(Path{Field: 3}, text)
	for _, p := range a.Problems {
		addError(d, p, a.Warning)
	}
	return d
}

func addError(d *Draft, p *Error, warning bool) {
	s := d.Add("ERR")
	if p.Path.Segment != "" {
		s.Set(Path{Field: 2, Component: 1}, p.Path.Segment)
		for i, n := range []int{max(p.Path.Occurrence, 1), p.Path.Field, p.Path.Repetition, p.Path.Component, p.Path.Subcomponent} {
			if n > 0 {
				s.Set(Path{Field: 2, Component: i + 2}, strconv.Itoa(n))
			}
		}
	}
	code, text := p.Condition()
	s.Set(Path{Field: 3, Component: 1}, code)
	s.Set(Path{Field: 3, Component: 2}, text)
	s.Set(Path{Field: 3, Component: 3}, "HL70357")
	severity := "E"
	if warning {
		severity = "W"
	}
	s.Set(Path{Field: 4}, severity)
	s.SetText(Path{Field: 8}, p.Error())
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
