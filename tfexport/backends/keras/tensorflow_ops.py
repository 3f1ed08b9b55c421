"""Functions of TensorFlow that a file of tf_keras may call: those that only compute.

tf_keras writes each call of a function, ``tf.nn.relu(x)``, as a layer ``TFOpLambda`` with the name of the function.
Other functions of TensorFlow read and write files, load native code, or call Python, and a new version adds more. So
the names that may be called are listed, and not those that may not.
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set: a list of names that is easier to read than one of literals."""
    return frozenset(text.split())


_NAMESPACES = frozenset(
    {"__operators__", "bitwise", "dtypes", "image", "linalg", "math", "quantization", "signal"},
)
"""Namespaces whose functions all compute, in version 1 and 2 of the API. Their classes do not count."""
_AT_THE_TOP = words("""
    abs accumulate_n acos acosh add add_n argmax argmin argsort asin asinh atan atan2 atanh batch_to_space
    batch_to_space_nd bitcast boolean_mask broadcast_dynamic_shape broadcast_static_shape broadcast_to cast ceil
    clip_by_global_norm clip_by_norm clip_by_value complex concat constant convert_to_tensor cos cosh count_nonzero
    cross cumprod cumsum depth_to_space diag diag_part digamma div div_no_nan divide dynamic_partition dynamic_stitch
    edit_distance einsum ensure_shape equal erf erfc exp expand_dims expm1 eye fill floor floor_div floordiv floormod
    gather gather_nd greater greater_equal histogram_fixed_width identity identity_n invert_permutation is_finite
    is_inf is_nan is_non_decreasing is_strictly_increasing less less_equal lgamma linspace lin_space log log1p
    log_sigmoid logical_and logical_not logical_or logical_xor matmul matrix_band_part matrix_diag matrix_diag_part
    matrix_set_diag matrix_transpose maximum meshgrid minimum mod multiply negative norm not_equal one_hot ones
    ones_like pad parallel_stack pow random_normal random_uniform range rank realdiv reciprocal reduce_all reduce_any
    reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat reshape reverse reverse_sequence
    reverse_v2 rint roll round rsqrt saturate_cast scalar_mul scatter_nd searchsorted segment_max segment_mean
    segment_min segment_prod segment_sum sequence_mask shape shape_n sigmoid sign sin sinh size slice sort
    space_to_batch space_to_batch_nd space_to_depth split sqrt square squared_difference squeeze stack stop_gradient
    strided_slice subtract tan tanh tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min
    tensor_scatter_nd_sub tensor_scatter_nd_update tensordot tile to_double to_float to_int32 to_int64 trace transpose
    truediv truncatediv truncatemod truncated_normal unique unique_with_counts unravel_index unsorted_segment_max
    unsorted_segment_mean unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum
    unstack where where_v2 zeros zeros_like
    """)
_OF_NN = words("""
    atrous_conv2d atrous_conv2d_transpose avg_pool avg_pool1d avg_pool2d avg_pool3d avg_pool_v2
    batch_norm_with_global_normalization batch_normalization bias_add conv1d conv1d_transpose conv2d conv2d_transpose
    conv3d conv3d_transpose conv_transpose convolution crelu depth_to_space depthwise_conv2d depthwise_conv2d_native
    dilation2d dropout elu embedding_lookup erosion2d fused_batch_norm gelu in_top_k l2_loss l2_normalize leaky_relu
    local_response_normalization log_poisson_loss log_softmax lrn max_pool max_pool1d max_pool2d max_pool3d
    max_pool_v2 max_pool_with_argmax moments normalize_moments pool relu relu6 relu_layer selu separable_conv2d
    sigmoid sigmoid_cross_entropy_with_logits silu softmax softmax_cross_entropy_with_logits
    softmax_cross_entropy_with_logits_v2 softplus softsign space_to_batch space_to_depth
    sparse_softmax_cross_entropy_with_logits sufficient_statistics swish tanh top_k weighted_cross_entropy_with_logits
    weighted_moments with_space_to_batch xw_plus_b zero_fraction
    """)
"""Functions of ``tf.nn``; one that is not here, a sampler of candidates, reads a file."""
_ELSEWHERE = words("""
    debugging.check_numerics keras.backend.batch_flatten keras.backend.binary_crossentropy
    keras.backend.categorical_crossentropy keras.backend.sparse_categorical_crossentropy random.normal random.shuffle
    random.stateless_normal random.stateless_uniform random.truncated_normal random.uniform strings.as_string
    """)
_VERSION_1 = "compat.v1."
"""Prefix of functions whose first version has other parameters; tf_keras writes ``tf.transpose`` as ``compat.v1.transpose``."""

NODES = words("""
    Abs Add AddN AddV2 All Any ArgMax ArgMin AvgPool BatchMatMul BatchMatMulV2 BatchToSpaceND BiasAdd BroadcastTo Cast
    Ceil ClipByValue ConcatV2 Conv2D Cos Cumsum DepthToSpace DepthwiseConv2dNative Div DivNoNan Einsum Elu Equal Erf
    Exp ExpandDims Expm1 Fill Floor FloorDiv FloorMod GatherNd GatherV2 Greater GreaterEqual Identity LeakyRelu Less
    LessEqual Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul Max MaxPool Maximum Mean Min Minimum
    MirrorPad Mul Neg NotEqual OneHot OnesLike Pack Pad PadV2 Pow Prod RandomStandardNormal RandomUniform Range Rank
    RealDiv Reciprocal Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor ReverseV2 Round Rsqrt Select SelectV2
    Selu Shape Sigmoid Sign Sin Slice Softmax Softplus Softsign SpaceToBatchND SpaceToDepth Split SplitV Sqrt Square
    SquaredDifference Squeeze StopGradient StridedSlice Sub Sum Tan Tanh Tile TopKV2 Transpose Unpack Where ZerosLike
    """)
"""Ops of TensorFlow that a ``TensorFlowOpLayer`` may run. TensorFlow 2.0 to 2.3 wrote functions as these."""


def computes(function: object) -> bool:
    """Return whether a function of TensorFlow, by its name in the API, only computes."""
    if not isinstance(function, str):
        return False
    name = function.removeprefix(_VERSION_1)
    namespace, _, last = name.rpartition(".")
    if namespace in _NAMESPACES:
        return last.isidentifier() and not last[:1].isupper()
    listed = {"": _AT_THE_TOP, "nn": _OF_NN}.get(namespace, frozenset())
    return last in listed or name in _ELSEWHERE
