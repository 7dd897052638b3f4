package athenahealth

import (
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/fhirfacade/fhirfacade/mapping/redox"
)

func visitOf(c content) *redox.Visit {
	a := c.Appointment
	v := &redox.Visit{
		VisitNumber:   string(a.AppointmentID),
		VisitDateTime: c.Start.Format(dateTimeLayout),
		Duration:      redox.Int(int(a.Duration)),
		Type:          a.AppointmentType,
		Status:        statusOf(a),
		Location:      locationOf(a, c.Department),
		VisitProvider: providerOf(c.Provider),
	}
	if a.PatientAppointmentTypeName != a.AppointmentType {
		v.Reason = a.PatientAppointmentTypeName
	}
	return v
}

func statusOf(a appointment) string {
	switch a.AppointmentStatus {
	case statusFuture:
		return "Scheduled"
	case statusCheckedIn:
		return "Arrived"
	case statusCheckedOut, statusChargeEntered:
		return "Completed"
	case statusCancelled:
		if a.CancelReasonNoShow {
			return "No Show"
		}
		return "Canceled"
	}
	return a.AppointmentStatus
}

func locationOf(a appointment, d *department) *redox.Location {
	if d == nil {
		return &redox.Location{Department: string(a.DepartmentID)}
	}
	l := &redox.Location{
		Type: d.PlaceOfServiceTypeName, Facility: d.ProviderGroupName, Department: d.PatientDepartmentName,
		DepartmentIdentifiers: []redox.Identifier{{ID: string(d.DepartmentID), IDType: idType}},
	}
	if d.ProviderGroupID != "" {
		l.FacilityIdentifiers = []redox.Identifier{{ID: string(d.ProviderGroupID), IDType: idType}}
	}
	if l.Department == "" {
		l.Department = d.Name
	}
	if l.Department == "" {
		l.Department = string(d.DepartmentID)
	}
	return l
}

func providerOf(p *provider) *redox.Provider {
	if p == nil {
		return nil
	}
	r := &redox.Provider{ID: string(p.ProviderID), IDType: idType, FirstName: p.FirstName, LastName: p.LastName}
	if p.NPI != "" && p.NPI != "0" {
		r.ID, r.IDType = string(p.NPI), "NPI"
	}
	if p.FirstName == "" && p.LastName == "" {
		r.LastName = p.DisplayName
	}
	if p.ProviderTypeID != "" {
		r.Credentials = []string{p.ProviderTypeID}
	}
	return r
}

// infoOf keeps what Visit has no field for.
func infoOf(a appointment) []redox.AppointmentInfo {
	var info []redox.AppointmentInfo
	for _, i := range []struct {
		code, description string
		value             id
	}{
		{"appointmenttypeid", "Appointment type", a.AppointmentTypeID},
		{"providerid", "Provider", a.ProviderID},
		{"rescheduledappointmentid", "Replaced by appointment", a.RescheduledAppointmentID},
	} {
		if i.value != "" {
			info = append(info, redox.AppointmentInfo{Code: i.code, Codeset: idType, Description: i.description, Value: string(i.value)})
		}
	}
	return info
}

func patientOf(p *patient) *redox.Patient {
	r := &redox.Patient{Identifiers: []redox.Identifier{{ID: string(p.PatientID), IDType: idType}}}
	if p.LocalPatientID != "" {
		r.Identifiers = append(r.Identifiers, redox.Identifier{ID: string(p.LocalPatientID), IDType: "MR"})
	}
	d := &redox.Demographics{
		FirstName: p.FirstName, MiddleName: p.MiddleName, LastName: p.LastName,
		Sex: sexOf(p.Sex), MaritalStatus: maritalStatusOf(p.MaritalStatusName),
		Race: raceOf(p.Race), IsHispanic: hispanic(p.EthnicityCode), Language: languageOf(p.Language6392Code),
	}
	if born, err := time.Parse("01/02/2006", p.DOB); err == nil {
		d.DOB = born.Format(time.DateOnly)
	}
	if !strings.Contains(p.SSN, "*") { // masked, it identifies nobody
		d.SSN = p.SSN
	}
	if phones := (redox.PhoneNumber{Home: phoneOf(p.HomePhone), Mobile: phoneOf(p.MobilePhone)}); phones.Home+phones.Mobile != "" {
		d.PhoneNumber = &phones
	}
	if p.Email != "" {
		d.EmailAddresses = []string{p.Email}
	}
	street := strings.TrimSpace(p.Address1 + "\n" + p.Address2)
	if street+p.City+p.State+p.Zip != "" {
		d.Address = &redox.Address{StreetAddress: street, City: p.City, State: p.State, ZIP: p.Zip, Country: p.CountryCode3166}
	}
	r.Demographics = d
	return r
}

func sexOf(s string) string {
	switch s {
	case "F":
		return "Female"
	case "M":
		return "Male"
	case "":
		return ""
	}
	return "Unknown"
}

func maritalStatusOf(name string) string {
	switch strings.ToUpper(name) {
	case "":
		return ""
	case "SINGLE", "MARRIED", "DIVORCED", "WIDOWED", "SEPARATED", "UNKNOWN":
		return name[:1] + strings.ToLower(name[1:])
	case "PARTNER":
		return "Domestic partner"
	}
	return "Other"
}

// raceOf reads the first code of the CDC's that Redox has a word for.
func raceOf(codes []string) string {
	words := map[string]string{
		"1002-5": "American Indian or Alaska Native", "2028-9": "Asian", "2054-5": "Black or African American",
		"2076-8": "Native Hawaiian or Other Pacific Islander", "2106-3": "White",
	}
	for _, code := range codes {
		if word := words[code]; word != "" {
			return word
		}
	}
	if len(codes) > 0 {
		return "Other Race"
	}
	return ""
}

func hispanic(code string) *bool {
	switch code {
	case "2135-2":
		return redox.Bool(true)
	case "2186-5":
		return redox.Bool(false)
	}
	return nil
}

// languageOf turns an ISO 639-2 code into the shortest one, as Redox has it.
func languageOf(code string) string {
	if code == "" {
		return ""
	}
	base, err := language.ParseBase(code)
	if err != nil {
		return code
	}
	return base.String()
}

// phoneOf writes a number of the United States as E.164; others stay.
func phoneOf(text string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
	switch {
	case strings.HasPrefix(text, "+"):
		return text
	case len(digits) == 10:
		return "+1" + digits
	case len(digits) == 11 && digits[0] == '1':
		return "+" + digits
	}
	return text
}
