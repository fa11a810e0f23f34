package replay

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
	"github.com/coremlc/coremlc/go/internal/npz"
)

// Array is a dense array in row-major order, little-endian.
type Array = npz.Array

// GoBackend returns GoMLX's pure-Go backend in the mode that never deadlocks and always computes the same bits.
func GoBackend() (compute.Backend, error) { return gobackend.New("ops_sequential") }

// Run builds the graph on a backend and executes it once. Inputs are by the names of the main function's parameters; one that has a
// default may be left out. The outputs are by the names of the results.
func (g *Graph) Run(backend compute.Backend, inputs map[string]Array) (outputs map[string]Array, err error) {
	defer recovered(&err)
	executable, err := g.Build(backend)
	if err != nil {
		return nil, err
	}
	defer executable.Finalize()
	main := g.File.Functions[g.File.Main]
	left := len(inputs)
	var buffers []compute.Buffer
	for _, p := range main.Parameters {
		input, ok := inputs[p.Name]
		if ok {
			left--
		}
		buffer, err := g.buffer(backend, p, input, ok)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", p.Name, err)
		}
		buffers = append(buffers, buffer)
	}
	if left > 0 {
		return nil, fmt.Errorf("%d of the %d arrays are no inputs of the graph", left, len(inputs))
	}
	results, err := executable.Execute(buffers, nil, 0)
	if err != nil {
		return nil, err
	}
	outputs = map[string]Array{}
	for i, r := range main.Results {
		if outputs[r.Name], err = arrayOf(results[i]); err != nil {
			return nil, fmt.Errorf("output %q: %w", r.Name, err)
		}
	}
	return outputs, nil
}

func (g *Graph) buffer(backend compute.Backend, p *graphpb.Parameter, input Array, given bool) (compute.Buffer, error) {
	shape := shapes.Shape{DType: input.DType, Dimensions: input.Dims}
	data := input.Bytes
	if !given {
		if p.Default == nil {
			return nil, fmt.Errorf("it is missing and has no default")
		}
		var err error
		if shape, data, err = g.tensor(p.Default); err != nil {
			return nil, err
		}
	}
	want, err := parseShape(p.Value.Shape)
	if err != nil {
		return nil, err
	}
	if !fits(shape, want) {
		return nil, fmt.Errorf("it is %s, want %s", shape, want)
	}
	return backend.BufferFromFlatData(0, flatOf(data, shape), shape)
}

// fits says whether a concrete shape is one that want allows.
func fits(s, want shapes.Shape) bool {
	if s.DType != want.DType || s.Rank() != want.Rank() {
		return false
	}
	for i, d := range want.Dimensions {
		if d != shapes.DynamicDim && d != s.Dimensions[i] {
			return false
		}
	}
	return true
}

func arrayOf(b compute.Buffer) (Array, error) {
	shape, err := b.Shape()
	if err != nil {
		return Array{}, err
	}
	a := Array{DType: shape.DType, Dims: shape.Dimensions}
	if shape.Size() == 0 {
		return a, nil
	}
	flat := flatOf(make([]byte, int(shape.ByteSize())), shape)
	if err := b.ToFlatData(flat); err != nil {
		return Array{}, err
	}
	a.Bytes = dtypes.UnsafeByteSliceFromAny(flat)
	return a, nil
}
