from coremlc.frontend import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Pair(_message.Message):
    __slots__ = ("low", "high")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    low: int
    high: int
    def __init__(self, low: _Optional[int] = ..., high: _Optional[int] = ...) -> None: ...

class Ints(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, values: _Optional[_Iterable[int]] = ...) -> None: ...

class ConvolveAxesConfig(_message.Message):
    __slots__ = ("input_batch", "input_channels", "input_spatial", "kernel_input_channels", "kernel_output_channels", "kernel_spatial", "output_batch", "output_channels", "output_spatial")
    INPUT_BATCH_FIELD_NUMBER: _ClassVar[int]
    INPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    INPUT_SPATIAL_FIELD_NUMBER: _ClassVar[int]
    KERNEL_INPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    KERNEL_OUTPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    KERNEL_SPATIAL_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_BATCH_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SPATIAL_FIELD_NUMBER: _ClassVar[int]
    input_batch: int
    input_channels: int
    input_spatial: _containers.RepeatedScalarFieldContainer[int]
    kernel_input_channels: int
    kernel_output_channels: int
    kernel_spatial: _containers.RepeatedScalarFieldContainer[int]
    output_batch: int
    output_channels: int
    output_spatial: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, input_batch: _Optional[int] = ..., input_channels: _Optional[int] = ..., input_spatial: _Optional[_Iterable[int]] = ..., kernel_input_channels: _Optional[int] = ..., kernel_output_channels: _Optional[int] = ..., kernel_spatial: _Optional[_Iterable[int]] = ..., output_batch: _Optional[int] = ..., output_channels: _Optional[int] = ..., output_spatial: _Optional[_Iterable[int]] = ...) -> None: ...

class DenseConfig(_message.Message):
    __slots__ = ("activation", "weight_layout")
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_LAYOUT_FIELD_NUMBER: _ClassVar[int]
    activation: str
    weight_layout: str
    def __init__(self, activation: _Optional[str] = ..., weight_layout: _Optional[str] = ...) -> None: ...

class DotGeneralConfig(_message.Message):
    __slots__ = ("accumulator_dtype", "output_dtype")
    ACCUMULATOR_DTYPE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_DTYPE_FIELD_NUMBER: _ClassVar[int]
    accumulator_dtype: str
    output_dtype: str
    def __init__(self, accumulator_dtype: _Optional[str] = ..., output_dtype: _Optional[str] = ...) -> None: ...

class DynamicDimensionSpec(_message.Message):
    __slots__ = ("static", "name")
    STATIC_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    static: int
    name: str
    def __init__(self, static: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class PadAxis(_message.Message):
    __slots__ = ("start", "end", "interior")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    INTERIOR_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    interior: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., interior: _Optional[int] = ...) -> None: ...

class Quantization(_message.Message):
    __slots__ = ("scheme", "block_axis", "block_size", "ggml_type")
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    BLOCK_AXIS_FIELD_NUMBER: _ClassVar[int]
    BLOCK_SIZE_FIELD_NUMBER: _ClassVar[int]
    GGML_TYPE_FIELD_NUMBER: _ClassVar[int]
    scheme: str
    block_axis: int
    block_size: int
    ggml_type: str
    def __init__(self, scheme: _Optional[str] = ..., block_axis: _Optional[int] = ..., block_size: _Optional[int] = ..., ggml_type: _Optional[str] = ...) -> None: ...

class ScaledDotProductAttentionConfig(_message.Message):
    __slots__ = ("quantized_matmuls", "scale", "causal")
    QUANTIZED_MATMULS_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    CAUSAL_FIELD_NUMBER: _ClassVar[int]
    quantized_matmuls: bool
    scale: float
    causal: bool
    def __init__(self, quantized_matmuls: bool = ..., scale: _Optional[float] = ..., causal: bool = ...) -> None: ...

class AllReduceAttributes(_message.Message):
    __slots__ = ("reduction_type", "replica_groups")
    REDUCTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    REPLICA_GROUPS_FIELD_NUMBER: _ClassVar[int]
    reduction_type: str
    replica_groups: _containers.RepeatedCompositeFieldContainer[Ints]
    def __init__(self, reduction_type: _Optional[str] = ..., replica_groups: _Optional[_Iterable[_Union[Ints, _Mapping]]] = ...) -> None: ...

class ArgMinMaxAttributes(_message.Message):
    __slots__ = ("axis", "output_dtype", "is_min")
    AXIS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_DTYPE_FIELD_NUMBER: _ClassVar[int]
    IS_MIN_FIELD_NUMBER: _ClassVar[int]
    axis: int
    output_dtype: str
    is_min: bool
    def __init__(self, axis: _Optional[int] = ..., output_dtype: _Optional[str] = ..., is_min: bool = ...) -> None: ...

