package exchange

import (
	"strings"
	"testing"
)

func TestAPanicBecomesAnErrorThatNamesItsPlace(t *testing.T) {
	err := survive(func() error { panic("about Ottilie Quennell") })
	if err == nil || !strings.Contains(err.Error(), "TestAPanicBecomesAnError") || strings.Contains(err.Error(), "Ottilie") {
		t.Errorf("error: %v", err)
	}
	var none map[string]int
	if err := survive(func() error { none["x"] = 1; return nil }); err == nil || !strings.Contains(err.Error(), "exchange.") {
		t.Errorf("error: %v", err)
	}
	if err := survive(func() error { return nil }); err != nil {
		t.Error(err)
	}
}
