package record_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/record"
)

func TestErrors(t *testing.T) {
	f32 := shapes.Make(dtypes.Float32, 3)
	other := recorder(t).Builder("other").Main()
	foreign := must[compute.Value](t)(other.Parameter("x", f32, nil))
	for name, c := range map[string]struct {
		do   func(f compute.Function, x compute.Value) error
		want string
	}{
		"shapes differ": {func(f compute.Function, x compute.Value) error {
			y, err := f.Constant(ramp(4), 4)
			if err != nil {
				return err
			}
			_, err = f.Add(x, y)
			return err
		}, "Add (record/errors_test.go:"},
		"slice past the end": {func(f compute.Function, x compute.Value) error {
			_, err := f.Slice(x, []int{0}, []int{4}, nil)
			return err
		}, "limit index 4 is out of bounds"},
		"too many starts": {func(f compute.Function, x compute.Value) error {
			starts, err := f.Constant([]int32{0, 1}, 2)
			if err != nil {
				return err
			}
			_, err = f.DynamicSlice(x, []compute.Value{starts}, []int{1})
			return err
		}, "2 start indices"},
		"other graph":     {func(f compute.Function, x compute.Value) error { _, err := f.Add(x, foreign); return err }, "rhs: "},
		"not a value":     {func(f compute.Function, _ compute.Value) error { _, err := f.Neg(3); return err }, "int is not a value"},
		"missing operand": {func(f compute.Function, _ compute.Value) error { _, err := f.Neg(nil); return err }, "not a value"},
		"wrong axis":      {func(f compute.Function, x compute.Value) error { _, err := f.FusedSoftmax(x, 1); return err }, "axis 1"},
		"wrong constant":  {func(f compute.Function, _ compute.Value) error { _, err := f.Constant(ramp(3), 2); return err }, "3 elements"},
		"no dtype":        {func(f compute.Function, _ compute.Value) error { _, err := f.Constant([]string{"a"}, 1); return err }, "dtype"},
		"same parameter":  {func(f compute.Function, _ compute.Value) error { _, err := f.Parameter("x", f32, nil); return err }, `"x"`},
		"nameless dynamic": {func(f compute.Function, _ compute.Value) error {
			_, err := f.Parameter("d", shapes.Shape{DType: dtypes.Float32, Dimensions: []int{-1}}, nil)
			return err
		}, "no name"},
		"value of a closure": {func(f compute.Function, x compute.Value) error {
			closure, err := f.Closure()
			if err != nil {
				return err
			}
			inner, err := closure.Neg(x)
			if err != nil {
				return err
			}
			_, err = f.Neg(inner)
			return err
		}, "not around this one"},
		"open closure": {func(f compute.Function, x compute.Value) error {
			closure, err := f.Closure()
			if err != nil {
				return err
			}
			pred, err := f.Constant([]bool{true})
			if err != nil {
				return err
			}
			_, err = f.If(pred, closure, closure)
			return err
		}, "has not returned"},
		"after return": {func(f compute.Function, x compute.Value) error {
			if err := f.Return([]compute.Value{x}, nil); err != nil {
				return err
			}
			_, err := f.Neg(x)
			return err
		}, "no more ops"},
	} {
		t.Run(name, func(t *testing.T) {
			f := recorder(t).Builder("").Main()
			x := must[compute.Value](t)(f.Parameter("x", f32, nil))
			if err := c.do(f, x); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestRecordsOnly(t *testing.T) {
	backend := recorder(t)
	b := backend.Builder("")
	x := must[compute.Value](t)(b.Main().Constant([]float32{1}))
	r := compile(t, b, x)
	if _, err := r.Execute(nil, nil, 0); !errors.Is(err, record.ErrRecordsOnly) {
		t.Errorf("Execute: %v", err)
	}
	if _, err := backend.BufferFromFlatData(0, []float32{1}, shapes.Make(dtypes.Float32)); !errors.Is(err, record.ErrRecordsOnly) {
		t.Errorf("BufferFromFlatData: %v", err)
	}
	if _, err := b.Main().Neg(x); err == nil {
		t.Error("an op after Compile is accepted")
	}
	if err := r.Save(t.TempDir()+"/graph.txt", record.Details{}); err == nil {
		t.Error("a file that is not .pb is accepted")
	}
	if err := r.Save(t.TempDir()+"/missing/graph.pb", record.Details{}); err == nil {
		t.Error("a missing directory is accepted")
	}
	_, _, _, err := b.Main().FusedScaledDotProductAttentionVJP(x, x, x, compute.AttentionAxesLayoutBHSD, nil, x, nil, x)
	if !compute.IsNotImplemented(err) {
		t.Errorf("the attention gradient: %v", err)
	}
}
