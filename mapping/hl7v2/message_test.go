package hl7v2_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

const admit = "MSH|^~\\&|ADT1|GOOD|LAB|GOOD|20260302090000-0500||ADT^A01^ADT_A01|M1|P|2.5.1||||||UNICODE UTF-8\r" +
	"EVN||20260302090000\r" +
	"PID|1||4711^^^GOOD&1.2.3&ISO^MR~99^^^SSA^SS||Muster^Anna^B||19750102|F|||1 Main St^^Madison^WI^53703||\"\"|||||||||||||||||\r" +
	"PV1|1|I|W^389^1\r" +
	"ZPV|a|b\\T\\c\r"

func parse(t testing.TB, text string) *hl7v2.Message {
	t.Helper()
	m, err := hl7v2.Parse([]byte(text), hl7v2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestValuesAreFoundByTheirPaths(t *testing.T) {
	m := parse(t, admit)
	for path, want := range map[string]string{
		"MSH-1": "|", "MSH-2": `^~\&`, "MSH-3": "ADT1", "MSH-9.2": "A01", "MSH-18": "UNICODE UTF-8",
		"PID-3": "4711", "PID-3[2]": "99", "PID-3[2].4.1": "SSA", "PID-3.4": "GOOD", "PID-3.4.2": "1.2.3", "PID-3[1].5": "MR",
		"PID-5.2": "Anna", "PID-7.1.1": "19750102", "PID-7.2": "", "PID-3[3]": "", "PID-30": "", "PID-99": "",
		"PID-13": "", "ZPV-2": "b&c", "ZPV[1]-1": "a", "ZPV[2]-1": "", "NK1-1": "",
	} {
		if got := m.Get(path).String(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if v := m.Get("PID-13"); !v.Null() || v.Empty() {
		t.Error(`PID-13 is "", which is null and not empty`)
	}
	if v := m.Get("PID-14"); v.Null() || !v.Empty() {
		t.Error("PID-14 is empty and not null")
	}
	if n := m.Get("PID-3").Repetitions(); n != 2 {
		t.Error("PID-3 has 2 repetitions, got", n)
	}
	var parts []string
	for r := range m.Get("PID-3").Parts() {
		for c := range r.Parts() {
			for sub := range c.Parts() {
				parts = append(parts, sub.String())
			}
		}
	}
	if diff := cmp.Diff([]string{"4711", "GOOD", "1.2.3", "ISO", "MR", "99", "SSA", "SS"}, parts); diff != "" {
		t.Error(diff)
	}
	if n := m.Get("PID-5").Components(); n != 3 {
		t.Error("PID-5 has 3 components, got", n)
	}
}

// TestDeviationsAreUnderstood: what real senders do against the standard.
func TestDeviationsAreUnderstood(t *testing.T) {
	for _, c := range []struct {
		name, text, path, want string
		warnings               int
	}{
		{"LF ends segments", "MSH|^~\\&|A\nPID|1||x\n", "PID-3", "x", 1},
		{"CR LF ends segments", "MSH|^~\\&|A\r\nPID|1||x\r\n", "PID-3", "x", 1},
		{"blank lines", "MSH|^~\\&|A\r\r \rPID|1||x\r\r", "PID-3", "x", 0},
		{"no last CR", "MSH|^~\\&|A\rPID|1||x", "PID-3", "x", 0},
		{"a byte order mark and blanks", "\xEF\xBB\xBF \r\nMSH|^~\\&|A\rPID|1||x\r", "PID-3", "x", 0},
		{"a line break in a text", "MSH|^~\\&|A\rNTE|1||first\nsecond\rPID|1||x\r", "NTE-3", "first\nsecond", 2},
		{"other delimiters", "MSH$%*!?$A\rPID$1$$a%b*c$x!F!y\r", "PID-3[2]", "c", 0},
		{"no subcomponent separator", "MSH|^~\\|A\rPID|1||a&b\r", "PID-3", "a&b", 0},
		{"a truncation character", "MSH|^~\\&#|A\rPID|1||x\\P\\\r", "PID-3", "x#", 0},
		{"blanks around a value", "MSH|^~\\&|A\rPID|1||  x \r", "PID-3", "x", 0},
		{"Windows-1252 without MSH-18", "MSH|^~\\&|A\rPID|1||M\xFCller\r", "PID-3", "Müller", 1},
		{"a declared set that is not true", "MSH|^~\\&|A|||||||||||||||UNICODE UTF-8\rPID|1||M\xFCller\r", "PID-3", "Müller", 1},
		{"a set that is not known", "MSH|^~\\&|A|||||||||||||||MARTIAN\rPID|1||Müller\r", "PID-3", "Müller", 1},
		{"Latin-1", "MSH|^~\\&|A|||||||||||||||8859/1\rPID|1||M\xFCller\r", "PID-3", "Müller", 0},
		{"Latin-2, first of two", "MSH|^~\\&|A|||||||||||||||8859/2~ISO IR87\rPID|1||\xB1\r", "PID-3", "ą", 0},
		{"hex in the message's set", "MSH|^~\\&|A|||||||||||||||8859/1\rPID|1||M\\XFC\\ller\r", "PID-3", "Müller", 0},
		{"Big5, whose second bytes may be separators", "MSH|^~\\&|A|||||||||||||||BIG-5\rPID|1||\xA6\x7C\r", "PID-3", "帆", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, c.text)
			v := m.Get(c.path)
			got := v.String()
			if c.path == "NTE-3" {
				got = v.Text()
			}
			if got != c.want {
				t.Errorf("%s is %q, want %q", c.path, got, c.want)
			}
			if len(m.Warnings) != c.warnings {
				t.Errorf("%d warnings, want %d: %v", len(m.Warnings), c.warnings, m.Warnings)
			}
		})
	}
}

func TestUTF16(t *testing.T) {
	wide := []byte{0xFE, 0xFF}
	for _, r := range "MSH|^~\\&|A\rPID|1||Müller\r" {
		wide = append(wide, byte(r>>8), byte(r))
	}
	m, err := hl7v2.Parse(wide, hl7v2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Get("PID-3").String(); got != "Müller" || m.Charset != "UNICODE UTF-16" {
		t.Error(got, m.Charset)
	}
}

func TestBadMessagesAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"nothing", "", hl7v2.ErrHeader},
		{"another format", `{"a":1}`, hl7v2.ErrHeader},
		{"cut in MSH", "MSH|", hl7v2.ErrDelimiters},
		{"a letter as separator", "MSHA^~\\&A", hl7v2.ErrDelimiters},
		{"the same delimiter twice", "MSH|^^\\&|A", hl7v2.ErrDelimiters},
		{"the field separator as component separator", "MSH||~\\&|A", hl7v2.ErrDelimiters},
		{"too many delimiters", "MSH|^~\\&#%|A", hl7v2.ErrDelimiters},
		{"too large", "MSH|^~\\&|A\r" + strings.Repeat("NTE|1||x\r", 200), hl7v2.ErrSize},
		{"text that cannot be joined", "MSH|^~|A\rNTE|1||a\nb\r", hl7v2.ErrSequence},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := hl7v2.Parse([]byte(c.text), hl7v2.Options{MaxBytes: 1000})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestErrorsHoldNoValues(t *testing.T) {
	_, err := hl7v2.Parse([]byte("MSH|Secret&|A"), hl7v2.Options{})
	if err == nil || strings.Contains(err.Error(), "Secret") {
		t.Error(err)
	}
}

func TestEscapeSequences(t *testing.T) {
	for raw, want := range map[string]string{
		`a\F\b\S\c\T\d\R\e\E\f`:        `a|b^c&d~e\f`,
		`\X41\\X0D0A\`:                 "A\r\n",
		`one\.br\two\.sp2\three\.ce\x`: "one\ntwo\n\nthree\nx",
		`a\.sk3\b\.in+4\c\.fi\d`:       "a   bcd",
		`\H\bold\N\`:                   "bold",
		`\Zlocal\ and \Cxxyy\`:         `\Zlocal\ and \Cxxyy\`,
		`C:\dir\file`:                  `C:\dir\file`,
		`open \F`:                      `open \F`,
		`\\`:                           `\\`,
		`\Q\F\`:                        `\Q|`,
		`\XZZ\ \X4\ \X\`:               `\XZZ\ \X4\ \X\`,
		`\.sp999999\`:                  `\.sp999999\`,
	} {
		if got := parse(t, "MSH|^~\\&|A\rNTE|1||"+raw+"\r").Get("NTE-3").Text(); got != want {
			t.Errorf("%s says %q, want %q", raw, got, want)
		}
	}
}

func TestTextWithUnescapedDelimiters(t *testing.T) {
	m := parse(t, "MSH|^~\\&|A\rNTE|1||pain ^ fever & more\r")
	if got := m.Get("NTE-3").Text(); got != "pain ^ fever & more" {
		t.Error(got)
	}
}

func TestPaths(t *testing.T) {
	for _, good := range []string{"PID", "PID-3", "PID-3.1", "PID-3[2]", "PID-3[2].4.1", "OBX[3]-5", "Z01-1", "NK1[2]-33[4].5.6"} {
		p, err := hl7v2.ParsePath(good)
		if err != nil || p.String() != good {
			t.Errorf("%s: %v, %v", good, p, err)
		}
	}
	for _, bad := range []string{"", "PI", "pid-3", "PID3", "PID-", "PID-0", "PID-3.", "PID-3[0]", "PID-3[2", "PID-3.1.1.1", "PID-03", "PID-999999", "1ID-3"} {
		if p, err := hl7v2.ParsePath(bad); !errors.Is(err, hl7v2.ErrPath) {
			t.Errorf("%s: %v, %v", bad, p, err)
		}
	}
}

func TestDraft(t *testing.T) {
	d := hl7v2.NewDraft()
	d.Add("MSH").Set(path("MSH-3"), "US")
	pid := d.Add("PID")
	pid.Set(path("PID-3"), "1")
	pid.Set(path("PID-3[2].4.2"), "1.2|3")
	pid.Set(path("PID-3[2].1"), "2")
	pid.Set(path("PID-5.1"), "O'Hara & Søn^")
	pid.Set(path("PID-8"), "")
	pid.SetNull(path("PID-13"))
	d.Add("NTE").SetText(path("NTE-3"), "one\r\ntwo\nthree")
	got, err := d.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "MSH|^~\\&|US\rPID|||1~2^^^&1.2\\F\\3||O'Hara \\T\\ Søn\\S\\||||||||\"\"\rNTE|||one\\.br\\two\\.br\\three\r"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	d.Charset = "8859/1"
	if got, err = d.Append(nil); err != nil || !strings.Contains(string(got), "S\xF8n") {
		t.Error(string(got), err)
	}
	pid.Set(path("PID-5.1"), "字")
	if _, err = d.Append(nil); !errors.Is(err, hl7v2.ErrCharset) {
		t.Error(err)
	}
}

// TestAReadMessageCanBeChanged: what is not set stays as it was written.
func TestAReadMessageCanBeChanged(t *testing.T) {
	d := parse(t, admit).Draft()
	pid := d.Segments[2]
	pid.Set(path("PID-3[2].4.2"), "9.9")
	pid.Set(path("PID-5.2"), "Berta")
	got, err := d.Append(nil)
	want := strings.NewReplacer("SSA^SS", "SSA&9.9^SS", "Muster^Anna^B", "Muster^Berta^B").Replace(admit)
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestSegmentsArePassedOn: an unknown segment keeps what it says when the
// delimiters are others.
func TestSegmentsArePassedOn(t *testing.T) {
	m := parse(t, "MSH$%*!?$A\rZPV$a%b?c*d$x!F!y|z!.br!q\r")
	d := hl7v2.NewDraft()
	d.AddRaw(m.Segment("ZPV", 0))
	got, err := d.Append(nil)
	if err != nil || string(got) != "ZPV|a^b&c~d|x$y\\F\\z\\.br\\q\r" {
		t.Errorf("%q %v", got, err)
	}
}

func path(s string) hl7v2.Path {
	p, err := hl7v2.ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}
