package search

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// locations are Locations with their keys.
type locations struct {
	documents []store.Document
	keys      [][]store.Key
	places    []position
}

func (l *locations) add(t interface{ Fatal(...any) }, p position) {
	id := fmt.Sprint("l", len(l.documents))
	body := fmt.Sprintf(`{"resourceType":"Location","id":%q,"position":{"latitude":%.9f,"longitude":%.9f}}`, id, p.latitude, p.longitude)
	doc, err := rawjson.Parse([]byte(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	place, _ := doc.Root().Member("position")
	if p, _ = positionOf(place); math.Abs(p.latitude) > 90 {
		t.Fatal(body)
	}
	l.documents = append(l.documents, store.Document{Ref: store.Ref{Type: "Location", ID: id}, Body: []byte(body)})
	keys, err := testIndex().Keys("Location", doc.Root(), Base{Definitions: conformance.R4()})
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, testIndex().IDKeys(store.Ref{Type: "Location", ID: id})...)
	l.keys = append(l.keys, store.SortKeys(keys))
	l.places = append(l.places, p)
}

func (l *locations) matching(where store.Clause, limit int) (found []store.Document, err error) {
	for i := range l.documents {
		if store.MatchKeys(where, l.keys[i]) && len(found) < limit {
			found = append(found, l.documents[i])
		}
	}
	return found, nil
}

// Near finds exactly what lies within the distance, also round the poles and
// across the date line.
func TestNear(t *testing.T) {
	latitudes := rapid.OneOf(rapid.Float64Range(-90, 90), rapid.SampledFrom([]float64{-90, -89.9999, 0, 89.99, 90}))
	longitudes := rapid.OneOf(rapid.Float64Range(-180, 180), rapid.SampledFrom([]float64{-180, -179.9999, 0, 179.9999, 180}))
	rapid.Check(t, func(t *rapid.T) {
		middle := position{latitudes.Draw(t, "latitude"), longitudes.Draw(t, "longitude")}
		kilometres := rapid.SampledFrom([]float64{0, 0.001, 0.5, 3, 50, 700, 5000, 12000, 21000}).Draw(t, "distance")
		var l locations
		for range 30 {
			p := position{latitudes.Draw(t, "lat"), longitudes.Draw(t, "long")}
			if rapid.Bool().Draw(t, "close") {
				// About as far away as is asked for.
				off := kilometres * 1000 / earthRadius * 180 / math.Pi * rapid.Float64Range(0, 1.5).Draw(t, "off")
				bearing := rapid.Float64Range(0, 2*math.Pi).Draw(t, "bearing")
				p = position{middle.latitude + off*math.Cos(bearing), middle.longitude + off*math.Sin(bearing)/max(0.01, math.Cos(middle.latitude*math.Pi/180))}
				if math.Abs(p.latitude) > 90 {
					p.latitude = math.Copysign(90, p.latitude)
				}
				p, _ = p.normal()
			}
			l.add(t, p)
		}
		o := testOptions()
		o.Matching = l.matching
		asked := fmt.Sprintf("%.9f|%.9f|%g|km", middle.latitude, middle.longitude, kilometres)
		r, err := Parse("Location", []Parameter{{"near", asked}}, o)
		if err != nil {
			t.Fatal(err)
		}
		var c circle
		if c, err = (field{p: &parser{o: o}}).circle(asked); err != nil {
			t.Fatal(err)
		}
		if math.Abs(c.radius-kilometres*1000) > 1e-6 {
			t.Fatalf("%s is %v m", asked, c.radius)
		}
		for i, p := range l.places {
			if got, want := store.MatchKeys(r.Where, l.keys[i]), c.middle.distance(p) <= c.radius; got != want {
				t.Fatalf("near=%s of %v, %.3f m away: %v, want %v", asked, p, c.middle.distance(p), got, want)
			}
		}
	})
}

// Distances are those of known places.
func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b position
		km   float64
	}{
		{position{0, 0}, position{0, 180}, 20015.1},
		{position{90, 0}, position{-90, 77}, 20015.1},
		{position{50.0379, 8.5622}, position{40.6413, -73.7781}, 6184.6}, // Frankfurt, New York
		{position{0, 179.9}, position{0, -179.9}, 22.239},
	} {
		if got := c.a.distance(c.b) / 1000; math.Abs(got-c.km) > 0.001*c.km {
			t.Errorf("%v and %v are %v km apart, want %v", c.a, c.b, got, c.km)
		}
	}
}

// Too many positions at the edge of a circle are an error, not a wrong answer.
func TestNearTooMany(t *testing.T) {
	var l locations
	for range maxMeasured + 1 {
		l.add(t, position{10, 20})
	}
	o := testOptions()
	o.Matching = l.matching
	edge := position{10, 20}.distance(position{10, 21}) / 1000
	_, err := Parse("Location", []Parameter{{"near", fmt.Sprintf("10|21|%.9f|km", edge)}}, o)
	var e *outcome.Error
	if !errors.As(err, &e) || e.Status != 400 || e.Issues[0].Code != outcome.CodeTooCostly {
		t.Errorf("%v", err)
	}
	r, err := Parse("Location", []Parameter{{"near", "10|21|120|km"}}, o)
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := l.matching(r.Where, 5000); len(found) != maxMeasured+1 {
		t.Errorf("%d found", len(found))
	}
}

func FuzzNear(f *testing.F) {
	for _, s := range []string{"1|2", "1|2|3", "1|2|3|km", "-90|180|0.5|[mi_i]", "90|-180||m", "1|2|1e300|Ym", "1|2|-3", "91|2", "1|2|3|s", `\1|2`, "1|2|3|4|5", "nan|inf|1", "1|2|0|m", "0x1|2"} {
		f.Add(s, 1.5, 2.5)
	}
	f.Fuzz(func(t *testing.T, value string, latitude, longitude float64) {
		p, ok := position{latitude, longitude}.normal()
		if !ok {
			return
		}
		key := "p" + string(appendPosition([]byte{formPosition}, p))
		o := testOptions()
		o.Matching = func(where store.Clause, _ int) ([]store.Document, error) {
			return nil, store.CheckClause(where)
		}
		fd := field{p: &parser{o: o}, sp: nearParameter(t), prefix: "p"}
		clause, err := fd.near(value)
		if err != nil {
			var e *outcome.Error
			if !errors.As(err, &e) || e.Status != 400 {
				t.Fatal(err)
			}
			return
		}
		if err := store.CheckClause(clause); err != nil {
			t.Fatal(err)
		}
		c, err := fd.circle(value)
		if err != nil {
			t.Fatal(err)
		}
		inside, edge := c.cover(coverCells)
		all := append(ranges("p"+string(rune(formPosition)), inside), ranges("p"+string(rune(formPosition)), edge)...)
		d := c.middle.distance(p)
		if d <= c.radius && !store.MatchKeys(all, []store.Key{key}) {
			t.Fatalf("near=%q does not cover %v, %v m away", value, p, d)
		}
		if d > c.radius && store.MatchKeys(ranges("p"+string(rune(formPosition)), inside), []store.Key{key}) {
			t.Fatalf("near=%q holds %v, %v m away", value, p, d)
		}
	})
}

func nearParameter(t testing.TB) *conformance.SearchParameter {
	sp, ok := conformance.R4().SearchParameter("Location", "near")
	if !ok || !Supported(sp) {
		t.Fatal("near is not supported")
	}
	return sp
}