class BatchNormForInferenceAttributes(_message.Message):
    __slots__ = ("epsilon", "feature_axis")
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    FEATURE_AXIS_FIELD_NUMBER: _ClassVar[int]
    epsilon: float
    feature_axis: int
    def __init__(self, epsilon: _Optional[float] = ..., feature_axis: _Optional[int] = ...) -> None: ...

class BatchNormForTrainingAttributes(_message.Message):
    __slots__ = ("epsilon", "feature_axis")
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    FEATURE_AXIS_FIELD_NUMBER: _ClassVar[int]
    epsilon: float
    feature_axis: int
    def __init__(self, epsilon: _Optional[float] = ..., feature_axis: _Optional[int] = ...) -> None: ...

class BatchNormGradientAttributes(_message.Message):
    __slots__ = ("epsilon", "feature_axis")
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    FEATURE_AXIS_FIELD_NUMBER: _ClassVar[int]
    epsilon: float
    feature_axis: int
    def __init__(self, epsilon: _Optional[float] = ..., feature_axis: _Optional[int] = ...) -> None: ...

class BitcastAttributes(_message.Message):
    __slots__ = ("target_dtype",)
    TARGET_DTYPE_FIELD_NUMBER: _ClassVar[int]
    target_dtype: str
    def __init__(self, target_dtype: _Optional[str] = ...) -> None: ...

class BroadcastInDimAttributes(_message.Message):
    __slots__ = ("output_shape", "broadcast_axes")
    OUTPUT_SHAPE_FIELD_NUMBER: _ClassVar[int]
    BROADCAST_AXES_FIELD_NUMBER: _ClassVar[int]
    output_shape: _types_pb2.Shape
    broadcast_axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, output_shape: _Optional[_Union[_types_pb2.Shape, _Mapping]] = ..., broadcast_axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ConcatenateAttributes(_message.Message):
    __slots__ = ("axis",)
    AXIS_FIELD_NUMBER: _ClassVar[int]
    axis: int
    def __init__(self, axis: _Optional[int] = ...) -> None: ...

class ConvGeneralAttributes(_message.Message):
    __slots__ = ("axes", "strides", "paddings", "input_dilations", "kernel_dilations", "channel_group_count", "batch_group_count")
    AXES_FIELD_NUMBER: _ClassVar[int]
    STRIDES_FIELD_NUMBER: _ClassVar[int]
    PADDINGS_FIELD_NUMBER: _ClassVar[int]
    INPUT_DILATIONS_FIELD_NUMBER: _ClassVar[int]
    KERNEL_DILATIONS_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_GROUP_COUNT_FIELD_NUMBER: _ClassVar[int]
    BATCH_GROUP_COUNT_FIELD_NUMBER: _ClassVar[int]
    axes: ConvolveAxesConfig
    strides: _containers.RepeatedScalarFieldContainer[int]
    paddings: _containers.RepeatedCompositeFieldContainer[Pair]
    input_dilations: _containers.RepeatedScalarFieldContainer[int]
    kernel_dilations: _containers.RepeatedScalarFieldContainer[int]
    channel_group_count: int
    batch_group_count: int
    def __init__(self, axes: _Optional[_Union[ConvolveAxesConfig, _Mapping]] = ..., strides: _Optional[_Iterable[int]] = ..., paddings: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ..., input_dilations: _Optional[_Iterable[int]] = ..., kernel_dilations: _Optional[_Iterable[int]] = ..., channel_group_count: _Optional[int] = ..., batch_group_count: _Optional[int] = ...) -> None: ...

class ConvertDTypeAttributes(_message.Message):
    __slots__ = ("dtype",)
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    dtype: str
    def __init__(self, dtype: _Optional[str] = ...) -> None: ...

class DotGeneralAttributes(_message.Message):
    __slots__ = ("lhs_contracting_axes", "lhs_batch_axes", "rhs_contracting_axes", "rhs_batch_axes", "config")
    LHS_CONTRACTING_AXES_FIELD_NUMBER: _ClassVar[int]
    LHS_BATCH_AXES_FIELD_NUMBER: _ClassVar[int]
    RHS_CONTRACTING_AXES_FIELD_NUMBER: _ClassVar[int]
    RHS_BATCH_AXES_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    lhs_contracting_axes: _containers.RepeatedScalarFieldContainer[int]
    lhs_batch_axes: _containers.RepeatedScalarFieldContainer[int]
    rhs_contracting_axes: _containers.RepeatedScalarFieldContainer[int]
    rhs_batch_axes: _containers.RepeatedScalarFieldContainer[int]
    config: DotGeneralConfig
    def __init__(self, lhs_contracting_axes: _Optional[_Iterable[int]] = ..., lhs_batch_axes: _Optional[_Iterable[int]] = ..., rhs_contracting_axes: _Optional[_Iterable[int]] = ..., rhs_batch_axes: _Optional[_Iterable[int]] = ..., config: _Optional[_Union[DotGeneralConfig, _Mapping]] = ...) -> None: ...

