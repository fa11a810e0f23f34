package replay

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// linearCases covers products, windows, normalization and the rest of the arithmetic.
var linearCases = []opCase{
	one("DotGeneral", func(m maker) (compute.Value, error) {
		return m.DotGeneral(m.f32(2, 3, 4), []int{2}, []int{0}, m.f32(4, 5, 2), []int{0}, []int{2}, compute.DotGeneralConfig{})
	}),
	one("DotGeneral", func(m maker) (compute.Value, error) {
		return m.DotGeneral(m.f32(2), nil, nil, m.f32(3), nil, nil, compute.DotGeneralConfig{OutputDType: dtypes.Float32})
	}),
	one("ConvGeneral", func(m maker) (compute.Value, error) {
		return m.ConvGeneral(m.f32(1, 5, 5, 2), m.f32(3, 3, 2, 4), channelsLast, nil, nil, nil, nil, 0, 0)
	}),
	one("ConvGeneral", func(m maker) (compute.Value, error) {
		return m.ConvGeneral(m.f32(1, 5, 5, 2), m.f32(3, 3, 1, 4), channelsLast, []int{2, 1}, [][2]int{{1, 1}, {0, 2}}, []int{1, 2}, []int{1, 2}, 2, 1)
	}),
	one("ReduceWindow", func(m maker) (compute.Value, error) {
		return m.ReduceWindow(m.f32(4, 6), compute.ReduceOpMax, []int{2, 3}, nil, nil, nil, nil)
	}),
	one("ReduceWindow", func(m maker) (compute.Value, error) {
		return m.ReduceWindow(m.f32(4, 6), compute.ReduceOpSum, []int{2, 3}, []int{1, 2}, []int{2, 1}, []int{1, 2}, [][2]int{{1, 0}, {0, 1}})
	}),
	one("BatchNormForInference", func(m maker) (compute.Value, error) {
		return m.BatchNormForInference(m.f32(2, 3, 4), m.f32(4), m.f32(4), m.f32(4), m.f32(4), 1e-3, 2)
	}),
	three("BatchNormForTraining", func(m maker) (a, b, c compute.Value, err error) {
		return m.BatchNormForTraining(m.f32(2, 3, 4), m.f32(4), m.f32(4), 1e-3, 2)
	}),
	three("BatchNormGradient", func(m maker) (a, b, c compute.Value, err error) {
		return m.BatchNormGradient(m.f32(2, 3, 4), m.f32(4), m.f32(4), m.f32(4), m.f32(2, 3, 4), 1e-3, 2)
	}),
	one("FFT", func(m maker) (compute.Value, error) { return m.FFT(m.complex(2, 8), compute.FFTInverse, []int{8}) }),
	one("FFT", func(m maker) (compute.Value, error) { return m.FFT(m.f32(2, 8), compute.FFTForwardReal, []int{8}) }),
	two("RNGBitGenerator", func(m maker) (a, b compute.Value, err error) {
		return m.RNGBitGenerator(m.constant([]uint64{1, 2, 3}, 3), shapes.Make(dtypes.Uint32, 4))
	}),
	list("AllReduce", func(m maker) ([]compute.Value, error) {
		return m.AllReduce([]compute.Value{m.f32(2), m.f32(3)}, compute.ReduceOpSum, [][]int{{0}, {1, 2}})
	}),
}

var channelsLast = compute.ConvolveAxesConfig{
	InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
	KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
	OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
}

