package harvest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/coremlc/coremlc/go/harvest"
	"github.com/coremlc/coremlc/go/internal/npz"
	"github.com/coremlc/coremlc/go/record"
	"github.com/coremlc/coremlc/go/replay"
)

func call(t *testing.T, dir string, fn func(*graph.Node) *graph.Node, arg any) *tensors.Tensor {
	t.Helper()
	b, err := harvest.New(dir, record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return graph.MustNewExec(b, fn).MustCall(arg)[0]
}

func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v; want one file", pattern, found, err)
	}
	return found[0]
}

func TestKeepsGraphAndVectors(t *testing.T) {
	dir := t.TempDir()
	double := func(x *graph.Node) *graph.Node { return graph.MulScalar(x, 2) }
	if got := call(t, dir, double, []float32{1, 2}).Value().([]float32); got[1] != 4 {
		t.Errorf("got %v, want [2 4]", got)
	}
	g, err := replay.Read(one(t, dir+"/*/graph.pb"))
	if err != nil {
		t.Fatal(err)
	}
	arrays, err := npz.Read(one(t, dir+"/*/vectors-0.npz"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := replay.GoBackend()
	if err != nil {
		t.Fatal(err)
	}
	name := g.File.Functions[g.File.Main].Parameters[0].Name
	out, err := g.Run(b, map[string]npz.Array{name: arrays["in."+name]})
	if err != nil {
		t.Fatal(err)
	}
	if string(out["output0"].Bytes) != string(arrays["out.output0"].Bytes) {
		t.Error("the vector is not what the graph computes")
	}
}

func TestEqualGraphsAreOne(t *testing.T) {
	dir := t.TempDir()
	call(t, dir, func(x *graph.Node) *graph.Node { return graph.Neg(x) }, []float32{1, 2})
	call(t, dir, func(x *graph.Node) *graph.Node { return graph.Neg(x) }, []float32{1, 2})
	call(t, dir, func(x *graph.Node) *graph.Node { return graph.Neg(x) }, []float32{3, 2})
	one(t, dir+"/*/graph.pb")
	one(t, dir+"/*/vectors-1.npz")
}

func TestWhatGoCannotRunIsRecorded(t *testing.T) {
	dir := t.TempDir()
	got := call(t, dir, func(x *graph.Node) *graph.Node { return graph.Conj(x) }, []complex64{1i})
	if v := got.Value().([]complex64)[0]; v != 0 {
		t.Errorf("got %v, want 0", v)
	}
	origin, err := os.ReadFile(one(t, dir+"/*/origin.json"))
	if err != nil || !strings.Contains(string(origin), "recorded only: ") {
		t.Errorf("%s, %v", origin, err)
	}
}
