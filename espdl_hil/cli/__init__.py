"""The command line ``espdl-hil VERB``: one file per verb, found by name, imported when asked for.

The law of this package: verbs parse arguments, call ``espdl_hil.pipeline`` and print; they hold no
logic. A verb's file has three names: ``HELP`` (one line), ``add_arguments(parser)`` and
``run(arguments) -> int``. Files that begin with an underscore are shared bits, not verbs.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from espdl_hil import __version__
from espdl_hil.errors import EspdlHilError, FormatError, ModelError

__all__ = ["EXIT_BUG", "EXIT_EQUAL", "EXIT_INTERRUPTED", "EXIT_MISMATCH", "EXIT_USAGE", "main"]

EXIT_EQUAL = 0
EXIT_MISMATCH = 1
EXIT_USAGE = 2
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

_EPILOG = """\
exit codes: 0 equal or done, 1 a mismatch was found, 2 usage or configuration, 3 the model is not
supported, 4 the bench failed (cable, port, flashing, engine), 70 a bug, 130 interrupted."""


@dataclass(frozen=True, slots=True)
class _Verb:
    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code; nothing but a bug shows a traceback.

    Args:
        argv: the arguments after the program name; ``None`` takes those of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    model: Path | None = None
    try:
        arguments = _parser(words).parse_args(words)
        model = getattr(arguments, "file", None) or getattr(arguments, "model", None)
        code = cast(_Verb, arguments.verb_module).run(arguments)
        if sys.stdout is not None:  # as `>&-` leaves it
            sys.stdout.flush()
        return code
    except (FormatError, ModelError) as error:
        # They say where in a model; of which one, only the arguments know.
        return _complain(f"{model}: {error}" if model else str(error), error.exit_code)
    except EspdlHilError as error:
        return _complain(str(error), error.exit_code)
    except MemoryError as error:
        return _complain(f"out of memory: {error}", EXIT_USAGE)
    except KeyboardInterrupt:
        return _complain("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader (`| head`) has gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_EQUAL
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _complain(f"no space left to write {error.filename or 'the result'}", EXIT_USAGE)
        if error.filename is not None:
            return _complain(f"{error.filename}: {error.strerror}", EXIT_USAGE)
        return _bug()
    except Exception:
        return _bug()


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser with only the verb that ``words`` ask for, or with all where they ask for help."""
    parser = argparse.ArgumentParser(
        prog="espdl-hil",
        description="Quantize for ESP-DL, simulate the chip's integers, run on boards, sign off.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"espdl-hil {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    names = _verb_names()
    asked = words[0] if words else ""
    for name in [asked] if asked in names else names:
        verb = _load(name)
        sub = verbs.add_parser(name, help=verb.help, description=verb.help)
        verb.add_arguments(sub)
        sub.set_defaults(verb_module=verb)
    return parser


def _verb_names() -> list[str]:
    return sorted(
        module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")
    )


def _load(name: str) -> _Verb:
    module = importlib.import_module(f"{__name__}.{name}")
    return _Verb(name, module.HELP, module.add_arguments, module.run)


def _complain(message: str, code: int) -> int:
    print(f"espdl-hil: {message}", file=sys.stderr)
    return code


def _bug() -> int:
    traceback.print_exc()
    return _complain("this is a bug; please report it with the lines above", EXIT_BUG)
