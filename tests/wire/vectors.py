"""The golden frames of ``tests/vectors/frames.json``."""

from __future__ import annotations

import json
from pathlib import Path

VECTORS = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "frames.json").read_text())
