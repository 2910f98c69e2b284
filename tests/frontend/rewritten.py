"""What ESP-DL has no operator for, or none in that form, and what becomes of it."""

from __future__ import annotations

_X9 = "g (float[1,9] x"
_PICTURE = "g (float[1,5,8,8] x) => (float y)"
_SCALE = "<float[4] s = {1.0, 1.0, 2.0, 1.5}>"
_GRU = "float[1,24,6] w, float[1,24,8] r, float[1,48] b"

EXACT = {
    "the larger of two": f"{_X9}, float[1,9] x2) => (float y) {{ y = Max(x, x2) }}",
    "the smallest of three, one a row": "g (float[1,6,4,4] x, float[1,6,1,1] x2, float[4] c)"
    " => (float y) { y = Min(x, x2, c) }",
    "a bound for each place": f"{_X9}, float[9] c) => (float y) {{ y = Max(c, x) }}",
    "the larger of two of several rows": "g (float[3,7] x, float[7] x2) => (float y)"
    " { y = Max(x, x2) }",
    "a window that is rounded up": f"{_PICTURE}"
    " { y = MaxPool<kernel_shape = [3,3], strides = [2,2], ceil_mode = 1>(x) }",
    "a dilated window": f"{_PICTURE}"
    " { y = MaxPool<kernel_shape = [3,3], dilations = [2,2], pads = [1,1,1,1]>(x) }",
    "a window larger than its picture": "g (float[1,5,2,2] x) => (float y)"
    " { y = MaxPool<kernel_shape = [3,3], strides = [2,2], pads = [0,0,1,1]>(x) }",
    "repeated": "g (float[1,4,3] x) => (float y) <int64[3] s = {1,2,3}> { y = Tile(x, s) }",
    "expanded": "g (float[1,4,1] x) => (float y) <int64[4] s = {2,1,4,6}> { y = Expand(x, s) }",
    "picked slices": "g (float[2,4,5] x) => (float y) <int64[3,2] i = {0,1, 1,-1, 0,0}>"
    " { y = GatherND(x, i) }",
    "picked slices of each sample": "g (float[2,4,5] x) => (float y) <int64[2,1] i = {1,-4}>"
    " { y = GatherND<batch_dims = 1>(x, i) }",
    "picked elements": "g (float[1,4,2] x) => (float y) <int64[1,3,2] i = {2,1,-1,0,3,3}>"
    " { y = GatherElements<axis = 1>(x, i) }",
    "a padding that goes round": "g (float[1,3,4,5] x) => (float y)"
    ' <int64[8] p = {0,0,1,2,0,0,3,0}> { y = Pad<mode = "wrap">(x, p) }',
    "a lower triangle": "g (float[1,5,5] x) => (float y) { y = Trilu<upper = 0>(x) }",
    "chosen by a constant": f"{_X9}) => (float y)"
    " <bool[9] m = {1,0,0,1,1,0,1,0,1}, float c = {0.5}> { y = Where(m, x, c) }",
    "chosen by a constant, of two": f"{_X9}, float[1,9] x2) => (float y)"
    " <bool[9] m = {1,0,0,1,1,0,1,0,1}> { y = Where(m, x, x2) }",
    "joined, turned and parted": "g (float[1,4,5] x, float[1,2,5] x2, float[1,3,5] x3)"
    " => (float y, float z) <float c = {100.0}, int64[2] s = {6,3}> { b = Mul(x, c)"
    " t = Concat<axis = 1>(b, x2, x3) u = Transpose<perm = [0,2,1]>(t)"
    " y, z = Split<axis = 2>(u, s) }",
    "joined and parted as it was": "g (float[1,4] x, float[1,3] x2) => (float y, float z)"
    " <float c = {100.0}, int64[2] s = {4,3}> { b = Mul(x, c) t = Concat<axis = -1>(b, x2)"
    " y, z = Split<axis = 1>(t, s) }",
    "joined and parted elsewhere": "g (float[1,4] x, float[1,3] x2) => (float y, float z)"
    " <int64[2] s = {3,4}> { t = Concat<axis = -1>(x, x2) y, z = Split<axis = 1>(t, s) }",
    "transposed by letters": 'g (float[1,4,5] x) => (float y) { y = Einsum<equation = "bij->jbi">'
    "(x) }",
}
"""Only moved, compared or masked: no further from float than one step of the result."""

