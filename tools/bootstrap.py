"""Make the virtual environment that the Makefile asks for, or say what the machine lacks.

The law of this file: standard library only, and any Python 3, so that it can complain politely.
"""

import importlib.util
import os
import shutil
import subprocess
import sys

OLDEST = (3, 10)


def main() -> object:
    """Create ``argv[1]`` unless it exists; return what is missing as the exit message."""
    folder = sys.argv[1]
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:2])
        return "Python >= 3.10 is needed, %s is %s; say PYTHON=..." % (sys.executable, found)  # noqa: UP031
    for program in ("gcc", "make"):
        if shutil.which(program) is None:
            return "%s is not installed; try: apt install gcc make" % program  # noqa: UP031
    if os.path.exists(os.path.join(folder, "bin", "python")):  # noqa: PTH110, PTH118
        return None
    # Debian and Ubuntu ship venv without the part that brings pip.
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return "Python lacks its venv module; try: apt install python3-venv"
    return subprocess.call([sys.executable, "-m", "venv", folder]) or None


if __name__ == "__main__":
    sys.exit(main())
