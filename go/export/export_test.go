package export_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/layers/norm"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/export"
	"github.com/coremlc/coremlc/go/graphpb"
	"github.com/coremlc/coremlc/go/internal/npz"
	"github.com/coremlc/coremlc/go/replay"
)

var image = [][]float32{{1, 2, 3}, {-4, 5, 0.5}}

// network has what exports meet: layers, fused ops with dead decompositions, aliases.
func network(scope *model.Scope, x *Node) *Node {
	h := activation.Relu(layers.Dense(scope.In("hidden"), x, true, 8)).WithAlias("features")
	h = norm.LayerNorm(scope.In("norm"), h, -1).Done()
	return Softmax(layers.Dense(scope.In("output"), h, true, 4)).WithAlias("probabilities")
}

func graphPath(t *testing.T) string { return filepath.Join(t.TempDir(), "model.pb") }

func read(t *testing.T, path string) *replay.Graph {
	t.Helper()
	g, err := replay.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func vectors(t *testing.T, path string) map[string]npz.Array {
	t.Helper()
	arrays, err := npz.Read(filepath.Join(filepath.Dir(path), "vectors.npz"))
	if err != nil {
		t.Fatal(err)
	}
	return arrays
}

func floats(a npz.Array) []float32 {
	flat := make([]float32, len(a.Bytes)/4)
	copy(dtypes.UnsafeByteSlice(flat), a.Bytes)
	return flat
}

// trained returns a store with initialized variables, and what GoMLX computes with it.
func trained(t *testing.T) (*model.Store, []float32) {
	t.Helper()
	backend, err := replay.GoBackend()
	if err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(1); err != nil {
		t.Fatal(err)
	}
	exec, err := model.NewExec(backend, store, network)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call1(image)
	if err != nil {
		t.Fatal(err)
	}
	return store, tensors.MustCopyFlatData[float32](out)
}

func sameFloats(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d elements, want %d", len(got), len(want))
	}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-6 {
			t.Errorf("element %d is %v, GoMLX itself gives %v", i, got[i], want[i])
		}
	}
}

func TestSaveModel(t *testing.T) {
	store, want := trained(t)
	path := graphPath(t)
	err := export.Save(path, store, network, export.Name("network"), export.Input("image", shapes.Make(dtypes.Float32, 2, 3)),
		export.Metadata("author", "me"), export.Golden(image))
	if err != nil {
		t.Fatal(err)
	}
	g := read(t, path)
	main := g.File.Functions[0]
	if len(main.Parameters) != 1 || main.Parameters[0].Name != "image" || main.Parameters[0].Role != graphpb.Parameter_INPUT {
		t.Errorf("parameters %v", main.Parameters)
	}
	if len(main.Results) != 1 || main.Results[0].Name != "probabilities" || main.Results[0].Role != graphpb.Result_OUTPUT {
		t.Errorf("results %v", main.Results)
	}
	var ops, labels []string
	for _, n := range main.Nodes {
		ops, labels = append(ops, n.Op), append(labels, n.Label)
		if file := g.File.SourceFiles[n.Location.FilePlus_1-1]; file != "export/export_test.go" {
			t.Errorf("%s is said to be built in %s", n.Op, file)
		}
	}
	for _, want := range []string{"FusedDense", "FusedLayerNorm", "FusedSoftmax"} {
		if !slices.Contains(ops, want) {
			t.Errorf("there is no %s in %v", want, ops)
		}
	}
	if slices.Contains(ops, "DotGeneral") {
		t.Error("the decomposition of a fused op is in the file")
	}
	for _, want := range []string{"/hidden/dense/weights", "/output/dense/biases", "/features"} {
		if !slices.Contains(labels, want) {
			t.Errorf("there is no label %s in %q", want, labels)
		}
	}
	sameFloats(t, floats(vectors(t, path)["out.probabilities"]), want)
	if store.VariablesAsConst() {
		t.Error("Save left the store changed")
	}
}

func TestSaveTwiceGivesTheSame(t *testing.T) {
	store, _ := trained(t)
	var files [][]byte
	for range 2 {
		path := graphPath(t)
		if err := export.Save(path, store, network, export.Input("image", shapes.Make(dtypes.Float32, 2, 3))); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, raw)
	}
	if !slices.Equal(files[0], files[1]) {
		t.Error("two exports of one model differ")
	}
}

func TestVariablesAsParameters(t *testing.T) {
	store, want := trained(t)
	path := graphPath(t)
	err := export.Save(path, store, network, export.Input("image", shapes.Make(dtypes.Float32, 2, 3)), export.Outputs("p"),
		export.VariablesAsParameters(), export.Golden(image))
	if err != nil {
		t.Fatal(err)
	}
	main := read(t, path).File.Functions[0]
	if p := main.Parameters[1]; p.Role != graphpb.Parameter_VARIABLE || p.Name != "/hidden/dense/weights" || p.Default == nil {
		t.Errorf("parameter 1 is %v", p)
	}
	sameFloats(t, floats(vectors(t, path)["out.p"]), want)
}

