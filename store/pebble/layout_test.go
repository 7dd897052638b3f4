package pebble

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// TestOtherLayouts: a folder in another layout is refused in one line that
// says which is newer, and left as it is.
func TestOtherLayouts(t *testing.T) {
	for said, layout := range map[string][]byte{
		"a newer version":  {layoutVersion + 1},
		"an older version": {layoutVersion - 1},
		"not in a layout":  {1, 2},
	} {
		t.Run(said, func(t *testing.T) {
			dir := t.TempDir()
			e, err := Open(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.db.Set(append([]byte{spaceMeta}, "layout"...), layout, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				_, err = Open(dir, Options{})
				if err == nil || !strings.Contains(err.Error(), said) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error is %v", err)
				}
			}
		})
	}
}
