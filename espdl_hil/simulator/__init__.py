"""The simulator: a lowered model's integers, value by value, as its target computes them."""

from espdl_hil.simulator.simulator import Simulator, Step

__all__ = ["Simulator", "Step"]
