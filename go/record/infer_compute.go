package record

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
)

func inferDotGeneral(c *call, a *graphpb.DotGeneralAttributes) (inferred, error) {
	if a.Config.AccumulatorDtype == "" {
		a.Config.AccumulatorDtype = c.shape(0).DType.String()
	}
	if a.Config.OutputDtype == "" {
		a.Config.OutputDtype = c.shape(0).DType.String() // so do both back ends, though the comment says: the accumulator's
	}
	accumulator, err1 := dtypes.DTypeString(a.Config.AccumulatorDtype)
	output, err2 := dtypes.DTypeString(a.Config.OutputDtype)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return one(shapeinference.DotGeneral(c.shape(0), ints(a.LhsContractingAxes), ints(a.LhsBatchAxes),
		c.shape(1), ints(a.RhsContractingAxes), ints(a.RhsBatchAxes),
		compute.DotGeneralConfig{AccumulatorDType: accumulator, OutputDType: output}))
}

func inferConvGeneral(c *call, a *graphpb.ConvGeneralAttributes) (inferred, error) {
	spatial := c.shape(0).Rank() - 2
	setDefault(&a.Strides, spatial, 1)
	setDefault(&a.InputDilations, spatial, 1)
	setDefault(&a.KernelDilations, spatial, 1)
	setNoPadding(&a.Paddings, spatial)
	a.ChannelGroupCount = max(a.ChannelGroupCount, 1)
	a.BatchGroupCount = max(a.BatchGroupCount, 1)
	x := a.Axes
	axes := compute.ConvolveAxesConfig{
		InputBatch: int(x.InputBatch), InputChannels: int(x.InputChannels), InputSpatial: ints(x.InputSpatial),
		KernelInputChannels: int(x.KernelInputChannels), KernelOutputChannels: int(x.KernelOutputChannels),
		KernelSpatial: ints(x.KernelSpatial), OutputBatch: int(x.OutputBatch), OutputChannels: int(x.OutputChannels),
		OutputSpatial: ints(x.OutputSpatial),
	}
	return one(shapeinference.ConvGeneral(c.shape(0), c.shape(1), axes, ints(a.Strides), unpairs(a.Paddings),
		ints(a.InputDilations), ints(a.KernelDilations), int(a.ChannelGroupCount), int(a.BatchGroupCount)))
}

// setDefault fills an absent list with n times x.
func setDefault(list *[]int64, n int, x int64) {
	if len(*list) == 0 {
		*list = filled(max(n, 0), x)
	}
}

func setNoPadding(list *[]*graphpb.Pair, n int) {
	if len(*list) == 0 {
		*list = pairs(make([][2]int, max(n, 0)))
	}
}

func inferReduceWindow(c *call, a *graphpb.ReduceWindowAttributes) (inferred, error) {
	rank := c.shape(0).Rank()
	setDefault(&a.WindowDimensions, rank, 1)
	if len(a.Strides) == 0 {
		a.Strides = slices.Clone(a.WindowDimensions)
	}
	setDefault(&a.InputDilations, rank, 1)
	setDefault(&a.WindowDilations, rank, 1)
	setNoPadding(&a.Paddings, rank)
	return one(shapeinference.ReduceWindow(c.shape(0), ints(a.WindowDimensions), ints(a.Strides), ints(a.InputDilations),
		ints(a.WindowDilations), unpairs(a.Paddings)))
}

func inferSelectAndScatter(c *call, window []int64, strides *[]int64, paddings *[]*graphpb.Pair) (inferred, error) {
	if len(*strides) == 0 {
		*strides = slices.Clone(window)
	}
	setNoPadding(paddings, c.shape(0).Rank())
	return one(shapeinference.SelectAndScatter(c.shape(0), c.shape(1), ints(window), ints(*strides), unpairs(*paddings)))
}

func inferFusedSoftmax(c *call, a *graphpb.FusedSoftmaxAttributes) (inferred, error) {
	x := c.shape(0)
	if a.Axis < 0 || int(a.Axis) >= x.Rank() {
		return nil, fmt.Errorf("axis %d of %s", a.Axis, x)
	}
	return one(x, nil)
}

func inferFusedGelu(c *call, _ *graphpb.FusedGeluAttributes) (inferred, error) {
	return one(c.shape(0), nil)
}

