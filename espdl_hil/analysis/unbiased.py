"""Whether a model gains by corrected biases, shown by samples.

The law of this file: a correction is kept only where the integers themselves come nearer to the
float model by it; what the correction is, ``quantizer.bias`` says.
"""

from __future__ import annotations

from espdl_hil.analysis.preflight import preflight, refuse_errors
from espdl_hil.analysis.relief import Relieved, relieve
from espdl_hil.calibration.ranges import Ranges
from espdl_hil.calibration.samples import Samples
from espdl_hil.ir.graph import Graph
from espdl_hil.lowering import lower
from espdl_hil.quantizer import QuantizeConfig, channel_means, corrected, corrected_nodes
from espdl_hil.results.quality import output_quality
from espdl_hil.simulator import Simulator

_JUDGING_SAMPLES = 16
_LEAST_GAIN_DB = 0.5  # less may be these samples' alone


def without_bias(
    graph: Graph, ranges: Ranges, config: QuantizeConfig, samples: Samples, plain: Relieved
) -> Relieved | None:
    """The model with corrected biases; ``None`` where samples do not show that it gains by it.

    Integers of 16 bits leave no error that would matter.

    Args:
        graph: the float model.
        ranges: of its values.
        config: width, target and room in accumulators.
        samples: calibration inputs; the first few judge.
        plain: the model as it is without correction.

    Raises:
        UnsupportedModelError: the model is not supported on the target, corrected or not.
    """
    from espdl_hil.frontend.evaluate import FloatModel

    nodes = corrected_nodes(graph)
    if config.bits > 8 or not nodes:
        return None
    bare = lower(plain.quant, config.target)
    refuse_errors(preflight(bare, config.target, overflow=False))  # before any is simulated
    inputs = tuple(dict.fromkeys(node.inputs[0] for node in nodes))
    float_inputs = FloatModel(graph, inputs, threads=1)  # sums in one order: equal files
    changed = corrected(plain.quant, channel_means(graph, float_inputs.run, samples))
    other = relieve(changed, ranges, config, range(samples.count), samples.sample)
    compared = [samples.sample(index) for index in range(min(_JUDGING_SAMPLES, samples.count))]
    evaluate = FloatModel(graph).run
    scores = []
    for one in (bare, lower(other.quant, config.target)):
        found = output_quality(Simulator(one, config.target), evaluate, compared)
        scores.append(min((quality.sqnr_db for quality in found), default=0.0))
    gains = scores[1] >= scores[0] + _LEAST_GAIN_DB
    return other if gains and not other.stuck else None
