package pebble

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// logger hands pebble's messages to slog: its infos are details.
type logger struct {
	*slog.Logger
	fatal func(message string)
}

func (l logger) Infof(format string, args ...any) {
	if l.Enabled(context.Background(), slog.LevelDebug) {
		l.Debug("pebble: " + scrub(format, args))
	}
}

func (l logger) Errorf(format string, args ...any) {
	l.Error("pebble: " + scrub(format, args))
}

func (l logger) Fatalf(format string, args ...any) {
	l.fatal(scrub(format, args))
}

// quoted is how pebble's messages contain keys, which may name patients.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// scrub makes one line without keys of a message.
func scrub(format string, args []any) string {
	line, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	return quoted.ReplaceAllString(line, `"…"`)
}