COMPUTED = {
    "a mean that leaves the padding out": f"{_PICTURE}"
    " { y = AveragePool<kernel_shape = [3,3], pads = [1,1,1,1]>(x) }",
    "the same with strides and one axis": "g (float[1,5,9] x) => (float y)"
    " { y = AveragePool<kernel_shape = [5], strides = [2], pads = [2,1]>(x) }",
    "a mean of a picture smaller than the window": "g (float[1,5,3,3] x) => (float y)"
    " { y = AveragePool<kernel_shape = [5,5], strides = [2,2], pads = [2,2,2,2]>(x) }",
    "a mean that is rounded up": f"{_PICTURE}"
    " { y = AveragePool<kernel_shape = [3,3], strides = [3,3], ceil_mode = 1>(x) }",
    "a mean that is rounded up and counts padding": f"{_PICTURE} {{ y = AveragePool<kernel_shape ="
    " [3,3], strides = [2,2], pads = [1,1,0,0], ceil_mode = 1, count_include_pad = 1>(x) }",
    "a dilated mean": f"{_PICTURE}"
    " { y = AveragePool<kernel_shape = [2,2], dilations = [2,3], pads = [1,1,1,1]>(x) }",
    "a filter larger than its picture": "g (float[1,5,2,2] x, float[6,5,3,3] w) => (float y)"
    " { y = Conv<strides = [2,2], pads = [0,0,1,1]>(x, w) }",
    "instances": "g (float[1,6,5,5] x, float[6] s, float[6] b) => (float y)"
    " { y = InstanceNormalization(x, s, b) }",
    "mean and variance": "g (float[1,6,5,5] x) => (float y) { y = MeanVarianceNormalization(x) }",
    "a running sum": f"{_X9}) => (float y) <int64 a = {{1}}> {{ y = CumSum(x, a) }}",
    "a running sum from behind": "g (float[1,4,5] x) => (float y) <int64 a = {1}>"
    " { y = CumSum<exclusive = 1, reverse = 1>(x, a) }",
    "a running sum of rows": "g (float[5,4] x) => (float y) <int64 a = {0}> { y = CumSum(x, a) }",
    "slopes for each channel of a sequence": "g (float[1,6,9] x, float[6,1] a) => (float y)"
    " { y = PRelu(x, a) }",
    "a mean of two": f"{_X9}, float[1,9] x2) => (float y) {{ y = Mean(x, x2) }}",
    "slopes for each place": "g (float[1,6,4,4] x, float[6,4,4] a) => (float y)"
    " { y = PRelu(x, a) }",
    "weights computed at run time": "g (float[1,16] x, float[5,16] x2, float[5] c) => (float y)"
    " { y = Gemm<transB = 1, alpha = 0.5, beta = 2.0>(x, x2, c) }",
    "a turned left side": "g (float[16,3] x, float[16,5] w) => (float y)"
    " { y = Gemm<transA = 1>(x, w) }",
    "scores by letters": "g (float[1,2,7,8] x, float[1,2,9,8] x2) => (float y)"
    ' { y = Einsum<equation = "bhid,bhjd->bhij">(x, x2) }',
    "weights by letters": "g (float[1,6,16] x, float[3,16,8] w) => (float y)"
    ' { y = Einsum<equation = "bti,kio->bkto">(x, w) }',
    "a sum by letters": "g (float[1,6,5] x, float[1,6] x2) => (float y)"
    ' { y = Einsum<equation = "bij,bi->b">(x, x2) }',
    "axes that an ellipsis stands for": "g (float[1,5,4] x, float[4,3] w) => (float y)"
    ' { y = Einsum<equation = "...i,ij->...j">(x, w) }',
    "an ellipsis in both": "g (float[1,2,5,4] x, float[1,2,3,4] x2) => (float y)"
    ' { y = Einsum<equation = "... i k, ... j k -> ... i j">(x, x2) }',
    "an outer product": "g (float[1,6] x, float[1,5] x2) => (float y)"
    ' { y = Einsum<equation = "bi,bj->bij">(x, x2) }',
    "linear, asymmetric": f"g (float[1,3,5,6] x) => (float y) {_SCALE}"
    ' { y = Resize<mode = "linear", coordinate_transformation_mode = "asymmetric">(x, , s) }',
    "linear, of one row": f"g (float[1,3,1,6] x) => (float y) {_SCALE}"
    ' { y = Resize<mode = "linear">(x, , s) }',
    "cubic": f'g (float[1,3,5,6] x) => (float y) {_SCALE} {{ y = Resize<mode = "cubic">(x, , s) }}',
    "cubic, corners aligned": "g (float[1,3,5,6] x) => (float y) <int64[4] s = {1,3,7,4}>"
    ' { y = Resize<mode = "cubic", coordinate_transformation_mode = "align_corners",'
    " cubic_coeff_a = -0.5>(x, , , s) }",
    "cubic without what lies outside": f"g (float[1,3,5,6] x) => (float y) {_SCALE}"
    ' { y = Resize<mode = "cubic", exclude_outside = 1>(x, , s) }',
    "sizes of two axes": "g (float[1,3,5,6] x) => (float y) <int64[2] s = {7, 9}>"
    ' { y = Resize<mode = "linear", axes = [2,3]>(x, , , s) }',
}
"""Computed by other operators, each of which rounds."""

