package record

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
)

// parseShape reads the shape of an attribute.
func parseShape(s *graphpb.Shape) (shapes.Shape, error) {
	d, err := dtypes.DTypeString(s.Dtype)
	out := shapes.Shape{DType: d}
	dynamic := false
	names := make([]string, len(s.Dims))
	for i, dim := range s.Dims {
		size := int(dim.GetSize())
		if symbol, ok := dim.Kind.(*graphpb.Dim_Symbol); ok {
			size, names[i], dynamic = shapes.DynamicDim, symbol.Symbol, true
		}
		out.Dimensions = append(out.Dimensions, size)
	}
	if dynamic {
		out.AxisNames = names
	}
	return out, err
}

func inferReshape(c *call, a *graphpb.ReshapeAttributes) (inferred, error) {
	return one(shapeinference.Reshape(c.shape(0), ints(a.Dimensions)))
}

func inferDynamicReshape(c *call, a *graphpb.DynamicReshapeAttributes) (inferred, error) {
	specs := make([]compute.DynamicDimensionSpec, len(a.Dimensions))
	for i, d := range a.Dimensions {
		specs[i] = compute.DynamicDimensionSpec{Static: int(d.Static), Name: d.Name}
		if v := c.node.operands[1+i]; v != nil {
			specs[i].Value = v
		}
	}
	return one(shapeinference.DynamicReshape(c.shape(0), specs))
}

func inferDynamicDimensionSize(c *call, a *graphpb.DynamicDimensionSizeAttributes) (inferred, error) {
	x := c.shape(0)
	if a.Axis < 0 || int(a.Axis) >= x.Rank() {
		return nil, fmt.Errorf("axis %d of %s", a.Axis, x)
	}
	return one(shapes.Make(dtypes.Int32), nil)
}

func inferTranspose(c *call, a *graphpb.TransposeAttributes) (inferred, error) {
	return one(shapeinference.Transpose(c.shape(0), ints(a.Permutation)))
}

func inferBroadcastInDim(c *call, a *graphpb.BroadcastInDimAttributes) (inferred, error) {
	s, err := parseShape(a.OutputShape)
	if err != nil {
		return nil, err
	}
	return one(s, shapeinference.BroadcastInDim(c.shape(0), s, ints(a.BroadcastAxes), c.function.axisNames()))
}

func inferConcatenate(c *call, a *graphpb.ConcatenateAttributes) (inferred, error) {
	return one(shapeinference.Concatenate(c.shapes(), int(a.Axis)))
}

// inferSlice resolves the bounds: negative ones count from the end. Those outside are errors, as in XLA and GoMLX's tests; its Go
// backend clamps them.
func inferSlice(c *call, a *graphpb.SliceAttributes) (inferred, error) {
	x := c.shape(0)
	if len(a.Strides) == 0 {
		a.Strides = filled(x.Rank(), 1)
	}
	for axis, size := range x.Dimensions {
		if size == shapes.DynamicDim || axis >= len(a.Starts) || axis >= len(a.Limits) {
			continue
		}
		a.Starts[axis] = fromEnd(a.Starts[axis], int64(size))
		a.Limits[axis] = fromEnd(a.Limits[axis], int64(size))
	}
	return one(shapeinference.Slice(x, ints(a.Starts), ints(a.Limits), ints(a.Strides)))
}

func fromEnd(i, size int64) int64 {
	if i < 0 {
		i += size
	}
	return i
}

func filled(n int, x int64) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = x
	}
	return list
}

func inferDynamicSlice(c *call, a *graphpb.DynamicSliceAttributes) (inferred, error) {
	if err := checkStarts(c, 1); err != nil {
		return nil, err
	}
	return one(shapeinference.DynamicSlice(c.shape(0), ints(a.SliceDims)))
}

func inferDynamicUpdateSlice(c *call) (inferred, error) {
	if err := checkStarts(c, 2); err != nil {
		return nil, err
	}
	if c.shape(0).DType != c.shape(1).DType {
		return nil, fmt.Errorf("update is %s, operand is %s", c.shape(1), c.shape(0))
	}
	return one(shapeinference.DynamicUpdateSlice(c.shape(0), c.shape(1)))
}

// checkStarts checks that the operands from index first on are one integer scalar per axis, or one vector of them: GoMLX's
// documentation has none, but its tests and its XLA backend have.
func checkStarts(c *call, first int) error {
	starts := c.node.operands[first:]
	if len(starts) == 1 && starts[0].shape.Rank() == 1 && starts[0].shape.DType.IsInt() {
		if n := starts[0].shape.Dimensions[0]; n != c.shape(0).Rank() {
			return fmt.Errorf("%d start indices for %s", n, c.shape(0))
		}
		return nil
	}
	if len(starts) != c.shape(0).Rank() {
		return fmt.Errorf("%d start indices for %s", len(starts), c.shape(0))
	}
	for i, v := range starts {
		if !v.shape.IsScalar() || !v.shape.DType.IsInt() || v.shape.DType != starts[0].shape.DType {
			return fmt.Errorf("start index %d is %s, want integer scalars of one dtype", i, v.shape)
		}
	}
	return nil
}