class DynamicDimensionSizeAttributes(_message.Message):
    __slots__ = ("axis",)
    AXIS_FIELD_NUMBER: _ClassVar[int]
    axis: int
    def __init__(self, axis: _Optional[int] = ...) -> None: ...

class DynamicReshapeAttributes(_message.Message):
    __slots__ = ("dimensions",)
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    dimensions: _containers.RepeatedCompositeFieldContainer[DynamicDimensionSpec]
    def __init__(self, dimensions: _Optional[_Iterable[_Union[DynamicDimensionSpec, _Mapping]]] = ...) -> None: ...

class DynamicSliceAttributes(_message.Message):
    __slots__ = ("slice_dims",)
    SLICE_DIMS_FIELD_NUMBER: _ClassVar[int]
    slice_dims: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, slice_dims: _Optional[_Iterable[int]] = ...) -> None: ...

class FFTAttributes(_message.Message):
    __slots__ = ("fft_type", "fft_length")
    FFT_TYPE_FIELD_NUMBER: _ClassVar[int]
    FFT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    fft_type: str
    fft_length: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, fft_type: _Optional[str] = ..., fft_length: _Optional[_Iterable[int]] = ...) -> None: ...

class FusedAttentionQKVProjectionAttributes(_message.Message):
    __slots__ = ("query_dim", "key_value_dim")
    QUERY_DIM_FIELD_NUMBER: _ClassVar[int]
    KEY_VALUE_DIM_FIELD_NUMBER: _ClassVar[int]
    query_dim: int
    key_value_dim: int
    def __init__(self, query_dim: _Optional[int] = ..., key_value_dim: _Optional[int] = ...) -> None: ...

class FusedDenseAttributes(_message.Message):
    __slots__ = ("options",)
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    options: DenseConfig
    def __init__(self, options: _Optional[_Union[DenseConfig, _Mapping]] = ...) -> None: ...

class FusedGeluAttributes(_message.Message):
    __slots__ = ("exact",)
    EXACT_FIELD_NUMBER: _ClassVar[int]
    exact: bool
    def __init__(self, exact: bool = ...) -> None: ...

class FusedLayerNormAttributes(_message.Message):
    __slots__ = ("axes", "epsilon")
    AXES_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    epsilon: float
    def __init__(self, axes: _Optional[_Iterable[int]] = ..., epsilon: _Optional[float] = ...) -> None: ...

class FusedQuantizedDenseAttributes(_message.Message):
    __slots__ = ("weights_quantization", "activation")
    WEIGHTS_QUANTIZATION_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    weights_quantization: Quantization
    activation: str
    def __init__(self, weights_quantization: _Optional[_Union[Quantization, _Mapping]] = ..., activation: _Optional[str] = ...) -> None: ...

class FusedScaledDotProductAttentionAttributes(_message.Message):
    __slots__ = ("axes_layout", "options")
    AXES_LAYOUT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    axes_layout: str
    options: ScaledDotProductAttentionConfig
    def __init__(self, axes_layout: _Optional[str] = ..., options: _Optional[_Union[ScaledDotProductAttentionConfig, _Mapping]] = ...) -> None: ...

class FusedSoftmaxAttributes(_message.Message):
    __slots__ = ("axis",)
    AXIS_FIELD_NUMBER: _ClassVar[int]
    axis: int
    def __init__(self, axis: _Optional[int] = ...) -> None: ...

