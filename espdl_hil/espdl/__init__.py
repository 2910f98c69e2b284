"""The ``.espdl`` file: read anybody's, write ours, print either."""

from __future__ import annotations

from espdl_hil.espdl.info import info_text
from espdl_hil.espdl.reader import members, read, read_all, read_file
from espdl_hil.espdl.writer import write, write_pack

__all__ = ["info_text", "members", "read", "read_all", "read_file", "write", "write_pack"]
