"""One graph per further operator and kind of use: moves, formulas, products, recurrent layers."""

from __future__ import annotations

MOVES = {
    "neg": "g (float[1,20] x) => (float y) { y = Neg(x) }",
    "greater": "g (float[1,20] x, float[1,20] x2) => (bool y) { y = Greater(x, x2) }",
    "greater_or_equal": (
        "g (float[1,20] x, float[1,20] x2) => (bool y) { y = GreaterOrEqual(x, x2) }"
    ),
    "less": "g (float[1,6,4,4] x, float[1,6,1,1] x2) => (bool y) { y = Less(x, x2) }",
    "equal": ("g (float[1,20] x) => (bool y) <float c = {0.5}> { t = Clip(x, c) y = Equal(t, c) }"),
    "r_min": (
        "g (float[1,5,7,7] x) => (float y) <int64[2] a = {1, -1}> { t = MaxPool<kernel_shape "
        "= [2,2]>(x) y = ReduceMin<keepdims = 0>(t, a) }"
    ),
    "snd_max": (
        "g (float[1,5,6] x, float[1,2,6] x2) => (float y) <int64[1,2,2] i = {0, 1, 0, 1}> "
        '{ y = ScatterND<reduction = "max">(x, i, x2) }'
    ),
    "snd_min": (
        "g (float[1,5,6] x, float[1,2,6] x2) => (float y) <int64[1,2,2] i = {0, 3, 0, 0}> "
        '{ y = ScatterND<reduction = "min">(x, i, x2) }'
    ),
    "mod": "g (float[1,20] x) => (float y) <float c = {0.5}> { y = Mod<fmod = 1>(x, c) }",
    "less_c": "g (float[1,6,4,4] x) => (bool y) <float c = {0.5}> { y = LessOrEqual(x, c) }",
    "gather0": (
        "g (float[1,8,6,6] x) => (float y) <int64 i = {-1}> { y = Gather<axis = 1>(x, i) }"
    ),
    "gatherneg": (
        "g (float[1,8,6] x) => (float y) <int64[2,2] i = {-1, 0, 2, -3}> { y = "
        "Gather<axis = 2>(x, i) }"
    ),
    "s2d": "g (float[1,3,4,6] x) => (float y) { y = SpaceToDepth<blocksize = 2>(x) }",
    "s2d1": "g (float[1,1,4,6] x) => (float y) { y = SpaceToDepth<blocksize = 2>(x) }",
    "d2s": "g (float[1,12,4,6] x) => (float y) { y = DepthToSpace<blocksize = 2>(x) }",
    "d2s_b": "g (float[1,8,4,6] x) => (float y) { y = DepthToSpace<blocksize = 2>(x) }",
    "rev": (
        "g (float[1,5,6] x) => (float y) <int64[1] l = {3}> { y = "
        "ReverseSequence<batch_axis = 0, time_axis = 1>(x, l) }"
    ),
    "pad_neg": (
        "g (float[1,3,5,5] x) => (float y) <int64[8] p = {0, 0, -1, 2, 0, 0, 3, -2}> { y "
        "= Pad(x, p) }"
    ),
    "pad_axes": (
        "g (float[1,3,5,5] x) => (float y) <int64[4] p = {1, 2, 0, 1}, int64[2] a = {2, "
        '-1}> { y = Pad<mode = "edge">(x, p, , a) }'
    ),
    "slice_back": (
        "g (float[1,8,6] x) => (float y) <int64[1] s = {-1}, int64[1] e = {-1000}, "
        "int64[1] a = {2}, int64[1] st = {-2}> { y = Slice(x, s, e, a, st) }"
    ),
    "rsz_c3": (
        "g (float[1,3,5,5] x) => (float y) <float[4] s = {1.0, 1.0, 3.0, 2.0}> { y = "
        'Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric", '
        'nearest_mode = "floor">(x, , s) }'
    ),
    "rsz_hp": (
        "g (float[1,16,5,5] x) => (float y) <int64[4] s = {1, 16, 7, 8}> { y = "
        'Resize<mode = "nearest">(x, , , s) }'
    ),
    "rsz_down": (
        "g (float[1,3,6,6] x) => (float y) <float[4] s = {1.0, 1.0, 0.5, 0.6}> { y = "
        'Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric", '
        'nearest_mode = "floor">(x, , s) }'
    ),
    "rsz_ceil": (
        "g (float[1,16,6,6] x) => (float y) <float[4] s = {1.0, 1.0, 0.5, 1.7}> { y = "
        'Resize<mode = "nearest", coordinate_transformation_mode = "align_corners", '
        'nearest_mode = "ceil">(x, , s) }'
    ),
    "rsz_1d": (
        "g (float[1,5,6] x) => (float y) <float[3] s = {1.0, 1.0, 2.0}> { y = Resize<mode "
        '= "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = '
        '"floor">(x, , s) }'
    ),
    "snd": (
        "g (float[1,5,6] x, float[1,2,6] x2) => (float y) <int64[1,2,2] i = {0, -1, 0, "
        "2}> { y = ScatterND(x, i, x2) }"
    ),
}
"""What only moves, negates or compares integers: no error at all."""

