package conformance

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPrimitiveFormats(t *testing.T) {
	tests := []struct {
		rule      string
		primitive primitive
		good, bad []string
	}{
		{"date", primitiveDate,
			[]string{"2000", "0001", "9999", "2000-01", "2000-12", "2000-01-01", "2000-02-29", "2024-02-29", "1999-12-31"},
			[]string{"", "0000", "200", "20000", "2000-", "2000-00", "2000-13", "2000-1", "2000-1-1", "2000-01-00", "2000-01-32", "1900-02-29", "2023-02-29", "2000-04-31", "2000-01-01T", "2000/01/01", " 2000", "2000 ", "-200", "2000-01-01T00:00:00Z", "x000"}},
		{"dateTime", primitiveDateTime,
			[]string{"2000", "2000-01", "2000-01-01", "2000-01-01T00:00:00Z", "2000-01-01T23:59:60Z", "2000-01-01T00:00:00.1Z", "2000-01-01T00:00:00.123456789+01:00", "2000-01-01T00:00:00-14:00", "2000-01-01T00:00:00+13:59", "2000-01-01T00:00:00-00:00"},
			[]string{"", "2000-01-01T", "2000-01-01T00", "2000-01-01T00:00", "2000-01-01T00:00Z", "2000-01-01T00:00:00", "2000-01-01T24:00:00Z", "2000-01-01T00:60:00Z", "2000-01-01T00:00:61Z", "2000-01-01T00:00:00.Z", "2000-01-01T00:00:00z", "2000-01-01t00:00:00Z", "2000-01-01 00:00:00Z", "2000-01-01T00:00:00+14:01", "2000-01-01T00:00:00+15:00", "2000-01-01T00:00:00+0100", "2000-01-01T00:00:00+01", "2000-01-01T00:00:00ZZ", "2000-02-30T00:00:00Z", "2000-01T00:00:00Z"}},
		{"instant", primitiveInstant,
			[]string{"2000-01-01T00:00:00Z", "2000-01-01T00:00:00.001+01:00"},
			[]string{"", "2000", "2000-01", "2000-01-01", "2000-01-01T00:00:00", "2000-01-01T00:00Z"}},
		{"time", primitiveTime,
			[]string{"00:00:00", "23:59:59", "23:59:60", "12:00:00.5"},
			[]string{"", "12", "12:00", "24:00:00", "12:60:00", "12:00:61", "12:00:00.", "12:00:00Z", "1:00:00", "12:00:00 "}},
		{"id", primitiveID,
			[]string{"a", "A-1.b", strings.Repeat("x", 64), ".", "-"},
			[]string{"", "a b", "a_b", "ä", strings.Repeat("x", 65), "a/b", "a\n"}},
		{"oid", primitiveOID,
			[]string{"urn:oid:1.2.3", "urn:oid:0.0", "urn:oid:2.16.840.1.113883"},
			[]string{"", "1.2.3", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.", "urn:oid:1..2", "urn:oid:1.02", "urn:oid:1.2.", "urn:oid:1.a", "URN:OID:1.2", "urn:oid:"}},
		{"uuid", primitiveUUID,
			[]string{"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"},
			[]string{"", "c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:C757873D-ec9a-4326-a141-556f43239520", "urn:uuid:c757873d-ec9a-4326-a141-556f4323952", "urn:uuid:c757873dec9a-4326-a141-556f43239520-", "urn:uuid:g757873d-ec9a-4326-a141-556f43239520"}},
		{"uri", primitiveURI,
			[]string{"http://example.org/a?b#c", "urn:x", "#", "ä"},
			[]string{"", "a b", " a", "a\n", "\t"}},
		{"code", primitiveCode,
			[]string{"a", "a b", "<=", "ä", "a b c"},
			[]string{"", " a", "a ", "a  b", " ", "a\n", "a\x00b", "a\t b"}},
		{"base64Binary", primitiveBase64Binary,
			[]string{"AAAA", "AA==", "AAA=", "AAAA\nAAAA", " AAAA ", "+/+/"},
			[]string{"", " ", "A", "AAA", "A===", "=AAA", "AA=A", "AAAA=", "AA-_", "AAAA\x00"}},
		{"string", primitiveString,
			[]string{"a", " ", "ä\t\r\n", "1234567890\t", strings.Repeat("a", 100), "\u0080", "ÿÿÿÿ"},
			[]string{"", "\x00", "a\x1f", "12345678\x01", "1234567\x0b", "\x0c1234567890", "\t\t\t\t\t\t\t\x08"}},
		{"integer", primitiveInteger,
			[]string{"0", "1", "-1", "2147483647", "-2147483648", "10"},
			[]string{"2147483648", "-2147483649", "1.0", "1e2", "-0", "12345678901", "0.5", "1E0"}},
		{"unsignedInt", primitiveUnsignedInt,
			[]string{"0", "2147483647"}, []string{"-1", "2147483648", "0.0", "-0"}},
		{"positiveInt", primitivePositiveInt,
			[]string{"1", "2147483647"}, []string{"0", "-1", "2147483648", "1.0"}},
		{"xhtml", primitiveXHTML,
			[]string{"<div>a</div>", `<div xmlns="http://www.w3.org/1999/xhtml">a</div>`, "<div/>", " <div\n>a</div>\n"},
			[]string{"", "a", "<p>a</p>", "<divan>a</divan>", "<div>a", "<div", "<div>a</div>b"}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			for _, s := range tt.good {
				if !tt.primitive.valid([]byte(s)) {
					t.Errorf("%q is refused", s)
				}
			}
			for _, s := range tt.bad {
				if tt.primitive.valid([]byte(s)) {
					t.Errorf("%q is accepted", s)
				}
			}
			if strings.Contains(tt.primitive.rule(), "%") || tt.primitive.rule() == "" {
				t.Error("the rule is not told")
			}
		})
	}
}

// TestFormatsAgreeWithTheRegularExpressions holds the hand-written checks
// against the expressions that https://hl7.org/fhir/R4/datatypes.html#primitive
// publishes, on texts made of the letters that matter to them.
func TestFormatsAgreeWithTheRegularExpressions(t *testing.T) {
	const date = `([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)`
	const day = `-(0[1-9]|1[0-2])-(0[1-9]|[1-2][0-9]|3[0-1])`
	const clock = `([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?`
	const zone = `(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))`
	tests := []struct {
		name      string
		primitive primitive
		pattern   string
		text      string // what rapid generates from
		narrower  bool   // ours also asks that the date exist
	}{
		{"date", primitiveDate, date + `(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1]))?)?`, `[0-2][0-9]{3}(-[0-3][0-9]?(-[0-4][0-9])?)?`, true},
		{"dateTime", primitiveDateTime, date + `(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1])(T` + clock + zone + `)?)?)?`, `[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{0,3})?)?(Z|[+-][01][0-9]:[0-6][0-9])?`, true},
		{"instant", primitiveInstant, date + day + `T` + clock + zone, `[0-2][0-9]{3}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]{0,3})?(Z|[+-]1[0-9]:[0-6][0-9])?)?`, true},
		{"time", primitiveTime, clock, `[0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{0,3})?)?`, false},
		{"id", primitiveID, `[A-Za-z0-9\-\.]{1,64}`, `[A-Za-z0-9\-\._]{0,66}`, false},
		{"oid", primitiveOID, `urn:oid:[0-2](\.(0|[1-9][0-9]*))+`, `urn:oid:[0-3](\.[0-2]{0,3}){0,3}`, false},
		{"uuid", primitiveUUID, `urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, `urn:uuid:[0-9a-f]{7,8}-[0-9a-f]{4}-[0-9a-fA]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, false},
		{"code", primitiveCode, `[^\s]+(\s[^\s]+)*`, `[ab ]{0,6}`, false},
		{"uri", primitiveURI, `\S+`, `[a:/ ]{0,6}`, false},
		{"unsignedInt", primitiveUnsignedInt, `0|[1-9][0-9]{0,8}`, `-?(0|[1-9][0-9]{0,8})(\.0)?`, false},
		{"positiveInt", primitivePositiveInt, `[1-9][0-9]{0,8}`, `-?(0|[1-9][0-9]{0,8})(e1)?`, false},
		{"integer", primitiveInteger, `0|-?[1-9][0-9]{0,8}`, `-?(0|[1-9][0-9]{0,8})(\.5)?`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			published := regexp.MustCompile(`^(?:` + tt.pattern + `)$`)
			accepted := 0
			property := func(rt *rapid.T) {
				s := rapid.StringMatching(tt.text).Draw(rt, "text")
				got, want := tt.primitive.valid([]byte(s)), published.MatchString(s)
				if got {
					accepted++
				}
				if got != want && !(tt.narrower && want && !existingDay(s)) {
					rt.Errorf("%q: accepted %v, the expression says %v", s, got, want)
				}
			}
			for range 20 { // a hundred texts each: few of them are valid
				rapid.Check(t, property)
			}
			if accepted == 0 {
				t.Error("nothing valid was generated")
			}
		})
	}
}