CONDITIONS = {
    "chosen by a comparison": f"{_X9}, float[1,9] x2) => (float y)"
    " { c = Greater(x, x2) y = Where(c, x, x2) }",
    "one of two by a third": f"{_X9}, float[1,9] x2) => (float y) <float t = {{0.25}}>"
    " { c = LessOrEqual(x, t) y = Where(c, x2, x) }",
    "a condition as a factor": f"{_X9}, float[1,9] x2) => (float y)"
    " { c = Less(x, x2) m = Cast<to = 1>(c) y = Mul(m, x2) }",
    "divided by one value": f"{_X9}, float[1,1] x2) => (float y)"
    " { d = Sigmoid(x2) y = Div(x, d) }",
}
"""What int8 does with a table of ones and zeros, or of quotients."""

MASKED = {
    "added": "g (float[1,3,4] x) => (float y) <float[4] m = {0, -inf, 0, 0}>"
    " { t = Add(x, m) y = Softmax(t) }",
    "filled in": "g (float[1,3,4] x) => (float y)"
    " <bool[4] m = {0,1,0,0}, float c = {-1000000000.0}> { t = Where(m, c, x) y = Softmax(t) }",
}
"""What a softmax shall not see."""

RECURRENT = {
    "gru from behind": f"g (float[7,1,6] x, {_GRU}) => (float y, float yh) {{ y, yh ="
    ' GRU<hidden_size = 8, linear_before_reset = 1, direction = "reverse">(x, w, r, b) }',
    "lstm from behind, with states": "g (float[7,1,6] x, float[1,1,8] x2, float[1,1,8] x3,"
    " float[1,32,6] w, float[1,32,8] r) => (float y, float yh, float yc) { y, yh, yc ="
    ' LSTM<hidden_size = 8, direction = "reverse">(x, w, r, , , x2, x3) }',
    "gru that resets first": f"g (float[7,1,6] x, {_GRU}) => (float y, float yh)"
    " { y, yh = GRU<hidden_size = 8>(x, w, r, b) }",
    "rnn both ways with a state": "g (float[7,1,6] x, float[2,1,8] x2, float[2,8,6] w,"
    " float[2,8,8] r, float[2,16] b) => (float y, float yh) { y, yh = RNN<hidden_size = 8,"
    ' direction = "bidirectional">(x, w, r, b, , x2) }',
    "rnn with relu, lengths given": "g (float[7,1,6] x, float[1,8,6] w, float[1,8,8] r)"
    ' => (float y) <int32[1] l = {7}> { y = RNN<hidden_size = 8, activations = ["Relu"]>'
    "(x, w, r, , l) }",
}
"""Layers over time that ESP-DL has in another form, or not at all."""

NEWER = {
    "groups": (
        21,
        "g (float[1,8,5,5] x, float[8] s, float[8] b) => (float y)"
        " { y = GroupNormalization<num_groups = 2>(x, s, b) }",
    ),
    "root mean square": (
        23,
        "g (float[1,5,16] x, float[16] s) => (float y) { y = RMSNormalization<axis = -1>(x, s) }",
    ),
    "attention": (
        23,
        "g (float[1,2,7,8] x, float[1,2,9,8] x2, float[1,2,9,8] x3) => (float y)"
        " { y = Attention(x, x2, x3) }",
    ),
    "attention of joined heads": (
        23,
        "g (float[1,7,16] x, float[1,7,8] x2, float[1,7,8] x3)"
        " => (float y) { y = Attention<q_num_heads = 4, kv_num_heads = 2,"
        " is_causal = 1>(x, x2, x3) }",
    ),
}
"""By opset."""

OLDER = {
    "upsampled": (
        9,
        "g (float[1,3,5,5] x) => (float y) <float[4] s = {1.0,1.0,2.0,3.0}>"
        ' { y = Upsample<mode = "nearest">(x, s) }',
    ),
    "resized by opset 10": (
        10,
        "g (float[1,3,5,5] x) => (float y)"
        ' <float[4] s = {1.0,1.0,2.0,3.0}> { y = Resize<mode = "linear">(x, s) }',
    ),
    "bounds, cut and padding as attributes": (
        9,
        "g (float[1,3,6,6] x) => (float y) { c = Clip<min = -0.5, max = 1.5>(x)"
        " p = Pad<pads = [0,0,1,0,0,0,-1,2], value = 0.5>(c)"
        " y = Slice<starts = [1,-4], ends = [9,9], axes = [2,3]>(p) }",
    ),
}
"""By opset."""
