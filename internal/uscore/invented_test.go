package uscore

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// once are invented resources that others refer to.
var once = []string{
	`{"resourceType":"Patient","id":"us-a","identifier":[{"system":"http://example.org/mrn","value":"us-100"}],"name":[{"family":"Fernsby-Óluin","given":["Ada","June"]}],"gender":"female","birthDate":"1971-03-02","deceasedDateTime":"2024-05-06T07:08:09Z"}`,
	`{"resourceType":"Patient","id":"us-b","identifier":[{"system":"http://example.org/mrn","value":"us-101"},{"system":"http://example.org/ssn","value":"us-100"}],"name":[{"family":"Fernsby","given":["Bruno"]},{"text":"Bo the builder"}],"gender":"male","birthDate":"1971-03","deceasedDateTime":"2024-05"}`,
	`{"resourceType":"Practitioner","id":"us-1","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"9941339108"}],"name":[{"family":"Oakhollow","given":["Iris"]}]}`,
	`{"resourceType":"Practitioner","id":"us-2","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"9941339109"}],"name":[{"family":"Oakley","given":["Jon"]}]}`,
	`{"resourceType":"Endpoint","id":"us-1","status":"active","connectionType":{"system":"http://terminology.hl7.org/CodeSystem/endpoint-connection-type","code":"direct-project"},"payloadType":[{"text":"any"}],"address":"mailto:iris@example.org"}`,
	`{"resourceType":"Medication","id":"us-1","code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"582620"}]}}`,
	`{"resourceType":"Medication","id":"us-2","code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"582621"}]}}`,
}

// many are forms of invented resources for what Synthea does not have; each is
// made several times. <a,b> is one of a and b, and $p one of two patients; $d
// is a day and $e a later one; $n numbers them.
var many = []string{
	`{"resourceType":"AllergyIntolerance","id":"us-$n","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"<active,inactive,resolved>"}]},"code":{"text":"peanuts"},"patient":{"reference":"Patient/$p"}}`,
	`{"resourceType":"CareTeam","id":"us-$n","status":"<proposed,active,inactive>","subject":{"reference":"Patient/$p"},"participant":[{"role":[{"coding":[{"system":"http://snomed.info/sct","code":"<17561000,223366009>"}]}],"member":{"reference":"<Practitioner/us-1,Practitioner/us-2,PractitionerRole/us-0,Patient/us-a,RelatedPerson/us-0>"}}]}`,
	`{"resourceType":"CarePlan","id":"us-$n","status":"<active,completed,revoked>","intent":"plan","category":[{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/careplan-category","code":"assess-plan"}]}],"subject":{"reference":"Patient/$p"},"period":{"start":"$d"<,\,"end":"$e">}}`,
	`{"resourceType":"Condition","id":"us-$n","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/condition-assertedDate","valueDateTime":"$d"}],"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"<active,inactive,resolved>"}]},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"<encounter-diagnosis,problem-list-item,health-concern>"}]}],"code":{"coding":[{"system":"http://snomed.info/sct","code":"<386661006,38341003>"}]},"subject":{"reference":"Patient/$p"},"encounter":{"reference":"Encounter/us-<0,1>"},<"onsetDateTime":"$d"\,"abatementDateTime":"$e","onsetPeriod":{"start":"$d"\,"end":"$e"}\,"abatementPeriod":{"start":"$e"}>,"recordedDate":"$e"}`,
	`{"resourceType":"Coverage","id":"us-$n","status":"active","beneficiary":{"reference":"Patient/$p"},"relationship":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/subscriber-relationship","code":"self"}]},"payor":[{"display":"Payer of samples"}]}`,
	`{"resourceType":"Device","id":"us-$n","status":"<active,inactive,entered-in-error>","type":{"coding":[{"system":"http://snomed.info/sct","code":"<468063009,72506001>"}]},"patient":{"reference":"Patient/$p"}}`,
	`{"resourceType":"DiagnosticReport","id":"us-$n","status":"<final,preliminary,amended>","category":[{"coding":[{"system":"http://loinc.org","code":"<LP29684-5,LP29708-2,LP7839-6>"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"<18842-5,34117-2>"}]},"subject":{"reference":"Patient/$p"},<"effectiveDateTime":"$d","effectivePeriod":{"start":"$d"\,"end":"$e"}>}`,
	`{"resourceType":"DocumentReference","id":"us-$n","status":"<current,superseded,entered-in-error>","type":{"coding":[{"system":"http://loinc.org","code":"<34133-9,11488-4>"}]},"category":[{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category","code":"clinical-note"}]}],"subject":{"reference":"Patient/$p"},"date":"$dT10:20:30.5Z","content":[{"attachment":{"contentType":"text/plain"}}],"context":{"period":{"start":"$d","end":"$e"}}}`,
	`{"resourceType":"Encounter","id":"us-$n","identifier":[{"system":"http://example.org/visits","value":"V-<1,2,3>"}],"status":"<planned,finished,cancelled>","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"<AMB,IMP>"},"type":[{"coding":[{"system":"http://www.ama-assn.org/go/cpt","code":"<99201,99202>"}]}],"subject":{"reference":"Patient/$p"},"period":{"start":"$dT01:02:03-05:00","end":"$eT01:02:03-05:00"},"hospitalization":{"dischargeDisposition":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/discharge-disposition","code":"<home,exp>"}]}},"location":[{"location":{"reference":"Location/us-<0,1>"}}]}`,
	`{"resourceType":"Goal","id":"us-$n","lifecycleStatus":"<active,completed,cancelled>","description":{"coding":[{"system":"http://snomed.info/sct","code":"<281004,289169006>"}]},"subject":{"reference":"Patient/$p"},"target":[{"dueDate":"$d"}]}`,
	`{"resourceType":"Location","id":"us-$n","status":"active","name":"<Ashgrove clinic,Ashford ward,Étang house>","alias":["<Old mill,The annex>"],"address":{"line":["<1,2> Well Lane"],"city":"<Fernley,Ashby>","state":"<MA,NY>","postalCode":"<02139,02140,10001>"}}`,
	`{"resourceType":"Organization","id":"us-$n","active":true,"name":"<Ashgrove trust,Étang group>","address":[{"line":["<1,2> Well Lane"],"city":"<Fernley,Ashby>","state":"<MA,NY>","postalCode":"<02139,10001>"}]}`,
	`{"resourceType":"MedicationDispense","id":"us-$n","status":"<completed,in-progress,stopped>","medicationReference":{"reference":"Medication/us-<1,2>"},"subject":{"reference":"Patient/$p"},"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"<FF,RF,EM>"}]}}`,
	`{"resourceType":"MedicationRequest","id":"us-$n","status":"<active,completed,stopped>","intent":"<order,plan,proposal>","medicationReference":{"reference":"Medication/us-<1,2>"},"subject":{"reference":"Patient/$p"},"encounter":{"reference":"Encounter/us-<0,1>"},"authoredOn":"$d"}`,
	`{"resourceType":"PractitionerRole","id":"us-$n","practitioner":{"reference":"Practitioner/us-<1,2>"},"specialty":[{"coding":[{"system":"http://nucc.org/provider-taxonomy","code":"<208D00000X,207R00000X>"}]}],"endpoint":[{"reference":"Endpoint/us-1"}]}`,
	`{"resourceType":"QuestionnaireResponse","id":"us-$n","questionnaire":"http://example.org/Questionnaire/<phq,hrsn>","status":"<completed,amended>","subject":{"reference":"Patient/$p"},"authored":"$d"}`,
	`{"resourceType":"RelatedPerson","id":"us-$n","active":true,"patient":{"reference":"Patient/$p"},"name":[{"family":"<Fernsby,Fernándes>","given":["<Cleo,Dan>"]}]}`,
	`{"resourceType":"ServiceRequest","id":"us-$n","status":"<active,completed,draft>","intent":"order","category":[{"coding":[{"system":"http://snomed.info/sct","code":"<386053000,108252007>"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"<24357-6,58410-2>"}]},"subject":{"reference":"Patient/$p"},"authoredOn":"$d"}`,
	`{"resourceType":"Specimen","id":"us-$n","type":{"text":"blood"},"subject":{"reference":"Patient/$p"}}`,
}

