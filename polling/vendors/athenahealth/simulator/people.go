package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Patient is a patient as GET /patients/{id} shows it.
type Patient struct {
	PatientID           string   `json:"patientid"`
	LocalPatientID      string   `json:"localpatientid,omitempty"`
	FirstName           string   `json:"firstname"`
	MiddleName          string   `json:"middlename,omitempty"`
	LastName            string   `json:"lastname"`
	DOB                 string   `json:"dob"`
	Sex                 string   `json:"sex"`
	SSN                 string   `json:"ssn,omitempty"`
	MaritalStatus       string   `json:"maritalstatus,omitempty"`
	MaritalStatusName   string   `json:"maritalstatusname,omitempty"`
	Race                []string `json:"race,omitempty"`
	RaceName            string   `json:"racename,omitempty"`
	EthnicityCode       string   `json:"ethnicitycode,omitempty"`
	Language6392Code    string   `json:"language6392code,omitempty"`
	Address1            string   `json:"address1,omitempty"`
	City                string   `json:"city,omitempty"`
	State               string   `json:"state,omitempty"`
	Zip                 string   `json:"zip,omitempty"`
	CountryCode         string   `json:"countrycode,omitempty"`
	CountryCode3166     string   `json:"countrycode3166,omitempty"`
	HomePhone           string   `json:"homephone,omitempty"`
	MobilePhone         string   `json:"mobilephone,omitempty"`
	Email               string   `json:"email,omitempty"`
	EmailExists         bool     `json:"emailexists"`
	DepartmentID        string   `json:"departmentid"`
	PrimaryDepartmentID string   `json:"primarydepartmentid"`
	PrimaryProviderID   string   `json:"primaryproviderid,omitempty"`
	RegistrationDate    string   `json:"registrationdate"`
	Status              string   `json:"status"`
}

// Provider is a provider as GET /providers/{id} shows it: here the ids are
// numbers.
type Provider struct {
	ProviderID     int    `json:"providerid"`
	FirstName      string `json:"firstname"`
	LastName       string `json:"lastname"`
	DisplayName    string `json:"displayname"`
	SchedulingName string `json:"schedulingname"`
	NPI            int    `json:"npi"`
	ProviderType   string `json:"providertype"`
	ProviderTypeID string `json:"providertypeid"`
	Specialty      string `json:"specialty"`
	SpecialtyID    int    `json:"specialtyid"`
	Sex            string `json:"sex"`
	EntityType     string `json:"entitytype"`
	Billable       bool   `json:"billable"`
}

// Department is a department as GET /departments/{id} shows it.
type Department struct {
	DepartmentID           string `json:"departmentid"`
	Name                   string `json:"name"`
	PatientDepartmentName  string `json:"patientdepartmentname"`
	ProviderGroupID        string `json:"providergroupid"`
	ProviderGroupName      string `json:"providergroupname"`
	PlaceOfServiceTypeID   string `json:"placeofservicetypeid"`
	PlaceOfServiceTypeName string `json:"placeofservicetypename"`
	Address                string `json:"address"`
	City                   string `json:"city"`
	State                  string `json:"state"`
	Zip                    string `json:"zip"`
	Phone                  string `json:"phone"`
	TimeZone               int    `json:"timezone"`
	TimeZoneOffset         int    `json:"timezoneoffset"`
	TimeZoneName           string `json:"timezonename"`
	DoesNotObserveDST      bool   `json:"doesnotobservedst"`
}

var (
	firstNamesF = []string{"Ada", "Beatrix", "Clara", "Delia", "Edith", "Flora", "Greta", "Hazel", "Ines", "Junia"}
	firstNamesM = []string{"Abel", "Bruno", "Cyrus", "Dorian", "Emil", "Felix", "Gideon", "Hugo", "Ivo", "Jasper"}
	lastNames   = []string{"Alderbrook", "Birchwater", "Copperfield-Hale", "Dunmore", "Eastlake", "Fernhollow", "Glasswright", "Hawksmoor", "Ironwood", "Juniper", "Kestrel", "Larkspur", "Marigold", "Nettleship", "Oakhurst"}
	streets     = []string{"Mill Lane", "Harbor Road", "Orchard Street", "Foundry Avenue", "Lantern Court", "Quarry Hill"}
	towns       = [][3]string{{"Ashport", "MA", "02110"}, {"Brindle", "CT", "06101"}, {"Caldmoor", "NH", "03301"}, {"Dovewell", "RI", "02903"}}
	marital     = [][2]string{{"S", "SINGLE"}, {"M", "MARRIED"}, {"D", "DIVORCED"}, {"W", "WIDOWED"}}
	races       = [][2]string{{"2106-3", "White"}, {"2054-5", "Black or African American"}, {"2028-9", "Asian"}, {"1002-5", "American Indian or Alaska Native"}}
	specialties = []string{"Family Medicine", "Cardiology", "Pediatrics", "Dermatology", "Orthopedics", "Psychiatry"}
	zones       = []struct {
		name   string
		offset int
	}{{"US/Eastern", -5}, {"US/Central", -6}, {"US/Pacific", -8}}
)

