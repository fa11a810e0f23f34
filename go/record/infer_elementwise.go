package record

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
)

// The infer functions return the shapes of an op's results, and fill in the defaults in its attributes.
// They use GoMLX's own shape inference; where that is wrong or lacking, the reason stands beside it.

type inferred = []shapes.Shape

func one(s shapes.Shape, err error) (inferred, error) { return inferred{s}, err }

func withDType(s shapes.Shape, d dtypes.DType) shapes.Shape {
	s = s.Clone()
	s.DType = d
	return s
}

func inferUnary(c *call) (inferred, error) {
	x := c.shape(0)
	switch c.op {
	case "Identity":
		return one(x, nil)
	case "DynamicShape":
		return one(shapes.Make(dtypes.Int32, x.Rank()), nil)
	case "Real", "Imag": // GoMLX's inference keeps the complex dtype
		if !x.DType.IsComplex() {
			return nil, fmt.Errorf("%s takes a complex operand, not %s", c.op, x)
		}
		return one(withDType(x, x.DType.RealDType()), nil)
	case "IsFinite", "IsNaN":
		return one(withDType(x, dtypes.Bool), nil)
	case "Abs": // GoMLX's inference keeps the complex dtype
		if x.DType.IsComplex() {
			return one(withDType(x, x.DType.RealDType()), nil)
		}
	}
	opType, err := compute.OpTypeString(c.op)
	if err != nil {
		return nil, err
	}
	return one(shapeinference.UnaryOp(opType, x))
}

func inferBinary(c *call) (inferred, error) {
	opType, err := compute.OpTypeString(c.op)
	if err != nil {
		return nil, err
	}
	if opType == compute.OpTypeNotEqualTotalOrder { // GoMLX's list of comparisons lacks it
		opType = compute.OpTypeEqualTotalOrder
	}
	if shapeinference.ComparisonOperations.Has(opType) {
		return one(shapeinference.ComparisonOp(opType, c.shape(0), c.shape(1)))
	}
	return one(shapeinference.BinaryOp(opType, c.shape(0), c.shape(1)))
}

func inferComplex(c *call) (inferred, error) {
	s, err := shapeinference.BinaryOp(compute.OpTypeAdd, c.shape(0), c.shape(1))
	if err != nil {
		return nil, err
	}
	complexDType, err := complexOf(s.DType)
	return one(withDType(s, complexDType), err)
}

func complexOf(real dtypes.DType) (dtypes.DType, error) {
	switch real {
	case dtypes.Float32:
		return dtypes.Complex64, nil
	case dtypes.Float64:
		return dtypes.Complex128, nil
	}
	return dtypes.InvalidDType, fmt.Errorf("there is no complex dtype of %s", real)
}

func inferClamp(c *call) (inferred, error) {
	low, x, high := c.shape(0), c.shape(1), c.shape(2)
	for _, bound := range []shapes.Shape{low, high} {
		if bound.DType != x.DType || !bound.IsScalar() && !bound.Equal(x) {
			return nil, fmt.Errorf("a bound is %s, x is %s: it must be a scalar or have x's shape", bound, x)
		}
	}
	return one(x, nil)
}

func inferWhere(c *call) (inferred, error) {
	return one(shapeinference.Where(c.shape(0), c.shape(1), c.shape(2)))
}

func inferConvertDType(c *call, a *graphpb.ConvertDTypeAttributes) (inferred, error) {
	d, err := dtypes.DTypeString(a.Dtype)
	return one(withDType(c.shape(0), d), err)
}

func inferBitcast(c *call, a *graphpb.BitcastAttributes) (inferred, error) {
	d, err := dtypes.DTypeString(a.TargetDtype)
	if err != nil {
		return nil, err
	}
	return one(shapeinference.Bitcast(c.shape(0), d))
}

