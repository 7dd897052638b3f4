package resttest

// https://hl7.org/fhir/R4/search.html#quantity
var quantities = subject{
	name: "quantity",
	resources: []string{
		`{"resourceType":"Observation","id":"a","status":"final","code":{"text":"x"},"valueQuantity":{"value":5.4,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}}`,
		`{"resourceType":"Observation","id":"b","status":"final","code":{"text":"x"},"valueQuantity":{"value":5.40,"unit":"milligram"}}`,
		`{"resourceType":"Observation","id":"c","status":"final","code":{"text":"x"},"valueQuantity":{"value":5.4,"unit":"g","system":"http://unitsofmeasure.org","code":"g"}}`,
		`{"resourceType":"Observation","id":"d","status":"final","code":{"text":"x"},"valueQuantity":{"value":60,"system":"http://unitsofmeasure.org","code":"mg"}}`,
		`{"resourceType":"Invoice","id":"i","status":"issued","totalNet":{"value":40.22,"currency":"EUR"}}`,
		`{"resourceType":"Condition","id":"r","subject":{"reference":"Patient/1"},"onsetRange":{"low":{"value":20,"unit":"a"},"high":{"value":30,"unit":"a"}}}`,
	},
	found: []found{
		{"number alone: any unit", "Observation?value-quantity=5.4", "a b c"},
		{"number|system|code", "Observation?value-quantity=5.4|http://unitsofmeasure.org|mg", "a"},
		{"number||code: code", "Observation?value-quantity=5.4||mg", "a"},
		{"number||code: unit", "Observation?value-quantity=5.4||milligram", "b"},
		{"prefix", "Observation?value-quantity=gt5.4||mg", "d"},
		{"precision", "Observation?value-quantity=5.400||mg", "a"},
		{"between", "Observation?value-quantity=gt5|http://unitsofmeasure.org|mg&value-quantity=lt60|http://unitsofmeasure.org|mg", "a"},
		{"Money: the currency is the code", "Invoice?totalnet=40.22|urn:iso:std:iso:4217|EUR", "i"},
		{"Range: some of it is greater", "Condition?onset-age=gt25||a", "r"},
		{"Range: some of it is less", "Condition?onset-age=lt25||a", "r"},
		{"Range: none of it is greater", "Condition?onset-age=gt30||a", ""},
		{"Range: it reaches its end", "Condition?onset-age=ge30||a", "r"},
		{"Range: all of it is greater", "Condition?onset-age=sa19||a", "r"},
		{"Range: not all of it is greater", "Condition?onset-age=sa20||a", ""},
		{"Range: all of it is less", "Condition?onset-age=eb31||a", "r"},
		{"Range: not all of it is less", "Condition?onset-age=eb30||a", ""},
		{"Range: it does not lie within", "Condition?onset-age=25||a", ""},
		{"Range: neither end is a value", "Condition?onset-age=20||a,30||a", ""},
		{"Range: it lies within", "Condition?onset-age=0e2||a", "r"},
		{"Range: ne", "Condition?onset-age=ne25||a", "r"},
		{"Range: ap overlaps", "Condition?onset-age=ap32||a", "r"},
		{"Range: ap does not overlap", "Condition?onset-age=ap34||a", ""},
	},
	refused: []refused{
		{"two parts", "Observation?value-quantity=5.4|mg", "value", []string{"value-quantity"}},
		{"no code", "Observation?value-quantity=5.4|http://unitsofmeasure.org|", "value", []string{"value-quantity"}},
	},
}

// observed is an Observation with a value.
func observed(id, value string) string {
	return `{"resourceType":"Observation","id":"` + id + `","status":"final","code":{"coding":[{"code":"q"}]},` + value + `}`
}

// measured is an Observation of a quantity in a unit of UCUM.
func measured(id, value, unit string) string {
	return observed(id, `"valueQuantity":{"value":`+value+`,"system":"http://unitsofmeasure.org","code":"`+unit+`"}`)
}

