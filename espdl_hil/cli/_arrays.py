"""Arrays on the command line: the verbs read and write ``.npz`` archives."""

from espdl_hil.archives import check_writable, read_arrays, write_arrays

__all__ = ["check_writable", "read_arrays", "write_arrays"]