func inferArgMinMax(c *call, a *graphpb.ArgMinMaxAttributes) (inferred, error) {
	x := c.shape(0)
	d, err := dtypes.DTypeString(a.OutputDtype)
	if err != nil {
		return nil, err
	}
	if x.DType == dtypes.Bool { // GoMLX's inference rejects Bool, which XLA takes and GoMLX's own layers use
		x = withDType(x, dtypes.Uint8)
	}
	return one(shapeinference.ArgMinMax(x, int(a.Axis), d))
}

func inferReduce(c *call, axes *[]int64) (inferred, error) {
	x := c.shape(0)
	if len(*axes) == 0 {
		*axes = int64s(upTo(x.Rank()))
	}
	slices.Sort(*axes)
	return one(shapeinference.Reduce(x, ints(*axes)))
}

// upTo returns 0 .. n-1.
func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func inferIota(c *call, a *graphpb.IotaAttributes) (inferred, error) {
	s, err := parseShape(a.Shape)
	if err == nil && (a.IotaAxis < 0 || int(a.IotaAxis) >= s.Rank()) {
		err = fmt.Errorf("axis %d of %s", a.IotaAxis, s)
	}
	return one(s, err)
}

func inferRNGBitGenerator(c *call, a *graphpb.RNGBitGeneratorAttributes) (inferred, error) {
	s, err := parseShape(a.Shape)
	return inferred{c.shape(0), s}, err
}

func inferBatchNormForInference(c *call, a *graphpb.BatchNormForInferenceAttributes) (inferred, error) {
	return one(c.shape(0), checkFeatures(c, a.FeatureAxis, 1, 2, 3, 4))
}

func inferBatchNormForTraining(c *call, a *graphpb.BatchNormForTrainingAttributes) (inferred, error) {
	x, scale := c.shape(0), c.shape(1)
	return inferred{x, scale, scale}, checkFeatures(c, a.FeatureAxis, 1, 2)
}

func inferBatchNormGradient(c *call, a *graphpb.BatchNormGradientAttributes) (inferred, error) {
	x, scale := c.shape(0), c.shape(1)
	return inferred{x, scale, scale}, checkFeatures(c, a.FeatureAxis, 1, 2, 3)
}

// checkFeatures checks that the given operands are vectors along the feature axis.
func checkFeatures(c *call, axis int64, operands ...int) error {
	x := c.shape(0)
	if axis < 0 || int(axis) >= x.Rank() {
		return fmt.Errorf("feature axis %d of %s", axis, x)
	}
	for _, i := range operands {
		if s := c.shape(i); s.Rank() != 1 || s.DType != x.DType || s.Dimensions[0] != x.Dimensions[axis] {
			return fmt.Errorf("operand %d is %s, want a vector for axis %d of %s", i, s, axis, x)
		}
	}
	return nil
}

func inferFFT(c *call, a *graphpb.FFTAttributes) (inferred, error) {
	x := c.shape(0)
	n := len(a.FftLength)
	if n == 0 || n > 3 || n > x.Rank() {
		return nil, fmt.Errorf("%d lengths for %s", n, x)
	}
	s, last := x.Clone(), int(a.FftLength[n-1])
	var err error
	switch a.FftType {
	case "ForwardReal":
		s.Dimensions[s.Rank()-1] = last/2 + 1
		s.DType, err = complexOf(x.DType)
	case "InverseReal":
		s.Dimensions[s.Rank()-1] = last
		s.DType = x.DType.RealDType()
	}
	if a.FftType != "ForwardReal" && !x.DType.IsComplex() {
		err = errors.New("the operand is not complex")
	}
	return one(s, err)
}

func inferAllReduce(c *call, _ *graphpb.AllReduceAttributes) (inferred, error) {
	return c.shapes(), nil
}

func inferOptimizationBarrier(c *call) (inferred, error) { return c.shapes(), nil }

func inferSchedulingBarrier(c *call) (inferred, error) { return one(c.shape(0), nil) }