// Units that measure the same are converted (R4 search, quantity: servers may
// be able to).
var units = subject{
	name: "units",
	resources: []string{
		measured("mg", "5.4", "mg"), measured("g", "0.0054", "g"), measured("ug", "5449.999999", "ug"), measured("ug2", "5450", "ug"), measured("ug3", "5350", "ug"),
		measured("cm", "2.54", "cm"), measured("in", "1", "[in_i]"),
		measured("f", "98.6", "[degF]"), measured("cel", "37.0", "Cel"), measured("k", "310.2", "K"),
		measured("bpm", "72", "{beats}/min"), measured("hz", "1.2", "Hz"), measured("min", "72", "/min"),
		measured("wbc", "4.5", "10*3/uL"), measured("wbc2", "4.50", "10*9/L"),
		measured("pct", "7.1", "%"), measured("one", "0.071", "1"),
		measured("dl", "95", "mg/dL"), measured("l", "0.95", "g/L"), measured("mmol", "5.3", "mmol/L"), measured("umol", "5300", "umol/L"),
		measured("iu", "40", "m[IU]/L"), measured("iu2", "40", "u[IU]/mL"), measured("arb", "40", "m[arb'U]/L"),
		measured("bad", "3", "furlong"), measured("annotated", "12", "mg{total}"),
		`{"resourceType":"Encounter","id":"hours","status":"finished","class":{"code":"AMB"},"length":{"value":36,"unit":"h","system":"http://unitsofmeasure.org","code":"h"}}`,
		`{"resourceType":"Condition","id":"age","subject":{"reference":"Patient/1"},"onsetAge":{"value":18,"unit":"mo","system":"http://unitsofmeasure.org","code":"mo"}}`,
		`{"resourceType":"Condition","id":"range","subject":{"reference":"Patient/1"},"onsetRange":{"low":{"value":18,"system":"http://unitsofmeasure.org","code":"mo"},"high":{"value":3,"system":"http://unitsofmeasure.org","code":"a"}}}`,
	},
	found: []found{
		{"mg and g, to the precision given", "Observation?value-quantity=5.4|http://unitsofmeasure.org|mg", "mg g ug ug3"},
		{"the same in g", "Observation?value-quantity=0.0054|http://unitsofmeasure.org|g", "mg g ug ug3"},
		{"the precision is that of the search", "Observation?value-quantity=5.400|http://unitsofmeasure.org|mg", "mg g"},
		{"gt is exact", "Observation?value-quantity=gt5.4|http://unitsofmeasure.org|mg&value-quantity=lt6|http://unitsofmeasure.org|mg", "ug ug2"},
		{"ge is exact", "Observation?value-quantity=ge0.0054|http://unitsofmeasure.org|g&value-quantity=lt6|http://unitsofmeasure.org|mg", "mg g ug ug2"},
		{"cm and inches", "Observation?value-quantity=1.000|http://unitsofmeasure.org|[in_i]", "cm in"},
		{"an alike length", "Observation?value-quantity=le25.4|http://unitsofmeasure.org|mm", "cm in"},
		{"Fahrenheit, Celsius", "Observation?value-quantity=98.60|http://unitsofmeasure.org|[degF]", "f cel"},
		{"Celsius to the precision given", "Observation?value-quantity=37.0|http://unitsofmeasure.org|Cel", "f cel"},
		{"Kelvin", "Observation?value-quantity=gt37|http://unitsofmeasure.org|Cel", "k"},
		{"rates with annotations", "Observation?value-quantity=72|http://unitsofmeasure.org|/min", "bpm hz min"},
		{"counts", "Observation?value-quantity=4.5|http://unitsofmeasure.org|10*9/L", "wbc wbc2"},
		{"percent", "Observation?value-quantity=7.1|http://unitsofmeasure.org|%25", "pct one"},
		{"concentration of mass", "Observation?value-quantity=95|http://unitsofmeasure.org|mg/dL", "dl l"},
		{"concentration of substance", "Observation?value-quantity=5.3|http://unitsofmeasure.org|mmol/L", "mmol umol"},
		{"international units among themselves", "Observation?value-quantity=40|http://unitsofmeasure.org|[iU]/m3,40|http://unitsofmeasure.org|m[iU]/L", "iu iu2"},
		{"a unit that is none is compared as it is", "Observation?value-quantity=3|http://unitsofmeasure.org|furlong", "bad"},
		{"annotations are no unit", "Observation?value-quantity=12|http://unitsofmeasure.org|mg", "annotated"},
		{"the code alone is not converted", "Observation?value-quantity=5.4||mg", "mg"},
		{"Duration", "Encounter?length=1.5|http://unitsofmeasure.org|d", "hours"},
		{"Age", "Condition?onset-age=1.50|http://unitsofmeasure.org|a", "age"},
		{"Range with ends in two units", "Condition?onset-age=sa17|http://unitsofmeasure.org|mo", "age range"},
		{"Range within two years", "Condition?onset-age=gt2|http://unitsofmeasure.org|a", "range"},
		{"ap", "Observation?value-quantity=ap5.9|http://unitsofmeasure.org|mg", "mg g ug ug2 ug3"},
		{"eb", "Observation?value-quantity=eb5.4|http://unitsofmeasure.org|mg", "ug3"},
		{"composite", "Observation?code-value-quantity=q$0.0054000|http://unitsofmeasure.org|g", "mg g"},
	},
}

