package main

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/internal/npz"
	"github.com/coremlc/coremlc/go/replay"
)

// Tolerances: relative, the least absolute one, and how often GoMLX's own difference.
const (
	relative = 1e-5
	least    = 1e-6
	factor   = 3
)

// addTolerances runs the model in float64 on the Go backend, and adds three times the difference of the golden outputs from that.
func (n *network) addTolerances(path string, inputs []*tensors.Tensor) error {
	arrays, err := npz.Read(path)
	if err != nil {
		return err
	}
	exact, err := n.runTwin(inputs)
	if err != nil {
		return err
	}
	for i, name := range n.outputs {
		a := arrays["out."+name]
		if a.DType != dtypes.Float32 {
			continue
		}
		flat := make([]float32, len(a.Bytes)/4)
		copy(dtypes.UnsafeByteSlice(flat), a.Bytes)
		most := 0.0
		for j, x := range tensors.MustCopyFlatData[float64](exact[i]) {
			most = math.Max(most, math.Abs(float64(flat[j])-x))
		}
		fmt.Printf("%s: GoMLX is %.2g off\n", name, most)
		tolerance := []float64{relative, math.Max(least, factor*most)}
		arrays["tolerance."+name] = npz.Array{DType: dtypes.Float64, Dims: []int{2}, Bytes: dtypes.UnsafeByteSlice(tolerance)}
	}
	return npz.Write(path, arrays)
}

func (n *network) runTwin(inputs []*tensors.Tensor) ([]*tensors.Tensor, error) {
	store := model.NewStore()
	for v := range n.store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return nil, err
		}
		if _, err := store.CreateVariable(v.Path(), widened(value)); err != nil {
			return nil, err
		}
	}
	wide := make([]*tensors.Tensor, len(inputs))
	for i, t := range inputs {
		wide[i] = widened(t)
	}
	return run(store, n.build, wide)
}

// run executes a model on the Go backend.
func run(store *model.Store, build func(*model.Scope, []*graph.Node) []*graph.Node, inputs []*tensors.Tensor) ([]*tensors.Tensor, error) {
	backend, err := replay.GoBackend()
	if err != nil {
		return nil, err
	}
	exec, err := model.NewExec(backend, store, build)
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	var values []any
	for _, t := range inputs {
		values = append(values, t)
	}
	return exec.Call(values...)
}

func widened(t *tensors.Tensor) *tensors.Tensor {
	if t.DType() != dtypes.Float32 {
		return t
	}
	wide := tensors.FromShape(shapes.Make(dtypes.Float64, t.Shape().Dimensions...))
	tensors.MustConstFlatData(t, func(from []float32) {
		tensors.MustMutableFlatData(wide, func(to []float64) {
			for i, x := range from {
				to[i] = float64(x)
			}
		})
	})
	return wide
}
