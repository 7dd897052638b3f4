package operate

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fhirfacade/fhirfacade/internal/maintenance"
)

// bar shows the progress of jobs: in place on a terminal, by lines elsewhere,
// one for each tenth.
type bar struct {
	out      io.Writer
	terminal bool
	tenth    int64
	last     string
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

func (b *bar) show(name string, j maintenance.Job) {
	seen := j.Done + j.Failed
	part := int64(barWidth)
	if j.Total > 0 {
		part = min(barWidth, seen*barWidth/j.Total)
	}
	count := fmt.Sprintf("%d of %d resources", seen, max(j.Total, seen))
	if j.State == maintenance.Queued {
		count, part = "waiting to begin", 0
	}
	if j.Failed > 0 {
		count += fmt.Sprintf(", %d of them cannot be indexed", j.Failed)
	}
	if !b.terminal {
		tenth := part * 10 / barWidth
		if line := fmt.Sprintf("%s: %s", name, count); tenth != b.tenth && line != b.last {
			b.tenth, b.last = tenth, line
			fmt.Fprintln(b.out, line)
		}
		return
	}
	fmt.Fprintf(b.out, "\r\x1b[K[%s%s] %s: %s", strings.Repeat("#", int(part)), strings.Repeat(".", int(barWidth-part)), name, count)
}

// end finishes what show began.
func (b *bar) end(name string, j maintenance.Job) {
	if b.terminal {
		b.show(name, j)
		fmt.Fprintln(b.out)
	}
	b.tenth, b.last = -1, ""
	text := fmt.Sprintf("%s: %s, %d resources have their keys", name, j.State, j.Done)
	if j.Error != "" {
		text += ": " + j.Error
	}
	fmt.Fprintln(b.out, text)
}
