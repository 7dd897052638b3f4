package hl7v2_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name    string
		stream  []string // as it arrives
		want    []string
		pause   string
		dropped int
	}{
		{"one", []string{"\x0bMSH|a\r\x1c\r"}, []string{"MSH|a\r"}, "", 0},
		{"two in one read", []string{"\x0bMSH|a\x1c\r\x0bMSH|b\x1c\r"}, []string{"MSH|a", "MSH|b"}, "", 0},
		{"in pieces", []string{"\x0b", "MS", "H|a\x1c", "\r"}, []string{"MSH|a"}, "", 0},
		{"truncated", []string{"\x0bMSH|a"}, nil, "", 0},
		{"noise before the frame", []string{"\r\nxx\x0bMSH|a\x1c\r"}, []string{"MSH|a"}, "", 0},
		{"no start", []string{"MSH|a\x1c\rM", "SH|b\x1c\r"}, []string{"MSH|a", "MSH|b"}, "", 0},
		{"a new start in an open frame", []string{"\x0bMSH|cut\x0bMSH|a\x1c\r"}, []string{"MSH|a"}, "", 1},
		{"an end that is data", []string{"\x0bMSH|a\x1cb\x1c\r"}, []string{"MSH|a\x1cb"}, "", 0},
		{"no carriage return before the next frame", []string{"\x0bMSH|a\x1c\x0bMSH|b\x1c\r"}, []string{"MSH|a", "MSH|b"}, "", 0},
		{"no carriage return at a pause", []string{"\x0bMSH|a\x1c"}, nil, "MSH|a", 0},
		{"an empty frame", []string{"\x0b\x1c\r\x0bMSH|a\x1c\r"}, []string{"", "MSH|a"}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &hl7v2.Framer{}
			var got []string
			for _, p := range c.stream {
				_, _ = f.Write([]byte(p))
				for {
					m, err := f.Next()
					if err != nil {
						t.Fatal(err)
					}
					if m == nil {
						break
					}
					got = append(got, string(m))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if m, err := f.Pause(); string(m) != c.pause || err != nil {
				t.Errorf("at the pause %q, %v", m, err)
			}
			if f.Dropped != c.dropped {
				t.Error("dropped", f.Dropped)
			}
		})
	}
}

func TestFramesHaveALimit(t *testing.T) {
	for _, end := range []string{"", "\x1c\r"} {
		f := &hl7v2.Framer{Max: 100}
		_, _ = f.Write([]byte("\x0bMSH|" + strings.Repeat("x", 101) + end))
		if _, err := f.Next(); !errors.Is(err, hl7v2.ErrSize) {
			t.Error(err)
		}
	}
}

// TestAcknowledgements: the truth table of MSH-15 and MSH-16 (table 0155).
func TestWhichAcknowledgementsAreWanted(t *testing.T) {
	for _, c := range []struct{ accept, application, want string }{
		{"", "", "AA AE AR"},
		{"AL", "AL", "CA CE CR AA AE AR"},
		{"AL", "", "CA CE CR"},
		{"", "AL", "AA AE AR"},
		{"ER", "NE", "CE CR"},
		{"SU", "ER", "CA AE AR"},
		{"NE", "SU", "AA"},
		{"NE", "NE", ""},
	} {
		h := hl7v2.Header{AcceptAck: c.accept, ApplicationAck: c.application}
		var got []string
		for _, code := range strings.Fields("CA CE CR AA AE AR") {
			if h.Wants(code) {
				got = append(got, code)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q %q: %v, want %s", c.accept, c.application, got, c.want)
		}
	}
}

func TestAcknowledgement(t *testing.T) {
	m := parse(t, admit)
	_, _, wrong := hl7v2.ParseTime("yesterday", nil)
	var e *hl7v2.Error
	if !errors.As(wrong, &e) {
		t.Fatal(wrong)
	}
	e.Path = path("PID-7")
	d := hl7v2.Acknowledge(m.Header(), hl7v2.Acknowledgement{
		Code: hl7v2.CodeOf(e), ControlID: "A1", Time: "20260302090001-0500", Problems: hl7v2.Errors{e},
	})
	got, err := d.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "MSH|^~\\&|LAB|GOOD|ADT1|GOOD|20260302090001-0500||ACK^A01^ACK|A1|P|2.5.1||||||UNICODE UTF-8\r" +
		"MSA|AE|M1|data type error: a time stamp is YYYY[MM[DD[HH[MM[SS[.SSSS]]]]]][±ZZZZ] (PID-7)\r" +
		"ERR||PID^1^7|102^Data type error^HL70357|E||||data type error: a time stamp is YYYY[MM[DD[HH[MM[SS[.SSSS]]]]]][±ZZZZ] (PID-7)\r"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	for err, code := range map[error]string{
		nil:                                   "AA",
		&hl7v2.Error{Kind: hl7v2.ErrRequired}: "AE",
		&hl7v2.Error{Kind: hl7v2.ErrEvent}:    "AR",
		hl7v2.Errors{{Kind: hl7v2.ErrTable}, {Kind: hl7v2.ErrInternal}}[1]: "AR",
	} {
		if got := hl7v2.CodeOf(err); got != code {
			t.Errorf("%v: %s, want %s", err, got, code)
		}
	}
}

func TestTimes(t *testing.T) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"1975":                     "1975",
		"197501":                   "197501",
		"19750102":                 "19750102",
		"2026030209":               "2026030209-0600",
		"202603020910":             "202603020910-0600",
		"20260302091011":           "20260302091011-0600",
		"20260302091011.25":        "20260302091011.25-0600",
		"20260302091011.1234+0530": "20260302091011.1234+0530",
		"20260702091011":           "20260702091011-0500",
		"20260308023000":           "20260308033000-0500", // in the gap of spring
		"20261101013000":           "20261101013000-0500", // the first of two
		"20260302240000":           "20260303000000-0600",
		"202603020000":             "202603020000-0600",
	} {
		got, ok, err := hl7v2.ParseTime(text, zone)
		if err != nil || !ok || got.Format() != want {
			t.Errorf("%s: %s, %v, %v; want %s", text, got.Format(), ok, err, want)
		}
		moved := text == "20260308023000" || text == "20261101013000" || text == "20260302240000"
		if got.Moved != moved {
			t.Errorf("%s: moved is %v", text, got.Moved)
		}
	}
	for _, bad := range []string{"", "1", "197", "19751302", "19750230", "2026030225", "202603020960", "2026-03-02", "20260302091011.", "20260302091011+05", "2026030209.5", "x0260302"} {
		if _, ok, err := hl7v2.ParseTime(bad, zone); !errors.Is(err, hl7v2.ErrDataType) || ok {
			t.Errorf("%q: %v, %v", bad, ok, err)
		}
	}
	if _, ok, err := hl7v2.ParseTime("00000000", zone); ok || err != nil {
		t.Error("zeros are no time", ok, err)
	}
}