class GatherAttributes(_message.Message):
    __slots__ = ("index_vector_axis", "offset_output_axes", "collapsed_slice_axes", "start_index_map", "slice_sizes", "indices_are_sorted")
    INDEX_VECTOR_AXIS_FIELD_NUMBER: _ClassVar[int]
    OFFSET_OUTPUT_AXES_FIELD_NUMBER: _ClassVar[int]
    COLLAPSED_SLICE_AXES_FIELD_NUMBER: _ClassVar[int]
    START_INDEX_MAP_FIELD_NUMBER: _ClassVar[int]
    SLICE_SIZES_FIELD_NUMBER: _ClassVar[int]
    INDICES_ARE_SORTED_FIELD_NUMBER: _ClassVar[int]
    index_vector_axis: int
    offset_output_axes: _containers.RepeatedScalarFieldContainer[int]
    collapsed_slice_axes: _containers.RepeatedScalarFieldContainer[int]
    start_index_map: _containers.RepeatedScalarFieldContainer[int]
    slice_sizes: _containers.RepeatedScalarFieldContainer[int]
    indices_are_sorted: bool
    def __init__(self, index_vector_axis: _Optional[int] = ..., offset_output_axes: _Optional[_Iterable[int]] = ..., collapsed_slice_axes: _Optional[_Iterable[int]] = ..., start_index_map: _Optional[_Iterable[int]] = ..., slice_sizes: _Optional[_Iterable[int]] = ..., indices_are_sorted: bool = ...) -> None: ...

class IotaAttributes(_message.Message):
    __slots__ = ("shape", "iota_axis")
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    IOTA_AXIS_FIELD_NUMBER: _ClassVar[int]
    shape: _types_pb2.Shape
    iota_axis: int
    def __init__(self, shape: _Optional[_Union[_types_pb2.Shape, _Mapping]] = ..., iota_axis: _Optional[int] = ...) -> None: ...

class PadAttributes(_message.Message):
    __slots__ = ("axes_config",)
    AXES_CONFIG_FIELD_NUMBER: _ClassVar[int]
    axes_config: _containers.RepeatedCompositeFieldContainer[PadAxis]
    def __init__(self, axes_config: _Optional[_Iterable[_Union[PadAxis, _Mapping]]] = ...) -> None: ...

class QuantizedEmbeddingLookupAttributes(_message.Message):
    __slots__ = ("data_quantization",)
    DATA_QUANTIZATION_FIELD_NUMBER: _ClassVar[int]
    data_quantization: Quantization
    def __init__(self, data_quantization: _Optional[_Union[Quantization, _Mapping]] = ...) -> None: ...

class RNGBitGeneratorAttributes(_message.Message):
    __slots__ = ("shape",)
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    shape: _types_pb2.Shape
    def __init__(self, shape: _Optional[_Union[_types_pb2.Shape, _Mapping]] = ...) -> None: ...

class ReduceBitwiseAndAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReduceBitwiseOrAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReduceBitwiseXorAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReduceLogicalAndAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReduceLogicalOrAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReduceLogicalXorAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReduceMaxAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReduceMinAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReduceProductAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReduceSumAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ReduceWindowAttributes(_message.Message):
    __slots__ = ("reduction_type", "window_dimensions", "strides", "input_dilations", "window_dilations", "paddings")
    REDUCTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    STRIDES_FIELD_NUMBER: _ClassVar[int]
    INPUT_DILATIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_DILATIONS_FIELD_NUMBER: _ClassVar[int]
    PADDINGS_FIELD_NUMBER: _ClassVar[int]
    reduction_type: str
    window_dimensions: _containers.RepeatedScalarFieldContainer[int]
    strides: _containers.RepeatedScalarFieldContainer[int]
    input_dilations: _containers.RepeatedScalarFieldContainer[int]
    window_dilations: _containers.RepeatedScalarFieldContainer[int]
    paddings: _containers.RepeatedCompositeFieldContainer[Pair]
    def __init__(self, reduction_type: _Optional[str] = ..., window_dimensions: _Optional[_Iterable[int]] = ..., strides: _Optional[_Iterable[int]] = ..., input_dilations: _Optional[_Iterable[int]] = ..., window_dilations: _Optional[_Iterable[int]] = ..., paddings: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ...) -> None: ...

class ReshapeAttributes(_message.Message):
    __slots__ = ("dimensions",)
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    dimensions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, dimensions: _Optional[_Iterable[int]] = ...) -> None: ...

class ReverseAttributes(_message.Message):
    __slots__ = ("axes",)
    AXES_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, axes: _Optional[_Iterable[int]] = ...) -> None: ...

class ScatterMaxAttributes(_message.Message):
    __slots__ = ("index_vector_axis", "update_window_axes", "inserted_window_axes", "scatter_axes_to_operand_axes", "indices_are_sorted", "unique_indices")
    INDEX_VECTOR_AXIS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_WINDOW_AXES_FIELD_NUMBER: _ClassVar[int]
    INSERTED_WINDOW_AXES_FIELD_NUMBER: _ClassVar[int]
    SCATTER_AXES_TO_OPERAND_AXES_FIELD_NUMBER: _ClassVar[int]
    INDICES_ARE_SORTED_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_INDICES_FIELD_NUMBER: _ClassVar[int]
    index_vector_axis: int
    update_window_axes: _containers.RepeatedScalarFieldContainer[int]
    inserted_window_axes: _containers.RepeatedScalarFieldContainer[int]
    scatter_axes_to_operand_axes: _containers.RepeatedScalarFieldContainer[int]
    indices_are_sorted: bool
    unique_indices: bool
    def __init__(self, index_vector_axis: _Optional[int] = ..., update_window_axes: _Optional[_Iterable[int]] = ..., inserted_window_axes: _Optional[_Iterable[int]] = ..., scatter_axes_to_operand_axes: _Optional[_Iterable[int]] = ..., indices_are_sorted: bool = ..., unique_indices: bool = ...) -> None: ...

