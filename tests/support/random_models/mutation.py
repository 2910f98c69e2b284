"""Small changes to a random model: another exponent, index or attribute, or one attribute less.

What comes out may be right, a kernel's limit, or nonsense; both engines must tell which.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from espdl_hil.ir.attributes import Attribute, AttributeKind
from espdl_hil.ir.lowered import LoweredModel, Tensor
from tests.support.random_models.model import RandomModel

_STEPS = (-7, -2, -1, 1, 2, 7)
_FAR = 1 << 30  # larger ones stand for infinity and stay


def mutated(rng: np.random.Generator, case: RandomModel) -> RandomModel:
    """The model with one thing changed."""
    changes = (_other_exponent, _other_parameter, _other_attribute, _no_attribute)
    change = changes[int(rng.integers(len(changes)))]
    return replace(case, model=change(rng, case.model))


def _some(rng: np.random.Generator, names: object) -> str:
    return str(rng.choice(sorted(names)))  # type: ignore[call-overload]


def _other_exponent(rng: np.random.Generator, model: LoweredModel) -> LoweredModel:
    """A value at another exponent, up to 9 away."""
    name = _some(rng, model.values)
    info = model.values[name]
    moved = replace(info, exponents=(info.exponents[0] + int(rng.integers(-9, 10)),))
    return replace(model, values={**model.values, name: moved})


def _other_parameter(rng: np.random.Generator, model: LoweredModel) -> LoweredModel:
    """An index that differs, or data at other exponents."""
    if not model.parameters:
        return model
    name = _some(rng, model.parameters)
    tensor = model.parameters[name]
    is_bias = name == "b"
    if tensor.dtype.numpy.kind == "i" and tensor.dtype.numpy.itemsize > 2 and not is_bias:
        changed = _other_index(rng, tensor)
    else:
        moved = tuple(e + int(rng.integers(-9, 10)) for e in tensor.exponents)
        changed = replace(tensor, exponents=moved)
    return replace(model, parameters={**model.parameters, name: changed})


def _other_index(rng: np.random.Generator, tensor: Tensor) -> Tensor:
    numbers = tensor.array().copy()
    if not numbers.size:
        return tensor
    place = np.unravel_index(int(rng.integers(numbers.size)), numbers.shape)
    if abs(int(numbers[place])) < _FAR:
        numbers[place] = int(numbers[place]) + int(rng.choice(_STEPS))
    return replace(tensor, data=numbers.tobytes())


def _other_attribute(rng: np.random.Generator, model: LoweredModel) -> LoweredModel:
    """An integer attribute, or one of a list, that differs."""
    (node,) = model.nodes
    numbers = {
        name: item
        for name, item in node.attributes.items()
        if item.kind in (AttributeKind.INT, AttributeKind.INTS) and item.value != ()
    }
    if not numbers:
        return model
    name = _some(rng, numbers)
    value, step = numbers[name].value, int(rng.choice(_STEPS))
    if isinstance(value, int):
        changed = Attribute.of(value + step)
    else:
        assert isinstance(value, tuple)
        items = [int(item) for item in value]
        items[int(rng.integers(len(items)))] += step
        changed = Attribute.of(items)
    attributes = {**node.attributes, name: changed}
    return replace(model, nodes=(replace(node, attributes=attributes),))


def _no_attribute(rng: np.random.Generator, model: LoweredModel) -> LoweredModel:
    """One attribute less."""
    (node,) = model.nodes
    left_out = _some(rng, node.attributes)
    attributes = {name: item for name, item in node.attributes.items() if name != left_out}
    return replace(model, nodes=(replace(node, attributes=attributes),))
