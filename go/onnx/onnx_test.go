package onnx

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/coremlc/coremlc/go/internal/npz"
	"github.com/coremlc/coremlc/go/replay"
)

// dense.onnx is relu(x @ [[1, 2], [3, 4], [5, 6]]) for x of [2, 3].
const dense = "testdata/dense.onnx"

func array(dims []int, flat ...float32) npz.Array {
	return npz.Array{DType: dtypes.Float32, Dims: dims, Bytes: dtypes.UnsafeByteSlice(flat)}
}

func reference(t *testing.T, change func(map[string]npz.Array)) string {
	t.Helper()
	arrays := map[string]npz.Array{
		"in.x":  array([]int{2, 3}, 1, 0, 0, 0, -1, 1),
		"out.y": array([]int{2, 2}, 1, 2, 2, 2),
	}
	if change != nil {
		change(arrays)
	}
	path := filepath.Join(t.TempDir(), "reference.npz")
	if err := npz.Write(path, arrays); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestImport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dense.pb")
	differences, err := Import(dense, reference(t, nil), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(differences) != 1 || differences[0] != (Difference{"y", 0, 2}) {
		t.Errorf("differences %v", differences)
	}
	g, err := replay.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if g.File.Name != "dense" {
		t.Errorf("the model is called %q", g.File.Name)
	}
	var places []string
	for _, n := range g.File.Functions[0].Nodes {
		if n.Op == "DotGeneral" || n.Op == "Max" {
			places = append(places, g.File.SourceFiles[n.Location.FilePlus_1-1]+" "+n.Label)
		}
	}
	if !slices.Equal(places, []string{"dense.onnx m", "dense.onnx y"}) {
		t.Errorf("nodes come from %q", places)
	}
	vectors, err := npz.Read(filepath.Join(filepath.Dir(path), "vectors.npz"))
	if err != nil {
		t.Fatal(err)
	}
	if got := floats(vectors["out.y"]); len(got) != 4 || got[1] != 2 {
		t.Errorf("out.y is %v", got)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]npz.Array)
		want   string
	}{
		"other numbers": {func(m map[string]npz.Array) { m["out.y"] = array([]int{2, 2}, 1, 2, 2, 2.1) }, `output "y" differs from ONNX Runtime by 0.1`},
		"other shape":   {func(m map[string]npz.Array) { m["out.y"] = array([]int{4}, 1, 2, 2, 2) }, `output "y" is Float32[2 2]`},
		"no input":      {func(m map[string]npz.Array) { delete(m, "in.x") }, "no in.x"},
		"other output":  {func(m map[string]npz.Array) { m["out.z"] = m["out.y"] }, "other outputs"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Import(dense, reference(t, c.change), filepath.Join(dir, "dense.pb"), Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("%s is left", left[0].Name())
			}
		})
	}
}

func TestDifference(t *testing.T) {
	nan := float32(0) / func() float32 { return 0 }()
	same := array([]int{2}, nan, 1)
	if d, err := difference("y", same, same); err != nil || d.Most != 0 {
		t.Errorf("NaN in both: %v, %v", d, err)
	}
	if d, _ := difference("y", same, array([]int{2}, 0, 1)); d.Most < 1e30 {
		t.Errorf("NaN in one: %v", d)
	}
	ints := npz.Array{DType: dtypes.Int32, Dims: []int{1}, Bytes: []byte{1, 0, 0, 0}}
	others := npz.Array{DType: dtypes.Int32, Dims: []int{1}, Bytes: []byte{2, 0, 0, 0}}
	if _, err := difference("y", ints, others); err == nil {
		t.Error("other integers are accepted")
	}
}