// A Quantity with a comparator is all values that it allows, SampledData all
// between its bounds.
var spans = subject{
	name: "spans",
	resources: []string{
		observed("lt", `"valueQuantity":{"value":5,"comparator":"<","unit":"mg"}`),
		observed("le", `"valueQuantity":{"value":5,"comparator":"<=","unit":"mg"}`),
		observed("gt", `"valueQuantity":{"value":5,"comparator":">","unit":"mg"}`),
		observed("ge", `"valueQuantity":{"value":5,"comparator":">=","unit":"mg"}`),
		observed("is", `"valueQuantity":{"value":5,"unit":"mg"}`),
		observed("two", `"component":[{"code":{"coding":[{"code":"p"}]},"valueQuantity":{"value":2,"comparator":"<"}},{"code":{"coding":[{"code":"p"}]},"valueQuantity":{"value":8,"comparator":">"}}]`),
		observed("wave", `"valueSampledData":{"origin":{"value":2048,"unit":"uV"},"period":10,"factor":1.5,"dimensions":1,"data":"-10 E 4 .5 20"}`),
		observed("cut", `"valueSampledData":{"origin":{"value":0,"unit":"uV"},"period":10,"lowerLimit":-3300,"dimensions":1,"data":"1 L 7 U"}`),
	},
	found: []found{
		{"gt: some value is", "Observation?value-quantity=gt5||mg", "gt ge"},
		{"ge: some value is", "Observation?value-quantity=ge5||mg", "le gt ge is"},
		{"lt: some value is", "Observation?value-quantity=lt5||mg", "lt le"},
		{"le: some value is", "Observation?value-quantity=le5||mg", "lt le ge is"},
		{"sa: every value is", "Observation?value-quantity=sa5||mg", "gt"},
		{"sa: at the bound", "Observation?value-quantity=sa4.9||mg", "gt ge is"},
		{"eb: every value is", "Observation?value-quantity=eb5||mg", "lt"},
		{"eq: every value within", "Observation?value-quantity=5||mg", "is"},
		{"ne: not every value within", "Observation?value-quantity=ne5||mg", "lt le gt ge"},
		{"ap: some value within", "Observation?value-quantity=ap5||mg", "lt le gt ge is"},
		{"ap: below", "Observation?value-quantity=ap4||mg", "lt le"},
		{"two components are two values", "Observation?component-value-quantity=ap5", ""},
		{"either component", "Observation?component-value-quantity=ap1,ap9", "two"},
		{"two components of a composite", "Observation?component-code-value-quantity=p$ap5", ""},
		{"a component of a composite", "Observation?component-code-value-quantity=p$ap9", "two"},
		{"SampledData: from its least", "Observation?value-quantity=sa2032||uV", "wave"},
		{"SampledData: not below its least", "Observation?value-quantity=sa2033||uV", ""},
		{"SampledData: to its greatest", "Observation?value-quantity=ge2078||uV&value-quantity=le2033||uV", "wave cut"},
		{"SampledData: eb", "Observation?value-quantity=eb2079||uV", "wave"},
		{"SampledData: the lower limit for what is below it", "Observation?value-quantity=sa-3301||uV", "wave cut"},
		{"SampledData: nothing below the limit", "Observation?value-quantity=lt-3300||uV", ""},
		{"SampledData: no limit for what is above it", "Observation?value-quantity=gt1e9||uV", "cut"},
	},
}
