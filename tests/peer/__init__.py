"""Agreement with esp-ppq, an oracle that these tests run in an interpreter of its own."""

from __future__ import annotations

from pathlib import Path


def export_script() -> Path:
    """The script for the peer's interpreter."""
    return Path(__file__).with_name("export_with_peer.py")