func inferPad(c *call, a *graphpb.PadAttributes) (inferred, error) {
	x, fill := c.shape(0), c.shape(1)
	if !fill.IsScalar() || fill.DType != x.DType {
		return nil, fmt.Errorf("the fill value is %s, x is %s", fill, x)
	}
	for len(a.AxesConfig) < x.Rank() {
		a.AxesConfig = append(a.AxesConfig, &graphpb.PadAxis{})
	}
	config := mapped(a.AxesConfig, func(p *graphpb.PadAxis) compute.PadAxis {
		return compute.PadAxis{Start: int(p.Start), End: int(p.End), Interior: int(p.Interior)}
	})
	return one(shapeinference.Pad(x, config...))
}

func inferReverse(c *call, a *graphpb.ReverseAttributes) (inferred, error) {
	x, seen := c.shape(0), map[int64]bool{}
	for _, axis := range a.Axes {
		if axis < 0 || int(axis) >= x.Rank() || seen[axis] {
			return nil, fmt.Errorf("axes %v of %s", a.Axes, x)
		}
		seen[axis] = true
	}
	return one(x, nil)
}

func inferGather(c *call, a *graphpb.GatherAttributes) (inferred, error) {
	x, indices := c.shape(0), c.shape(1)
	for axis, size := range a.SliceSizes {
		if size == shapes.DynamicDim && axis < x.Rank() && x.Dimensions[axis] != shapes.DynamicDim {
			a.SliceSizes[axis] = int64(x.Dimensions[axis])
		}
	}
	if int(a.IndexVectorAxis) == indices.Rank() { // GoMLX's inference indexes past the rank
		indices = indices.Clone()
		indices.Dimensions = append(indices.Dimensions, 1)
		if indices.AxisNames != nil {
			indices.AxisNames = append(indices.AxisNames, "")
		}
	}
	return one(shapeinference.Gather(x, indices, int(a.IndexVectorAxis), ints(a.OffsetOutputAxes),
		ints(a.CollapsedSliceAxes), ints(a.StartIndexMap), ints(a.SliceSizes), a.IndicesAreSorted))
}

// scatterAttributes is what the three scatters share.
type scatterAttributes interface {
	GetIndexVectorAxis() int64
	GetUpdateWindowAxes() []int64
	GetInsertedWindowAxes() []int64
	GetScatterAxesToOperandAxes() []int64
}

func inferScatter(c *call, a scatterAttributes) (inferred, error) {
	return one(shapeinference.Scatter(c.shape(0), c.shape(1), c.shape(2), int(a.GetIndexVectorAxis()),
		ints(a.GetUpdateWindowAxes()), ints(a.GetInsertedWindowAxes()), ints(a.GetScatterAxesToOperandAxes())))
}

func inferQuantizedEmbeddingLookup(c *call, a *graphpb.QuantizedEmbeddingLookupAttributes) (inferred, error) {
	data, indices := c.shape(0), c.shape(1)
	t, err := ggmlType(a.DataQuantization)
	if err != nil {
		return nil, err
	}
	if data.Rank() != 2 || data.DType != dtypes.Uint8 || data.Dimensions[1]%t.BytesPerBlock() != 0 {
		return nil, fmt.Errorf("data is %s, want Uint8 rows of whole %s blocks", data, t)
	}
	if indices.Rank() == 0 || !indices.DType.IsInt() || indices.Dimensions[indices.Rank()-1] != 1 {
		return nil, fmt.Errorf("indices are %s, want integers [..., 1]", indices)
	}
	s := withDType(indices, dtypes.Float32)
	s.Dimensions[s.Rank()-1] = data.Dimensions[1] / t.BytesPerBlock() * t.ValuesPerBlock()
	return one(s, nil)
}

func ggmlType(q *graphpb.Quantization) (compute.GGMLQuantType, error) {
	if q.Scheme != compute.QuantGGML.String() {
		return 0, fmt.Errorf("quantization scheme %s, want GGML", q.Scheme)
	}
	for t := compute.GGMLQ4_0; t.BytesPerBlock() > 0; t++ {
		if t.String() == q.GgmlType {
			return t, nil
		}
	}
	return 0, fmt.Errorf("unknown GGML type %q", q.GgmlType)
}
