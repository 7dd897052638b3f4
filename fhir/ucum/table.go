package ucum

import (
	"math/big"
	"strings"
	"sync"
)

// definition is one unit of the table.
type definition struct {
	metric bool
	// base is the base unit that it is itself; else it is factor times in.
	base   string
	factor *big.Rat
	in     string
	// special units are on no ratio scale; offset is for those of temperature.
	special bool
	offset  *big.Rat
}

type table struct {
	units    map[string]*definition
	prefixes map[string]*big.Rat
}

// units is the table, made when the first unit is read.
var units = sync.OnceValue(func() *table {
	t := &table{units: map[string]*definition{}, prefixes: map[string]*big.Rat{}}
	for prefix, factor := range prefixes {
		t.prefixes[prefix] = rational(factor)
	}
	for _, base := range baseUnits {
		t.units[base] = &definition{metric: true, base: base}
	}
	for _, kind := range []struct {
		codes           string
		metric, special bool
	}{{arbitraryMetric, true, false}, {arbitrary, false, false}, {logarithmicMetric, true, true}, {logarithmic, false, true}} {
		for _, code := range strings.Fields(kind.codes) {
			t.units[code] = &definition{metric: kind.metric, base: code, special: kind.special}
		}
	}
	for i, lines := range []string{otherUnits, metricUnits} {
		for line := range strings.Lines(strings.TrimSpace(lines)) {
			f := strings.Fields(line)
			t.units[f[0]] = &definition{metric: i == 1, factor: rational(f[1]), in: f[2]}
		}
	}
	for line := range strings.Lines(strings.TrimSpace(shifted)) {
		f := strings.Fields(line)
		t.units[f[0]] = &definition{metric: f[0] == "Cel", factor: rational(f[1]), offset: rational(f[2])}
	}
	return t
})

// rational reads a number of the table.
func rational(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("ucum: the table has the number " + s)
	}
	return r
}
