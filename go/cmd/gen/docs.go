package main

import "path"

// optional operands may be absent.
var optional = []string{"FusedDense.bias", "FusedQuantizedDense.bias", "FusedLayerNorm.gamma", "FusedLayerNorm.beta",
	"FusedAttentionQKVProjection.bias[QKV]"}

func isOptional(op, param string) bool {
	for _, pattern := range optional {
		if ok, _ := path.Match(pattern, op+"."+param); ok {
			return true
		}
	}
	return false
}

var namedResults = map[string]string{
	"BatchNormForTraining":           "normalized, batch_mean, batch_variance",
	"BatchNormGradient":              "grad_operand, grad_scale, grad_offset",
	"FusedAttentionQKVProjection":    "query, key, value",
	"FusedScaledDotProductAttention": "output",
	"RNGBitGenerator":                "new_state, values",
}

// lookup finds the text whose pattern matches name.
func lookup(table [][2]string, name string) (string, bool) {
	for _, row := range table {
		if ok, _ := path.Match(row[0], name); ok {
			return row[1], true
		}
	}
	return "", false
}

// structDocs says what the messages are that mirror structs.
var structDocs = map[string]string{
	"ConvolveAxesConfig": "Which axis of input, kernel and output means what. The spatial axes correspond by position.",
	"DenseConfig":        "How FusedDense computes.",
	"DotGeneralConfig":   "The dtypes of DotGeneral, resolved.",
	"DynamicDimensionSpec": "One dim of a DynamicReshape: static (name empty), given at run time (name and its operand), or inferred " +
		"(name only, at most one).",
	"PadAxis":      "The padding of one axis.",
	"Quantization": "How a quantized tensor is read. Its scale and zero point are operands.",
	"ScaledDotProductAttentionConfig": "How attention computes. Sequence lengths (int32 [batch]), bias (added to the scores) and " +
		"mask (bool: true attends; float: added to the scores) are operands.",
}

