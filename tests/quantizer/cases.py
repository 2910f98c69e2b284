"""One graph per operator and kind of use, for the straight line from ONNX to integers."""

from __future__ import annotations

EXACT = {
    "relu": "g (float[1,6,5,5] x) => (float y) { y = Relu(x) }",
    "relu_after_add": "g (float[1,6,5,5] x, float[1,6,1,1] c) => (float y)"
    " { t = Add(x, c) y = Relu(t) }",
    "clip": "g (float[1,6,5,5] x) => (float y) <float lo = {-0.5}, float hi = {1.25}>"
    " { y = Clip(x, lo, hi) }",
    "clip_no_low": "g (float[1,6,5] x) => (float y) <float hi = {1.25}> { y = Clip(x, , hi) }",
    "leaky_relu": "g (float[1,6,5,5] x) => (float y) { y = LeakyRelu<alpha = 0.1>(x) }",
    "sigmoid": "g (float[1,20] x) => (float y) { y = Sigmoid(x) }",
    "tanh": "g (float[1,20] x) => (float y) { y = Tanh(x) }",
    "hard_sigmoid": "g (float[1,20] x) => (float y) { y = HardSigmoid<alpha = 0.2>(x) }",
    "hard_swish": "g (float[1,6,4,4] x) => (float y) { y = HardSwish(x) }",
    "swish": "g (float[1,6,4,4] x) => (float y) { s = Sigmoid(x) y = Mul(x, s) }",
    "elu": "g (float[1,20] x) => (float y) { y = Elu<alpha = 0.7>(x) }",
    "exp": "g (float[1,20] x) => (float y) { y = Exp(x) }",
    "hard_swish_parts": "g (float[1,6,4,4] x) => (float y)"
    " { s = HardSigmoid<alpha = 0.16666667, beta = 0.5>(x) y = Mul(x, s) }",
    "prelu_single": "g (float[1,6,4,4] x) => (float y) <float[1] a = {0.25}> { y = PRelu(x, a) }",
    "add": "g (float[1,6,5,5] x, float[1,6,5,5] x2) => (float y) { y = Add(x, x2) }",
    "add_channels": "g (float[1,6,5,5] x, float[1,6,1,1] c) => (float y) { y = Add(x, c) }",
    "add_scalar": "g (float[1,6,5,5] x) => (float y) <float c = {0.5}> { y = Add(c, x) }",
    "add_same": "g (float[1,20] x) => (float y) { y = Add(x, x) }",
    "sub": "g (float[1,20] x, float[1,20] x2) => (float y) { y = Sub(x, x2) }",
    "sub_constant": "g (float[1,6,5,5] x, float[6,1,1] c) => (float y) { y = Sub(c, x) }",
    "mul": "g (float[1,6,5,16] x, float[1,6,5,16] x2) => (float y) { y = Mul(x, x2) }",
    "mul_gate": "g (float[1,16,5,5] x, float[1,16,1,1] x2) => (float y) { y = Mul(x, x2) }",
    "mul_constant": "g (float[1,6,5,5] x, float[1,6,1,1] c) => (float y) { y = Mul(x, c) }",
    "max_pool": "g (float[1,16,8,8] x) => (float y)"
    " { y = MaxPool<kernel_shape = [2,2], strides = [2,2]>(x) }",
    "max_pool_padded": "g (float[1,5,9,7] x) => (float y)"
    " { y = MaxPool<kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]>(x) }",
    "max_pool_1d": "g (float[1,5,9] x) => (float y)"
    " { y = MaxPool<kernel_shape = [3], strides = [2]>(x) }",
    "global_max_pool": "g (float[1,5,4,4] x) => (float y) { y = GlobalMaxPool(x) }",
    "average_pool": "g (float[1,16,8,8] x) => (float y)"
    " { y = AveragePool<kernel_shape = [2,2], strides = [2,2]>(x) }",
    "average_pool_padded": "g (float[1,5,8,8] x) => (float y) { y = AveragePool<"
    "kernel_shape = [3,3], strides = [1,1], pads = [1,1,1,1], count_include_pad = 1>(x) }",
    "global_average_pool": "g (float[1,5,7,7] x) => (float y) { y = GlobalAveragePool(x) }",
    "reduce_mean_spatial": "g (float[1,5,7,7] x) => (float y) <int64[2] a = {2, 3}>"
    " { y = ReduceMean<keepdims = 0>(x, a) }",
    "reduce_mean_channels": "g (float[1,5,7,7] x) => (float y) <int64[1] a = {1}>"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y = ReduceMean<keepdims = 1>(t, a) }",
    "concat": "g (float[1,4,5,5] x, float[1,6,5,5] x2) => (float y)"
    " { y = Concat<axis = 1>(x, x2) }",
    "concat_after_pool": "g (float[1,4,6,6] x, float[1,6,5,5] x2) => (float y)"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y = Concat<axis = -3>(t, x2) }",
    "flatten": "g (float[1,4,5,5] x) => (float y) { y = Flatten(x) }",
    "flatten_after_pool": "g (float[1,4,6,6] x) => (float y)"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y = Flatten(t) }",
    "flatten_after_global": "g (float[1,4,6,6] x) => (float y)"
    " { t = GlobalAveragePool(x) y = Flatten(t) }",
    "reshape": "g (float[1,4,6] x) => (float y) <int64[3] s = {0, 8, -1}> { y = Reshape(x, s) }",
    "reshape_after_pool": "g (float[1,4,6,6] x) => (float y) <int64[2] s = {-1, 100}>"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y = Reshape(t, s) }",
    "squeeze": "g (float[1,4,1,6] x) => (float y) <int64[1] a = {2}> { y = Squeeze(x, a) }",
    "squeeze_after_global": "g (float[1,4,5,6] x) => (float y) <int64[2] a = {2, 3}>"
    " { t = GlobalAveragePool(x) y = Squeeze(t, a) }",
    "unsqueeze": "g (float[1,4,6] x) => (float y) <int64[1] a = {2}>"
    " { u = Unsqueeze(x, a) y = MaxPool<kernel_shape = [1,2]>(u) }",
    "transpose": "g (float[1,4,6] x) => (float y) { y = Transpose<perm = [0,2,1]>(x) }",
    "transpose_in_front": "g (float[1,8,8,3] x) => (float y)"
    " { t = Transpose<perm = [0,3,1,2]>(x) y = MaxPool<kernel_shape = [2,2]>(t) }",
    "transpose_behind": "g (float[1,3,8,8] x) => (float y)"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y = Transpose<perm = [0,2,3,1]>(t) }",
    "transpose_between": "g (float[1,3,8,6] x) => (float y)"
    " { t = MaxPool<kernel_shape = [2,2]>(x) u = Transpose<perm = [0,1,3,2]>(t) y = Relu(u) }",
    "pad": "g (float[1,3,5,5] x) => (float y) <int64[8] p = {0,0,1,2,0,0,3,4}> { y = Pad(x, p) }",
    "pad_value": "g (float[1,3,5,5] x) => (float y)"
    " <int64[8] p = {0,1,1,2,0,0,3,4}, float v = {0.5}>"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y = Pad(t, p, v) }",
    "pad_reflect": "g (float[1,3,5,5] x) => (float y) <int64[8] p = {0,0,1,2,0,0,2,1}>"
    ' { t = MaxPool<kernel_shape = [2,2]>(x) y = Pad<mode = "reflect">(t, p) }',
    "slice": "g (float[1,8,6,6] x) => (float y) <int64[2] s = {1, -4}, int64[2] e = {7, 9000},"
    " int64[2] a = {1, 3}, int64[2] st = {2, 1}> { y = Slice(x, s, e, a, st) }",
    "slice_after_pool": "g (float[1,8,6,6] x) => (float y) <int64[1] s = {2}, int64[1] e = {7},"
    " int64[1] a = {1}> { t = MaxPool<kernel_shape = [2,2]>(x) y = Slice(t, s, e, a) }",
    "split": "g (float[1,8,6,6] x) => (float y, float z)"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y, z = Split<axis = 1, num_outputs = 2>(t) }",
    "gather": "g (float[1,8,6,6] x) => (float y) <int64[3] i = {5, 0, 5}>"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y = Gather<axis = 1>(t, i) }",
    "reduce_max": "g (float[1,5,7,7] x) => (float y) <int64[1] a = {-1}>"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y = ReduceMax<keepdims = 1>(t, a) }",
    "reduce_sum": "g (float[1,5,7] x) => (float y) <int64[1] a = {1}>"
    " { y = ReduceSum<keepdims = 0>(x, a) }",
    "depth_to_space": "g (float[1,16,3,3] x) => (float y)"
    ' { y = DepthToSpace<blocksize = 2, mode = "CRD">(x) }',
    "resize_nearest": "g (float[1,16,5,5] x) => (float y) <float[4] s = {1.0,1.0,3.0,3.0}>"
    ' { y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric",'
    ' nearest_mode = "floor">(x, , s) }',
    "log_softmax": "g (float[1,10] x) => (float y) { y = LogSoftmax(x) }",
    "softmax": "g (float[1,10] x) => (float y) { y = Softmax(x) }",
    "softmax_channels": "g (float[1,10,4,4] x) => (float y)"
    " { t = MaxPool<kernel_shape = [2,2]>(x) y = Softmax<axis = 1>(t) }",
    "softmax_then_mul": "g (float[1,10] x, float[1,10] x2) => (float y)"
    " { s = Softmax(x) y = Mul(s, x2) }",
    "identity": "g (float[1,10] x) => (float y) { t = Identity(x) u = Relu(t) y = Identity(u) }",
    "only_identity": "g (float[1,10] x) => (float y) { y = Identity(x) }",
    "dropout": "g (float[1,10] x) => (float y) { t = Dropout(x) y = Relu(t) }",
    "div_constant": "g (float[1,10] x) => (float y) <float c = {3.0}> { y = Div(x, c) }",
    "same_input_twice": "g (float[1,3,6,6] x) => (float y)"
    " { a = MaxPool<kernel_shape = [3,3], pads = [1,1,1,1]>(x) y = Add(a, x) }",
}
"""Operators whose result is within one step of the float one, inputs given as integers."""

