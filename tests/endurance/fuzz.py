"""Fuzzing of everything that bytes from the line or from flash reach, counted and added up.

``python -m tests.endurance.fuzz --executions 10000000`` shares the executions among the targets of
``firmware/host``, each by our own driver on the committed corpus; ``--clang`` gives each of them a
share to libFuzzer too, which is guided by coverage. ``--coverage`` runs the corpus through builds
that count lines and branches. The law of this file: a finding is a file and a command that repeats
it, and it ends the run as a failure.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.endurance.corpus import CORPUS
from tests.endurance.progress import Reporter
from tests.support.reference_engine import PROJECT, build

SHARES = {"frames": 0.25, "inflate": 0.15, "talk": 0.15, "engine": 0.25, "wire": 0.2}
"""Of the executions; ``wire`` is the generator of whole requests, which has no corpus."""
CORPUS_TARGETS = ("frames", "inflate", "talk", "engine")
PIECE = 50_000
"""Executions of one process: a finding loses no more, and progress shows."""
_PIECE_DEADLINE_S = 900
_LEAST_PER_MODE = 1000
_DONE = re.compile(r"^(\d+) executions|number_of_executed_units: (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What one process did.

    Attributes:
        executions: as it counted them.
        seconds: it took.
        finding: what it ended with; empty where all was well.
    """

    executions: int
    seconds: float
    finding: str = ""


def folders(target: str) -> list[str]:
    """The folders of a target's corpus."""
    place = CORPUS / target
    return [str(path) for path in (place, place / "found") if path.is_dir()]


def program(target: str, *, clang: bool = False) -> Path:
    """Build a fuzz target."""
    if target == "wire":
        return build("fuzz_wire", "fuzz_wire")
    if clang:
        return build("fuzz_clang", f"fuzz_clang/hil_fuzz_{target}")
    return build("fuzz", f"hil_fuzz_{target}")


def run_piece(target: str, count: int, seed: int, folder: Path, *, clang: bool = False) -> Outcome:
    """Run ``count`` executions of a target in ``folder``, where it leaves what crashed it."""
    path = str(program(target, clang=clang))
    if target == "wire":
        command = [path, str(count), str(seed)]
    elif clang:
        grown = folder / f"grown_{target}"
        grown.mkdir(exist_ok=True)
        limits = ["-timeout=20", "-rss_limit_mb=2000", "-max_len=8192", "-print_final_stats=1"]
        command = [path, f"-runs={count}", f"-seed={seed}", *limits, str(grown), *folders(target)]
    else:
        command = [path, str(seed), str(count), *folders(target)]
    begin = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PIECE_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(0, time.monotonic() - begin, f"{' '.join(command)}: no end")
    seconds = time.monotonic() - begin
    counted = _DONE.search(done.stdout + done.stderr)
    if done.returncode != 0 or counted is None:
        finding = f"{' '.join(command)}: code {done.returncode}\n{done.stderr[-3000:]}"
        return Outcome(0, seconds, finding)
    return Outcome(int(counted[1] or counted[2]), seconds)


def _pieces(executions: int, *, clang: bool) -> list[tuple[str, bool, int]]:
    """Target, whether by libFuzzer, and count of each process; long and short ones mixed."""
    found: list[tuple[str, bool, int]] = []
    for target, share in SHARES.items():
        modes = (False, True) if clang and target != "wire" else (False,)
        for mode in modes:
            left = max(_LEAST_PER_MODE, int(executions * share / len(modes)))
            while left > 0:
                found.append((target, mode, min(left, PIECE)))
                left -= PIECE
    return found