class ScatterMinAttributes(_message.Message):
    __slots__ = ("index_vector_axis", "update_window_axes", "inserted_window_axes", "scatter_axes_to_operand_axes", "indices_are_sorted", "unique_indices")
    INDEX_VECTOR_AXIS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_WINDOW_AXES_FIELD_NUMBER: _ClassVar[int]
    INSERTED_WINDOW_AXES_FIELD_NUMBER: _ClassVar[int]
    SCATTER_AXES_TO_OPERAND_AXES_FIELD_NUMBER: _ClassVar[int]
    INDICES_ARE_SORTED_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_INDICES_FIELD_NUMBER: _ClassVar[int]
    index_vector_axis: int
    update_window_axes: _containers.RepeatedScalarFieldContainer[int]
    inserted_window_axes: _containers.RepeatedScalarFieldContainer[int]
    scatter_axes_to_operand_axes: _containers.RepeatedScalarFieldContainer[int]
    indices_are_sorted: bool
    unique_indices: bool
    def __init__(self, index_vector_axis: _Optional[int] = ..., update_window_axes: _Optional[_Iterable[int]] = ..., inserted_window_axes: _Optional[_Iterable[int]] = ..., scatter_axes_to_operand_axes: _Optional[_Iterable[int]] = ..., indices_are_sorted: bool = ..., unique_indices: bool = ...) -> None: ...

class ScatterSumAttributes(_message.Message):
    __slots__ = ("index_vector_axis", "update_window_axes", "inserted_window_axes", "scatter_axes_to_operand_axes", "indices_are_sorted", "unique_indices")
    INDEX_VECTOR_AXIS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_WINDOW_AXES_FIELD_NUMBER: _ClassVar[int]
    INSERTED_WINDOW_AXES_FIELD_NUMBER: _ClassVar[int]
    SCATTER_AXES_TO_OPERAND_AXES_FIELD_NUMBER: _ClassVar[int]
    INDICES_ARE_SORTED_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_INDICES_FIELD_NUMBER: _ClassVar[int]
    index_vector_axis: int
    update_window_axes: _containers.RepeatedScalarFieldContainer[int]
    inserted_window_axes: _containers.RepeatedScalarFieldContainer[int]
    scatter_axes_to_operand_axes: _containers.RepeatedScalarFieldContainer[int]
    indices_are_sorted: bool
    unique_indices: bool
    def __init__(self, index_vector_axis: _Optional[int] = ..., update_window_axes: _Optional[_Iterable[int]] = ..., inserted_window_axes: _Optional[_Iterable[int]] = ..., scatter_axes_to_operand_axes: _Optional[_Iterable[int]] = ..., indices_are_sorted: bool = ..., unique_indices: bool = ...) -> None: ...

class SelectAndScatterMaxAttributes(_message.Message):
    __slots__ = ("window_dimensions", "window_strides", "paddings")
    WINDOW_DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_STRIDES_FIELD_NUMBER: _ClassVar[int]
    PADDINGS_FIELD_NUMBER: _ClassVar[int]
    window_dimensions: _containers.RepeatedScalarFieldContainer[int]
    window_strides: _containers.RepeatedScalarFieldContainer[int]
    paddings: _containers.RepeatedCompositeFieldContainer[Pair]
    def __init__(self, window_dimensions: _Optional[_Iterable[int]] = ..., window_strides: _Optional[_Iterable[int]] = ..., paddings: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ...) -> None: ...

class SelectAndScatterMinAttributes(_message.Message):
    __slots__ = ("window_dimensions", "window_strides", "paddings")
    WINDOW_DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_STRIDES_FIELD_NUMBER: _ClassVar[int]
    PADDINGS_FIELD_NUMBER: _ClassVar[int]
    window_dimensions: _containers.RepeatedScalarFieldContainer[int]
    window_strides: _containers.RepeatedScalarFieldContainer[int]
    paddings: _containers.RepeatedCompositeFieldContainer[Pair]
    def __init__(self, window_dimensions: _Optional[_Iterable[int]] = ..., window_strides: _Optional[_Iterable[int]] = ..., paddings: _Optional[_Iterable[_Union[Pair, _Mapping]]] = ...) -> None: ...

