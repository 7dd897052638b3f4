package guide

import (
	"context"
	"testing"
)

// Every definition that is part of the program compiles.
func TestBuiltinCompiles(t *testing.T) {
	for _, url := range Builtin().Structures() {
		if _, err := Builtin().Structure(context.Background(), url); err != nil {
			t.Error(err)
		}
	}
}