// opDocs says what an op computes, beyond its name; first match counts.
var opDocs = [][2]string{
	{"AllReduce", "Reduces each operand over the replicas of a group. With one replica it is the identity."},
	{"ArgMinMax", "Index of the least or greatest element along an axis, which disappears. The first of equals; a NaN is chosen over all numbers."},
	{"BatchNormForInference", "(operand - mean) * scale / sqrt(variance + epsilon) + offset; all but operand have one axis, the feature axis."},
	{"BatchNormForTraining", "Normalizes by the mean and the biased variance over all axes but the feature axis, and returns both."},
	{"BatchNormGradient", "Gradients of BatchNormForTraining for operand, scale and offset."},
	{"Bitcast", "Reads the same bits as another dtype. A narrower one appends an axis of old bits / new bits; a wider one consumes the last axis, " +
		"whose dim must be new bits / old bits. Little-endian: element 0 is the low part."},
	{"BroadcastInDim", "Axis i of the operand becomes axis broadcast_axes[i] of the result; a dim of 1 is repeated, the other axes are new."},
	{"Concatenate", "The operands laid end to end along one axis; all other dims are equal."},
	{"ConvGeneral", "Cross-correlation (the kernel is not flipped). Kernel: [output channels, input channels / channel_group_count, spatial] in the order of axes."},
	{"ConvertDType", "Converts each element. Float to integer truncates toward zero; to Bool is != 0; integers wrap; floats round to nearest even."},
	{"DotGeneral", "Sum of products over the contracting axes. Result axes: batch axes in their order, the other axes of lhs, then those of rhs."},
	{"DynamicDimensionSize", "The size of an axis at run time, an Int32 scalar."},
	{"DynamicReshape", "Reshape to dims of which some are known at run time only."},
	{"DynamicSlice", "A window that starts at the given scalars, one per axis (or one vector of them), each clamped to [0, dim - slice_dims[axis]]."},
	{"FFT", "Discrete Fourier transform over the last axes, as XLA: forward unscaled, inverse divided by the length."},
	{"FusedAttentionQKVProjection", "x @ w_qkv, cut into query_dim, key_value_dim and key_value_dim columns, plus the biases that are present."},
	{"FusedDense", "activation(x @ weight + bias); x is [batch..., in], the result [batch..., out...]."},
	{"FusedGelu", "Gaussian error linear unit."},
	{"FusedLayerNorm", "(x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and biased variance over axes; gamma and beta have the dims of axes."},
	{"FusedQuantizedDense", "activation(x @ dequantized(weights) + bias). Linear: weight * scale + zero_point; weights are [in, out], GGML [out, bytes]."},
	{"FusedScaledDotProductAttention", "softmax(query @ key^T * scale + bias + mask) @ value per head. Each key and value head serves " +
		"query heads / key heads consecutive query heads. A row that may attend to nothing gives 0. Mask and bias broadcast to the scores " +
		"[batch, heads, query, key] (rank 2: [query, key]; rank 4 in layout BSHD: [batch, query, heads, key])."},
	{"FusedSoftmax", "exp(x - max) / sum of it, along one axis."},
	{"Gather", "Windows of operand, one per index vector. Start indices are clamped so that each window is inside: [0, dim - slice_size]."},
	{"Iota", "0, 1, 2 ... along one axis, the same along the others."},
	{"Pad", "Puts fill_value (a scalar) before, after and between the elements of each axis. Negative start or end removes."},
	{"QuantizedEmbeddingLookup", "The rows of data that indices [..., 1] name, dequantized to Float32."},
	{"RNGBitGenerator", "Random bits. XLA's generator is Philox, the Go backend's is not: no two backends give the same bits."},
	{"ReduceSum", "Sums over axes, which disappear; 0 over no element."},
	{"ReduceProduct", "Multiplies over axes, which disappear; 1 over no element."},
	{"ReduceMax", "Greatest over axes, which disappear; -inf or the dtype's lowest over no element. NaN wins."},
	{"ReduceMin", "Least over axes, which disappear; +inf or the dtype's highest over no element. NaN wins."},
	{"Reduce*And", "And over axes, which disappear; all bits set, or true, over no element."},
	{"Reduce*Xor", "Exclusive or over axes, which disappear; 0, or false, over no element."},
	{"Reduce*Or", "Or over axes, which disappear; 0, or false, over no element."},
	{"ReduceWindow", "Reduces a sliding window. Padding and holes never count: they are the neutral element."},
	{"Reshape", "The same elements in row-major order under other dims."},
	{"Reverse", "Turns the order along each of the axes."},
	{"Scatter*", "Operand with updates combined in (sum, max or min), one window per index vector. Duplicates combine. A window that is not wholly " +
		"inside operand is dropped (as XLA does; GoMLX's Go backend panics)."},
	{"SelectAndScatter*", "Runs windows over operand, and adds each source element at the place of its window's first greatest (Max) or least (Min) element; " +
		"zero elsewhere. A NaN is chosen over all numbers."},
	{"Slice", "A strided window with fixed bounds."},
	{"Sort", "Sorts the inputs together along an axis. The comparator takes (lhs_0, rhs_0, lhs_1, rhs_1 ...) scalars, one pair per input, and returns " +
		"whether lhs comes before rhs."},
	{"Transpose", "Result axis i is operand axis permutation[i]."},
}