class SliceAttributes(_message.Message):
    __slots__ = ("starts", "limits", "strides")
    STARTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    STRIDES_FIELD_NUMBER: _ClassVar[int]
    starts: _containers.RepeatedScalarFieldContainer[int]
    limits: _containers.RepeatedScalarFieldContainer[int]
    strides: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, starts: _Optional[_Iterable[int]] = ..., limits: _Optional[_Iterable[int]] = ..., strides: _Optional[_Iterable[int]] = ...) -> None: ...

class SortAttributes(_message.Message):
    __slots__ = ("axis", "is_stable")
    AXIS_FIELD_NUMBER: _ClassVar[int]
    IS_STABLE_FIELD_NUMBER: _ClassVar[int]
    axis: int
    is_stable: bool
    def __init__(self, axis: _Optional[int] = ..., is_stable: bool = ...) -> None: ...

class TransposeAttributes(_message.Message):
    __slots__ = ("permutation",)
    PERMUTATION_FIELD_NUMBER: _ClassVar[int]
    permutation: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, permutation: _Optional[_Iterable[int]] = ...) -> None: ...

class Attributes(_message.Message):
    __slots__ = ("all_reduce", "arg_min_max", "batch_norm_for_inference", "batch_norm_for_training", "batch_norm_gradient", "bitcast", "broadcast_in_dim", "concatenate", "conv_general", "convert_dtype", "dot_general", "dynamic_dimension_size", "dynamic_reshape", "dynamic_slice", "fft", "fused_attention_qkv_projection", "fused_dense", "fused_gelu", "fused_layer_norm", "fused_quantized_dense", "fused_scaled_dot_product_attention", "fused_softmax", "gather", "iota", "pad", "quantized_embedding_lookup", "rng_bit_generator", "reduce_bitwise_and", "reduce_bitwise_or", "reduce_bitwise_xor", "reduce_logical_and", "reduce_logical_or", "reduce_logical_xor", "reduce_max", "reduce_min", "reduce_product", "reduce_sum", "reduce_window", "reshape", "reverse", "scatter_max", "scatter_min", "scatter_sum", "select_and_scatter_max", "select_and_scatter_min", "slice", "sort", "transpose")
    ALL_REDUCE_FIELD_NUMBER: _ClassVar[int]
    ARG_MIN_MAX_FIELD_NUMBER: _ClassVar[int]
    BATCH_NORM_FOR_INFERENCE_FIELD_NUMBER: _ClassVar[int]
    BATCH_NORM_FOR_TRAINING_FIELD_NUMBER: _ClassVar[int]
    BATCH_NORM_GRADIENT_FIELD_NUMBER: _ClassVar[int]
    BITCAST_FIELD_NUMBER: _ClassVar[int]
    BROADCAST_IN_DIM_FIELD_NUMBER: _ClassVar[int]
    CONCATENATE_FIELD_NUMBER: _ClassVar[int]
    CONV_GENERAL_FIELD_NUMBER: _ClassVar[int]
    CONVERT_DTYPE_FIELD_NUMBER: _ClassVar[int]
    DOT_GENERAL_FIELD_NUMBER: _ClassVar[int]
    DYNAMIC_DIMENSION_SIZE_FIELD_NUMBER: _ClassVar[int]
    DYNAMIC_RESHAPE_FIELD_NUMBER: _ClassVar[int]
    DYNAMIC_SLICE_FIELD_NUMBER: _ClassVar[int]
    FFT_FIELD_NUMBER: _ClassVar[int]
    FUSED_ATTENTION_QKV_PROJECTION_FIELD_NUMBER: _ClassVar[int]
    FUSED_DENSE_FIELD_NUMBER: _ClassVar[int]
    FUSED_GELU_FIELD_NUMBER: _ClassVar[int]
    FUSED_LAYER_NORM_FIELD_NUMBER: _ClassVar[int]
    FUSED_QUANTIZED_DENSE_FIELD_NUMBER: _ClassVar[int]
    FUSED_SCALED_DOT_PRODUCT_ATTENTION_FIELD_NUMBER: _ClassVar[int]
    FUSED_SOFTMAX_FIELD_NUMBER: _ClassVar[int]
    GATHER_FIELD_NUMBER: _ClassVar[int]
    IOTA_FIELD_NUMBER: _ClassVar[int]
    PAD_FIELD_NUMBER: _ClassVar[int]
    QUANTIZED_EMBEDDING_LOOKUP_FIELD_NUMBER: _ClassVar[int]
    RNG_BIT_GENERATOR_FIELD_NUMBER: _ClassVar[int]
    REDUCE_BITWISE_AND_FIELD_NUMBER: _ClassVar[int]
    REDUCE_BITWISE_OR_FIELD_NUMBER: _ClassVar[int]
    REDUCE_BITWISE_XOR_FIELD_NUMBER: _ClassVar[int]
    REDUCE_LOGICAL_AND_FIELD_NUMBER: _ClassVar[int]
    REDUCE_LOGICAL_OR_FIELD_NUMBER: _ClassVar[int]
    REDUCE_LOGICAL_XOR_FIELD_NUMBER: _ClassVar[int]
    REDUCE_MAX_FIELD_NUMBER: _ClassVar[int]
    REDUCE_MIN_FIELD_NUMBER: _ClassVar[int]
    REDUCE_PRODUCT_FIELD_NUMBER: _ClassVar[int]
    REDUCE_SUM_FIELD_NUMBER: _ClassVar[int]
    REDUCE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    RESHAPE_FIELD_NUMBER: _ClassVar[int]
    REVERSE_FIELD_NUMBER: _ClassVar[int]
    SCATTER_MAX_FIELD_NUMBER: _ClassVar[int]
    SCATTER_MIN_FIELD_NUMBER: _ClassVar[int]
    SCATTER_SUM_FIELD_NUMBER: _ClassVar[int]
    SELECT_AND_SCATTER_MAX_FIELD_NUMBER: _ClassVar[int]
    SELECT_AND_SCATTER_MIN_FIELD_NUMBER: _ClassVar[int]
    SLICE_FIELD_NUMBER: _ClassVar[int]
    SORT_FIELD_NUMBER: _ClassVar[int]
    TRANSPOSE_FIELD_NUMBER: _ClassVar[int]
    all_reduce: AllReduceAttributes
    arg_min_max: ArgMinMaxAttributes
    batch_norm_for_inference: BatchNormForInferenceAttributes
    batch_norm_for_training: BatchNormForTrainingAttributes
    batch_norm_gradient: BatchNormGradientAttributes
    bitcast: BitcastAttributes
    broadcast_in_dim: BroadcastInDimAttributes
    concatenate: ConcatenateAttributes
    conv_general: ConvGeneralAttributes
    convert_dtype: ConvertDTypeAttributes
    dot_general: DotGeneralAttributes
    dynamic_dimension_size: DynamicDimensionSizeAttributes
    dynamic_reshape: DynamicReshapeAttributes
    dynamic_slice: DynamicSliceAttributes
    fft: FFTAttributes
    fused_attention_qkv_projection: FusedAttentionQKVProjectionAttributes
    fused_dense: FusedDenseAttributes
    fused_gelu: FusedGeluAttributes
    fused_layer_norm: FusedLayerNormAttributes
    fused_quantized_dense: FusedQuantizedDenseAttributes
    fused_scaled_dot_product_attention: FusedScaledDotProductAttentionAttributes
    fused_softmax: FusedSoftmaxAttributes
    gather: GatherAttributes
    iota: IotaAttributes
    pad: PadAttributes
    quantized_embedding_lookup: QuantizedEmbeddingLookupAttributes
    rng_bit_generator: RNGBitGeneratorAttributes
    reduce_bitwise_and: ReduceBitwiseAndAttributes
    reduce_bitwise_or: ReduceBitwiseOrAttributes
    reduce_bitwise_xor: ReduceBitwiseXorAttributes
    reduce_logical_and: ReduceLogicalAndAttributes
    reduce_logical_or: ReduceLogicalOrAttributes
    reduce_logical_xor: ReduceLogicalXorAttributes
    reduce_max: ReduceMaxAttributes
    reduce_min: ReduceMinAttributes
    reduce_product: ReduceProductAttributes
    reduce_sum: ReduceSumAttributes
    reduce_window: ReduceWindowAttributes
    reshape: ReshapeAttributes
    reverse: ReverseAttributes
    scatter_max: ScatterMaxAttributes
    scatter_min: ScatterMinAttributes
    scatter_sum: ScatterSumAttributes
    select_and_scatter_max: SelectAndScatterMaxAttributes
    select_and_scatter_min: SelectAndScatterMinAttributes
    slice: SliceAttributes
    sort: SortAttributes
    transpose: TransposeAttributes
    def __init__(self, all_reduce: _Optional[_Union[AllReduceAttributes, _Mapping]] = ..., arg_min_max: _Optional[_Union[ArgMinMaxAttributes, _Mapping]] = ..., batch_norm_for_inference: _Optional[_Union[BatchNormForInferenceAttributes, _Mapping]] = ..., batch_norm_for_training: _Optional[_Union[BatchNormForTrainingAttributes, _Mapping]] = ..., batch_norm_gradient: _Optional[_Union[BatchNormGradientAttributes, _Mapping]] = ..., bitcast: _Optional[_Union[BitcastAttributes, _Mapping]] = ..., broadcast_in_dim: _Optional[_Union[BroadcastInDimAttributes, _Mapping]] = ..., concatenate: _Optional[_Union[ConcatenateAttributes, _Mapping]] = ..., conv_general: _Optional[_Union[ConvGeneralAttributes, _Mapping]] = ..., convert_dtype: _Optional[_Union[ConvertDTypeAttributes, _Mapping]] = ..., dot_general: _Optional[_Union[DotGeneralAttributes, _Mapping]] = ..., dynamic_dimension_size: _Optional[_Union[DynamicDimensionSizeAttributes, _Mapping]] = ..., dynamic_reshape: _Optional[_Union[DynamicReshapeAttributes, _Mapping]] = ..., dynamic_slice: _Optional[_Union[DynamicSliceAttributes, _Mapping]] = ..., fft: _Optional[_Union[FFTAttributes, _Mapping]] = ..., fused_attention_qkv_projection: _Optional[_Union[FusedAttentionQKVProjectionAttributes, _Mapping]] = ..., fused_dense: _Optional[_Union[FusedDenseAttributes, _Mapping]] = ..., fused_gelu: _Optional[_Union[FusedGeluAttributes, _Mapping]] = ..., fused_layer_norm: _Optional[_Union[FusedLayerNormAttributes, _Mapping]] = ..., fused_quantized_dense: _Optional[_Union[FusedQuantizedDenseAttributes, _Mapping]] = ..., fused_scaled_dot_product_attention: _Optional[_Union[FusedScaledDotProductAttentionAttributes, _Mapping]] = ..., fused_softmax: _Optional[_Union[FusedSoftmaxAttributes, _Mapping]] = ..., gather: _Optional[_Union[GatherAttributes, _Mapping]] = ..., iota: _Optional[_Union[IotaAttributes, _Mapping]] = ..., pad: _Optional[_Union[PadAttributes, _Mapping]] = ..., quantized_embedding_lookup: _Optional[_Union[QuantizedEmbeddingLookupAttributes, _Mapping]] = ..., rng_bit_generator: _Optional[_Union[RNGBitGeneratorAttributes, _Mapping]] = ..., reduce_bitwise_and: _Optional[_Union[ReduceBitwiseAndAttributes, _Mapping]] = ..., reduce_bitwise_or: _Optional[_Union[ReduceBitwiseOrAttributes, _Mapping]] = ..., reduce_bitwise_xor: _Optional[_Union[ReduceBitwiseXorAttributes, _Mapping]] = ..., reduce_logical_and: _Optional[_Union[ReduceLogicalAndAttributes, _Mapping]] = ..., reduce_logical_or: _Optional[_Union[ReduceLogicalOrAttributes, _Mapping]] = ..., reduce_logical_xor: _Optional[_Union[ReduceLogicalXorAttributes, _Mapping]] = ..., reduce_max: _Optional[_Union[ReduceMaxAttributes, _Mapping]] = ..., reduce_min: _Optional[_Union[ReduceMinAttributes, _Mapping]] = ..., reduce_product: _Optional[_Union[ReduceProductAttributes, _Mapping]] = ..., reduce_sum: _Optional[_Union[ReduceSumAttributes, _Mapping]] = ..., reduce_window: _Optional[_Union[ReduceWindowAttributes, _Mapping]] = ..., reshape: _Optional[_Union[ReshapeAttributes, _Mapping]] = ..., reverse: _Optional[_Union[ReverseAttributes, _Mapping]] = ..., scatter_max: _Optional[_Union[ScatterMaxAttributes, _Mapping]] = ..., scatter_min: _Optional[_Union[ScatterMinAttributes, _Mapping]] = ..., scatter_sum: _Optional[_Union[ScatterSumAttributes, _Mapping]] = ..., select_and_scatter_max: _Optional[_Union[SelectAndScatterMaxAttributes, _Mapping]] = ..., select_and_scatter_min: _Optional[_Union[SelectAndScatterMinAttributes, _Mapping]] = ..., slice: _Optional[_Union[SliceAttributes, _Mapping]] = ..., sort: _Optional[_Union[SortAttributes, _Mapping]] = ..., transpose: _Optional[_Union[TransposeAttributes, _Mapping]] = ...) -> None: ...