// existingDay tells whether a text that starts with a full date names a day of
// the calendar, counted independently of validDate.
func existingDay(s string) bool {
	if len(s) < 10 {
		return true
	}
	days := map[string]int{"02": 29, "04": 30, "06": 30, "09": 30, "11": 30}
	limit, ok := days[s[5:7]]
	if !ok {
		return true
	}
	day := int(s[8]-'0')*10 + int(s[9]-'0')
	if s[5:7] == "02" && day == 29 {
		year := int(s[0]-'0')*1000 + int(s[1]-'0')*100 + int(s[2]-'0')*10 + int(s[3]-'0')
		return year%400 == 0 || year%4 == 0 && year%100 != 0
	}
	return day <= limit
}

func TestStringsAreAtMostOneMegabyte(t *testing.T) {
	patient := func(n int) []byte {
		return []byte(`{"resourceType":"Patient","name":[{"text":"` + strings.Repeat("a", n) + `"}]}`)
	}
	if issues := ValidateStructure(patient(maxString)); issues != nil {
		t.Errorf("1 MB is refused: %v", issues)
	}
	issues := ValidateStructure(patient(maxString + 1))
	if len(issues) != 1 || issues[0].Code != IssueTooLong || issues[0].Expression != "Patient.name[0].text" {
		t.Errorf("more than 1 MB: %v", issues)
	}
}

