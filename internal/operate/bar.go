package operate

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// bar shows the progress of something: in place on a terminal, by lines
// elsewhere, one for each tenth.
type bar struct {
	out      io.Writer
	terminal bool
	tenth    int64
	last     string
	name     string
}

func newBar(out io.Writer) *bar {
	b := &bar{out: out, tenth: -1}
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			b.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	return b
}

const barWidth = 30

// show shows how much of all was done, of what, and what there is to say of it.
func (b *bar) show(name string, done, all int64, text string) {
	part := int64(barWidth)
	if all > 0 {
		part = min(barWidth, done*barWidth/all)
	}
	if name != b.name {
		b.name, b.tenth, b.last = name, -1, ""
	}
	if !b.terminal {
		tenth := part * 10 / barWidth
		if line := name + ": " + text; tenth != b.tenth && line != b.last {
			b.tenth, b.last = tenth, line
			fmt.Fprintln(b.out, line)
		}
		return
	}
	fmt.Fprintf(b.out, "\r\x1b[K[%s%s] %s: %s", strings.Repeat("#", int(part)), strings.Repeat(".", int(barWidth-part)), name, text)
}

// end finishes what show began, with a line that says what came of it.
func (b *bar) end(line string) {
	if b.terminal && b.name != "" {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
	b.name, b.tenth, b.last = "", -1, ""
	if line != "" {
		fmt.Fprintln(b.out, line)
	}
}