def fuzz(executions: int, seed: int, reporter: Reporter, *, clang: bool) -> int:
    """Run them all; return how many findings there are, each kept in ``build/fuzz-findings``."""
    pieces = _pieces(executions, clang=clang)
    done: Counter[tuple[str, bool]] = Counter()
    spent: Counter[tuple[str, bool]] = Counter()
    found: Counter[tuple[str, bool]] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index in reporter.steps(f"fuzzing, in {PIECE} executions", len(pieces)):
            target, mode, count = pieces[index]
            outcome = run_piece(target, count, seed + index, folder, clang=mode)
            done[target, mode] += outcome.executions
            spent[target, mode] += round(outcome.seconds)
            if outcome.finding:
                found[target, mode] += 1
                reporter.say(f"FINDING {target}: {outcome.finding}")
        _keep(folder, reporter)
    rows: list[Sequence[object]] = [
        (
            f"{target}, {'libFuzzer' if mode else 'own driver'}",
            n,
            spent[target, mode],
            found[target, mode],
        )
        for (target, mode), n in done.items()
    ]
    rows.append(("all, under ASan, UBSan, LSan", done.total(), spent.total(), found.total()))
    reporter.table("Fuzzing", ("target", "executions", "seconds", "crashes, hangs, leaks"), rows)
    return found.total()


def _keep(folder: Path, reporter: Reporter) -> None:
    """Keep what crashed a target, before its folder goes."""
    for pattern in ("crash-*", "leak-*", "timeout-*", "oom-*"):
        for path in folder.glob(pattern):
            place = PROJECT / "build" / "fuzz-findings" / path.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
            reporter.say(f"kept {place}")


def coverage(reporter: Reporter, more: Sequence[Path] = ()) -> None:
    """Print lines and branches of each component that the corpus reaches; needs llvm.

    Args:
        reporter: prints.
        more: folders with a further corpus for each target, by its name.
    """
    with tempfile.TemporaryDirectory() as name:
        raw = []
        programs = []
        for target in CORPUS_TARGETS:
            path = build("fuzz_coverage", f"fuzz_coverage/hil_fuzz_{target}")
            further = [str(place / target) for place in more if (place / target).is_dir()]
            raw.append(f"{name}/{target}.raw")
            programs += ["-object", str(path)]
            subprocess.run(
                [str(path), "-runs=0", *folders(target), *further],
                env={"LLVM_PROFILE_FILE": raw[-1]},
                cwd=name,
                capture_output=True,
                timeout=_PIECE_DEADLINE_S,
                check=True,
            )
        merged = f"{name}/all.profdata"
        subprocess.run(["llvm-profdata", "merge", "-o", merged, *raw], check=True, timeout=300)
        exported = subprocess.run(
            ["llvm-cov", "export", "-summary-only", f"-instr-profile={merged}", *programs[1:]],
            capture_output=True,
            check=True,
            timeout=300,
        )
    _print_coverage(json.loads(exported.stdout)["data"][0]["files"], reporter)


def _print_coverage(files: Sequence[dict[str, object]], reporter: Reporter) -> None:
    sums: dict[str, Counter[str]] = {}
    for file in files:
        found = re.search(r"components/(\w+)/", str(file["filename"]))
        summary = file["summary"]
        assert isinstance(summary, dict)
        if found is not None:
            total = sums.setdefault(found[1], Counter())
            for kind in ("lines", "branches"):
                total[f"{kind} all"] += summary[kind]["count"]
                total[f"{kind} hit"] += summary[kind]["covered"]
    rows: list[Sequence[object]] = []
    for component, total in sorted(sums.items()):
        hits = [(total[f"{kind} hit"], total[f"{kind} all"]) for kind in ("lines", "branches")]
        if all(most for _, most in hits):
            row = [f"{hit} of {most}" for hit, most in hits]
            rows.append((component, *row, *[f"{hit / most:.1%}" for hit, most in hits]))
    reporter.table(
        "Coverage by the corpus", ("component", "lines", "branches", "lines", "branches"), rows
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--executions", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clang", action="store_true", help="libFuzzer too")
    parser.add_argument("--coverage", action="store_true", help="only count coverage")
    parser.add_argument("--more", type=Path, action="append", default=[], metavar="FOLDER")
    options = parser.parse_args(arguments)
    reporter = Reporter()
    if options.coverage:
        coverage(reporter, options.more)
        return 0
    return 1 if fuzz(options.executions, options.seed, reporter, clang=options.clang) else 0


if __name__ == "__main__":
    sys.exit(main())