// counter changes a variable.
func counter(scope *model.Scope, x *Node) *Node {
	v := scope.VariableWithValue("count", float32(5))
	v.SetNodeValue(OnePlus(v.NodeValue(x)))
	return Mul(x, v.NodeValue(x))
}

func TestChangedVariables(t *testing.T) {
	path := graphPath(t)
	input := export.Input("x", shapes.Make(dtypes.Float32, 2))
	err := export.Save(path, model.NewStore(), counter, input)
	if err == nil || !strings.Contains(err.Error(), "VariablesAsParameters") {
		t.Errorf("error %v does not say what to do", err)
	}
	if err := export.Save(path, model.NewStore(), counter, input, export.VariablesAsParameters(), export.Golden([]float32{1, 2})); err != nil {
		t.Fatal(err)
	}
	results := read(t, path).File.Functions[0].Results
	if len(results) != 2 || results[0].Role != graphpb.Result_VARIABLE_UPDATE || results[0].Variable != "/count" || results[1].Name != "output0" {
		t.Errorf("results %v", results)
	}
	if got := fmt.Sprint(floats(vectors(t, path)["out./count"]), floats(vectors(t, path)["out.output0"])); got != "[6] [6 12]" {
		t.Errorf("vectors are %s", got)
	}
}

func TestUntrainedModelIsInitialized(t *testing.T) {
	path := graphPath(t)
	if err := export.Save(path, model.NewStore(), network, export.Input("image", shapes.Make(dtypes.Float32, 1, 3))); err != nil {
		t.Fatal(err)
	}
}

func TestSaveGraphWithDynamicAxis(t *testing.T) {
	path := graphPath(t)
	err := export.SaveGraph(path, func(x, y *Node) (*Node, *Node) { return Add(x, y), ReduceAllSum(x) },
		export.Input("x", shapes.MakeDynamic(dtypes.Float32, []int{-1, 3}, []string{"batch", ""})),
		export.Input("y", shapes.Make(dtypes.Float32, 1, 3)), export.Outputs("sum"),
		export.Axis("batch", 1, 16), export.AxisDefault("batch", 2), export.Golden(image, [][]float32{{1, 1, 1}}))
	if err != nil {
		t.Fatal(err)
	}
	file := read(t, path).File
	if a := file.Axes[0]; a.Name != "batch" || a.Min != 1 || a.Max != 16 || a.Default != 2 {
		t.Errorf("axis %v", a)
	}
	if got := fmt.Sprint(floats(vectors(t, path)["out.sum"]), file.Functions[0].Results[1].Name); got != "[2 3 4 -3 6 1.5]output1" {
		t.Errorf("got %s", got)
	}
}

func TestSaveErrors(t *testing.T) {
	x := export.Input("x", shapes.Make(dtypes.Float32, 3))
	double := func(x *Node) *Node { return Add(x, x) }
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"nil store":         {export.Save(graphPath(t), nil, network, x), "SaveGraph"},
		"bad shapes":        {export.SaveGraph(graphPath(t), func(x *Node) *Node { return Add(x, Iota(x.Graph(), shapes.Make(dtypes.Float32, 4), 0)) }, x), "export_test.go:"},
		"panic":             {export.SaveGraph(graphPath(t), func(*Node) *Node { panic("my own") }, x), "my own"},
		"not .pb":           {export.SaveGraph("graph.onnx", double, x), ".pb"},
		"no directory":      {export.SaveGraph("/nowhere/graph.pb", double, x), "/nowhere/graph.pb"},
		"names":             {export.SaveGraph(graphPath(t), double, x, export.Outputs("a", "b")), "2 output names"},
		"same name":         {export.SaveGraph(graphPath(t), func(x *Node) []*Node { return []*Node{x, double(x)} }, x, export.Outputs("a", "a")), `"a"`},
		"inputs":            {export.SaveGraph(graphPath(t), double), "takes 1 inputs"},
		"golden count":      {export.SaveGraph(graphPath(t), double, x, export.Golden(1, 2)), "2 golden values"},
		"golden shape":      {export.SaveGraph(graphPath(t), double, x, export.Golden([]float32{1})), "want"},
		"not on Go backend": {export.SaveGraph(graphPath(t), func(x *Node) *Node { return Real(Complex(x, x)) }, x, export.Golden([]float32{1, 2, 3})), "no golden vectors"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", c.err, c.want)
			}
		})
	}
}
