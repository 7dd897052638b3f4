package ucum

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// otherConstants are units whose factor was measured or redefined since the
// oracle's table was made: CODATA 2018 and the SI of 2019 stand here.
var otherConstants = "mol eq osm kat U u eV [h] [k] [eps_0] [mu_0] [e] [m_e] [m_p] [G]"

// differing are units of which the oracle says something else than UCUM's own
// table: it lacks some, scales [degRe] twice, and has one field for [LPF].
var differing = strings.Fields("[FNU] [NTU] [m/s2/Hz^0.5] [degRe] [LPF]")

// clinical are codes that laboratories, R4's examples and Synthea use, and
// some that none should.
const clinical = `mg/dL g/dL ug/mL ng/mL pg/mL mmol/L umol/L nmol/L pmol/L meq/L mosm/kg U/L m[IU]/L [IU]/mL u[IU]/mL k[IU]/L 10*3/uL 10*6/uL 10*9/L 10*12/L /min
/[HPF] {beats}/min {breaths}/min mm[Hg] cm[H2O] kPa fL pg % %{HemoglobinA1c} {score} {INR} 1 kg/m2 mL/min/{1.73_m2} mL/min/1.73.m2 [in_i] [lb_av] [oz_av] [ft_i] cm kg
[degF] Cel K mCel h d wk mo a min ms [cup_us] [foz_us] mL/kg/h ug/kg/min mg/kg/d L/min m/s N.s/m5 dyn.s/cm5 mmol/mol umol/g{Cre} mg/g{creat} /uL /mL 10*-3 10^3 g.m-3
kcal [Cal] kcal_th J Gy cGy mSv MBq mCi [psi] [diop] deg rad mV uV dB B[SPL] [pH] mm/h g/(24.h) mg/(24.h) (mg/dL)/(mmol/L) [mi_i]/h [car_m] cd/m2 lx ug/dL{RBCs}
mg{total} kU/L [arb'U]/mL [ppm] mmol/kg mL/m2 L/(min.m2) mg.h/L [drp] [tsp_us] [tbs_us] [gal_us] [pt_us] [qt_us] [yd_i] [mi_i] [nmi_i] [kn_i] [acr_us] [gr] [stone_av] MA us
mgg mg/ mg//dL mg.. (mg mg) {x m- m-- [in_i mg/dl/ Cel.m Cel2 -1 mm-+2 [degF]/s`

// What this package makes of units is what another implementation makes of
// them, where node and that are at hand.
func TestOracle(t *testing.T) {
	modules := os.Getenv("FHIRFACADE_UCUM_LHC")
	if modules == "" {
		t.Skip("FHIRFACADE_UCUM_LHC does not name a node_modules folder that has @lhncbc/ucum-lhc")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node to run the oracle")
	}
	codes := strings.Fields(clinical)
	for code := range units().units {
		codes = append(codes, code)
	}
	cmd := exec.CommandContext(t.Context(), node, "testdata/oracle.js")
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	cmd.Stdin = strings.NewReader(strings.Join(codes, "\n"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for line := range strings.Lines(string(bytes.TrimSpace(out))) {
		if compareWith(t, strings.Split(strings.TrimSuffix(line, "\n"), "\t")) {
			compared++
		}
	}
	t.Logf("%d of %d units compared", compared, len(codes))
	if compared < 300 {
		t.Errorf("only %d units were compared", compared)
	}
}

// compareWith compares one unit with a line of the oracle's.
func compareWith(t *testing.T, f []string) bool {
	code := f[0]
	if slices.Contains(differing, code) {
		return false
	}
	u, err := Parse(code)
	if f[1] == "-" {
		if err == nil {
			t.Errorf("%s: the oracle refuses it, here it is %s", code, u.Dimension())
		}
		return false
	}
	if err != nil {
		t.Errorf("%s: %v; the oracle takes it", code, err)
		return false
	}
	magnitude, _ := strconv.ParseFloat(f[1], 64)
	if f[3] != "" {
		for i, want := range strings.Split(f[3], ",") {
			v, _ := strconv.ParseFloat(want, 64)
			got := toFloat(u.Base(decimal([]string{"1", "36.6"}[i]), nil))
			if math.Abs(got-v) > 1e-9*v {
				t.Errorf("%s: %v K, the oracle has %v K", code, got, v)
			}
		}
		return true
	}
	if strings.Contains(u.Dimension(), "[") || f[4] != "" {
		return false // arbitrary or logarithmic: a base unit of its own
	}
	tolerance := 1e-9 // the oracle's magnitudes are IEEE 754 doubles
	for _, c := range strings.Fields(otherConstants) {
		if strings.Contains(code, c) {
			tolerance = 2e-3
		}
	}
	got := toFloat(u.Base(decimal("1"), nil))
	if math.Abs(got-magnitude) > tolerance*magnitude {
		t.Errorf("%s: 1 is %v, the oracle has %v", code, got, magnitude)
	}
	if !sameDimension(u.Dimension(), f[2]) {
		t.Errorf("%s: it measures %s, the oracle has %s", code, u.Dimension(), f[2])
	}
	return true
}

// sameDimension compares a dimension with the oracle's exponents.
func sameDimension(dimension, vector string) bool {
	want := map[string]string{}
	for i, n := range strings.Split(vector, ",") {
		if n != "0" {
			want[[...]string{"m", "s", "g", "rad", "K", "C", "cd"}[i]] = n
		}
	}
	if dimension == "1" {
		return len(want) == 0
	}
	parts := strings.Split(dimension, ".")
	for _, p := range parts {
		base := strings.TrimRight(p, "-0123456789")
		n := strings.TrimPrefix(p, base)
		if n == "" {
			n = "1"
		}
		if want[base] != n {
			return false
		}
	}
	return len(parts) == len(want)
}

func toFloat(d Decimal) float64 {
	s := "0." + string(d.Digits) + "e" + strconv.Itoa(d.Exponent)
	if len(d.Digits) == 0 {
		s = "0"
	}
	if d.Negative {
		s = "-" + s
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}