FORMULAS = {
    "mm_dyn": "g (float[1,7,20] x, float[1,20,18] x2) => (float y) { y = MatMul(x, x2) }",
    "mm_dyn_al": "g (float[1,4,7,16] x, float[1,4,16,32] x2) => (float y) { y = MatMul(x, x2) }",
    "mm_dyn_small": (
        "g (float[1,4,7,20] x, float[1,1,20,5] x2) => (float y) { y = MatMul(x, x2) }"
    ),
    "mm_2d": (
        "g (float[1,20] x, float[1,40] x2) => (float y) <int64[2] s = {20, 2}> { t = "
        "Reshape(x2, s) y = MatMul(x, t) }"
    ),
    "mm_const_left": "g (float[1,20,33] x, float[1,6,20] c) => (float y) { y = MatMul(c, x) }",
    "mm_const_batch": "g (float[1,3,7,20] x, float[3,20,18] c) => (float y) { y = MatMul(x, c) }",
    "attn": (
        "g (float[1,4,9,8] x, float[1,4,9,8] x2, float[1,4,9,8] x3) => (float y) <float c "
        "= {0.35}> { k = Transpose<perm = [0,1,3,2]>(x2) s = MatMul(x, k) m = Mul(s, c) p "
        "= Softmax(m) y = MatMul(p, x3) }"
    ),
    "convt": (
        "g (float[1,8,5,5] x, float[8,16,3,3] w, float[16] b) => (float y) { y = "
        "ConvTranspose<strides = [2,2], pads = [1,1,1,1], output_padding = [1,1]>(x, w, "
        "b) }"
    ),
    "convt_g": (
        "g (float[1,8,5,6] x, float[8,1,4,4] w, float[8] b) => (float y) { y = "
        "ConvTranspose<strides = [2,2], pads = [1,1,1,1], group = 8>(x, w, b) }"
    ),
    "convt_g2": (
        "g (float[1,8,5,6] x, float[8,3,4,4] w, float[6] b) => (float y) { y = "
        "ConvTranspose<strides = [2,2], pads = [1,1,1,1], group = 2>(x, w, b) }"
    ),
    "convt_neg": (
        "g (float[1,8,5,6] x, float[8,4,2,2] w) => (float y) { y = ConvTranspose<strides "
        "= [3,2], pads = [2,2,2,1]>(x, w) }"
    ),
    "convt_s1": (
        "g (float[1,8,5,6] x, float[8,4,3,3] w) => (float y) { y = "
        "ConvTranspose<dilations = [2,1]>(x, w) }"
    ),
    "convt_1d": (
        "g (float[1,8,7] x, float[8,4,4] w) => (float y) { y = ConvTranspose<strides = "
        "[2], pads = [1,1]>(x, w) }"
    ),
    "convt_same": (
        "g (float[1,8,7,7] x, float[8,4,3,3] w) => (float y) { y = ConvTranspose<strides "
        '= [2,2], auto_pad = "SAME_UPPER">(x, w) }'
    ),
    "convt_shape": (
        "g (float[1,8,7,7] x, float[8,4,3,3] w) => (float y) { y = ConvTranspose<strides "
        "= [2,2], output_shape = [14,14]>(x, w) }"
    ),
    "convt_relu_bn": (
        "g (float[1,8,5,5] x, float[8,16,3,3] w, float[16] s, float[16] o, float[16] m, "
        "float[16] v) => (float y) { t = ConvTranspose<strides = [2,2]>(x, w) u = "
        "BatchNormalization(t, s, o, m, v) y = Relu(u) }"
    ),
    "r_l1": (
        "g (float[1,5,7,7] x) => (float y) <int64[1] a = {1}> { t = MaxPool<kernel_shape "
        "= [2,2]>(x) y = ReduceL1<keepdims = 0>(t, a) }"
    ),
    "r_l2": "g (float[1,5,7,7] x) => (float y) <int64[2] a = {2, 3}> { y = ReduceL2(x, a) }",
    "r_lse": ("g (float[1,5,7] x) => (float y) <int64[1] a = {-1}> { y = ReduceLogSumExp(x, a) }"),
    "r_prod": "g (float[1,5,3] x) => (float y) <int64[1] a = {2}> { y = ReduceProd(x, a) }",
    "r_ss": "g (float[1,5,7] x) => (float y) <int64[1] a = {2}> { y = ReduceSumSquare(x, a) }",
    "r_logsum": (
        "g (float[1,5,7] x) => (float y) <int64[1] a = {2}> { t = Sigmoid(x) y = "
        "ReduceLogSum(t, a) }"
    ),
    "r_mean2": (
        "g (float[1,5,7,6] x) => (float y) <int64[2] a = {1, 3}> { y = "
        "ReduceMean<keepdims = 0>(x, a) }"
    ),
    "ln": (
        "g (float[1,6,16] x, float[16] s, float[16] b) => (float y) { y = "
        "LayerNormalization(x, s, b) }"
    ),
    "ln2": (
        "g (float[1,6,16] x, float[6,16] s) => (float y) { y = LayerNormalization<axis = 1>(x, s) }"
    ),
    "lpn": (
        "g (float[1,6,4,4] x) => (float y) { t = MaxPool<kernel_shape = [2,2]>(x) y = "
        "LpNormalization<axis = 1>(t) }"
    ),
    "lpn1": "g (float[1,6,16] x) => (float y) { y = LpNormalization<axis = -1, p = 1>(x) }",
    "log": "g (float[1,20] x) => (float y) { t = Sigmoid(x) y = Log(t) }",
    "sqrt": "g (float[1,20] x) => (float y) { t = Sigmoid(x) y = Sqrt(t) }",
    "div": "g (float[1,20] x, float[1,20] x2) => (float y) { t = Sigmoid(x2) y = Div(x, t) }",
    "div_c": (
        "g (float[1,20] x2) => (float y) <float c = {2.0}> { t = Sigmoid(x2) y = Div(c, t) }"
    ),
    "pow": "g (float[1,20] x, float[1,20] x2) => (float y) { t = Sigmoid(x2) y = Pow(t, x) }",
    "pow2": "g (float[1,20] x) => (float y) <float c = {2.0}> { y = Pow(x, c) }",
    "rms": (
        "g (float[1,6,16] x, float[16] s) => (float y) <int64[1] a = {-1}, float e = {0.001}> "
        "{ q = Mul(x, x) m = ReduceMean(q, a) w = Add(m, e) r = Sqrt(w) n = Div(x, r) "
        "y = Mul(n, s) }"
    ),
    "pow3": "g (float[1,20] x) => (float y) <float c = {3.0}> { y = Pow(x, c) }",
    "snd_add": (
        "g (float[1,5,6] x, float[2,6] u) => (float y) <int64[2,2] i = {0, 1, 0, 2}> { y "
        '= ScatterND<reduction = "add">(x, i, u) }'
    ),
    "prelu1_2d": "g (float[1,6] x, float[1] a) => (float y) { y = PRelu(x, a) }",
    "logsm": "g (float[1,4,10] x) => (float y) { y = LogSoftmax<axis = -1>(x) }",
    "elu": "g (float[1,20] x) => (float y) { y = Elu<alpha = 0.7>(x) }",
}
"""What computes, in both widths."""