// fusedCases covers the fused ops, each with and without what is optional.
var fusedCases = []opCase{
	one("FusedSoftmax", func(m maker) (compute.Value, error) { return m.FusedSoftmax(m.f32(2, 3), 0) }),
	one("FusedGelu", func(m maker) (compute.Value, error) { return m.FusedGelu(m.f32(2, 3), true) }),
	one("FusedLayerNorm", func(m maker) (compute.Value, error) {
		return m.FusedLayerNorm(m.f32(2, 3), []int{1}, 1e-5, m.f32(3), nil)
	}),
	one("FusedDense", func(m maker) (compute.Value, error) {
		return m.FusedDense(m.f32(2, 3), m.f32(3, 4), nil, compute.DenseConfig{Activation: compute.ActivationHardSwish})
	}),
	one("FusedDense", func(m maker) (compute.Value, error) {
		return m.FusedDense(m.f32(2, 3), m.f32(4, 3), m.f32(4), compute.DenseConfig{WeightLayout: compute.DenseLayoutOutputsInput})
	}),
	one("FusedScaledDotProductAttention", func(m maker) (compute.Value, error) {
		out, _, err := m.FusedScaledDotProductAttention(m.f32(1, 2, 3, 4), m.f32(1, 2, 3, 4), m.f32(1, 2, 3, 4), compute.AttentionAxesLayoutBHSD, nil)
		return out, err
	}),
	one("FusedScaledDotProductAttention", func(m maker) (compute.Value, error) {
		options := &compute.ScaledDotProductAttentionConfig{Mask: m.bool(3, 3), Scale: 0.3}
		out, _, err := m.FusedScaledDotProductAttention(m.f32(1, 3, 2, 4), m.f32(1, 3, 2, 4), m.f32(1, 3, 2, 4), compute.AttentionAxesLayoutBSHD, options)
		return out, err
	}),
	one("FusedScaledDotProductAttention", func(m maker) (compute.Value, error) {
		options := &compute.ScaledDotProductAttentionConfig{QuerySeqLen: m.i32(1), KeyValueSeqLen: m.i32(1), Bias: m.f32(1, 2, 3, 3), Causal: true}
		out, _, err := m.FusedScaledDotProductAttention(m.f32(1, 2, 3, 4), m.f32(1, 2, 3, 4), m.f32(1, 2, 3, 4), compute.AttentionAxesLayoutBHSD, options)
		return out, err
	}),
	three("FusedAttentionQKVProjection", func(m maker) (a, b, c compute.Value, err error) {
		return m.FusedAttentionQKVProjection(m.f32(2, 3), m.f32(3, 8), m.f32(4), nil, m.f32(2), 4, 2)
	}),
	one("FusedQuantizedDense", func(m maker) (compute.Value, error) {
		weights := m.v(m.ConvertDType(m.i32(4, 6), dtypes.Int8))
		q := &compute.Quantization{Scheme: compute.QuantLinear, Scale: m.f32(4, 2), BlockAxis: 1, BlockSize: 3}
		return m.FusedQuantizedDense(m.f32(2, 4), weights, m.f32(6), q, compute.ActivationRelu)
	}),
	one("FusedQuantizedDense", func(m maker) (compute.Value, error) {
		weights := m.v(m.ConvertDType(m.i32(4, 6), dtypes.Int8))
		q := &compute.Quantization{Scheme: compute.QuantLinear, Scale: m.f32(4, 2), ZeroPoint: m.f32(4, 2), BlockAxis: 1, BlockSize: 3}
		return m.FusedQuantizedDense(m.f32(2, 4), weights, nil, q, compute.ActivationNone)
	}),
	one("QuantizedEmbeddingLookup", func(m maker) (compute.Value, error) {
		rows := make([]uint8, 3*18)
		for i := range rows {
			rows[i] = uint8(i * 11 % 60)
		}
		q := &compute.Quantization{Scheme: compute.QuantGGML, GGMLType: compute.GGMLQ4_0}
		return m.QuantizedEmbeddingLookup(m.constant(rows, 3, 18), m.constant([]int32{2, 0}, 2, 1), q)
	}),
}

var scalarF32 = shapes.Make(dtypes.Float32)

// controlCases covers the ops that take functions, with captured values and in each other.
var controlCases = []opCase{
	list("Call", func(m maker) ([]compute.Value, error) {
		f, err := m.Builder().NewFunction("double")
		if err != nil {
			return nil, err
		}
		fillFunction(f, []shapes.Shape{shapes.Make(dtypes.Float32, 3)}, func(m maker, p []compute.Value) []compute.Value {
			return []compute.Value{m.v(m.Add(p[0], p[0]))}
		})
		return m.Call(f, m.f32(3))
	}),
	list("If", func(m maker) ([]compute.Value, error) {
		x, pred := m.f32(2, 3), m.v(m.LessThan(m.scalar(1), m.scalar(2)))
		onTrue := m.closure(nil, func(m maker, _ []compute.Value) []compute.Value { return []compute.Value{m.v(m.Neg(x))} })
		onFalse := m.closure(nil, func(m maker, _ []compute.Value) []compute.Value { return []compute.Value{m.v(m.Exp(x))} })
		return m.If(pred, onTrue, onFalse)
	}),
	list("While", whileWithIf),
	list("Sort", func(m maker) ([]compute.Value, error) {
		f32, i32 := shapes.Make(dtypes.Float32), shapes.Make(dtypes.Int32)
		limit := m.constant([]float32{1.5})
		comparator := m.closure([]shapes.Shape{f32, f32, i32, i32}, func(m maker, p []compute.Value) []compute.Value {
			return []compute.Value{m.v(m.GreaterThan(m.v(m.Min(p[0], limit)), m.v(m.Min(p[1], limit))))}
		})
		return m.Sort(comparator, -1, true, m.f32(2, 7), m.i32(2, 7))
	}),
}

// whileWithIf is a While whose body captures a value of main, and holds an If whose branches capture from both levels; one branch
// returns an outer value as it is.
func whileWithIf(m maker) ([]compute.Value, error) {
	x, three := m.constant([]float32{2}), m.constant([]float32{3})
	cond := m.closure([]shapes.Shape{scalarF32}, func(m maker, p []compute.Value) []compute.Value {
		return []compute.Value{m.v(m.LessThan(p[0], m.v(m.Mul(x, three))))}
	})
	body := m.closure([]shapes.Shape{scalarF32}, func(m maker, p []compute.Value) []compute.Value {
		onTrue := m.closure(nil, func(m maker, _ []compute.Value) []compute.Value { return []compute.Value{m.v(m.Add(p[0], three))} })
		onFalse := m.closure(nil, func(maker, []compute.Value) []compute.Value { return []compute.Value{p[0]} })
		r := m.vs(m.If(m.v(m.GreaterThan(p[0], x)), onTrue, onFalse))
		return []compute.Value{m.v(m.Add(r[0], x))}
	})
	return m.While(cond, body, x)
}
