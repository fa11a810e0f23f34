package replay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"google.golang.org/protobuf/proto"

	"github.com/coremlc/coremlc/go/graphpb"
	"github.com/coremlc/coremlc/go/record"
)

// sample saves a graph with an input, a large constant and a sum, and returns its path.
func sample(t *testing.T) string {
	t.Helper()
	backend := newRecorder(t)
	builder := backend.Builder("sample")
	m := maker{builder.Main()}
	x := m.v(m.Parameter("x", shapes.Make(dtypes.Float32, 400), nil))
	if err := m.Return([]compute.Value{m.v(m.Add(x, m.f32(400)))}, nil); err != nil {
		t.Fatal(err)
	}
	executable, err := builder.Compile()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sample.pb")
	if err := executable.(*record.Recording).Save(path, record.Details{}); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReadRefuses changes a good file, and expects an error that says what is wrong.
func TestReadRefuses(t *testing.T) {
	main := func(f *graphpb.GraphFile) *graphpb.Function { return f.Functions[0] }
	add := func(f *graphpb.GraphFile) *graphpb.Node { return main(f).Nodes[1] }
	for name, c := range map[string]struct {
		change func(f *graphpb.GraphFile)
		want   string
	}{
		"newer format":        {func(f *graphpb.GraphFile) { f.FormatMajor = 2 }, "format 2.0"},
		"unknown feature":     {func(f *graphpb.GraphFile) { f.RequiredFeatures = []string{"magic"} }, `"magic"`},
		"unknown op":          {func(f *graphpb.GraphFile) { add(f).Op = "Frobnicate" }, "(Frobnicate) built at replay/read_test.go"},
		"unknown dtype":       {func(f *graphpb.GraphFile) { add(f).Results[0].Shape.Dtype = "Float33" }, `"Float33"`},
		"no main":             {func(f *graphpb.GraphFile) { f.Main = 3 }, "main"},
		"value defined twice": {func(f *graphpb.GraphFile) { add(f).Results[0].Id = 1 }, "defined twice"},
		"value not defined":   {func(f *graphpb.GraphFile) { add(f).Operands[0] = 77 }, "value 77 is not defined"},
		"wrong attributes": {func(f *graphpb.GraphFile) {
			add(f).Attributes = &graphpb.Attributes{Kind: &graphpb.Attributes_Slice{Slice: &graphpb.SliceAttributes{}}}
		}, `"slice"`},
		"missing operand": {func(f *graphpb.GraphFile) { add(f).Operands = add(f).Operands[:1] }, "1 operands"},
		"wrong shape":     {func(f *graphpb.GraphFile) { add(f).Results[0].Shape.Dims = nil }, "recorded as"},
		"path as name":    {func(f *graphpb.GraphFile) { f.DataFiles[0].Name = "../sample.safetensors" }, "plain name"},
		"other data file": {func(f *graphpb.GraphFile) { f.DataFiles[0].Sha256[0]++ }, "not the one"},
		"other tensor":    {func(f *graphpb.GraphFile) { main(f).Nodes[0].Constant.Sha256[0]++ }, "not the one"},
		"no such tensor":  {func(f *graphpb.GraphFile) { main(f).Nodes[0].Constant.GetExternal().Name = "other" }, `no tensor "other"`},
		"function missing": {func(f *graphpb.GraphFile) {
			add(f).Op, add(f).Attributes, add(f).Operands, add(f).Functions = "If", nil, []uint64{1}, []uint32{4, 5}
		}, "no function 4"},
	} {
		t.Run(name, func(t *testing.T) {
			path := sample(t)
			g, err := Read(path)
			if err != nil {
				t.Fatal(err)
			}
			c.change(g.File)
			raw, err := proto.Marshal(g.File)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, raw, 0o644); err != nil {
				t.Fatal(err)
			}
			if g, err = Read(path); err == nil {
				_, err = g.Build(newRecorder(t))
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestReadRefusesGarbage(t *testing.T) {
	path := sample(t)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"empty": {}, "cut": raw[:len(raw)/2], "garbage": []byte("not a graph at all")} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(path); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestRunRefusesInputs(t *testing.T) {
	g, err := Read(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	backend, err := GoBackend()
	if err != nil {
		t.Fatal(err)
	}
	good := Array{DType: dtypes.Float32, Dims: []int{400}, Bytes: make([]byte, 1600)}
	for name, c := range map[string]struct {
		inputs map[string]Array
		want   string
	}{
		"missing":     {nil, "missing"},
		"unknown":     {map[string]Array{"x": good, "y": good}, "no inputs"},
		"wrong dtype": {map[string]Array{"x": {DType: dtypes.Int32, Dims: []int{400}, Bytes: good.Bytes}}, "Int32"},
		"wrong shape": {map[string]Array{"x": {DType: dtypes.Float32, Dims: []int{20, 20}, Bytes: good.Bytes}}, "want"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := g.Run(backend, c.inputs); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