PRODUCTS = {
    "conv": "g (float[1,8,9,9] x, float[16,8,3,3] w, float[16] b) => (float y)"
    " { y = Conv<kernel_shape = [3,3], pads = [1,1,1,1]>(x, w, b) }",
    "conv_relu": "g (float[1,8,9,9] x, float[16,8,3,3] w, float[16] b) => (float y)"
    " { t = Conv<kernel_shape = [3,3], strides = [2,2]>(x, w, b) y = Relu(t) }",
    "conv_unaligned": "g (float[1,3,9,9] x, float[18,3,3,3] w, float[18] b) => (float y)"
    " { y = Conv<kernel_shape = [3,3], pads = [1,0,0,1]>(x, w, b) }",
    "conv_no_bias": "g (float[1,3,9,9] x, float[5,3,1,1] w) => (float y) { y = Conv(x, w) }",
    "conv_dilated": "g (float[1,8,9,9] x, float[16,8,3,3] w) => (float y)"
    " { y = Conv<dilations = [2,2], pads = [1,1,1,1]>(x, w) }",
    "conv_same": "g (float[1,8,9,8] x, float[16,8,3,3] w) => (float y)"
    ' { y = Conv<auto_pad = "SAME_UPPER", strides = [2,2]>(x, w) }',
    "conv_1d": "g (float[1,8,20] x, float[16,8,5] w, float[16] b) => (float y)"
    " { y = Conv<pads = [2,2]>(x, w, b) }",
    "conv_depthwise": "g (float[1,18,9,9] x, float[18,1,3,3] w, float[18] b) => (float y)"
    " { y = Conv<group = 18, pads = [1,1,1,1]>(x, w, b) }",
    "conv_depthwise_1d": "g (float[1,16,20] x, float[16,1,3] w, float[16] b) => (float y)"
    " { y = Conv<group = 16, pads = [1,1]>(x, w, b) }",
    "conv_grouped": "g (float[1,8,6,6] x, float[12,4,3,3] w, float[12] b) => (float y)"
    " { y = Conv<group = 2>(x, w, b) }",
    "conv_batchnorm": "g (float[1,8,6,6] x, float[16,8,3,3] w, float[16] b, float[16] s,"
    " float[16] o, float[16] m, float[16] v) => (float y)"
    " { t = Conv(x, w, b) u = BatchNormalization(t, s, o, m, v) y = Relu(u) }",
    "batchnorm_alone": "g (float[1,8,6,6] x, float[8] s, float[8] o, float[8] m, float[8] v)"
    " => (float y) { y = BatchNormalization(x, s, o, m, v) }",
    "conv_then_add": "g (float[1,8,6,6] x, float[16,8,1,1] w, float[16,1,1] c) => (float y)"
    " { t = Conv(x, w) y = Add(t, c) }",
    "residual": "g (float[1,8,6,6] x, float[8,8,3,3] w, float[8] b) => (float y)"
    " { t = Conv<pads = [1,1,1,1]>(x, w, b) u = Add(x, t) y = Relu(u) }",
    "gemm": "g (float[1,20] x, float[20,16] w, float[16] b) => (float y) { y = Gemm(x, w, b) }",
    "gemm_trans_b": "g (float[1,20] x, float[10,20] w, float[10] b) => (float y)"
    " { y = Gemm<transB = 1, alpha = 0.5, beta = 2.0>(x, w, b) }",
    "matmul": "g (float[1,20] x, float[20,16] w) => (float y) { y = MatMul(x, w) }",
    "matmul_bias": "g (float[1,20] x, float[20,16] w, float[16] b) => (float y)"
    " { t = MatMul(x, w) u = Add(b, t) y = Relu(u) }",
    "matmul_3d": "g (float[1,7,20] x, float[20,18] w, float[18] b) => (float y)"
    " { t = MatMul(x, w) y = Add(t, b) }",
    "conv_flatten_gemm": "g (float[1,3,8,8] x, float[8,3,3,3] w, float[8] b, float[288,10] w2,"
    " float[10] b2) => (float y)"
    " { t = Conv(x, w, b) r = Relu(t) f = Flatten(r) y = Gemm(f, w2, b2) }",
    "squeeze_excite": "g (float[1,16,6,6] x, float[4,16,1,1] w, float[4] b, float[16,4,1,1] w2,"
    " float[16] b2) => (float y) { p = GlobalAveragePool(x) t = Conv(p, w, b) r = Relu(t)"
    " u = Conv(r, w2, b2) s = HardSigmoid(u) y = Mul(x, s) }",
    "inverted_residual": "g (float[1,16,6,6] x, float[32,16,1,1] w, float[32] b,"
    " float[32,1,3,3] w2, float[32] b2, float[16,32,1,1] w3, float[16] b3) => (float y)"
    " <float lo = {0.0}, float hi = {6.0}> { t = Conv(x, w, b) c = Clip(t, lo, hi)"
    " d = Conv<group = 32, pads = [1,1,1,1]>(c, w2, b2) e = Clip(d, lo, hi)"
    " p = Conv(e, w3, b3) y = Add(x, p) }",
    "conv_flatten_matmul": "g (float[1,16,4,4] x, float[16,1,3,3] w, float[256,10] w2)"
    " => (float y) <int64[2] s = {1, -1}> { t = Conv<group = 16, pads = [1,1,1,1]>(x, w)"
    " f = Reshape(t, s) y = MatMul(f, w2) }",
    "flatten_for_two": "g (float[1,3,4,4] x, float[4,3,1,1] w, float[64,5] w2, float[64,5] w3)"
    " => (float y) { t = Conv(x, w) f = Flatten(t) a = MatMul(f, w2) b = MatMul(f, w3)"
    " y = Mul(a, b) }",
    "conv1d_add": "g (float[1,8,16] x, float[8,8,3] w, float[8,1] a) => (float y)"
    " { t = Conv(x, w) u = Relu(t) y = Add(u, a) }",
    "shared_weights": "g (float[1,8] x, float[8,8] w, float[8] b) => (float y)"
    " { t = Gemm(x, w, b) u = Relu(t) v = Gemm(u, w, b) y = Relu(v) }",
    "shared_constant": "g (float[1,4,5,5] x, float[6,4,1,1] w, float[6,1,1] c)"
    " => (float y, float z) { t = Conv(x, w) y = Mul(t, c) u = Add(t, c) z = Relu(u) }",
    "inner_value_is_output": "g (float[1,4,5,5] x, float[6,4,1,1] w, float[6] b) =>"
    " (float t, float y) { t = Conv(x, w, b) y = Relu(t) }",
    "output_of_two_readers": "g (float[1,4,5,5] x, float[6,4,1,1] w) => (float r, float f)"
    " { t = Conv(x, w) r = Relu(t) f = Flatten(r) }",
    "unread_input": "g (float[1,8] x, float[1,3] x2, float[8,8] w) => (float y)"
    " { y = MatMul(x, w) }",
    "no_float_left": "g (float[1,8] x, float[8,4] w) => (float y) { t = MatMul(x, w)"
    " s = Softmax(t) y = Flatten(s) }",
    "softmax_sum": "g (float[1,8] x, float[8,4] w) => (float y) { t = MatMul(x, w)"
    " s = Softmax(t) y = Add(s, t) }",
    "prelu_channels": "g (float[1,16,6,6] x, float[16,16,1,1] w, float[16,1,1] a) => (float y)"
    " { t = Conv(x, w) y = PRelu(t, a) }",
}
"""Graphs with weights, whose rounding adds to that of the result."""

INT8_ONLY = {
    "resize_linear": "g (float[1,16,5,5] x) => (float y) <float[4] s = {1.0,1.0,2.0,2.0}>"
    ' { y = Resize<mode = "linear">(x, , s) }',
}
"""Operators that have no int16 kernel."""
