package search

import (
	"math"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

// Coordinates are composites of a token and two numbers, of which the first is
// an integer: chromosome$start$end, in R4's MolecularSequence. Both numbers
// may be ranges, of the same variant. So the start is indexed as the nodes of
// a tree over all integers, eight of them under each other with 16 branches
// each, and every node has the end behind it: a range of starts is a few nodes
// and thus, with a range of ends, as many ranges of keys.
//
//	k  length and first value  level  node of the start, a byte a level  end
const coordinateLevels = 8

// maxCoordinates bounds the keys of coordinates of one parameter of a resource:
// those of some 2,700 variants, with a system and a code for the chromosome.
const maxCoordinates = 50_000

// coordinates reports whether a composite is of that kind.
func coordinates(sp *conformance.SearchParameter) bool {
	if len(sp.Components) != 3 || sp.Components[1].Type != conformance.SearchNumber || sp.Components[2].Type != conformance.SearchNumber {
		return false
	}
	return sp.Components[0].Type == conformance.SearchToken || sp.Components[0].Type == conformance.SearchReference
}

// coordinate is an integer that keeps its order without a sign.
func coordinate(n int64) uint32 { return uint32(n - math.MinInt32) }

// appendNode writes a node of the tree: how deep it lies, and the branches
// that lead to it.
func appendNode(dst []byte, n uint32, level int) []byte {
	dst = append(dst, byte(level))
	for i := range level {
		dst = append(dst, byte(n>>(4*(coordinateLevels-1-i)))&0xF)
	}
	return dst
}

// triples adds the keys of one element: each first value with each start and
// each end.
func (e *emitter) triples(first, ends *emitter, from []uint32) {
	i := 0
	for _, j := range first.ends {
		for _, start := range from {
			for level := range coordinateLevels + 1 {
				k := 0
				for _, l := range ends.ends {
					e.start(formComposite)
					e.buf = appendFirst(e.buf, first.buf[i:j])
					e.buf = appendNode(e.buf, start, level)
					e.buf = append(e.buf, ends.buf[k:l]...)
					e.end()
					k = l
				}
			}
		}
		i = j
	}
}

// coordinates: first$start$end.
func (f field) coordinates(exact []store.Key, start, end string) (store.Clause, error) {
	nodes, err := f.nodes(start)
	if err != nil {
		return nil, err
	}
	any := store.Or{}
	for _, k := range exact {
		for _, node := range nodes {
			second := field{p: f.p, sp: f.part(2), whole: true, prefix: string(append(appendFirst([]byte(f.key(formComposite)), k), node...))}
			c, err := second.number(end)
			if err != nil {
				return nil, err
			}
			any = append(any, c)
		}
	}
	return any, nil
}

// nodes are those of the integers that a value with its prefix stands for.
func (f field) nodes(value string) ([][]byte, error) {
	prefix, rest := cutPrefix(value)
	if _, err := f.amount(prefix, rest, nil); err != nil {
		return nil, err
	}
	d, err := decimal.NewFromString(rest)
	if err != nil || d.Exponent() > 20 {
		return nil, f.wrong("the number is greater than any position")
	}
	low, high := around(prefix, d)
	least, most := decimal.NewFromInt(math.MinInt32), decimal.NewFromInt(math.MaxInt32)
	var nodes [][]byte
	between := func(from, to decimal.Decimal) {
		if from, to = decimal.Max(from, least), decimal.Min(to, most); from.Cmp(to) <= 0 {
			nodes = appendNodes(nodes, coordinate(from.IntPart()), coordinate(to.IntPart()), 0, 0)
		}
	}
	one := decimal.NewFromInt(1)
	switch prefix {
	case "ne":
		between(least, low.Ceil().Sub(one))
		between(high.Ceil(), most)
	case "gt", "sa":
		between(d.Floor().Add(one), most)
	case "ge":
		between(d.Ceil(), most)
	case "lt", "eb":
		between(least, d.Ceil().Sub(one))
	case "le":
		between(least, d.Floor())
	default:
		between(low.Ceil(), high.Ceil().Sub(one))
	}
	return nodes, nil
}

// appendNodes adds the fewest nodes that hold the integers from a to b and no
// others, below the node at a level.
func appendNodes(nodes [][]byte, a, b uint32, node uint32, level int) [][]byte {
	size := uint64(1) << (4 * (coordinateLevels - level))
	first, last := uint64(node), uint64(node)+size-1
	switch {
	case uint64(b) < first || uint64(a) > last:
		return nodes
	case uint64(a) <= first && last <= uint64(b):
		return append(nodes, appendNode(nil, node, level))
	}
	for i := range uint32(16) {
		nodes = appendNodes(nodes, a, b, node+i<<(4*(coordinateLevels-1-level)), level+1)
	}
	return nodes
}

// explainCoordinates reads what follows the first value.
func explainCoordinates(code, first, rest string) (Parameter, bool) {
	level := int(rest[0])
	if level != coordinateLevels {
		return Parameter{}, false // of many starts
	}
	start := uint32(0)
	for _, branch := range []byte(rest[1 : 1+level]) {
		start = start<<4 | uint32(branch)
	}
	end, ok := explainNumber(code, rest[1+level], rest[2+level:])
	return Parameter{code, first + "$" + strconv.FormatInt(int64(start)+math.MinInt32, 10) + "$" + end.Value}, ok
}
