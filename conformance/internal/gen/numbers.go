package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	firstType = 1
	// Numbers below 100 are the server's own key kinds, which no search
	// parameter of the specification stands for.
	firstParameter = 100
)

// numbers are the assigned numbers in the order of the file.
type numbers struct {
	lines      []string
	types      map[string]uint16
	parameters map[string]uint16
	lastType   uint16
	lastParam  uint16
}

func newNumbers() *numbers {
	return &numbers{
		lines: []string{
			"# Numbers of resource types and search parameters in stored index keys.",
			"# Append-only: extended by conformance/internal/gen, never renumbered, no line ever removed.",
			"# Parameter numbers 1 to 99 are reserved for the server's own keys.",
		},
		types: map[string]uint16{}, parameters: map[string]uint16{},
		lastType: firstType - 1, lastParam: firstParameter - 1,
	}
}

func parseNumbers(data []byte) (*numbers, error) {
	n := newNumbers()
	n.lines = nil
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		n.lines = append(n.lines, line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %d: want three fields", i+1)
		}
		number, err := strconv.ParseUint(fields[1], 10, 16)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		assigned, last, first := n.types, &n.lastType, firstType
		switch fields[0] {
		case "type":
		case "param":
			assigned, last, first = n.parameters, &n.lastParam, firstParameter
		default:
			return nil, fmt.Errorf("line %d: unknown kind %q", i+1, fields[0])
		}
		if _, twice := assigned[fields[2]]; twice {
			return nil, fmt.Errorf("line %d: %s has a number already", i+1, fields[2])
		}
		if int(number) < first || uint16(number) <= *last {
			return nil, fmt.Errorf("line %d: number %d does not ascend", i+1, number)
		}
		assigned[fields[2]] = uint16(number)
		*last = uint16(number)
	}
	return n, nil
}

// extend gives a number to every name and URL that has none yet, in sorted
// order after the highest one in use.
func (n *numbers) extend(types, parameters []string) error {
	if err := n.extendKind("type", n.types, &n.lastType, types); err != nil {
		return err
	}
	return n.extendKind("param", n.parameters, &n.lastParam, parameters)
}

func (n *numbers) extendKind(kind string, assigned map[string]uint16, last *uint16, names []string) error {
	for _, name := range slices.Sorted(slices.Values(names)) {
		if _, ok := assigned[name]; ok {
			continue
		}
		if *last == math.MaxUint16 {
			return fmt.Errorf("no %s number is left", kind)
		}
		*last++
		assigned[name] = *last
		n.lines = append(n.lines, fmt.Sprintf("%s\t%d\t%s", kind, *last, name))
	}
	return nil
}

func (n *numbers) format() []byte {
	var b bytes.Buffer
	for _, line := range n.lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}