// appointmentTypes are the practice's kinds of visits.
var appointmentTypes = []struct {
	id, name, patientName string
	duration              int
}{
	{"2", "Office Visit", "Office Visit", 15},
	{"8", "New Patient", "New Patient Appointment", 30},
	{"82", "Any 15", "Any 15", 15},
	{"44", "Physical Exam", "Annual Physical", 45},
	{"61", "Telehealth", "Video Visit", 20},
}

func (s *Simulator) invent() {
	r := s.random
	for i := range s.o.Departments {
		zone, town := zones[i%len(zones)], towns[i%len(towns)]
		id := strconv.Itoa(145 + 5*(i+1))
		name := town[0] + " " + []string{"Main Clinic", "Family Practice", "Health Center"}[i%3]
		s.departments[id] = &Department{
			DepartmentID: id, Name: strings.ToUpper(name), PatientDepartmentName: name,
			ProviderGroupID: "1", ProviderGroupName: "Willowmere Medical Group",
			PlaceOfServiceTypeID: "11", PlaceOfServiceTypeName: "OFFICE",
			Address: fmt.Sprintf("%d %s", 10+i, streets[i%len(streets)]), City: town[0], State: town[1], Zip: town[2],
			Phone: fmt.Sprintf("(555) 555-%04d", 100+i), TimeZone: zone.offset, TimeZoneOffset: zone.offset, TimeZoneName: zone.name,
		}
	}
	for i := range s.o.Providers {
		sex, first := s.name(r.IntN(2) == 0)
		last := lastNames[(i*7+3)%len(lastNames)]
		s.providers[strconv.Itoa(27+i)] = &Provider{
			ProviderID: 27 + i, FirstName: first, LastName: last,
			DisplayName: first + " " + last + ", MD", SchedulingName: last + "_" + first,
			NPI: npi(i), ProviderType: "MD", ProviderTypeID: "MD",
			Specialty: specialties[i%len(specialties)], SpecialtyID: 1 + i%len(specialties),
			Sex: sex, EntityType: "Person", Billable: true,
		}
	}
	departments, providers := s.departmentIDs(), s.providerIDs()
	for i := range s.o.Patients {
		sex, first := s.name(i%2 == 0)
		_, middle := s.name(i%2 == 0)
		town, m, race := pick(r, towns), pick(r, marital), pick(r, races)
		born := time.Date(1930+r.IntN(90), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC)
		id := strconv.Itoa(7900 + i)
		p := &Patient{
			PatientID: id, FirstName: first, MiddleName: middle, LastName: pick(r, lastNames),
			DOB: born.Format(dateLayout), Sex: sex, SSN: fmt.Sprintf("*****%04d", r.IntN(10000)),
			MaritalStatus: m[0], MaritalStatusName: m[1], Race: []string{race[0]}, RaceName: race[1],
			EthnicityCode: pick(r, []string{"2186-5", "2135-2"}), Language6392Code: pick(r, []string{"eng", "spa"}),
			Address1: fmt.Sprintf("%d %s", 1+r.IntN(300), pick(r, streets)), City: town[0], State: town[1], Zip: town[2],
			CountryCode: "USA", CountryCode3166: "US",
			HomePhone: fmt.Sprintf("617555%04d", r.IntN(10000)), MobilePhone: fmt.Sprintf("857555%04d", r.IntN(10000)),
			DepartmentID: pick(r, departments), PrimaryProviderID: pick(r, providers),
			RegistrationDate: "01/02/2020", Status: "active",
		}
		p.PrimaryDepartmentID = p.DepartmentID
		p.Email, p.EmailExists = strings.ToLower(first)+"."+id+"@example.com", true
		if i%3 != 0 { // not every patient has a number of the practice's own
			p.LocalPatientID = fmt.Sprintf("WM%06d", 1000+i)
		}
		s.patients[id] = p
	}
}

func (s *Simulator) name(female bool) (sex, first string) {
	if female {
		return "F", pick(s.random, firstNamesF)
	}
	return "M", pick(s.random, firstNamesM)
}

// npi invents the i-th National Provider Identifier: nine digits and a check
// digit by Luhn's rule over 80840 and them.
func npi(i int) int {
	base := 199900000 + i
	sum, double := 24, true // 24 is what the prefix 80840 adds
	for n := base; n > 0; n /= 10 {
		d := n % 10
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum, double = sum+d, !double
	}
	return base*10 + (10-sum%10)%10
}

func (s *Simulator) patientIDs() []string    { return slices.Sorted(maps.Keys(s.patients)) }
func (s *Simulator) providerIDs() []string   { return slices.Sorted(maps.Keys(s.providers)) }
func (s *Simulator) departmentIDs() []string { return slices.Sorted(maps.Keys(s.departments)) }
