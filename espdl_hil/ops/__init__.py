"""Every operator that we know, each listed once; what is not here is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from espdl_hil.ir.operator import Operator
from espdl_hil.ops.add import Add
from espdl_hil.ops.average_pool import AveragePool
from espdl_hil.ops.clip import Clip
from espdl_hil.ops.concat import Concat
from espdl_hil.ops.conv import Conv
from espdl_hil.ops.depth_to_space import DepthToSpace
from espdl_hil.ops.dequantize_linear import DequantizeLinear
from espdl_hil.ops.div import Div
from espdl_hil.ops.elu import Elu
from espdl_hil.ops.equal import Equal
from espdl_hil.ops.exp import Exp
from espdl_hil.ops.flatten import Flatten
from espdl_hil.ops.gather import Gather
from espdl_hil.ops.gelu import Gelu
from espdl_hil.ops.gemm import Gemm
from espdl_hil.ops.global_average_pool import GlobalAveragePool
from espdl_hil.ops.greater import Greater
from espdl_hil.ops.greater_or_equal import GreaterOrEqual
from espdl_hil.ops.gru import GRU
from espdl_hil.ops.hard_sigmoid import HardSigmoid
from espdl_hil.ops.hard_swish import HardSwish
from espdl_hil.ops.identity import Identity
from espdl_hil.ops.insert_zeros import InsertZeros
from espdl_hil.ops.layer_normalization import LayerNormalization
from espdl_hil.ops.leaky_relu import LeakyRelu
from espdl_hil.ops.less import Less
from espdl_hil.ops.less_or_equal import LessOrEqual
from espdl_hil.ops.log import Log
from espdl_hil.ops.log_softmax import LogSoftmax
from espdl_hil.ops.lp_normalization import LpNormalization
from espdl_hil.ops.lstm import LSTM
from espdl_hil.ops.lut import LUT
from espdl_hil.ops.matmul import MatMul
from espdl_hil.ops.max_pool import MaxPool
from espdl_hil.ops.mod import Mod
from espdl_hil.ops.mul import Mul
from espdl_hil.ops.neg import Neg
from espdl_hil.ops.pad import Pad
from espdl_hil.ops.pow import Pow
from espdl_hil.ops.prelu import PRelu
from espdl_hil.ops.quantize_linear import QuantizeLinear
from espdl_hil.ops.reduce_l1 import ReduceL1
from espdl_hil.ops.reduce_l2 import ReduceL2
from espdl_hil.ops.reduce_log_sum import ReduceLogSum
from espdl_hil.ops.reduce_log_sum_exp import ReduceLogSumExp
from espdl_hil.ops.reduce_max import ReduceMax
from espdl_hil.ops.reduce_mean import ReduceMean
from espdl_hil.ops.reduce_min import ReduceMin
from espdl_hil.ops.reduce_prod import ReduceProd
from espdl_hil.ops.reduce_sum import ReduceSum
from espdl_hil.ops.reduce_sum_square import ReduceSumSquare
from espdl_hil.ops.relu import Relu
from espdl_hil.ops.requantize_linear import RequantizeLinear
from espdl_hil.ops.reshape import Reshape
from espdl_hil.ops.resize import Resize
from espdl_hil.ops.reverse_sequence import ReverseSequence
from espdl_hil.ops.rms_normalization import RMSNormalization
from espdl_hil.ops.scatter_nd import ScatterND
from espdl_hil.ops.sigmoid import Sigmoid
from espdl_hil.ops.slice import Slice
from espdl_hil.ops.softmax import Softmax
from espdl_hil.ops.space_to_depth import SpaceToDepth
from espdl_hil.ops.split import Split
from espdl_hil.ops.sqrt import Sqrt
from espdl_hil.ops.squeeze import Squeeze
from espdl_hil.ops.streaming_cache import StreamingCache
from espdl_hil.ops.sub import Sub
from espdl_hil.ops.swish import Swish
from espdl_hil.ops.tanh import Tanh
from espdl_hil.ops.transpose import Transpose
from espdl_hil.ops.unsqueeze import Unsqueeze

__all__ = ["OPERATORS"]

OPERATORS: Mapping[str, type[Operator]] = MappingProxyType(
    {
        operator.op_type: operator
        for operator in (
            Add,
            AveragePool,
            Clip,
            Concat,
            Conv,
            DepthToSpace,
            DequantizeLinear,
            Div,
            Elu,
            Equal,
            Exp,
            Flatten,
            Gather,
            Gelu,
            Gemm,
            GlobalAveragePool,
            Greater,
            GreaterOrEqual,
            GRU,
            HardSigmoid,
            HardSwish,
            Identity,
            InsertZeros,
            LayerNormalization,
            LeakyRelu,
            Less,
            LessOrEqual,
            Log,
            LogSoftmax,
            LpNormalization,
            LSTM,
            LUT,
            MatMul,
            MaxPool,
            Mod,
            Mul,
            Neg,
            Pad,
            Pow,
            PRelu,
            QuantizeLinear,
            ReduceL1,
            ReduceL2,
            ReduceLogSum,
            ReduceLogSumExp,
            ReduceMax,
            ReduceMean,
            ReduceMin,
            ReduceProd,
            ReduceSum,
            ReduceSumSquare,
            Relu,
            RequantizeLinear,
            Reshape,
            Resize,
            ReverseSequence,
            RMSNormalization,
            ScatterND,
            Sigmoid,
            Slice,
            Softmax,
            SpaceToDepth,
            Split,
            Sqrt,
            Squeeze,
            StreamingCache,
            Sub,
            Swish,
            Tanh,
            Transpose,
            Unsqueeze,
        )
    }
)
"""Operators by ``op_type``."""
