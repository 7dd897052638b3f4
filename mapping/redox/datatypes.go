package redox

import (
	"reflect"
	"strings"

	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
)

// take empties a field and returns what it had: what is left in an object when
// all its members with a home are taken has to go into extensions.
func take[T any](field *T) T {
	var zero T
	v := *field
	*field = zero
	return v
}

// give fills a field unless something has filled it before.
func give(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

func str(s string) *dtpb.String {
	if s == "" {
		return nil
	}
	return &dtpb.String{Value: s}
}

func uri(s string) *dtpb.Uri {
	if s == "" {
		return nil
	}
	return &dtpb.Uri{Value: s}
}

func boolean(b bool) *dtpb.Boolean { return &dtpb.Boolean{Value: b} }

// inWords is a CodeableConcept of words alone.
func inWords(s string) *dtpb.CodeableConcept {
	if s == "" {
		return nil
	}
	return &dtpb.CodeableConcept{Text: str(s)}
}

// isCodeValue checks FHIR's type code: no blanks but single ones inside.
func isCodeValue(s string) bool {
	return s != "" && s == strings.Join(strings.Fields(s), " ")
}

func coding(system, code, display string) *dtpb.Coding {
	c := &dtpb.Coding{System: uri(system), Display: str(display)}
	if code != "" {
		c.Code = &dtpb.Code{Value: code}
	}
	return c
}

func concept(system, code, display, text string) *dtpb.CodeableConcept {
	return &dtpb.CodeableConcept{Coding: []*dtpb.Coding{coding(system, code, display)}, Text: str(text)}
}

// codeIn finds a coding of a system in a list of concepts.
func codeIn(c *dtpb.CodeableConcept, system string) string {
	for _, k := range c.GetCoding() {
		if k.GetSystem().GetValue() == system {
			return k.GetCode().GetValue()
		}
	}
	return ""
}

// wordsOf is what a concept says in words: its text, else a display, else a code.
func wordsOf(c *dtpb.CodeableConcept) string {
	if t := c.GetText().GetValue(); t != "" {
		return t
	}
	for _, k := range c.GetCoding() {
		if d := k.GetDisplay().GetValue(); d != "" {
			return d
		}
	}
	for _, k := range c.GetCoding() {
		if d := k.GetCode().GetValue(); d != "" {
			return d
		}
	}
	return ""
}

// humanName makes the official name. A middle name without a first one is left
// where it is: FHIR's given names are a list without positions of meaning.
func humanName(first, middle, last *string) *dtpb.HumanName {
	n := &dtpb.HumanName{Use: &dtpb.HumanName_UseCode{Value: codes_go_proto.NameUseCode_OFFICIAL}, Family: str(take(last))}
	if f := take(first); f != "" {
		n.Given = append(n.Given, str(f))
		if m := take(middle); m != "" {
			n.Given = append(n.Given, str(m))
		}
	}
	if n.Family == nil && n.Given == nil {
		return nil
	}
	return n
}

// readName fills the names of a person from the official name, else the first
// one that is not old or a nickname.
func readName(names []*dtpb.HumanName, first, middle, last *string) *dtpb.HumanName {
	n := pickName(names)
	if n == nil {
		return nil
	}
	give(last, n.GetFamily().GetValue())
	if len(n.Given) == 0 && n.Family == nil {
		give(last, n.GetText().GetValue())
	}
	if len(n.Given) > 0 {
		give(first, n.Given[0].GetValue())
		var rest []string
		for _, g := range n.Given[1:] {
			rest = append(rest, g.GetValue())
		}
		give(middle, strings.Join(rest, " "))
	}
	return n
}

func pickName(names []*dtpb.HumanName) *dtpb.HumanName {
	for _, n := range names {
		if n.GetUse().GetValue() == codes_go_proto.NameUseCode_OFFICIAL {
			return n
		}
	}
	for _, n := range names {
		switch n.GetUse().GetValue() {
		case codes_go_proto.NameUseCode_OLD, codes_go_proto.NameUseCode_MAIDEN, codes_go_proto.NameUseCode_NICKNAME:
		default:
			return n
		}
	}
	return nil
}

// address makes a FHIR address; nil for an empty one.
func (w *writer) address(a *Address, use codes_go_proto.AddressUseCode_Value) *dtpb.Address {
	if a == nil || isEmpty(a) {
		return nil
	}
	left := *a
	out := &dtpb.Address{
		City:       str(take(&left.City)),
		State:      str(take(&left.State)),
		PostalCode: str(take(&left.ZIP)),
		District:   str(take(&left.County)),
		Country:    str(take(&left.Country)),
	}
	if line := take(&left.StreetAddress); line != "" {
		out.Line = []*dtpb.String{str(line)}
	}
	if use != 0 {
		out.Use = &dtpb.Address_UseCode{Value: use}
	}
	out.Extension = w.rest("Address", &left)
	return out
}

// address reads the first address that is not an old one.
func (r *reader) address(addresses ...*dtpb.Address) *Address {
	for _, in := range addresses {
		if in == nil || in.GetUse().GetValue() == codes_go_proto.AddressUseCode_OLD {
			continue
		}
		a := &Address{}
		r.restore("Address", in.Extension, a)
		var lines []string
		for _, l := range in.Line {
			lines = append(lines, l.GetValue())
		}
		give(&a.StreetAddress, strings.Join(lines, ", "))
		give(&a.City, in.GetCity().GetValue())
		give(&a.State, in.GetState().GetValue())
		give(&a.ZIP, in.GetPostalCode().GetValue())
		give(&a.County, in.GetDistrict().GetValue())
		give(&a.Country, in.GetCountry().GetValue())
		return a
	}
	return nil
}

// Which member of PhoneNumber is which use in FHIR. Office,
// Business or Work; which of them a person has depends on the object.
const (
	phoneHome   = codes_go_proto.ContactPointUseCode_HOME
	phoneMobile = codes_go_proto.ContactPointUseCode_MOBILE
	phoneWork   = codes_go_proto.ContactPointUseCode_WORK
)

func contactPoint(system codes_go_proto.ContactPointSystemCode_Value, use codes_go_proto.ContactPointUseCode_Value, value string) *dtpb.ContactPoint {
	c := &dtpb.ContactPoint{System: &dtpb.ContactPoint_SystemCode{Value: system}, Value: str(value)}
	if use != 0 {
		c.Use = &dtpb.ContactPoint_UseCode{Value: use}
	}
	return c
}

func phone(use codes_go_proto.ContactPointUseCode_Value, number string) []*dtpb.ContactPoint {
	if number == "" {
		return nil
	}
	return []*dtpb.ContactPoint{contactPoint(codes_go_proto.ContactPointSystemCode_PHONE, use, number)}
}

// telecom makes the contact points of phone numbers and e-mail addresses, and
// returns what of the phone numbers has none.
func (w *writer) telecom(numbers *PhoneNumber, work func(*PhoneNumber) *string, emails *[]string) (points []*dtpb.ContactPoint, rest []*dtpb.Extension) {
	if numbers != nil {
		left := *numbers
		points = append(points, phone(phoneHome, take(&left.Home))...)
		points = append(points, phone(phoneMobile, take(&left.Mobile))...)
		points = append(points, phone(phoneWork, take(work(&left)))...)
		rest = w.rest("PhoneNumber", &left)
	}
	for _, e := range take(emails) {
		if e != "" {
			points = append(points, contactPoint(codes_go_proto.ContactPointSystemCode_EMAIL, 0, e))
		}
	}
	return points, rest
}

// office and business name the member that a work number goes to.
func office(p *PhoneNumber) *string   { return &p.Office }
func business(p *PhoneNumber) *string { return &p.Business }

// telecom reads contact points; extensions are those of the element that the
// phone numbers belong to.
func (r *reader) telecom(points []*dtpb.ContactPoint, extensions []*dtpb.Extension, work func(*PhoneNumber) *string) (numbers *PhoneNumber, emails []string) {
	p := &PhoneNumber{}
	r.restore("PhoneNumber", extensions, p)
	for _, c := range points {
		if c.GetUse().GetValue() == codes_go_proto.ContactPointUseCode_OLD {
			continue
		}
		switch c.GetSystem().GetValue() {
		case codes_go_proto.ContactPointSystemCode_EMAIL:
			emails = append(emails, c.GetValue().GetValue())
		case codes_go_proto.ContactPointSystemCode_PHONE, codes_go_proto.ContactPointSystemCode_SMS:
			switch c.GetUse().GetValue() {
			case phoneMobile:
				give(&p.Mobile, c.GetValue().GetValue())
			case phoneWork:
				give(work(p), c.GetValue().GetValue())
			default:
				give(&p.Home, c.GetValue().GetValue())
			}
		}
	}
	if isEmpty(p) {
		p = nil
	}
	return p, emails
}

// identifier makes a FHIR identifier, nil for an empty one.
func (w *writer) identifier(id Identifier) *dtpb.Identifier {
	if isEmpty(id) {
		return nil
	}
	out := &dtpb.Identifier{Value: str(take(&id.ID)), System: uri(w.o.identifierSystem(id.IDType))}
	if t := identifierTypes.code(id.IDType); t != "" {
		out.Type = concept(v2+"0203", t, "", "")
	}
	if w.o.idType(out.GetSystem().GetValue()) == id.IDType {
		id.IDType = ""
	}
	out.Extension = w.rest("Identifier", &id)
	return out
}

// number makes the identifier of a number that has a field of its own.
func (w *writer) number(idType, value string) *dtpb.Identifier {
	if value == "" {
		return nil
	}
	return w.identifier(Identifier{ID: value, IDType: idType})
}

// ssn makes the identifier of a social security number. An Identifier with the
// IDType SSN is another thing: it has the system of the organization.
func ssn(number string) *dtpb.Identifier {
	if number == "" {
		return nil
	}
	return &dtpb.Identifier{System: uri(ssnSystem), Value: str(number), Type: concept(v2+"0203", "SS", "", "")}
}

func (r *reader) identifier(in *dtpb.Identifier) Identifier {
	id := Identifier{ID: in.GetValue().GetValue()}
	r.restore("Identifier", in.Extension, &id)
	if system := in.GetSystem().GetValue(); id.IDType == "" || r.o.identifierSystem(id.IDType) != system {
		id.IDType = r.o.idType(system)
	}
	return id
}

func (w *writer) identifiers(ids []Identifier) (out []*dtpb.Identifier) {
	for _, id := range ids {
		if i := w.identifier(id); i != nil {
			out = append(out, i)
		}
	}
	return out
}

// giveIdentifiers tells a person's social security number from the others.
func (r *reader) giveIdentifiers(ssn *string, ids *[]Identifier, in []*dtpb.Identifier) {
	for _, id := range in {
		if id.GetSystem().GetValue() == ssnSystem {
			give(ssn, id.GetValue().GetValue())
		} else {
			*ids = append(*ids, r.identifier(id))
		}
	}
}

func (r *reader) identifiers(in []*dtpb.Identifier) (ids []Identifier) {
	for _, i := range in {
		ids = append(ids, r.identifier(i))
	}
	return ids
}

// code makes a concept of Code, Codeset and the member that says it in words,
// Name or Description. What does not fit stays with the object, for rest.
func (w *writer) code(code, codeset, words *string) *dtpb.CodeableConcept {
	if !isCodeValue(*code) {
		if *words == "" {
			return nil
		}
		return inWords(take(words))
	}
	system := w.o.system(*codeset)
	if w.o.codeset(system) == *codeset {
		*codeset = ""
	}
	c := concept(system, take(code), *words, "")
	if w.o.system("") == system {
		c.Text = str(*words)
	}
	*words = ""
	return c
}

// code reads what code wrote, or any concept: its first coding.
func (r *reader) code(c *dtpb.CodeableConcept, code, codeset, words *string) {
	if c == nil {
		return
	}
	if len(c.Coding) > 0 {
		k := c.Coding[0]
		give(code, k.GetCode().GetValue())
		if system := k.GetSystem().GetValue(); system != "" && (*codeset == "" || r.o.system(*codeset) != system) {
			*codeset = r.o.codeset(system)
		}
		give(words, k.GetDisplay().GetValue())
	}
	give(words, c.GetText().GetValue())
}

// concept makes a concept of a whole Code object.
func (w *writer) concept(in *Code) *dtpb.CodeableConcept {
	if in == nil {
		return nil
	}
	if w.m.DataModel == clinicalSummary {
		return w.objectConcept(reflect.ValueOf(in))
	}
	left := *in
	words := &left.Name
	if left.Description != "" && left.Name == "" {
		words = &left.Description
	}
	c := w.code(&left.Code, &left.Codeset, words)
	rest := w.rest("Code", &left)
	if c == nil && len(rest) == 0 {
		return nil
	}
	if c == nil {
		c = &dtpb.CodeableConcept{}
	}
	c.Extension = rest
	return c
}

// concept reads a Code object whose words are in Description, or in Name.
func (r *reader) concept(c *dtpb.CodeableConcept, described bool) *Code {
	if c == nil {
		return nil
	}
	out := &Code{}
	if r.m.DataModel == clinicalSummary {
		r.objectOf(c, reflect.ValueOf(out))
		if isEmpty(out) {
			return nil
		}
		return out
	}
	r.restore("Code", c.Extension, out)
	words := &out.Name
	if described {
		words = &out.Description
	}
	r.code(c, &out.Code, &out.Codeset, words)
	if isEmpty(out) {
		return nil
	}
	return out
}

// dateTime takes a time from a field when FHIR can hold it.
func (w *writer) dateTime(field *string) *dtpb.DateTime {
	m, ok := w.o.parseTime(*field)
	if !ok {
		return nil
	}
	*field = ""
	return m.dateTime()
}

// date takes a date from a field; a time of day stays there as well.
func (w *writer) date(field *string) *dtpb.Date {
	m, ok := w.o.parseTime(*field)
	if !ok {
		return nil
	}
	if m.hasTime() {
		if m, ok = w.o.parseTime((*field)[:10]); !ok {
			return nil
		}
	} else {
		*field = ""
	}
	return &dtpb.Date{ValueUs: m.time.UnixMicro(), Timezone: "Z", Precision: dtpb.Date_Precision(m.precision)}
}

// giveTime fills a field with a moment.
func (r *reader) giveTime(field *string, m moment, ok bool) {
	if ok && !r.o.same(*field, m.text()) {
		*field = m.text()
	}
}

// giveDate fills a field with a date, unless it has it with a time of day.
func (r *reader) giveDate(field *string, in *dtpb.Date) {
	if m, ok := ofDate(in); ok && !strings.HasPrefix(*field, m.text()) {
		*field = m.text()
	}
}