func inferFusedLayerNorm(c *call, a *graphpb.FusedLayerNormAttributes) (inferred, error) {
	x := c.shape(0)
	for i, axis := range a.Axes {
		if axis < 0 {
			axis += int64(x.Rank())
			a.Axes[i] = axis
		}
		if axis < 0 || int(axis) >= x.Rank() {
			return nil, fmt.Errorf("axes %v of %s", a.Axes, x)
		}
	}
	return one(x, nil)
}

func inferFusedDense(c *call, a *graphpb.FusedDenseAttributes) (inferred, error) {
	x, w := c.shape(0), c.shape(1)
	if x.Rank() == 0 || w.Rank() < 2 || x.DType != w.DType {
		return nil, fmt.Errorf("x is %s, weight is %s", x, w)
	}
	in, out := 0, upTo(w.Rank())[1:]
	if a.Options.WeightLayout == compute.DenseLayoutOutputsInput.String() {
		in, out = w.Rank()-1, upTo(w.Rank()-1)
	}
	return one(dense(x, w, in, out))
}

// dense replaces the last axis of x, which must agree with axis in of w, by the axes out of w.
func dense(x, w shapes.Shape, in int, out []int) (shapes.Shape, error) {
	last := x.Rank() - 1
	if x.Dimensions[last] != w.Dimensions[in] {
		return shapes.Invalid(), fmt.Errorf("the last axis of x %s and axis %d of the weight %s differ", x, in, w)
	}
	s := shapes.Shape{DType: x.DType, Dimensions: slices.Clone(x.Dimensions[:last])}
	if x.AxisNames != nil {
		s.AxisNames = slices.Clone(x.AxisNames[:last])
	}
	for _, axis := range out {
		s.Dimensions = append(s.Dimensions, w.Dimensions[axis])
		if s.AxisNames != nil {
			s.AxisNames = append(s.AxisNames, "")
		}
	}
	return s, nil
}

func inferFusedQuantizedDense(c *call, a *graphpb.FusedQuantizedDenseAttributes) (inferred, error) {
	x, w := c.shape(0), c.shape(1)
	if x.Rank() == 0 || w.Rank() != 2 {
		return nil, fmt.Errorf("x is %s, weights are %s", x, w)
	}
	if a.WeightsQuantization.Scheme != compute.QuantGGML.String() {
		if c.node.operands[3] == nil {
			return nil, errors.New("the quantization has no scale")
		}
		return one(dense(x, w, 0, []int{1}))
	}
	t, err := ggmlType(a.WeightsQuantization)
	if err != nil {
		return nil, err
	}
	w = w.Clone()
	w.Dimensions[1] = w.Dimensions[1] / t.BytesPerBlock() * t.ValuesPerBlock()
	return one(dense(x, w, 1, []int{0}))
}

func inferFusedAttentionQKVProjection(c *call, a *graphpb.FusedAttentionQKVProjectionAttributes) (inferred, error) {
	x, w := c.shape(0), c.shape(1)
	if x.Rank() > 2 { // attention.MultiHeadAttention tries it, though the contract says 2
		return nil, errDeclined("FusedAttentionQKVProjection of rank above 2")
	}
	if x.Rank() != 2 || w.Rank() != 2 || int64(w.Dimensions[1]) != a.QueryDim+2*a.KeyValueDim {
		return nil, fmt.Errorf("x is %s, wQKV is %s, for %d and twice %d columns", x, w, a.QueryDim, a.KeyValueDim)
	}
	s, err := dense(x, w, 0, []int{1})
	if err != nil {
		return nil, err
	}
	columns := func(n int64) shapes.Shape {
		s := s.Clone()
		s.Dimensions[1] = int(n)
		return s
	}
	return inferred{columns(a.QueryDim), columns(a.KeyValueDim), columns(a.KeyValueDim)}, nil
}

func inferFusedScaledDotProductAttention(c *call, a *graphpb.FusedScaledDotProductAttentionAttributes) (inferred, error) {
	q, k, v := c.shape(0), c.shape(1), c.shape(2)
	if q.Rank() != 4 || k.Rank() != 4 || v.Rank() != 4 || q.Dimensions[3] != k.Dimensions[3] {
		return nil, fmt.Errorf("query %s, key %s, value %s: want rank 4 and one head dim", q, k, v)
	}
	if a.Options.Scale == 0 {
		a.Options.Scale = 1 / math.Sqrt(float64(q.Dimensions[3]))
	}
	s := q.Clone()
	s.Dimensions[3] = v.Dimensions[3]
	return one(s, nil)
}
