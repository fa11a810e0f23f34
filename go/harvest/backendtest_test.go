package harvest_test

import (
	"os"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/support/backendtest"

	"github.com/coremlc/coremlc/go/harvest"
)

// TestCompute runs the tests that GoMLX has for its back ends; a part of `make harvest`.
func TestCompute(t *testing.T) {
	if os.Getenv(harvest.EnvDir) == "" {
		t.Skip("set " + harvest.EnvDir)
	}
	b, err := compute.NewWithConfig(harvest.Name + ":" + harvest.DynamicAxes)
	if err != nil {
		t.Fatal(err)
	}
	backendtest.RunAll(t, b, nil)
}