// copies is how many there are of each form.
const copies = 24

var choice = regexp.MustCompile(`<((?:\\.|[^<>\\])*)>`)

// invented is the n-th resource of a form. What is chosen follows from n.
func invented(form string, n int) string {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(len(form))))
	form = choice.ReplaceAllStringFunc(form, func(s string) string {
		of := strings.Split(strings.ReplaceAll(s[1:len(s)-1], `\,`, "\x00"), ",")
		return strings.ReplaceAll(of[rng.IntN(len(of))], "\x00", ",")
	})
	month, day := 1+rng.IntN(6), 1+rng.IntN(28)
	return strings.NewReplacer("$n", fmt.Sprint(n), "$p", []string{"us-a", "us-b"}[n%2],
		"$d", fmt.Sprintf("2021-%02d-%02d", month, day), "$e", fmt.Sprintf("2021-%02d-%02d", month+6, day)).Replace(form)
}

// invent adds the invented resources; Observations are of the codes and
// categories that the groups have, and each resource has a Provenance or none.
func (p *population) invent(t *testing.T, groups []group) {
	t.Helper()
	for _, r := range once {
		p.add(t, []byte(r))
	}
	for _, form := range many {
		for n := range copies {
			p.add(t, []byte(invented(form, n)))
		}
	}
	for _, g := range groups {
		if g.Resource != "Observation" {
			continue
		}
		fixed := g.fixed()
		category, code := "social-history", "76690-7,32624-9"
		if c := fixed["category"]; c != nil {
			category = strings.Join(c, ",")
		}
		if c := fixed["code"]; c != nil {
			code = strings.Join(c, ",")
		}
		form := `{"resourceType":"Observation","id":"` + strings.ReplaceAll(g.Name, "_", "-") + `-$n","status":"<final,amended,preliminary>",` +
			`"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"<` + category + `>"}]}],` +
			`"code":{"coding":[{"system":"http://loinc.org","code":"<` + code + `>"}]},"subject":{"reference":"Patient/$p"},` +
			`<"effectiveDateTime":"$d","effectiveDateTime":"$dT04:05:06+02:00","effectivePeriod":{"start":"$d"\,"end":"$e"}>,"valueString":"x"}`
		for n := range copies {
			p.add(t, []byte(invented(form, n)))
		}
	}
	for i, r := range p.all() {
		if i%3 == 0 && strings.Contains(r.id, "-") && r.typ != "Provenance" {
			p.add(t, []byte(fmt.Sprintf(`{"resourceType":"Provenance","id":"us-%d","target":[{"reference":%q}],"recorded":"2021-01-02T03:04:05Z","agent":[{"who":{"reference":"Practitioner/us-1"}}]}`, i, r.ref())))
		}
	}
}
