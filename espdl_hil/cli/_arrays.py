"""Arrays on the command line: the verbs read and write ``.npz`` archives."""

from espdl_hil.archives import read_arrays, write_arrays

__all__ = ["read_arrays", "write_arrays"]
