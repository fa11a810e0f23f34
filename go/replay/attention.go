package replay

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
)

// attention decomposes FusedScaledDotProductAttention. A row that may attend to nothing gives 0, as in GoMLX's MaskedSoftmax.
func attention(s *steps, n *graphpb.Node, operands []compute.Value) (compute.Value, error) {
	a := n.Attributes.GetFusedScaledDotProductAttention()
	layout := a.AxesLayout
	heads := func(v compute.Value) compute.Value { return s.swapped(v, layout) }
	q, k, v := heads(operands[0]), heads(operands[1]), heads(operands[2])
	qs, ks := s.shape(q), s.shape(k)
	if s.err != nil {
		return nil, s.err
	}
	if operands[3] != nil || operands[4] != nil || qs.IsDynamic() || ks.IsDynamic() {
		return nil, fmt.Errorf("the decomposition takes neither sequence lengths nor dynamic shapes: %w", compute.ErrNotImplemented)
	}
	k, v = s.repeated(k, qs.Dimensions[1]), s.repeated(v, qs.Dimensions[1])
	scores := s.dot(q, 3, k, 3)
	scores = s.binary(s.f.Mul, scores, s.number(a.Options.Scale, qs.DType))
	if operands[5] != nil {
		scores = s.binary(s.f.Add, scores, s.overScores(operands[5], "")) // [batch, heads, query, key] in either layout
	}
	shape := shapes.Make(dtypes.Bool, qs.Dimensions[0], qs.Dimensions[1], qs.Dimensions[2], ks.Dimensions[2])
	allowed := s.broadcast(s.do(func() (compute.Value, error) { return s.f.Constant([]bool{true}) }), shape)
	if mask := operands[6]; mask != nil {
		if s.shape(mask).DType == dtypes.Bool {
			allowed = s.binary(s.f.LogicalAnd, allowed, s.overScores(mask, layout))
		} else {
			scores = s.binary(s.f.Add, scores, s.overScores(mask, layout))
		}
	}
	if a.Options.Causal {
		position := shapes.Make(dtypes.Int32, shape.Dimensions...)
		query := s.do(func() (compute.Value, error) { return s.f.Iota(position, 2) })
		key := s.do(func() (compute.Value, error) { return s.f.Iota(position, 3) })
		allowed = s.binary(s.f.LogicalAnd, allowed, s.binary(s.f.LessOrEqual, key, query))
	}
	out := heads(s.dot(s.softmax(scores, allowed), 3, v, 2))
	return out, s.err
}

// swapped exchanges the axes of heads and sequence, if the layout asks for it.
func (s *steps) swapped(v compute.Value, layout string) compute.Value {
	if layout != compute.AttentionAxesLayoutBSHD.String() {
		return v
	}
	return s.do(func() (compute.Value, error) { return s.f.Transpose(v, 0, 2, 1, 3) })
}

// repeated gives each query head its own copy of the key or value head that it shares.
func (s *steps) repeated(v compute.Value, heads int) compute.Value {
	d := s.shape(v).Dimensions
	if s.err != nil || d[1] == heads {
		return v
	}
	wide := shapes.Make(s.shape(v).DType, d[0], d[1], heads/d[1], d[2], d[3])
	v = s.broadcast(v, wide, 0, 1, 3, 4)
	return s.do(func() (compute.Value, error) { return s.f.Reshape(v, d[0], heads, d[2], d[3]) })
}

// dot multiplies matrices per batch and head.
func (s *steps) dot(a compute.Value, aAxis int, b compute.Value, bAxis int) compute.Value {
	return s.do(func() (compute.Value, error) {
		return s.f.DotGeneral(a, []int{aAxis}, []int{0, 1}, b, []int{bAxis}, []int{0, 1}, compute.DotGeneralConfig{})
	})
}

func (s *steps) number(x float64, dtype dtypes.DType) compute.Value {
	return s.convert(s.do(func() (compute.Value, error) { return s.f.Constant([]float64{x}) }), dtype)
}

// overScores shapes a mask or bias for [batch, heads, query, key]. Of rank 4 it has the axes of the layout.
func (s *steps) overScores(v compute.Value, layout string) compute.Value {
	shape := s.shape(v)
	switch {
	case s.err != nil:
		return nil
	case shape.Rank() == 4:
		return s.swapped(v, layout)
	case shape.Rank() == 2:
		return s.do(func() (compute.Value, error) { return s.f.Reshape(v, 1, 1, shape.Dimensions[0], shape.Dimensions[1]) })
	}
	s.err = fmt.Errorf("a mask or bias of rank %d: %w", shape.Rank(), compute.ErrNotImplemented)
	return nil
}

// softmax is that over the last axis, of the allowed positions.
func (s *steps) softmax(scores, allowed compute.Value) compute.Value {
	shape := s.shape(scores)
	if s.err != nil {
		return nil
	}
	lowest := s.broadcast(s.number(math.Inf(-1), shape.DType), shape)
	zero := s.broadcast(s.number(0, shape.DType), shape)
	scores = s.do(func() (compute.Value, error) { return s.f.Where(allowed, scores, lowest) })
	along := func(reduce func(compute.Value, ...int) (compute.Value, error), x compute.Value) compute.Value {
		x = s.do(func() (compute.Value, error) { return reduce(x, 3) })
		return s.broadcast(x, shape, 0, 1, 2)
	}
	p := s.do(func() (compute.Value, error) { return s.f.Exp(s.binary(s.f.Sub, scores, along(s.f.ReduceMax, scores))) })
	p = s.do(func() (compute.Value, error) { return s.f.Where(allowed, p, zero) })
	sum := along(s.f.ReduceSum, p)
	some := s.binary(s.f.GreaterThan, sum, zero)
	return s.do(func() (compute.Value, error) { return s.f.Where(some, s.binary(s.f.Div, p, sum), zero) })
}
