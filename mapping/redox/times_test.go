package redox

import (
	"testing"
	"time"
)

// TestTimes: with an offset as it is, without one in the source's time zone,
// a date stays a date, and what FHIR cannot hold is not taken.
func TestTimes(t *testing.T) {
	chicago := time.FixedZone("CST", -6*3600)
	for _, test := range []struct{ in, want string }{
		{"2023-02-27T22:09:04.805Z", "2023-02-27T22:09:04.805Z"},
		{"2023-02-27T22:09:04Z", "2023-02-27T22:09:04Z"},
		{"2023-02-27T22:09:04.500Z", "2023-02-27T22:09:04.500Z"},
		{"2023-02-27T22:09:04.123456Z", "2023-02-27T22:09:04.123456Z"},
		{"2023-02-27T22:09:04+05:30", "2023-02-27T22:09:04+05:30"},
		{"2023-02-27T22:09:04+0530", "2023-02-27T22:09:04+05:30"},
		{"2016-08-01 14:00:00Z", "2016-08-01T14:00:00Z"},
		{"2023-02-27T22:09:04", "2023-02-27T22:09:04-06:00"},
		{"2023-02-27T22:09", "2023-02-27T22:09:00-06:00"},
		{"2008-01-06", "2008-01-06"},
		{"2008-01", "2008-01"},
		{"2008", "2008"},
		{"2023-02-27T22:09:04.1234567Z", ""},
		{"2023-02-30", ""},
		{"tomorrow", ""},
		{"", ""},
		{"0000-01-01", ""},
	} {
		o := Options{Zone: chicago}
		m, ok := o.parseTime(test.in)
		if !ok {
			if test.want != "" {
				t.Errorf("parseTime(%q) failed, want %q", test.in, test.want)
			}
			continue
		}
		if got := m.text(); got != test.want {
			t.Errorf("parseTime(%q) = %q, want %q", test.in, got, test.want)
		}
		if back, ok := ofDateTime(m.dateTime()); !ok || back.text() != test.want {
			t.Errorf("the FHIR dateTime of %q is %q, want %q", test.in, back.text(), test.want)
		}
		if m.hasTime() {
			if back, ok := ofInstant(m.instant()); !ok || back.text() != test.want {
				t.Errorf("the FHIR instant of %q is %q, want %q", test.in, back.text(), test.want)
			}
		}
	}
}
