package resttest

import "fmt"

// located is a Location with a position.
func located(id, latitude, longitude string) string {
	return fmt.Sprintf(`{"resourceType":"Location","id":%q,"name":%q,"position":{"latitude":%s,"longitude":%s}}`, id, id, latitude, longitude)
}

// https://hl7.org/fhir/R4/location.html#search: near.
var places = subject{
	name: "near",
	resources: []string{
		located("ffm", "50.1109", "8.6821"), located("mainz", "49.9929", "8.2473"), located("berlin", "52.5200", "13.4050"),
		located("fiji", "-17.0", "179.99"), located("tonga", "-17.0", "-179.99"), located("pole", "90", "0"), located("almost", "89.999", "135"),
		`{"resourceType":"Location","id":"nowhere","name":"nowhere"}`,
		`{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"location":[{"location":{"reference":"Location/mainz"}}]}`,
	},
	found: []found{
		{"kilometres by default", "Location?near=50.1109|8.6821|35", "ffm mainz"},
		{"less far", "Location?near=50.1109|8.6821|33", "ffm"},
		{"km", "Location?near=50.1109|8.6821|450|km", "ffm mainz berlin"},
		{"metres", "Location?near=50.1109|8.6821|34000|m", "ffm mainz"},
		{"miles", "Location?near=50.1109|8.6821|20|[mi_i]", "ffm"},
		{"more miles", "Location?near=50.1109|8.6821|22|[mi_i]", "ffm mainz"},
		{"no distance: 50 km", "Location?near=50.1109|8.6821", "ffm mainz"},
		{"units without a distance are irrelevant", "Location?near=50.1109|8.6821||m", "ffm mainz"},
		{"no distance at all", "Location?near=50.1109|8.6821|0", "ffm"},
		{"across the date line", "Location?near=-17.0|180|2", "fiji tonga"},
		{"on one side of it", "Location?near=-17.0|179.98|2", "fiji"},
		{"round the pole", "Location?near=89.999|-45|1", "pole almost"},
		{"half of the Earth", "Location?near=0|0|20100", "ffm mainz berlin fiji tonga pole almost"},
		{"several", "Location?near=50.1109|8.6821|1,52.52|13.405|1", "ffm berlin"},
		{"with others", "Location?near=50.1109|8.6821|50&name=ffm", "ffm"},
		{":missing", "Location?near:missing=true", "nowhere"},
		{"in a chain", "Encounter?location.near=50|8.25|10", "e"},
	},
	refused: []refused{
		{"one part", "Location?near=50", "value", []string{"near"}},
		{"no latitude", "Location?near=91|0", "value", []string{"near"}},
		{"no number", "Location?near=x|0", "value", []string{"near"}},
		{"a negative distance", "Location?near=1|1|-5", "value", []string{"near"}},
		{"a unit that is none of length", "Location?near=1|1|5|kg", "value", []string{"near", "UCUM"}},
		{"a unit that is none", "Location?near=1|1|5|miles", "value", []string{"near", "UCUM"}},
		{"a modifier", "Location?near:exact=1|1", "not-supported", []string{":exact"}},
		{"a sort", "Location?_sort=near", "not-supported", []string{"near"}},
	},
}

// Composites with two numbers, which must belong to one element.
var coordinates = subject{
	name: "coordinates",
	resources: []string{
		`{"resourceType":"MolecularSequence","id":"a","coordinateSystem":0,"referenceSeq":{"chromosome":{"coding":[{"system":"urn:c","code":"1"}]},"referenceSeqId":{"coding":[{"code":"NC_1"}]},"windowStart":100,"windowEnd":200},"variant":[{"start":110,"end":120},{"start":150,"end":199}]}`,
		`{"resourceType":"MolecularSequence","id":"b","coordinateSystem":0,"referenceSeq":{"chromosome":{"coding":[{"system":"urn:c","code":"2"}]},"windowStart":100,"windowEnd":200},"variant":[{"start":110,"end":120}]}`,
		`{"resourceType":"MolecularSequence","id":"c","coordinateSystem":0,"referenceSeq":{"chromosome":{"coding":[{"system":"urn:c","code":"1"}]},"windowStart":5000000,"windowEnd":6000000}}`,
	},
	found: []found{
		{"whole numbers", "MolecularSequence?chromosome-window-coordinate=1$100$200", "a"},
		{"system and code", "MolecularSequence?chromosome-window-coordinate=urn:c|1$100$200", "a"},
		{"ranges", "MolecularSequence?chromosome-window-coordinate=1$ge100$lt6000001", "a c"},
		{"a range and a number", "MolecularSequence?chromosome-window-coordinate=1$gt99$6000000", "c"},
		{"greater", "MolecularSequence?chromosome-window-coordinate=1$gt100$gt1", "c"},
		{"less", "MolecularSequence?chromosome-window-coordinate=1$lt5000000$gt1", "a"},
		{"not", "MolecularSequence?chromosome-window-coordinate=1$ne100$gt1", "c"},
		{"about", "MolecularSequence?chromosome-window-coordinate=1$ap92$ap190", "a"},
		{"another chromosome", "MolecularSequence?chromosome-window-coordinate=2$ge0$ge0", "b"},
		{"two variants are two", "MolecularSequence?chromosome-variant-coordinate=1$lt120$gt150", ""},
		{"one variant", "MolecularSequence?chromosome-variant-coordinate=1$gt120$gt150", "a"},
		{"either variant", "MolecularSequence?chromosome-variant-coordinate=1$110$120,1$150$199", "a"},
		{"by reference sequence", "MolecularSequence?referenceseqid-window-coordinate=NC_1$le100$ge200", "a"},
		{"beyond all", "MolecularSequence?chromosome-window-coordinate=1$gt1e12$gt1", ""},
	},
	refused: []refused{
		{"two values", "MolecularSequence?chromosome-window-coordinate=1$2", "value", []string{"chromosome-window-coordinate"}},
		{"no number", "MolecularSequence?chromosome-window-coordinate=1$x$2", "value", []string{"chromosome-window-coordinate"}},
		{"no second number", "MolecularSequence?chromosome-window-coordinate=1$2$x", "value", []string{"chromosome-window-coordinate"}},
	},
}
