"""``espdl-hil quantize MODEL.onnx``: a model for a chip, with what was decided beside it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from typing_extensions import assert_never

from espdl_hil import espdl, pipeline
from espdl_hil.analysis import Finding, Severity
from espdl_hil.calibration.observers import DEFAULT_OBSERVER, Observer
from espdl_hil.cli._arrays import check_writable, read_arrays
from espdl_hil.cli._containers import add_key_option
from espdl_hil.cli._findings import print_findings
from espdl_hil.errors import ConfigError
from espdl_hil.quantizer import (
    AccumulatorHeadroom,
    QuantizeConfig,
    WeightRange,
    quantization_document,
)
from espdl_hil.targets import target_named

HELP = "quantize an ONNX model and write it as .espdl, .info and .json"

_RANDOM_SAMPLES = 32
_COMPARED_SAMPLES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="float model; only read")
    parser.add_argument("--target", metavar="T", required=True, help="chip, such as esp32p4")
    parser.add_argument("--bits", type=int, choices=(8, 16), default=8, help="integer width")
    data = parser.add_mutually_exclusive_group()
    data.add_argument(
        "--calib",
        type=Path,
        metavar="CALIB.npz",
        help="real inputs by name, samples first (default: random ones, with a warning)",
    )
    data.add_argument(
        "--random-calib", type=_count, metavar="N", help="calibrate with N random samples"
    )
    parser.add_argument("--seed", type=int, default=0, help="of random samples")
    parser.add_argument(
        "--observer",
        choices=[observer.value for observer in Observer],
        default=DEFAULT_OBSERVER.value,
        help="how activation exponents are chosen (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        choices=[method.value for method in WeightRange],
        default=WeightRange.MSE.value,
        help="how weight exponents are chosen (default: %(default)s)",
    )
    parser.add_argument(
        "--accumulator-headroom",
        choices=[mode.value for mode in AccumulatorHeadroom],
        help="choose exponents so that no accumulator overflows for the calibration samples, or "
        "for any input (default: calibration where accumulators are narrow, as the esp32s3's)",
    )
    parser.add_argument(
        "--no-bias-correction",
        action="store_true",
        help="keep biases as they are; by default int8 ones take back the mean error of rounded "
        "weights where calibration samples gain by it",
    )
    parser.add_argument(
        "--end-at",
        metavar="VALUE",
        action="append",
        default=[],
        help="let the model end at this value, in front of what only the application can do; may "
        "be given several times",
    )
    add_key_option(parser, "encrypt the file with this 16-byte key (AES-128-CTR)")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT.espdl", required=True, help="overwritten"
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def run(arguments: argparse.Namespace) -> int:
    """Quantize and write three files; 0 when they are there."""
    output = _checked_output(arguments.output, arguments.model)
    config = QuantizeConfig(
        target=target_named(arguments.target),
        bits=arguments.bits,
        observer=Observer(arguments.observer),
        weights=WeightRange(arguments.weights),
        random_samples=0 if arguments.calib else arguments.random_calib or _RANDOM_SAMPLES,
        seed=arguments.seed,
        bias_correction=not arguments.no_bias_correction,
        accumulator_headroom=(
            AccumulatorHeadroom(arguments.accumulator_headroom)
            if arguments.accumulator_headroom
            else None
        ),
    )
    if not arguments.calib:
        print(
            f"espdl-hil: warning: calibrating with {config.random_samples} random samples; "
            "give real inputs with --calib for a model that ships",
            file=sys.stderr,
        )
    calibration = read_arrays(arguments.calib) if arguments.calib else None
    start = time.perf_counter()
    warnings = _Warnings(Console(stderr=True, highlight=False))
    with _progress() as progress:
        result = pipeline.quantize(
            arguments.model,
            config,
            calibration,
            outputs=arguments.end_at,
            compare=_COMPARED_SAMPLES,
            progress=progress,
            tell=warnings.tell,
        )
        progress("write", 0, 1)
        document = {
            **quantization_document(result.model, config, result.calibration),
            "accumulator_headroom": {
                "mode": result.relieved.mode.value,
                "samples": result.relieved.samples,
                "reliefs": [asdict(relief) for relief in result.relieved.reliefs],
                "stuck": [error.node for error in result.relieved.stuck],
            },
        }
        notes = _headroom_lines(result)
        _write_together(
            {
                output: espdl.write(result.model, key=arguments.key),
                output.with_suffix(".info"): espdl.info_text(result.model, notes=notes).encode(),
                output.with_suffix(".json"): (json.dumps(document, indent=1) + "\n").encode(),
            }
        )
    warnings.tell(result.findings)
    _print_summary(output, result, time.perf_counter() - start)
    return 0


@dataclass(frozen=True, slots=True)
class _Warnings:
    """Shows findings as they come, each once; notes are left to ``check``."""

    console: Console
    told: list[Finding] = field(default_factory=list)

    def tell(self, findings: Sequence[Finding]) -> None:
        new = [one for one in findings if one.severity is not Severity.NOTE]
        new = [one for one in new if one not in self.told]
        print_findings(self.console, new)
        self.told.extend(new)


def _print_summary(output: Path, result: pipeline.Quantized, elapsed_s: float) -> None:
    config = result.config
    size_bytes = output.stat().st_size
    print(f"{output}: {size_bytes} bytes for {config.target.name}, int{config.bits}")
    print(f"calibrated with {result.calibration} ({config.observer.value}) in {elapsed_s:.1f} s")
    if "bias_correction" in result.model.metadata:
        print(
            "biases take back the mean error of rounded weights (--no-bias-correction keeps them)"
        )
    for line in _headroom_lines(result):
        print(line)
    for quality in result.quality:
        print(
            f"output {quality.output}: SQNR {quality.sqnr_db:.1f} dB"
            f" on {quality.samples} calibration sample(s)"
        )
    notes = sum(finding.severity is Severity.NOTE for finding in result.findings)
    if notes:
        print(f"{notes} note(s) on speed and memory: espdl-hil check {output}")


def _headroom_lines(result: pipeline.Quantized) -> list[str]:
    """What was done against overflowing accumulators, and what it cost."""
    relieved = result.relieved
    match relieved.mode:
        case AccumulatorHeadroom.OFF:
            return []
        case AccumulatorHeadroom.ANY_INPUT:
            proof = "no input overflows, by bound"
        case AccumulatorHeadroom.CALIBRATION if relieved.samples:
            proof = f"of {relieved.samples} calibration sample(s), none overflows"
        case AccumulatorHeadroom.CALIBRATION:
            proof = "no input overflows, by bound"
        case _:
            assert_never(relieved.mode)
    if relieved.stuck:
        proof += f", but for {len(relieved.stuck)} layer(s)"
    lines = [f"accumulators: {proof}; {len(relieved.reliefs)} layer(s) gave up precision"]
    lines += [f"  {relief}" for relief in relieved.reliefs]
    lines += [f"  overflows: {error.node}" for error in relieved.stuck]
    for before, after in zip(result.unrelieved, result.quality, strict=False):
        lines.append(
            f"  output {after.output}: SQNR {before.sqnr_db:.1f} dB without, "
            f"{after.sqnr_db:.1f} dB with"
        )
    return lines


def _checked_output(output: Path, model: Path) -> Path:
    """The output path, before time is spent on it."""
    if output.suffix != ".espdl":
        raise ConfigError("the output's name must end in .espdl", file=output)
    check_writable(output)
    if not model.is_file():
        raise ConfigError("there is no such model file", file=model)
    return output


def _write_together(files: Mapping[Path, bytes]) -> None:
    """Write all files whole, or leave what was there: they appear only when all are complete."""
    partials = {path: path.with_name(f".{path.name}.partial") for path in files}
    try:
        for path, data in files.items():
            partials[path].write_bytes(data)
        for path, partial in partials.items():
            partial.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror or error}", file=path) from error
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)


@contextmanager
def _progress() -> Iterator[pipeline.Progress]:
    """A bar on a terminal, one line per stage elsewhere; both on stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        seen: set[str] = set()

        def plain(stage: str, done: int, total: int) -> None:
            if stage not in seen:
                seen.add(stage)
                print(f"{stage} ...", file=sys.stderr, flush=True)

        yield plain
        return
    columns = (TextColumn("{task.description:10}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)

        def fancy(stage: str, done: int, total: int) -> None:
            bars.update(task, description=stage, completed=done, total=total)

        yield fancy
