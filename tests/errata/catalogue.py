"""Every defect, limit and trap of ESP-DL 3.3.9 that we know, with our answer: one list.

``python -m tests.errata.catalogue`` prints ``docs/errata.md``. A test says which entry it shows by
``@shows("...")``; ``test_catalogue.py`` demands a test for every entry and an entry for every test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

_Test = TypeVar("_Test", bound=Callable[..., object])

_MARK = "errata"


class Answer(Enum):
    """What we do about a defect."""

    REFUSED = "refused"
    AROUND = "lowered around"
    MODELLED = "modelled"
    OPEN = "open by trait"


@dataclass(frozen=True)
class Erratum:
    """One defect.

    Attributes:
        name: what tests cite.
        defect: what the runtime does.
        where: file and function upstream, at commit 12c0616.
        targets: where it does that.
        answers: what we do; AROUND is what ``quantize`` does, REFUSED also holds for files that
            others made.
        ours: the sentence about it.
    """

    name: str
    defect: str
    where: str
    targets: str
    answers: tuple[Answer, ...]
    ours: str


REFUSED, AROUND, MODELLED, OPEN = Answer.REFUSED, Answer.AROUND, Answer.MODELLED, Answer.OPEN

ERRATA = (
    # Accumulators and shifts
    Erratum(
        "20-bit lanes",
        "int8 sums of Conv, Gemm and MatMul saturate at 20 bits after every multiply-accumulate",
        "isa/tie728/dl_tie728_s8_conv2d.S",
        "S3",
        (MODELLED,),
        "exact in order; the quantizer keeps models out of it, `check` tells the headroom",
    ),
    Erratum(
        "tail accumulator",
        "the last N % 16 (8) output channels are summed in 40 bits, the others in lanes; "
        "depthwise layers have no tail",
        "dl_tie728_s8_conv2d.S, dl_esp32p4_s8_conv2d.S",
        "S3, P4",
        (MODELLED,),
        "both widths in one layer",
    ),
    Erratum(
        "cut bias",
        "a bias is loaded with its high bits cut off: 20 or 40 bits",
        "dl_tensor_base.cpp reset_bias_layout",
        "S3, P4",
        (AROUND, REFUSED),
        "quantized within the width; a file with a larger one is refused by preflight, and its "
        "integers are those of the cut bias",
    ),
    Erratum(
        "negative shift",
        "an output exponent below the product's: address 0 is read, or all results are 0",
        "dl_base.hpp, dl_tie728_s8_conv2d.S, dl_esp32p4_s8.S",
        "S3, P4",
        (AROUND, REFUSED),
        "the quantizer raises the output's exponent",
    ),
    Erratum(
        "large shift",
        "the shift register has 5 bits: a shift above 32 (S3) or 31 (P4) is another shift",
        "dl_tie728_s8.S, dl_esp32p4_s8.S",
        "S3, P4",
        (AROUND, MODELLED, REFUSED),
        "the quantizer raises the weights' exponents; files have the integers of the shift that "
        "the register holds (one of Espressif's own models does), and preflight refuses them",
    ),
    Erratum(
        "per-channel weights",
        "one exponent per output channel: a null pointer is read",
        "dl_base_activate_buffer.hpp, dl_base.hpp",
        "C, S3",
        (AROUND, REFUSED),
        "the quantizer gives one exponent per tensor there",
    ),
    Erratum(
        "grouped convolution",
        "only group 1 and one group per channel have kernels; others compute garbage",
        "dl_module_conv.hpp",
        "all",
        (AROUND, REFUSED),
        "becomes a dense one, with zeros between the groups",
    ),
    Erratum(
        "batch",
        "the batch axis is ignored: only the first sample is computed",
        "dl_base.hpp",
        "all",
        (REFUSED,),
        "batch above 1 is refused for convolutions and recurrent layers",
    ),
    Erratum(
        "Mul left shift",
        "vector products whose output exponent is below the operands' sum give 0",
        "dl_tie728_s8_mul.S, dl_esp32p4_s8_mul.S",
        "S3, P4",
        (AROUND, REFUSED),
        "the quantizer raises the output's exponent",
    ),
    Erratum(
        "Mul int16",
        "the plain C kernel rounds an int16 product to float32, the vector kernel is exact",
        "dl_base_mul.cpp",
        "all",
        (MODELLED,),
        "by the innermost merged axis, as the runtime chooses",
    ),
    # Exponents
    Erratum(
        "unequal exponents",
        "Add, Sub, Concat, comparisons and copies work on raw integers and ignore exponents",
        "dl_base_add.cpp, dl_module_concat.hpp",
        "all",
        (AROUND, REFUSED),
        "a RequantizeLinear is put before them, however near the scales are",
    ),
    Erratum(
        "exponent range",
        "scales are formed as `1 << exponent` in 32 bits",
        "dl_define.hpp DL_SCALE",
        "all",
        (REFUSED,),
        "exponents beyond 30 in magnitude",
    ),
    Erratum(
        "ReduceL2 exponent",
        "`1 << (2 * exponent)` in 32 bits: undefined from exponent -16 on",
        "dl_module_reduce_l2.hpp",
        "all",
        (REFUSED,),
        "exponents beyond 15 in magnitude",
    ),
    Erratum(
        "requantize left",
        "the vector kernel holds the factor in few bits: signs flip, or all is 0",
        "dl_tie728_s8_requantize_linear.S, dl_esp32p4_s8_requantize_linear.S",
        "S3, P4",
        (AROUND, REFUSED),
        "in two steps, each within the limit",
    ),
    Erratum(
        "requantize rest",
        "int8 to int16 of more than 50 elements, 8 modulo 16: the last 8 are never written",
        "dl_tie728_s8_requantize_linear.S",
        "S3",
        (REFUSED,),
        "refused",
    ),
    Erratum(
        "PRelu byte",
        "int8 slopes hold the output's scale as one byte",
        "dl_tie728_s8_prelu.S, dl_esp32p4_prelu.S",
        "S3, P4",
        (AROUND, REFUSED),
        "input and output share an exponent",
    ),
    Erratum(
        "PRelu floor",
        "slopes floor instead of round, and positive values are copied whatever the exponents",
        "dl_base_prelu.cpp",
        "C; int16 on all",
        (MODELLED, AROUND, REFUSED),
        "floored as the kernel does; unequal exponents are refused",
    ),
    # Windows
    Erratum(
        "strided window",
        "stride above 1 on an input smaller than the window without its end padding: reads past "
        "the tensor",
        "dl_base.hpp conv_operation_shell, dl_base_pool2d.hpp",
        "all",
        (AROUND, REFUSED),
        "quantize pads the input first; files are refused",
    ),
    Erratum(
        "dilated border",
        "a dilated window that lies wholly in the padding gives garbage",
        "dl_base.hpp conv_operation_shell",
        "all",
        (REFUSED,),
        "refused",
    ),
    Erratum(
        "count_include_pad",
        "a mean always counts the padding",
        "dl_base_pool2d.hpp",
        "all",
        (MODELLED, AROUND),
        "quantize leaves the padding out by other nodes; files count it",
    ),
    Erratum(
        "pool attributes",
        "ceil_mode and dilations of pools are ignored",
        "dl_module_average_pool.hpp, dl_module_max_pool.hpp",
        "all",
        (AROUND,),
        "computed by other nodes",
    ),
    Erratum(
        "Resize few channels",
        "nearest int8 Resize with less than 16 channels and a scale other than 2x2 reads registers "
        "that were never loaded",
        "dl_esp32p4_s8_resize.S:230, dl_tie728_s8_resize.S",
        "S3, P4",
        (AROUND, REFUSED),
        "becomes one Gather per axis",
    ),
    Erratum(
        "Resize int16",
        "the int16 kernel is empty: zeros",
        "dl_base_resize.cpp:298",
        "all",
        (AROUND, REFUSED),
        "nearest becomes one Gather per axis, linear a product",
    ),
    Erratum(
        "Resize modes",
        "nearest takes floor(x / scale) whatever the attributes say, linear knows half_pixel and "
        "align_corners",
        "dl_base_resize.cpp, dl_module_resize.hpp",
        "all",
        (AROUND, REFUSED),
        "other nearest modes become Gather, other linear modes a product",
    ),
    Erratum(
        "Resize single",
        "linear Resize of a single row or column reads before the tensor",
        "dl_base_resize.cpp linear_coeffs",
        "all",
        (REFUSED,),
        "refused",
    ),
    Erratum(
        "Resize exponents",
        "nearest with unequal exponents: wraps on C, one byte of scale on S3 and P4, and on P4 the "
        "rounding of whatever ran before",
        "dl_base_resize.cpp, dl_esp32p4_s8_resize.S:37",
        "all",
        (AROUND, MODELLED, REFUSED),
        "input and output share an exponent; a right shift on P4 is refused",
    ),
    # Functions
    Erratum(
        "int16 table",
        "int16 activations ignore their table and compute in float",
        "dl_module_sigmoid.hpp and its siblings",
        "all",
        (MODELLED,),
        "computed; preflight notes the dead table",
    ),
    Erratum(
        "fast-math",
        "float expressions are compiled with -ffast-math: the last bit is the compiler's",
        "CMakeLists.txt",
        "all",
        (OPEN,),
        "declared by the operator; one step is allowed there and nowhere else",
    ),
    Erratum(
        "exponentials",
        "int8 Softmax, LogSoftmax and ReduceLogSumExp do not subtract the maximum",
        "dl_module_softmax.hpp, dl_module_reduce_log_sum_exp.hpp",
        "all",
        (MODELLED, REFUSED),
        "modelled; quantize refuses exponents that overflow, preflight warns",
    ),
    Erratum(
        "Newton root",
        "square roots are iterated to an absolute 1e-5: small ones are far off",
        "dl_math.hpp sqrt_newton",
        "all",
        (MODELLED,),
        "iterated as written, element by element",
    ),
    Erratum(
        "frozen divisor",
        "an int8 Div with a single run-time element keeps the table of its first run",
        "dl_base_div.cpp, dl_module_div.hpp",
        "all",
        (AROUND, MODELLED),
        "quantize spreads the divisor; preflight warns, and the simulator has the first run's "
        "integers",
    ),
    Erratum(
        "float Clip",
        "a float Clip without lower bound clips at the smallest positive number",
        "dl_module_clip.hpp",
        "all",
        (REFUSED,),
        "refused; quantized bounds are always written",
    ),
    Erratum(
        "undefined logarithm",
        "the logarithm of 0 and the root of -1 become any integer",
        "dl_module_log.hpp, dl_module_sqrt.hpp",
        "all",
        (AROUND,),
        "behind a Clip in int16, a table in int8",
    ),
    # Moves
    Erratum(
        "Split lengths",
        "without input 1, num_outputs is taken for the length of each part",
        "dl_module_split.hpp",
        "all",
        (AROUND, REFUSED),
        "lengths are always written",
    ),
    Erratum(
        "negative indices",
        "Gather and ScatterND do not wrap negative indices: reads outside the tensor",
        "dl_module_gather.hpp, dl_module_scatter_nd.hpp",
        "all",
        (AROUND, REFUSED),
        "written from the front",
    ),
    Erratum(
        "scattered product",
        "ScatterND multiplies raw integers and does not scale",
        "dl_module_scatter_nd.hpp",
        "all",
        (REFUSED,),
        "reduction mul is refused",
    ),
    Erratum(
        "backward slice",
        "with a negative step, bounds count from the other end",
        "dl_tensor_base.cpp _slice",
        "all",
        (AROUND,),
        "bounds are written as the runtime reads them",
    ),
    Erratum(
        "depth to space",
        "DepthToSpace DCR and SpaceToDepth of several channels mix up their indices",
        "dl_module_depth_to_space.hpp, dl_module_space_to_depth.hpp",
        "all",
        (REFUSED,),
        "refused where they differ from ONNX",
    ),
    Erratum(
        "Pad modes",
        "wrap is unknown, pads cannot be negative, and edge and reflect know four axes",
        "dl_module_pad.hpp",
        "all",
        (REFUSED,),
        "refused",
    ),
    Erratum(
        "four loops",
        "broadcasting and reductions over more than four alternating runs of axes abort",
        "dl_base_elemwise.cpp, dl_module_reduce_base.hpp",
        "all",
        (REFUSED,),
        "refused",
    ),
    # Sequences
    Erratum(
        "gate tables",
        "gate functions are flat beyond 6.3 and 3.5, and gate sums wrap in int16",
        "dl_module_gru.hpp, dl_module_lstm.hpp",
        "all",
        (MODELLED,),
        "tables and wrapping as written",
    ),
    Erratum(
        "gate shift",
        "gate products shifted by 32 bits and more are wrong",
        "dl_base_dotprod.cpp",
        "S3, P4",
        (REFUSED,),
        "refused",
    ),
    Erratum(
        "linear_before_reset",
        "GRU computes linear_before_reset=1 whatever the attribute says",
        "dl_module_gru.hpp",
        "all",
        (REFUSED,),
        "0 is refused",
    ),
    Erratum(
        "streaming axes",
        "StreamingCache copies bytes flat: right only if no axis before time is longer than 1",
        "dl_module_streaming_cache.hpp",
        "all",
        (REFUSED,),
        "refused otherwise",
    ),
    # Files
    Erratum(
        "wrong target",
        "a file of another chip loads and computes garbage",
        "dl_model_base.cpp",
        "all",
        (REFUSED,),
        "by the file's target and by the layout of its filters",
    ),
    Erratum(
        "fused activations",
        "Conv, Gemm and MatMul apply only Relu; other fused activations are dead code",
        "dl_base_activate_output.hpp",
        "all",
        (REFUSED,),
        "only Relu is fused; others are refused",
    ),
    Erratum(
        "Gemm attributes",
        "alpha, beta, transA and transB are ignored or refused",
        "dl_module_gemm.hpp",
        "all",
        (AROUND, REFUSED),
        "moved into the constants; what cannot move is refused",
    ),
    Erratum(
        "native_kn",
        "input1_layout of a run-time MatMul is ignored: its right side must lie as a filter",
        "dl_module_matmul.hpp",
        "all",
        (AROUND,),
        "the board packs it by Transpose, Reshape, Slice and Concat nodes",
    ),
)


def shows(*names: str) -> Callable[[_Test], _Test]:
    """Say which errata a test is about; unknown names are an error at import."""
    known = {erratum.name for erratum in ERRATA}
    assert set(names) <= known, set(names) - known

    def mark(test: _Test) -> _Test:
        setattr(test, _MARK, (*names_of(test), *names))
        return test

    return mark


def names_of(test: object) -> tuple[str, ...]:
    """The errata that a test is about."""
    return tuple(getattr(test, _MARK, ()))


def page(tests: Iterable[tuple[str, str]]) -> str:
    """``docs/errata.md``: one row per erratum, with the ``(erratum, test)`` pairs given."""
    found: dict[str, list[str]] = {}
    for name, test in tests:
        found.setdefault(name, []).append(test)
    lines = [
        "# Errata of ESP-DL 3.3.9, and what we do about each",
        "",
        "Made by `make errata` from `tests/errata`; a test fails where this page is not current.",
        "Files are those of ESP-DL at commit 12c0616. **Refused**: `quantize`, `check`, the",
        "simulator or the reference engine say so, with the reason. **Lowered around**: `quantize`",
        "writes something else that is right. **Modelled**: the simulator has the chip's integers.",
        "",
        "| Erratum | What the runtime does | Where | On | Our answer | Tests |",
        "|---|---|---|---|---|---|",
    ]
    for erratum in ERRATA:
        answers = ", ".join(answer.value for answer in erratum.answers)
        tests_of = "<br>".join(f"`{test}`" for test in sorted(found.get(erratum.name, ())))
        lines.append(
            f"| {erratum.name} | {erratum.defect} | {erratum.where} | {erratum.targets} | "
            f"{answers}: {erratum.ours} | {tests_of} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from tests.errata.test_catalogue import citations

    sys.stdout.write(page(citations()))
