"""Resize and its older forms, with a scale or a size for every axis.

Before::

    y = Resize(x, , , [6, 6], axes=[2, 3])         y = Upsample(x, scales)

After::

    y = Resize(x, , , [1, 8, 6, 6])                y = Resize(x, , scales, mode=nearest, floor)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espdl_hil.errors import UnsupportedAttributeError
from espdl_hil.frontend.scope import OnnxNode, Scope
from espdl_hil.ir.attributes import Attribute
from espdl_hil.ops.resize import Resize


def upsample(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """Upsample (up to opset 9), or the Resize of opset 10: coordinates asymmetric, rounded down."""
    attributes = dict(node.attributes)
    scales = attributes.pop("scales", None)
    if scales is not None:
        numbers = np.array(scales.value, dtype=np.float32)
        given = scope.add_constant(f"{node.name}/scales", numbers)
    else:
        scope.constant(node, 1)
        given = node.inputs[1]
    attributes["coordinate_transformation_mode"] = Attribute.of("asymmetric")
    attributes["nearest_mode"] = Attribute.of("floor")
    inputs = (node.inputs[0], "", given)
    return resize(OnnxNode(node.name, Resize.op_type, inputs, node.outputs, attributes), scope)


def resize(node: OnnxNode, scope: Scope) -> Sequence[OnnxNode]:
    """See the file's head."""
    if len(node.inputs) == 2:
        return upsample(node, scope)
    read = node.typed(scope.opset)
    policy = read.text("keep_aspect_ratio_policy", "stretch")
    attributes = dict(node.attributes)
    attributes.pop("keep_aspect_ratio_policy", None)
    attributes.pop("axes", None)
    attributes.pop("extrapolation_value", None)
    if read.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        raise UnsupportedAttributeError(
            "coordinate_transformation_mode",
            "tf_crop_and_resize",
            "half_pixel, align_corners, asymmetric",
            node=node.name,
            hint="crop with Slice, then resize",
        )
    shape = scope.shape(node, node.inputs[0])
    result = scope.shape(node, node.outputs[0])
    axes = [axis % len(shape) for axis in read.integers("axes", tuple(range(len(shape))))]
    inputs = [*node.inputs, *[""] * (4 - len(node.inputs))]
    sized = bool(inputs[3]) and scope.shape(node, inputs[3]) != (0,)
    if sized:
        scope.constant(node, 3)
        inputs[2] = ""
        if policy != "stretch" or len(axes) < len(shape):
            # The sizes that the policy comes to are those of the output.
            sizes = np.array(result, dtype=np.int64)
            inputs[3] = scope.add_constant(f"{node.name}/sizes", sizes)
    else:
        given = scope.constant(node, 2).ravel()
        scales = np.ones(len(shape), dtype=np.float32)
        scales[axes] = given
        inputs[3] = ""
        if len(axes) < len(shape):
            inputs[2] = scope.add_constant(f"{node.name}/scales", scales)
    inputs[1] = ""
    return (OnnxNode(node.name, node.op_type, tuple(inputs), node.outputs, attributes),)