func TestPrimitivesWithinAResource(t *testing.T) {
	runRules(t, []ruleTest{
		{"id", `{"resourceType":"Patient","id":"a b"}`, []string{"value Patient.id"}},
		{"date", `{"resourceType":"Patient","birthDate":"2000-13-01"}`, []string{"value Patient.birthDate"}},
		{"escaped value", `{"resourceType":"Patient","birthDate":"200\u0030"}`, nil},
		{"escaped control character", `{"resourceType":"Patient","name":[{"text":"a\u0007"}]}`, []string{"value Patient.name[0].text"}},
		{"escaped line feed", `{"resourceType":"Patient","name":[{"text":"a\nb"}]}`, nil},
		{"a choice's type", `{"resourceType":"Patient","deceasedDateTime":"2000-01-01T12:00"}`, []string{"value Patient.deceased"}},
		{"in an array", `{"resourceType":"Patient","name":[{"given":["a",""]}]}`, []string{"value Patient.name[0].given[1]"}},
		{"integer", `{"resourceType":"Patient","multipleBirthInteger":1.0}`, []string{"value Patient.multipleBirth"}},
		{"decimal with an exponent", `{"resourceType":"Observation","status":"final","code":{"text":"a"},"valueQuantity":{"value":-1.50e+3}}`, nil},
		{"xhtml", `{"resourceType":"Patient","text":{"status":"empty","div":"none"}}`, []string{"value Patient.text.div"}},
	})
}
