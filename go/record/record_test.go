package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"google.golang.org/protobuf/proto"

	"github.com/coremlc/coremlc/go/graphpb"
	"github.com/coremlc/coremlc/go/internal/safetensors"
	"github.com/coremlc/coremlc/go/record"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func recorder(t *testing.T) *record.Backend {
	b := record.New(record.Options{})
	t.Cleanup(b.Finalize)
	return b
}

// compile ends a graph whose main function returns the values.
func compile(t *testing.T, b compute.Builder, values ...compute.Value) *record.Recording {
	t.Helper()
	if err := b.Main().Return(values, nil); err != nil {
		t.Fatal(err)
	}
	return must[compute.Executable](t)(b.Compile()).(*record.Recording)
}

// save writes the recording and reads graph.pb back.
func save(t *testing.T, r *record.Recording, d record.Details) (*graphpb.GraphFile, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "graph.pb")
	if err := r.Save(path, d); err != nil {
		t.Fatal(err)
	}
	file := &graphpb.GraphFile{}
	if err := proto.Unmarshal(must[[]byte](t)(os.ReadFile(path)), file); err != nil {
		t.Fatal(err)
	}
	return file, path
}

func TestDefaultsAreWritten(t *testing.T) {
	x := shapes.Make(dtypes.Float32, 1, 6, 6, 2)
	axes := compute.ConvolveAxesConfig{InputChannels: 3, InputSpatial: []int{1, 2}, KernelInputChannels: 2, KernelOutputChannels: 3,
		KernelSpatial: []int{0, 1}, OutputChannels: 3, OutputSpatial: []int{1, 2}}
	for name, c := range map[string]struct {
		build func(f compute.Function, x, scalar compute.Value) (compute.Value, error)
		want  string
	}{
		"slice": {func(f compute.Function, x, _ compute.Value) (compute.Value, error) {
			return f.Slice(x, []int{0, 1, -2, 0}, []int{1, -1, 6, 1}, nil)
		}, "slice:{starts:0 starts:1 starts:4 starts:0 limits:1 limits:5 limits:6 limits:1 strides:1 strides:1 strides:1 strides:1}"},
		"reduce": {func(f compute.Function, x, _ compute.Value) (compute.Value, error) { return f.ReduceSum(x) },
			"reduce_sum:{axes:0 axes:1 axes:2 axes:3}"},
		"pad": {func(f compute.Function, x, scalar compute.Value) (compute.Value, error) {
			return f.Pad(x, scalar, compute.PadAxis{End: 1})
		}, "pad:{axes_config:{end:1} axes_config:{} axes_config:{} axes_config:{}}"},
		"window": {func(f compute.Function, x, _ compute.Value) (compute.Value, error) {
			return f.ReduceWindow(x, compute.ReduceOpMax, []int{1, 2, 3, 1}, nil, nil, nil, nil)
		}, `reduce_window:{reduction_type:"Max" window_dimensions:1 window_dimensions:2 window_dimensions:3 window_dimensions:1 ` +
			`strides:1 strides:2 strides:3 strides:1 input_dilations:1 input_dilations:1 input_dilations:1 input_dilations:1 ` +
			`window_dilations:1 window_dilations:1 window_dilations:1 window_dilations:1 paddings:{} paddings:{} paddings:{} paddings:{}}`},
		"dot": {func(f compute.Function, x, _ compute.Value) (compute.Value, error) {
			return f.DotGeneral(x, []int{3}, []int{0}, x, []int{3}, []int{0}, compute.DotGeneralConfig{})
		}, `dot_general:{lhs_contracting_axes:3 lhs_batch_axes:0 rhs_contracting_axes:3 rhs_batch_axes:0 ` +
			`config:{accumulator_dtype:"Float32" output_dtype:"Float32"}}`},
		"conv": {func(f compute.Function, x, _ compute.Value) (compute.Value, error) {
			kernel, err := f.Slice(x, []int{0, 0, 0, 0}, []int{1, 3, 2, 2}, nil)
			if err != nil {
				return nil, err
			}
			kernel, err = f.Reshape(kernel, 3, 1, 2, 2)
			if err != nil {
				return nil, err
			}
			return f.ConvGeneral(x, kernel, axes, nil, nil, nil, nil, 0, 0)
		}, "strides:1 strides:1 paddings:{} paddings:{} input_dilations:1 input_dilations:1 kernel_dilations:1 kernel_dilations:1 " +
			"channel_group_count:1 batch_group_count:1"},
		"attention": {func(f compute.Function, x, _ compute.Value) (compute.Value, error) {
			out, _, err := f.FusedScaledDotProductAttention(x, x, x, compute.AttentionAxesLayoutBHSD, nil)
			return out, err
		}, `axes_layout:"BHSD" options:{scale:0.7071067811865475}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := recorder(t).Builder("")
			input := must[compute.Value](t)(b.Main().Parameter("x", x, nil))
			scalar := must[compute.Value](t)(b.Main().Constant([]float32{1}))
			r := compile(t, b, must[compute.Value](t)(c.build(b.Main(), input, scalar)))
			file, _ := save(t, r, record.Details{})
			nodes := file.Functions[0].Nodes
			got := strings.Join(strings.Fields(nodes[len(nodes)-1].Attributes.String()), " ")
			if !strings.Contains(got, c.want) {
				t.Errorf("attributes are\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestShapes covers what GoMLX's own inference has wrong or lacks.
func TestShapes(t *testing.T) {
	c64, f32 := shapes.Make(dtypes.Complex64, 3), shapes.Make(dtypes.Float32, 3)
	f := recorder(t).Builder("").Main()
	z := must[compute.Value](t)(f.Parameter("z", c64, nil))
	x := must[compute.Value](t)(f.Parameter("x", f32, nil))
	b := must[compute.Value](t)(f.IsNaN(x))
	for name, c := range map[string]struct {
		got  compute.Value
		want shapes.Shape
	}{
		"Abs of complex":     {must[compute.Value](t)(f.Abs(z)), f32},
		"Real":               {must[compute.Value](t)(f.Real(z)), f32},
		"Imag":               {must[compute.Value](t)(f.Imag(z)), f32},
		"Complex":            {must[compute.Value](t)(f.Complex(x, x)), c64},
		"ArgMinMax of Bool":  {must[compute.Value](t)(f.ArgMinMax(b, 0, dtypes.Int32, false)), shapes.Make(dtypes.Int32)},
		"NotEqualTotalOrder": {must[compute.Value](t)(f.NotEqualTotalOrder(x, x)), shapes.Make(dtypes.Bool, 3)},
		"real FFT":           {must[compute.Value](t)(f.FFT(x, compute.FFTForwardReal, []int{3})), shapes.Make(dtypes.Complex64, 2)},
	} {
		if got := must[shapes.Shape](t)(f.Shape(c.got)); !got.Equal(c.want) {
			t.Errorf("%s is %s, want %s", name, got, c.want)
		}
	}
}

// TestDeadCode: nodes and constants that no result needs are not in the file; parameters are.
func TestDeadCode(t *testing.T) {
	b := recorder(t).Builder("")
	f := b.Main()
	x := must[compute.Value](t)(f.Parameter("x", shapes.Make(dtypes.Float32, 400), nil))
	must[compute.Value](t)(f.Parameter("unused", shapes.Make(dtypes.Float32), nil))
	dead := must[compute.Value](t)(f.Constant(ramp(400), 400))
	must[compute.Value](t)(f.Add(x, dead))
	file, path := save(t, compile(t, b, must[compute.Value](t)(f.Neg(x))), record.Details{})
	if n := len(file.Functions[0].Nodes); n != 1 || len(file.Functions[0].Parameters) != 2 {
		t.Errorf("%d nodes and %d parameters, want 1 and 2", n, len(file.Functions[0].Parameters))
	}
	if _, err := os.Stat(strings.TrimSuffix(path, ".pb") + ".safetensors"); !errors.Is(err, os.ErrNotExist) || len(file.DataFiles) > 0 {
		t.Errorf("there is a data file for a dead constant: %v", err)
	}
}

func ramp(n int) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = float32(i)
	}
	return list
}

// TestConstants: small inline, splats as one element, large ones in the data file once, under their label.
func TestConstants(t *testing.T) {
	b := recorder(t).Builder("")
	f := b.Main()
	constant := func(flat any, dims ...int) compute.Value { return must[compute.Value](t)(f.Constant(flat, dims...)) }
	values := []compute.Value{constant(ramp(256), 256), constant(make([]float32, 1000), 10, 100), constant(ramp(300), 300),
		constant(ramp(300), 300), constant(ramp(300), 3, 100), constant([]float32{}, 0), constant([]bool{true})}
	values[2].(*record.Value).SetLabel("/dense/weights")
	file, path := save(t, compile(t, b, values...), record.Details{})
	nodes := file.Functions[0].Nodes
	if n := len(nodes[0].Constant.GetInline()); n != 1024 {
		t.Errorf("a constant of 1 KiB has %d bytes inline", n)
	}
	if n := len(nodes[1].Constant.GetSplat()); n != 4 {
		t.Errorf("zeros have %d bytes as a splat", n)
	}
	for i, want := range map[int]string{2: "dense/weights", 3: "dense/weights", 4: "constant_5"} {
		if got := nodes[i].Constant.GetExternal().GetName(); got != want {
			t.Errorf("constant %d is %q in the data file, want %q", i, got, want)
		}
	}
	data := must[[]byte](t)(os.ReadFile(strings.TrimSuffix(path, ".pb") + ".safetensors"))
	tensors := must[map[string][]byte](t)(safetensors.Read(data))
	if len(tensors) != 2 || !bytes.Equal(tensors["dense/weights"], dtypes.UnsafeByteSlice(ramp(300))) {
		t.Errorf("the data file has %d tensors, or other content", len(tensors))
	}
}

// TestDeterministic: the same calls give the same bytes, in any directory and after other graphs.
func TestDeterministic(t *testing.T) {
	var graphs, data [][]byte
	for range 2 {
		backend := recorder(t)
		for range 2 {
			b := backend.Builder("same")
			f := b.Main()
			x := must[compute.Value](t)(f.Parameter("x", shapes.Make(dtypes.Float32, 300), nil))
			sum := must[compute.Value](t)(f.Add(x, must[compute.Value](t)(f.Constant(ramp(300), 300))))
			_, path := save(t, compile(t, b, sum), record.Details{Metadata: map[string]string{"b": "2", "a": "1", "c": "3"}})
			graphs = append(graphs, must[[]byte](t)(os.ReadFile(path)))
			data = append(data, must[[]byte](t)(os.ReadFile(strings.TrimSuffix(path, ".pb")+".safetensors")))
		}
	}
	for i := range graphs {
		if !bytes.Equal(graphs[i], graphs[0]) || !bytes.Equal(data[i], data[0]) {
			t.Errorf("file %d differs", i)
		}
	}
	if dir := must[string](t)(os.Getwd()); bytes.Contains(graphs[0], []byte(filepath.Dir(dir))) {
		t.Error("the graph holds a path of this machine")
	}
}

func TestDynamicAxes(t *testing.T) {
	b := recorder(t).Builder("")
	f := b.Main()
	x := must[compute.Value](t)(f.Parameter("x", shapes.MakeDynamic(dtypes.Float32, []int{-1, 3}, []string{"batch", ""}), nil))
	r := compile(t, b, must[compute.Value](t)(f.ReduceMax(x, 1)))
	file, _ := save(t, r, record.Details{Axes: map[string]*graphpb.Axis{"batch": {Min: 1, Max: 8}}})
	if got := file.Functions[0].Nodes[0].Results[0].Shape.Dims[0].GetSymbol(); got != "batch" {
		t.Errorf("the result's axis is %q", got)
	}
	if len(file.Axes) != 1 || file.Axes[0].Max != 8 || len(file.RequiredFeatures) != 1 || file.RequiredFeatures[0] != "dynamic_axes" {
		t.Errorf("axes %v, features %v", file.Axes, file.RequiredFeatures)
	}
}

// TestWithin: ops that stand for a part of a file say so, in the graph and in errors; the user's labels win.
func TestWithin(t *testing.T) {
	b := recorder(t)
	builder := b.Builder("test")
	f := builder.Main()
	x := must[compute.Value](t)(f.Parameter("x", shapes.Make(dtypes.Float32, 2), nil))
	leave := b.Within("silero.onnx", "/encoder/Neg")
	inner := b.Within("silero.onnx", "/encoder/Abs")
	y := must[compute.Value](t)(f.Abs(x))
	inner()
	z := must[compute.Value](t)(f.Neg(y))
	_, err := f.Add(z, must[compute.Value](t)(f.Constant([]float32{1, 2, 3}, 3)))
	leave()
	if err == nil || !strings.Contains(err.Error(), "Add (silero.onnx: /encoder/Neg)") {
		t.Errorf("error %v", err)
	}
	last := must[compute.Value](t)(f.Exp(z))
	z.(*record.Value).SetLabel("mine")
	file, _ := save(t, compile(t, builder, last), record.Details{})
	var got []string
	for _, n := range file.Functions[0].Nodes {
		source := file.SourceFiles[n.Location.FilePlus_1-1]
		got = append(got, fmt.Sprintf("%s %q %s:%v", n.Op, n.Label, source, n.Location.Line > 0))
	}
	want := `Abs "/encoder/Abs" silero.onnx:false, Neg "mine" silero.onnx:false, Exp "" record/record_test.go:true`
	if strings.Join(got, ", ") != want {
		t.Errorf("nodes %s", got)
	}
}
