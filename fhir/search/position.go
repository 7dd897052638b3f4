package search

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/store"
)

// position is a place on Earth in degrees (WGS84).
type position struct{ latitude, longitude float64 }

// positionOf reads latitude and longitude. A longitude counts round the Earth;
// a latitude beyond the poles is no place.
func positionOf(n rawjson.Node) (position, bool) {
	var p position
	for name, to := range map[string]*float64{"latitude": &p.latitude, "longitude": &p.longitude} {
		m, ok := n.Member(name)
		if !ok || m.Kind() != rawjson.KindNumber {
			return p, false
		}
		var err error
		if *to, err = strconv.ParseFloat(string(m.Raw()), 64); err != nil {
			return p, false
		}
	}
	return p.normal()
}

// normal brings the longitude into [-180, 180).
func (p position) normal() (position, bool) {
	if math.IsNaN(p.latitude) || math.Abs(p.latitude) > 90 || math.IsNaN(p.longitude) || math.IsInf(p.longitude, 0) {
		return p, false
	}
	p.longitude = math.Mod(p.longitude, 360)
	if p.longitude < -180 {
		p.longitude += 360
	} else if p.longitude >= 180 {
		p.longitude -= 360
	}
	return p, true
}

// earthRadius is the mean radius of the Earth in metres (IUGG R1).
const earthRadius = 6_371_008.8

// distance is the great-circle distance in metres.
func (p position) distance(q position) float64 {
	const degree = math.Pi / 180
	sinLat := math.Sin((q.latitude - p.latitude) * degree / 2)
	sinLong := math.Sin((q.longitude - p.longitude) * degree / 2)
	h := sinLat*sinLat + math.Cos(p.latitude*degree)*math.Cos(q.latitude*degree)*sinLong*sinLong
	return 2 * earthRadius * math.Asin(math.Sqrt(min(1, h)))
}

// A cell is a quarter of a quarter … of the map of all latitudes and
// longitudes. Its number has two bits a level, from the top: north or south,
// east or west. So the positions in a cell are one range of keys, and those
// of cells beside each other often follow each other.
type cell struct {
	number uint64
	level  int
}

// maxLevel is the level of the smallest cells, about a centimetre wide.
const maxLevel = 32

// cellOf is the smallest cell that holds a position.
func cellOf(p position) cell {
	scale := func(x, span float64) uint64 {
		return min(uint64(math.Max(0, (x+span/2)/span*(1<<maxLevel))), 1<<maxLevel-1)
	}
	return cell{spread(scale(p.latitude, 180))<<1 | spread(scale(p.longitude, 360)), maxLevel}
}

// spread puts a 0 between bits.
func spread(x uint64) uint64 {
	x = (x | x<<16) & 0x0000FFFF0000FFFF
	x = (x | x<<8) & 0x00FF00FF00FF00FF
	x = (x | x<<4) & 0x0F0F0F0F0F0F0F0F
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

// gather undoes spread.
func gather(x uint64) uint64 {
	x &= 0x5555555555555555
	x = (x | x>>1) & 0x3333333333333333
	x = (x | x>>2) & 0x0F0F0F0F0F0F0F0F
	x = (x | x>>4) & 0x00FF00FF00FF00FF
	x = (x | x>>8) & 0x0000FFFF0000FFFF
	return (x | x>>16) & 0x00000000FFFFFFFF
}

// quarters are the four cells of the next level.
func (c cell) quarters() [4]cell {
	var all [4]cell
	for i := range all {
		all[i] = cell{c.number | uint64(i)<<(2*(maxLevel-c.level-1)), c.level + 1}
	}
	return all
}

// extent is the middle of the cell and a distance in metres within which all
// of it lies.
func (c cell) extent() (middle position, radius float64) {
	size := float64(uint64(1) << (maxLevel - c.level))
	latitude := (float64(gather(c.number>>1)) + size/2) / (1 << maxLevel) * 180
	longitude := (float64(gather(c.number)) + size/2) / (1 << maxLevel) * 360
	middle = position{latitude - 90, longitude - 180}
	const degree = math.Pi / 180
	height, width := size/(1<<maxLevel)*math.Pi, size/(1<<maxLevel)*2*math.Pi
	// Along a meridian, and then along the circle of latitude where it is longest.
	nearest := max(0, math.Abs(middle.latitude)*degree-height/2)
	return middle, earthRadius * (height/2 + width/2*math.Cos(nearest))
}

// appendPosition writes the number of the smallest cell.
func appendPosition(dst []byte, p position) []byte {
	return binary.BigEndian.AppendUint64(dst, cellOf(p).number)
}

// circle is what lies within a distance of a place.
type circle struct {
	middle position
	radius float64 // metres
}

// margin is more than rounding can move a position or a distance, in metres.
const margin = 0.1

// cover divides the map into cells until about count of them are left: those
// that lie wholly within the circle, and those that its edge may cross.
func (c circle) cover(count int) (inside, edge []cell) {
	edge = []cell{{}}
	for level := 0; level < maxLevel && len(inside)+len(edge) < count; level++ {
		var next []cell
		for _, parent := range edge {
			for _, q := range parent.quarters() {
				middle, radius := q.extent()
				switch d := c.middle.distance(middle); {
				case d+radius+margin <= c.radius:
					inside = append(inside, q)
				case d-radius-margin <= c.radius:
					next = append(next, q)
				}
			}
		}
		edge = next
	}
	return inside, edge
}

// ranges are cells as ranges of keys, those that follow each other as one.
func ranges(prefix store.Key, cells []cell) store.Or {
	sortCells(cells)
	any := store.Or{}
	for i := 0; i < len(cells); {
		from := cells[i].number
		to, whole := from, false
		for ; i < len(cells) && cells[i].number == to && !whole; i++ {
			to += 1 << (2 * (maxLevel - cells[i].level)) // 0 behind the last cell
			whole = to == 0
		}
		end := store.PrefixEnd(prefix)
		if !whole {
			end = prefix + string(binary.BigEndian.AppendUint64(nil, to))
		}
		any = append(any, store.Range{From: prefix + string(binary.BigEndian.AppendUint64(nil, from)), To: end})
	}
	return any
}
