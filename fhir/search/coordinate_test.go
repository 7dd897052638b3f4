package search

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// The nodes of a value hold an integer exactly when its prefix says so, and
// an integer is in one of them only.
func TestCoordinateNodes(t *testing.T) {
	edges := []int64{math.MinInt32, math.MinInt32 + 1, -1, 0, 1, 255, 256, math.MaxInt32 - 1, math.MaxInt32}
	rapid.Check(t, func(t *rapid.T) {
		near := rapid.OneOf(rapid.SampledFrom(edges), rapid.Int64Range(math.MinInt32, math.MaxInt32)).Draw(t, "asked")
		asked := fmt.Sprint(near) + rapid.SampledFrom([]string{"", ".0", ".5", ".25", "e1"}).Draw(t, "more")
		n := rapid.OneOf(rapid.SampledFrom(edges), rapid.Int64Range(max(math.MinInt32, near-3), min(math.MaxInt32, near+3)), rapid.Int64Range(math.MinInt32, math.MaxInt32)).Draw(t, "value")
		x, v := decimal.RequireFromString(asked), decimal.NewFromInt(n)
		holds := func(prefix string) bool {
			low, high := around(prefix, x)
			return v.Cmp(low) >= 0 && v.Cmp(high) < 0
		}
		f := field{p: &parser{o: testOptions()}}
		for prefix, want := range map[string]bool{
			"eq": holds("eq"), "ap": holds("ap"), "ne": !holds("ne"), "gt": v.Cmp(x) > 0, "sa": v.Cmp(x) > 0,
			"ge": v.Cmp(x) >= 0, "lt": v.Cmp(x) < 0, "eb": v.Cmp(x) < 0, "le": v.Cmp(x) <= 0,
		} {
			nodes, err := f.nodes(prefix + asked)
			if err != nil {
				t.Fatal(err)
			}
			count := 0
			for level := range coordinateLevels + 1 {
				node := appendNode(nil, coordinate(n), level)
				if slices.ContainsFunc(nodes, func(other []byte) bool { return string(other) == string(node) }) {
					count++
				}
			}
			if count > 1 || (count == 1) != want {
				t.Fatalf("%s%s of %d: in %d nodes of %d, want %v", prefix, asked, n, count, len(nodes), want)
			}
			if len(nodes) > 2*15*coordinateLevels {
				t.Fatalf("%s%s: %d nodes", prefix, asked, len(nodes))
			}
		}
	})
}