// fieldDocs says what an attribute means; first match counts.
var fieldDocs = [][2]string{
	{"*.epsilon", "Added to the variance before the square root. A float32 in BatchNorm*, exactly."},
	{"BatchNorm*.featureAxis", "The axis that scale, offset, mean and variance run along; 0 <= feature_axis < rank."},
	{"AllReduce.reductionType", `"Sum", "Product", "Max" or "Min".`},
	{"AllReduce.replicaGroups", "Groups of devices, by their index in the device assignment."},
	{"ArgMinMax.axis", "The axis that is searched; 0 <= axis < rank."},
	{"ArgMinMax.outputDType", "Dtype of the index, an integer."},
	{"ArgMinMax.isMin", "Least if true, else greatest."},
	{"Bitcast.targetDType", "Dtype of the result."},
	{"BroadcastInDim.outputShape", "Shape of the result; its dtype is the operand's."},
	{"BroadcastInDim.broadcastAxes", "Result axis of each operand axis; one per axis, unique, not always increasing. Empty for a scalar."},
	{"Concatenate.axis", "0 <= axis < rank."},
	{"ConvGeneral.axes", "Meaning of the axes."},
	{"ConvGeneral.strides", "Step of the window per spatial axis, >= 1. Default 1, written out."},
	{"ConvGeneral.paddings", "Zeros put before and after each spatial axis, after input dilation; negative removes. Default 0, written out."},
	{"ConvGeneral.inputDilations", "Per spatial axis, >= 1: d - 1 zeros between input elements. Default 1, written out."},
	{"ConvGeneral.kernelDilations", "Per spatial axis, >= 1: d - 1 zeros between kernel elements. Default 1, written out."},
	{"ConvGeneral.channelGroupCount", "Groups of input channels that do not see each other, >= 1 (GoMLX's 0 is written as 1)."},
	{"ConvGeneral.batchGroupCount", "Groups of the batch axis, >= 1 (GoMLX's 0 is written as 1); result batch = batch / groups, group g gives the g-th share of channels."},
	{"ConvertDType.dtype", "Dtype of the result."},
	{"DotGeneral.??sContractingAxes", "Axes that are summed over, paired by position with those of the other side. May be empty."},
	{"DotGeneral.??sBatchAxes", "Axes that lhs and rhs share, paired by position. They come first in the result. May be empty."},
	{"DotGeneral.config", "Dtypes of sum and result."},
	{"DynamicDimensionSize.axis", "0 <= axis < rank."},
	{"DynamicReshape.dimensions", "One per result axis."},
	{"DynamicSlice.sliceDims", "Dims of the result, each <= the operand's."},
	{"FFT.fftType", `"Forward", "Inverse" (complex to complex), "ForwardReal" (real to complex, last dim n/2 + 1), "InverseReal" (back).`},
	{"FFT.fftLength", "Lengths of the transformed axes, which are the last 1 to 3; for InverseReal the last one is the result's."},
	{"FusedAttentionQKVProjection.queryDim", "Columns of the query."},
	{"FusedAttentionQKVProjection.keyValueDim", "Columns of the key, and of the value."},
	{"FusedDense.options", "Activation and layout of weight."},
	{"FusedGelu.exact", "x * (1 + erf(x / sqrt 2)) / 2 if true, else x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) / 2."},
	{"FusedLayerNorm.axes", "Axes that are normalized together, 0 <= axis < rank, not empty."},
	{"Fused*.weightsQuantization", "How weights are read."},
	{"FusedQuantizedDense.activation", `"none", "gelu", "relu", "silu", "hard_swish" or "tanh".`},
	{"FusedScaledDotProductAttention.axesLayout", `Axes of query, key, value and output: "BHSD" (batch, heads, sequence, dim) or "BSHD".`},
	{"FusedScaledDotProductAttention.options", "Scale and masks; always present."},
	{"FusedSoftmax.axis", "0 <= axis < rank."},
	{"Gather.indexVectorAxis", "The axis of start_indices that holds the index vectors; the rank of start_indices if each is one number."},
	{"Gather.offsetOutputAxes", "Result axes of the window's axes that are not collapsed, increasing."},
	{"Gather.collapsedSliceAxes", "Operand axes with slice size 1 that the result lacks, increasing. May be empty."},
	{"Gather.startIndexMap", "Operand axis of each component of an index vector. Other axes start at 0."},
	{"Gather.sliceSizes", "Window size per operand axis, each <= the dim; -1 is the whole of a dynamic axis."},
	{"*.indicesAreSorted", "A promise that the index vectors are sorted. Only a hint."},
	{"Iota.shape", "Shape of the result."},
	{"Iota.iotaAxis", "The axis that counts; 0 <= iota_axis < rank."},
	{"Pad.axesConfig", "One per axis (GoMLX's missing ones are written as 0)."},
	{"QuantizedEmbeddingLookup.dataQuantization", "How data is read; scheme GGML."},
	{"RNGBitGenerator.shape", "Shape of values; an integer dtype."},
	{"ReduceWindow.reductionType", `"Sum", "Product", "Max" or "Min".`},
	{"ReduceWindow.windowDimensions", "Window size per axis, >= 1. Default 1, written out."},
	{"ReduceWindow.strides", "Step of the window per axis, >= 1. Default the window size, written out."},
	{"ReduceWindow.inputDilations", "Per axis, >= 1: d - 1 holes between input elements. Default 1, written out."},
	{"ReduceWindow.windowDilations", "Per axis, >= 1: d - 1 holes between window elements. Default 1, written out."},
	{"ReduceWindow.paddings", "Neutral elements put before and after each axis, >= 0. Default 0, written out."},
	{"Reduce*.axes", "Axes that disappear. GoMLX's \"none given\" means all, and is written so; hence empty only for a scalar."},
	{"Reshape.dimensions", "Dims of the result; -1 is a dynamic one (dynamic dims keep their order). Empty for a scalar."},
	{"Reverse.axes", "0 <= axis < rank, unique."},
	{"Scatter*.indexVectorAxis", "The axis of scatter_indices that holds the index vectors; its rank if each is one number."},
	{"Scatter*.updateWindowAxes", "Axes of updates that are the window, increasing."},
	{"Scatter*.insertedWindowAxes", "Operand axes that the window lacks (size 1), increasing."},
	{"Scatter*.scatterAxesToOperandAxes", "Operand axis of each component of an index vector."},
	{"Scatter*.uniqueIndices", "A promise that no two windows overlap. Only a hint."},
	{"SelectAndScatter*.windowDimensions", "Window size per axis, >= 1."},
	{"SelectAndScatter*.windowStrides", "Step of the window per axis, >= 1. Default the window size, written out."},
	{"SelectAndScatter*.paddings", "Padding before and after each axis, never chosen. Default 0, written out."},
	{"Slice.starts", "First index per axis; 0 <= start <= dim."},
	{"Slice.limits", "End per axis, exclusive; start <= limit <= dim. -1 only for the end of a dynamic axis."},
	{"Slice.strides", "Step per axis, >= 1. Default 1, written out."},
	{"Sort.axis", "0 <= axis < rank."},
	{"Sort.isStable", "Equal elements keep their order if true."},
	{"Transpose.permutation", "Operand axis of each result axis."},

	{"ConvolveAxesConfig.InputBatch", "Batch axis of the input."},
	{"ConvolveAxesConfig.InputChannels", "Channel axis of the input."},
	{"ConvolveAxesConfig.InputSpatial", "Spatial axes of the input."},
	{"ConvolveAxesConfig.KernelInputChannels", "Input channel axis of the kernel."},
	{"ConvolveAxesConfig.KernelOutputChannels", "Output channel axis of the kernel."},
	{"ConvolveAxesConfig.KernelSpatial", "Spatial axes of the kernel."},
	{"ConvolveAxesConfig.OutputBatch", "Batch axis of the result."},
	{"ConvolveAxesConfig.OutputChannels", "Channel axis of the result."},
	{"ConvolveAxesConfig.OutputSpatial", "Spatial axes of the result."},
	{"DenseConfig.Activation", `"none", "gelu" (exact), "relu", "silu", "hard_swish" or "tanh".`},
	{"DenseConfig.WeightLayout", `"InputOutputs": weight is [in, out...]; "OutputsInput": [out..., in].`},
	{"DotGeneralConfig.AccumulatorDType", "Dtype of products and sums. GoMLX's default, the operands' dtype, is written out."},
	{"DotGeneralConfig.OutputDType", "Dtype of the result. GoMLX's default, the accumulator's dtype, is written out."},
	{"DynamicDimensionSpec.Static", "The dim, if name is empty."},
	{"DynamicDimensionSpec.Name", "The axis's symbol, or empty."},
	{"PadAxis.Start", "Before the first element; negative removes elements."},
	{"PadAxis.End", "After the last element; negative removes elements."},
	{"PadAxis.Interior", "Between two elements, >= 0; applied first."},
	{"Quantization.Scheme", `"Linear": q * scale + zero_point; "NF4": table[q] * scale; "GGML": as ggml_type says.`},
	{"Quantization.BlockAxis", "The axis that is cut into blocks: 1, the output features of [in, out]. Not for GGML."},
	{"Quantization.BlockSize", "Elements of block_axis that share a scale; the last block may be short. Scale and zero point are [in, blocks]. Not for GGML."},
	{"Quantization.GGMLType", `"Q4_0", "Q8_0", "IQ4_NL", "Q2_K", "Q3_K", "Q4_K", "Q5_K" or "Q6_K"; only for GGML.`},
	{"ScaledDotProductAttentionConfig.QuantizedMatmuls", "A hint that 8-bit products will do. May be ignored."},
	{"ScaledDotProductAttentionConfig.Scale", "Factor of query @ key^T. GoMLX's default 0 is written as 1 / sqrt(head dim)."},
	{"ScaledDotProductAttentionConfig.Causal", "Query i attends to keys 0 to i only, also where there are more keys than queries."},
}
