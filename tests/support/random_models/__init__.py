"""Random one-node ``.espdl`` models that hit edges: channel tails, rails, ties, odd windows."""

from __future__ import annotations

from tests.support.random_models.functions import FUNCTIONS
from tests.support.random_models.model import FLOAT, Family, RandomModel, integers, one_node
from tests.support.random_models.moves import MOVES
from tests.support.random_models.mutation import mutated
from tests.support.random_models.products import PRODUCTS
from tests.support.random_models.rows import ROWS

__all__ = ["FAMILIES", "FLOAT", "Family", "RandomModel", "integers", "mutated", "one_node"]

FAMILIES: tuple[Family, ...] = (*PRODUCTS, *FUNCTIONS, *ROWS, *MOVES)
