"""The command line's frame: verbs by file, every outcome its exit code, only bugs a traceback."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import zipfile
from argparse import Namespace

import numpy as np
import pytest

from espdl_hil import __version__, cli
from espdl_hil.cli import _arrays
from espdl_hil.errors import BoardBusyError, ConfigError, EspdlHilError, FormatError, ModelError
from tests.support.golden import PROJECT


@pytest.fixture
def verb(monkeypatch):
    """Make ``espdl-hil inspect FILE`` call a function of the test."""

    def install(run):
        import espdl_hil.cli.inspect as module

        monkeypatch.setattr(module, "run", run)
        return lambda: cli.main(["inspect", "x.espdl"])

    return install


def raising(error: BaseException):
    def run(arguments: Namespace) -> int:
        raise error

    return run


def test_every_file_of_the_package_is_a_verb(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    files = (PROJECT / "espdl_hil" / "cli").glob("[a-z]*.py")
    for name in (path.stem for path in files):
        assert f"\n    {name} " in text
    assert "exit codes" in text


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"espdl-hil {__version__}\n"


@pytest.mark.parametrize("words", [[], ["inspekt"], ["inspect"], ["inspect", "--what"]])
def test_wrong_words_are_usage_errors(words):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == cli.EXIT_USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (EspdlHilError("x"), 2),
        (ModelError("x", node="n"), 3),
        (FormatError("x", offset=1, field="f"), 3),
        (BoardBusyError("x", board="b"), 4),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device", "out.npz"), 2),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x.espdl"), 2),
    ],
)
def test_what_can_go_wrong_is_one_message_and_its_exit_code(verb, capsys, error, code):
    assert verb(raising(error))() == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("espdl-hil: ")
    assert "Traceback" not in err


def test_a_full_disk_is_named(verb, capsys):
    verb(raising(OSError(errno.ENOSPC, "No space left on device", "out.npz")))()
    assert "no space left to write out.npz" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError("strange"), AssertionError()])
def test_a_bug_shows_its_traceback_and_asks_for_a_report(verb, capsys, error):
    assert verb(raising(error))() == cli.EXIT_BUG
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "please report" in err


def test_the_verbs_answer_is_the_exit_code(verb):
    assert verb(lambda arguments: cli.EXIT_MISMATCH)() == cli.EXIT_MISMATCH


def test_a_reader_that_leaves_early_is_no_error():
    """As in ``espdl-hil ... | head -1``: no traceback, also not at interpreter exit."""
    read, write = os.pipe()
    os.close(read)
    program = (
        "import sys, espdl_hil.cli as cli, espdl_hil.cli.inspect as verb\n"
        "verb.run = lambda arguments: print('x' * 100000) or 0\n"
        "sys.exit(cli.main(['inspect', 'x']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        text=True,
        cwd=PROJECT,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", ["espdl_hil", "espdl_hil.cli"])
def test_the_package_runs_as_a_module(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=PROJECT,
    )
    assert (done.returncode, done.stdout) == (0, f"espdl-hil {__version__}\n")


def test_only_the_asked_verb_is_imported():
    program = (
        "import sys, espdl_hil.cli as cli\n"
        "try: cli.main(['inspect', '--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith('espdl_hil.cli.') and '._' not in m])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=PROJECT,
    )
    assert done.stdout.splitlines()[-1] == "['espdl_hil.cli.inspect']"


def test_arrays_come_back_equal_whatever_their_names(tmp_path):
    arrays = {
        "a/b:0": np.arange(6, dtype=np.int8).reshape(2, 3),
        "file": np.array(1.5, np.float32),
        "empty": np.zeros((0, 3), np.int16),
    }
    path = tmp_path / "out.npz"
    _arrays.write_arrays(path, arrays)
    again = _arrays.read_arrays(path)
    assert set(again) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].dtype == array.dtype
    first = path.read_bytes()
    _arrays.write_arrays(path, arrays)
    assert path.read_bytes() == first, "equal arrays, equal bytes"
    assert [child.name for child in tmp_path.iterdir()] == ["out.npz"]


def test_an_archive_with_wrong_bytes_is_read_whole_or_refused(tmp_path):
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).integers(0, 9, 500))
    good, random = path.read_bytes(), np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(good)
        for at in random.integers(0, len(good), 3):
            damaged[at] = random.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(ConfigError):
            _arrays.read_arrays(path)


@pytest.mark.parametrize("name", [".", "absent/out.npz"])
def test_a_place_that_cannot_be_written_is_named_before_anything_is_computed(
    tmp_path, capsys, name
):
    words = ["simulate", "absent.espdl", "--outputs", str(tmp_path / name)]
    assert cli.main(words) == ConfigError.exit_code
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\x08\x0a\x12\x07pytorch", "quantize"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"hello", "is this an .espdl file?"),
    ],
)
def test_a_file_of_another_kind_is_named_and_what_it_seems_to_be(tmp_path, capsys, data, said):
    path = tmp_path / "other.espdl"
    path.write_bytes(data)
    assert cli.main(["inspect", str(path)]) == FormatError.exit_code
    err = capsys.readouterr().err
    assert path.name in err
    assert said in err


def test_files_that_are_no_archives_are_named(tmp_path):
    single = tmp_path / "one.npy"
    np.save(single, np.zeros(3))
    text = tmp_path / "text.npz"
    text.write_text("hello")
    objects = tmp_path / "objects.npz"
    np.savez(objects, x=np.array([object()], dtype=object))
    empty = tmp_path / "empty.npz"
    empty.touch()
    encrypted = tmp_path / "encrypted.npz"
    np.savez_compressed(encrypted, x=np.arange(999))
    flags = bytearray(encrypted.read_bytes())
    flags[flags.index(b"PK\x01\x02") + 8] |= 1
    encrypted.write_bytes(flags)
    huge = tmp_path / "huge.npz"
    with zipfile.ZipFile(huge, "w") as archive, archive.open("x.npy", "w") as member:
        header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 50,)}
        np.lib.format.write_array_header_1_0(member, header)
    paths = (single, text, objects, empty, encrypted, huge, tmp_path / "absent.npz")
    for path in paths:
        with pytest.raises(ConfigError, match=path.name):
            _arrays.read_arrays(path)
