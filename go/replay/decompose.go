package replay

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
)

// decompositions are used for ops that a backend has not implemented. GoMLX's Go backend lacks these four.
var decompositions = map[string]func(s *steps, n *graphpb.Node, operands []compute.Value) (compute.Value, error){
	"BatchNormForInference":          batchNorm,
	"DynamicSlice":                   dynamicSlice,
	"DynamicUpdateSlice":             dynamicUpdateSlice,
	"FusedScaledDotProductAttention": attention,
}

// steps builds ops, keeping the first error.
type steps struct {
	f   compute.Function
	err error
}

func (s *steps) do(build func() (compute.Value, error)) compute.Value {
	if s.err != nil {
		return nil
	}
	var v compute.Value
	v, s.err = build()
	return v
}

func (s *steps) shape(v compute.Value) shapes.Shape {
	if s.err != nil {
		return shapes.Invalid()
	}
	var shape shapes.Shape
	shape, s.err = s.f.Shape(v)
	return shape
}

func (s *steps) binary(op func(a, b compute.Value) (compute.Value, error), a, b compute.Value) compute.Value {
	return s.do(func() (compute.Value, error) { return op(a, b) })
}

func (s *steps) broadcast(v compute.Value, shape shapes.Shape, axes ...int) compute.Value {
	return s.do(func() (compute.Value, error) { return s.f.BroadcastInDim(v, shape, axes) })
}

func (s *steps) convert(v compute.Value, dtype dtypes.DType) compute.Value {
	return s.do(func() (compute.Value, error) { return s.f.ConvertDType(v, dtype) })
}

func (s *steps) int64(x int) compute.Value {
	return s.do(func() (compute.Value, error) { return s.f.Constant([]int64{int64(x)}) })
}

// batchNorm: (operand - mean) * (scale / sqrt(variance + epsilon)) + offset.
func batchNorm(s *steps, n *graphpb.Node, operands []compute.Value) (compute.Value, error) {
	a := n.Attributes.GetBatchNormForInference()
	x, scale, offset, mean, variance := operands[0], operands[1], operands[2], operands[3], operands[4]
	shape := s.shape(x)
	if s.err != nil {
		return nil, s.err
	}
	row := shapes.Make(shape.DType, make([]int, shape.Rank())...)
	for i := range row.Dimensions {
		row.Dimensions[i] = 1
	}
	row.Dimensions[a.FeatureAxis] = shape.Dimensions[a.FeatureAxis]
	epsilon := s.do(func() (compute.Value, error) { return s.f.Constant([]float32{float32(a.Epsilon)}) })
	epsilon = s.convert(epsilon, shape.DType)
	deviation := s.do(func() (compute.Value, error) { return s.f.Sqrt(s.binary(s.f.Add, variance, epsilon)) })
	along := func(v compute.Value) compute.Value { return s.broadcast(v, row, int(a.FeatureAxis)) }
	scaled := s.binary(s.f.Mul, s.binary(s.f.Sub, x, along(mean)), along(s.binary(s.f.Div, scale, deviation)))
	out := s.binary(s.f.Add, scaled, along(offset))
	return out, s.err
}

// dynamicSlice: Gather of one window, which clamps the start in the same way.
func dynamicSlice(s *steps, n *graphpb.Node, operands []compute.Value) (compute.Value, error) {
	sizes := make([]int, len(n.Attributes.GetDynamicSlice().SliceDims))
	axes := make([]int, len(sizes))
	for i, d := range n.Attributes.GetDynamicSlice().SliceDims {
		sizes[i], axes[i] = int(d), i
	}
	if len(sizes) == 0 {
		return operands[0], nil
	}
	start := operands[1]
	if s.shape(start).IsScalar() {
		var starts []compute.Value
		for _, v := range operands[1:] {
			starts = append(starts, s.do(func() (compute.Value, error) { return s.f.Reshape(v, 1) }))
		}
		start = s.do(func() (compute.Value, error) { return s.f.Concatenate(0, starts...) })
	}
	out := s.do(func() (compute.Value, error) {
		return s.f.Gather(operands[0], start, 0, axes, nil, axes, sizes, false)
	})
	return out, s.err
}

// dynamicUpdateSlice: inside the window the update, taken axis by axis; elsewhere the operand.
func dynamicUpdateSlice(s *steps, _ *graphpb.Node, operands []compute.Value) (compute.Value, error) {
	operand, update := operands[0], operands[1]
	shape, window := s.shape(operand), s.shape(update)
	if s.err != nil {
		return nil, s.err
	}
	if shape.IsDynamic() || window.IsDynamic() {
		return nil, fmt.Errorf("the decomposition takes no dynamic shape: %w", compute.ErrNotImplemented)
	}
	inside := s.do(func() (compute.Value, error) { return s.f.Constant([]bool{true}) })
	spread := update
	for axis, dim := range shape.Dimensions {
		start := s.convert(s.start(operands[2:], axis), dtypes.Int64)
		start = s.do(func() (compute.Value, error) {
			return s.f.Clamp(s.int64(0), start, s.int64(dim-window.Dimensions[axis]))
		})
		index := s.do(func() (compute.Value, error) { return s.f.Iota(shapes.Make(dtypes.Int64, dim), 0) })
		index = s.binary(s.f.Sub, index, start)
		in := s.binary(s.f.LogicalAnd, s.binary(s.f.GreaterOrEqual, index, s.int64(0)),
			s.binary(s.f.LessThan, index, s.int64(window.Dimensions[axis])))
		in = s.broadcast(in, shapes.Make(dtypes.Bool, shape.Dimensions...), axis)
		inside = s.binary(s.f.LogicalAnd, inside, in)
		spread = s.take(spread, index, axis)
	}
	out := s.do(func() (compute.Value, error) { return s.f.Where(inside, spread, operand) })
	return out, s.err
}

// start is that of an axis, of one scalar per axis or one vector.
func (s *steps) start(starts []compute.Value, axis int) compute.Value {
	if s.shape(starts[0]).IsScalar() {
		return starts[axis]
	}
	one := s.do(func() (compute.Value, error) {
		return s.f.Slice(starts[0], []int{axis}, []int{axis + 1}, []int{1})
	})
	return s.do(func() (compute.Value, error) { return s.f.Reshape(one) })
}

// take picks positions along one axis, clamping them.
func (s *steps) take(x, index compute.Value, axis int) compute.Value {
	shape := s.shape(x)
	index = s.do(func() (compute.Value, error) { return s.f.Reshape(index, s.shape(index).Dimensions[0], 1) })
	var others []int
	for i := range shape.Rank() {
		if i != axis {
			others = append(others, i)
		}
	}
	sizes := append([]int(nil), shape.Dimensions...)
	return s.do(func() (compute.Value, error) {
		sizes[axis] = 1
		return s.f.Gather(x, index, 1, others, []int{axis}, []int{axis}, sizes, false)
	})
}
