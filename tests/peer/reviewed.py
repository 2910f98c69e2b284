"""What our files say otherwise than esp-ppq's on purpose, each with its reason.

The law of this file: an entry names the difference as narrowly as its reason reaches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A difference that was judged.

    Attributes:
        pattern: of the whole text of the difference.
        reason: why ours stays as it is.
        cases: pattern of the cases it may be met in.
    """

    pattern: str
    reason: str
    cases: str = ".*"

    def explains(self, case: str, text: str) -> bool:
        """Whether this entry covers ``text``, met in ``case``."""
        whole = re.fullmatch(self.pattern, text, re.DOTALL)
        return bool(re.fullmatch(self.cases, case) and whole)


REVIEWED = (
    Reviewed(
        r"(Conv|Gemm|MaxPool|AveragePool|Reshape|Flatten|HardSigmoid|ReduceMean|LeakyRelu|Elu|PRelu"
        r"|Concat|Softmax): attribute \w+: ours \(.*\), peer None",
        "we write ONNX's defaults out: many modules read an absent attribute into an uninitialised"
        " variable",
    ),
    Reviewed(
        r".* layout: ours , peer layout ==> UNK",
        "the text informs; we give none where nothing is packed",
    ),
    Reviewed(
        r"Clip input [12]: dims: ours \(1,\), peer \(\)",
        "the board has no tensor without axes",
    ),
    Reviewed(
        r"Clip input 1: presence: ours True, peer False",
        "a missing lower bound is +1.2e-38 in ESP-DL's float Clip",
    ),
    Reviewed(
        r"(Relu|Clip): attribute lut: ours None, peer .*",
        "ESP-DL's int16 activations do not read the exported table",
        cases=r".*\.16",
    ),
    Reviewed(
        r".* node: ours (\w+).*, peer LUT.*",
        "ESP-DL's int16 activations compute; a stepped table is an approximation",
        cases=r".*\.16",
    ),
    Reviewed(
        r"(Conv|Gemm) input 2: bytes: ours \d of \d+ elements: .*",
        "the peer rounds half up by adding 0.5 in float32, which has no halves from 2**23 on",
        cases=r".*\.(esp32|esp32s3)\.16",
    ),
    Reviewed(
        r"output y: node: ours Gemm, peer MatMul",
        "a MatMul of two axes becomes a Gemm; what stands in front is not compared",
    ),
    Reviewed(
        r".*input 1: bytes: ours \d of \d elements: .* for (0|-1|-4|9000).*, peer \d+ bytes",
        "shapes and ranges are resolved in the file; the peer leaves 0, -1 and open ends",
        cases=r"(reshape|slice|matmul_3d)\..*",
    ),
    Reviewed(
        r"Gemm input 0: node: ours Reshape < Conv, peer Flatten < Transpose < Conv"
        r"|Gemm input 1: bytes: .*",
        "the rows of the weights are permuted instead of the activation at run time",
        cases=r"conv_flatten_gemm\..*",
    ),
)
