package athenahealth

import (
	"encoding/json"
	"errors"
	"strconv"
)

// id is an id, which the vendor writes as a JSON string in some answers and
// as a number in others.
type id string

var errShape = errors.New("neither a string nor a number")

// UnmarshalJSON reads either.
func (i *id) UnmarshalJSON(data []byte) error {
	switch {
	case string(data) == "null":
		return nil
	case len(data) > 0 && data[0] == '"':
		return json.Unmarshal(data, (*string)(i))
	}
	var n json.Number
	if json.Unmarshal(data, &n) != nil {
		return errShape
	}
	*i = id(n)
	return nil
}

// number is a whole number, which some answers have as a string.
type number int64

// UnmarshalJSON reads either.
func (n *number) UnmarshalJSON(data []byte) error {
	var text id
	if err := text.UnmarshalJSON(data); err != nil {
		return err
	}
	if text == "" {
		return nil
	}
	value, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return errShape
	}
	*n = number(value)
	return nil
}

// flag is true or false, which some answers have as a string.
type flag bool

// UnmarshalJSON reads either.
func (f *flag) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "true", `"true"`, `"Y"`, "1", `"1"`:
		*f = true
	case "false", `"false"`, `"N"`, "0", `"0"`, `""`, "null":
		*f = false
	default:
		return errShape
	}
	return nil
}

// appointment is a row of the feed, as far as it is used.
type appointment struct {
	AppointmentID              id     `json:"appointmentid"`
	AppointmentStatus          string `json:"appointmentstatus"`
	AppointmentType            string `json:"appointmenttype,omitempty"`
	AppointmentTypeID          id     `json:"appointmenttypeid,omitempty"`
	PatientAppointmentTypeName string `json:"patientappointmenttypename,omitempty"`
	Date                       string `json:"date"`
	StartTime                  string `json:"starttime"`
	Duration                   number `json:"duration,omitempty"`
	DepartmentID               id     `json:"departmentid,omitempty"`
	PatientID                  id     `json:"patientid,omitempty"`
	ProviderID                 id     `json:"providerid,omitempty"`
	CancelReasonName           string `json:"cancelreasonname,omitempty"`
	CancelReasonNoShow         flag   `json:"cancelreasonnoshow,omitempty"`
	RescheduledAppointmentID   id     `json:"rescheduledappointmentid,omitempty"`
	LastModified               string `json:"lastmodified,omitempty"`
}

type patient struct {
	PatientID         id       `json:"patientid"`
	LocalPatientID    id       `json:"localpatientid,omitempty"`
	FirstName         string   `json:"firstname,omitempty"`
	MiddleName        string   `json:"middlename,omitempty"`
	LastName          string   `json:"lastname,omitempty"`
	DOB               string   `json:"dob,omitempty"`
	Sex               string   `json:"sex,omitempty"`
	SSN               string   `json:"ssn,omitempty"`
	MaritalStatusName string   `json:"maritalstatusname,omitempty"`
	Race              []string `json:"race,omitempty"`
	EthnicityCode     string   `json:"ethnicitycode,omitempty"`
	Language6392Code  string   `json:"language6392code,omitempty"`
	Address1          string   `json:"address1,omitempty"`
	Address2          string   `json:"address2,omitempty"`
	City              string   `json:"city,omitempty"`
	State             string   `json:"state,omitempty"`
	Zip               string   `json:"zip,omitempty"`
	CountryCode3166   string   `json:"countrycode3166,omitempty"`
	HomePhone         string   `json:"homephone,omitempty"`
	MobilePhone       string   `json:"mobilephone,omitempty"`
	Email             string   `json:"email,omitempty"`
}

type provider struct {
	ProviderID     id     `json:"providerid"`
	FirstName      string `json:"firstname,omitempty"`
	LastName       string `json:"lastname,omitempty"`
	DisplayName    string `json:"displayname,omitempty"`
	NPI            id     `json:"npi,omitempty"`
	ProviderTypeID string `json:"providertypeid,omitempty"`
}

type department struct {
	DepartmentID           id     `json:"departmentid"`
	Name                   string `json:"name,omitempty"`
	PatientDepartmentName  string `json:"patientdepartmentname,omitempty"`
	ProviderGroupID        id     `json:"providergroupid,omitempty"`
	ProviderGroupName      string `json:"providergroupname,omitempty"`
	PlaceOfServiceTypeName string `json:"placeofservicetypename,omitempty"`
	TimeZoneName           string `json:"timezonename,omitempty"`
}