LINEAR_RESIZES = {
    "rsz_ac": (
        "g (float[1,3,5,5] x) => (float y) <int64[4] s = {1, 3, 9, 7}> { y = Resize<mode "
        '= "linear", coordinate_transformation_mode = "align_corners">(x, , , s) }'
    ),
    "rsz_lin": (
        "g (float[1,3,5,5] x) => (float y) <float[4] s = {1.0, 1.0, 1.5, 2.5}> { y = "
        'Resize<mode = "linear">(x, , s) }'
    ),
    "rsz_lin1d": (
        "g (float[1,5,6] x) => (float y) <float[3] s = {1.0, 1.0, 2.3}> { y = Resize<mode "
        '= "linear">(x, , s) }'
    ),
}
"""What has no int16 kernel."""

RECURRENT = {
    "gru": (
        "g (float[9,1,20] x, float[1,48,20] w, float[1,48,16] r, float[1,96] b) => (float "
        "y, float yh) { y, yh = GRU<hidden_size = 16, linear_before_reset = 1>(x, w, r, "
        "b) }"
    ),
    "gru_y": (
        "g (float[9,1,16] x, float[1,48,16] w, float[1,48,16] r) => (float y) { y = "
        "GRU<hidden_size = 16, linear_before_reset = 1>(x, w, r) }"
    ),
    "gru_yh_bi": (
        "g (float[9,1,16] x, float[2,48,16] w, float[2,48,16] r, float[2,96] b) => (float "
        "y) {, y = GRU<hidden_size = 16, linear_before_reset = 1, direction = "
        '"bidirectional">(x, w, r, b) }'
    ),
    "gru_h0": (
        "g (float[9,1,20] x, float[1,1,16] x2, float[1,48,20] w, float[1,48,16] r, "
        "float[1,96] b) => (float y, float yh) { y, yh = GRU<hidden_size = 16, "
        "linear_before_reset = 1>(x, w, r, b, , x2) }"
    ),
    "lstm": (
        "g (float[9,1,20] x, float[1,64,20] w, float[1,64,16] r, float[1,128] b) => "
        "(float y, float yh, float yc) { y, yh, yc = LSTM<hidden_size = 16>(x, w, r, b) }"
    ),
    "lstm_y": (
        "g (float[9,1,20] x, float[1,64,20] w, float[1,64,16] r, float[1,128] b) => "
        "(float y) { y = LSTM<hidden_size = 16>(x, w, r, b) }"
    ),
    "lstm_c0": (
        "g (float[9,1,20] x, float[1,1,16] x2, float[1,1,16] x3, float[1,64,20] w, "
        "float[1,64,16] r, float[1,128] b) => (float yc) { y, yh, c = LSTM<hidden_size = "
        "16>(x, w, r, b, , x2, x3) yc = Relu(c) }"
    ),
    "gru_two_layers_as_torch_writes_them": "g (float[1,9,8] x, float[2,24,8] w, float[2,24,8] r,"
    " float[2,48] b, float[1,24,16] w2, float[1,24,8] r2, float[1,48] b2) => (float y)"
    " <float[2,1,8] h = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}, int64[3] s = {0,0,-1}, int64[1] a = {1}>"
    " { t = Transpose<perm = [1,0,2]>(x)"
    ' o, oh = GRU<hidden_size = 8, linear_before_reset = 1, direction = "bidirectional">'
    "(t, w, r, b, , h) p = Transpose<perm = [0,2,1,3]>(o) q = Reshape(p, s)"
    " u, uh = GRU<hidden_size = 8, linear_before_reset = 1>(q, w2, r2, b2)"
    " v = Squeeze(u, a) y = Transpose<perm = [1,0,2]>(v) }",
}
"""Gates have steps of 1/512 and flat ends in both widths: int16 gains little."""
