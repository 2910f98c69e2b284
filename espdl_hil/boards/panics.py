"""What a board says when it goes down: ESP-IDF's panic text and the reset reason, as values.

The law of this file: text in, values out; no I/O, and no text makes it fail. What the board did not
say is ``None`` or empty, never guessed. Sources: ESP-IDF Programming Guide 5.3, "Fatal Errors",
"Watchdogs" and "Heap Memory Debugging"; boot messages of the chips' ROM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

_GURU = re.compile(r"Guru Meditation Error: Core\s+(\d+) panic'ed \(([^\r\n]*?)\)")
_ABORT = re.compile(r"abort\(\) was called at PC (0x[0-9a-fA-F]+) on core (\d+)")
_ASSERTION = re.compile(r"assert failed: ([^\r\n]+)")
_OVERFLOW = re.compile(r"A stack overflow in task (\S[^\r\n]*?) has been detected")
_CANARY = re.compile(r"Stack canary watchpoint triggered \(([^\r\n)]*)\)")
_PROTECTED = re.compile(r"Detected in task \"([^\r\n\"]*)\" at (0x[0-9a-fA-F]+)")
_SMASHED = re.compile(r"Stack smashing protect failure")
_HEAP = re.compile(r"CORRUPT HEAP: ([^\r\n]+)")
_TASK_WATCHDOG = re.compile(r"task_wdt:\s*Aborting")
_LATE_TASK = re.compile(r"task_wdt:\s+- ([^\r\n]+?)(?: \(CPU[^\r\n]*)?[\r\n]")
_INTERRUPT_WATCHDOG = re.compile(r"Interrupt wdt timeout on CPU\s*(\d)")
_BROWNOUT = re.compile(r"Brownout detector was triggered")

_REGISTER = re.compile(r"\b([A-Z][A-Z0-9]*(?:/[A-Z]+)?)\s*: (0x[0-9a-fA-F]{8})\b")
_OTHER_CORE = re.compile(r"Core\s+\d+ register dump:")
_BACKTRACE = re.compile(
    r"Backtrace:[ \t]*((?:0x[0-9a-fA-F]{1,8}:0x[0-9a-fA-F]{1,8}[ \t]*)+)(\|<-CORRUPTED)?"
)
_STACK_ROW = re.compile(r"^([0-9a-fA-F]{8}): ((?:0x[0-9a-fA-F]{8}[ \t]*)+)\r?$", re.MULTILINE)
_PANIC_ENDS = re.compile(r"^[ \t]*(?:Rebooting\.\.\.|CPU halted\.)", re.MULTILINE)
_RESET = re.compile(
    r"\brst:[ \t]*(?:0x[0-9a-fA-F]+[ \t]*\(([^)\r\n]+)\)|([a-z_][a-z_ ]*),)[ ,]*(?:boot:)?"
)
_WORD_BYTES = 4


class PanicKind(Enum):
    """Why a firmware gave up, from the most telling evidence to the least."""

    HEAP_CORRUPTION = "heap corruption"
    STACK_OVERFLOW = "stack overflow"
    STACK_SMASHED = "stack smashing"
    TASK_WATCHDOG = "task watchdog"
    INTERRUPT_WATCHDOG = "interrupt watchdog"
    ASSERTION = "assertion"
    BROWNOUT = "brownout"
    EXCEPTION = "exception"
    ABORT = "abort()"


@dataclass(frozen=True, slots=True)
class StackDump:
    """Words of the stack that a RISC-V panic shows, by address."""

    words: Mapping[int, int] = field(default_factory=dict)

    def word(self, address: int) -> int | None:
        """Return the word at ``address``; ``None`` where the dump does not reach."""
        return self.words.get(address)


@dataclass(frozen=True, slots=True)
class Panic:
    """One panic.

    Attributes:
        kind: what it comes down to.
        detail: the board's own words for it, e.g. ``"LoadProhibited"``.
        core: that panicked.
        task: that is at fault, where the board names one.
        pc: where the program was.
        fault_address: that an access failed at (EXCVADDR, MTVAL).
        registers: of the core that panicked, by name.
        backtrace: program counters, the innermost first.
        corrupted: the board could not follow the stack to its end.
        stack: what a RISC-V chip shows instead of a backtrace.
    """

    kind: PanicKind
    detail: str = ""
    core: int | None = None
    task: str = ""
    pc: int | None = None
    fault_address: int | None = None
    registers: Mapping[str, int] = field(default_factory=dict)
    backtrace: tuple[int, ...] = ()
    corrupted: bool = False
    stack: StackDump = field(default_factory=StackDump)

    def __str__(self) -> str:
        text = self.kind.value
        if self.kind is PanicKind.EXCEPTION:
            text = self.detail
        elif self.detail:
            text += f": {self.detail}"
        if self.task:
            text += f" in task {self.task}"
        if self.pc is not None:
            text += f" at {self.pc:#010x}"
        if self.fault_address is not None:
            text += f", address {self.fault_address:#010x}"
        return text if self.core is None else f"{text}, core {self.core}"


@dataclass(frozen=True, slots=True)
class Restart:
    """A board's restart, as it told it.

    Attributes:
        panic: the panic before it.
        reset: name of the reset in the boot message, e.g. ``"RTC_SW_CPU_RST"``; empty where the
            boot message did not come.
    """

    panic: Panic | None
    reset: str

    @property
    def reason(self) -> str:
        """Why, in one line. A panic comes first: the reset after it is only its consequence."""
        return f"panic: {self.panic}" if self.panic is not None else _reset_in_words(self.reset)


def read_restart(lines: Iterable[str]) -> Restart | None:
    """Return the first restart that a log tells; ``None`` where it tells none.

    The first one: what a board does in the boots after it is a consequence.
    """
    text = "\n".join(lines) + "\n"
    panic = next(iter(read_panics(text)), None)
    reset = _RESET.search(text)
    if panic is None and reset is None:
        return None
    return Restart(panic, "" if reset is None else (reset[1] or reset[2]).strip())


def read_panics(text: str) -> tuple[Panic, ...]:
    """Return every panic in ``text``, in order."""
    return tuple(panic for section in _sections(text) if (panic := _panic_in(section)) is not None)


def tells_end(text: str) -> bool:
    """Tell whether ``text`` shows that the board booted, or stopped for good after a panic."""
    return _RESET.search(text) is not None or "CPU halted." in text


def _sections(text: str) -> Iterator[str]:
    """Cut where one life of the board ends: at the last line of a panic and at a boot message."""
    at = 0
    for match in sorted(
        (*_PANIC_ENDS.finditer(text), *_RESET.finditer(text)), key=lambda match: match.start()
    ):
        yield text[at : match.start()]
        at = match.start()
    yield text[at:]


def _panic_in(text: str) -> Panic | None:
    kind, detail, task = _cause(text)
    if kind is None:
        return None
    guru, abort, where = _GURU.search(text), _ABORT.search(text), _PROTECTED.search(text)
    registers = _registers(text)
    pc = registers.get("MEPC", registers.get("PC"))
    if abort is not None:
        pc = int(abort[1], 16)  # the registers are those of the panic handler
    elif where is not None:
        pc = int(where[2], 16)
    core = guru[1] if guru is not None else abort[2] if abort is not None else None
    fault = registers.get("MTVAL", registers.get("EXCVADDR"))
    trace = _BACKTRACE.search(text)
    return Panic(
        kind=kind,
        detail=detail,
        core=None if core is None else int(core),
        task=task,
        pc=pc,
        fault_address=fault if kind is PanicKind.EXCEPTION else None,
        registers=registers,
        backtrace=() if trace is None else _program_counters(trace[1]),
        corrupted=trace is not None and trace[2] is not None,
        stack=_stack(text),
    )


def _cause(text: str) -> tuple[PanicKind | None, str, str]:
    """Return kind, the board's words for it, and the task."""
    if heap := _HEAP.search(text):
        return PanicKind.HEAP_CORRUPTION, heap[1].strip(), ""
    for pattern in (_OVERFLOW, _CANARY):
        if task := pattern.search(text):
            return PanicKind.STACK_OVERFLOW, "", task[1]
    guru = _GURU.search(text)
    if guru is not None and guru[2] == "Stack protection fault":
        named = _PROTECTED.search(text)
        return PanicKind.STACK_OVERFLOW, "", "" if named is None else named[1]
    if _SMASHED.search(text):
        return PanicKind.STACK_SMASHED, "", ""
    if _TASK_WATCHDOG.search(text):  # without the word the watchdog only complains
        return PanicKind.TASK_WATCHDOG, "", ", ".join(_LATE_TASK.findall(text))
    if late := _INTERRUPT_WATCHDOG.search(text):
        return PanicKind.INTERRUPT_WATCHDOG, f"CPU {late[1]}", ""
    if assertion := _ASSERTION.search(text):
        return PanicKind.ASSERTION, assertion[1].strip(), ""
    if _BROWNOUT.search(text):
        return PanicKind.BROWNOUT, "", ""
    if guru is not None:
        return PanicKind.EXCEPTION, guru[2].strip(), ""
    if _ABORT.search(text):
        return PanicKind.ABORT, "", ""
    return None, "", ""


def _registers(text: str) -> dict[str, int]:
    """Return the registers of the first core that is dumped: it is the one that panicked."""
    dumps = list(_OTHER_CORE.finditer(text))
    if not dumps:
        return {}
    end = dumps[1].start() if len(dumps) > 1 else len(text)
    return {name: int(value, 16) for name, value in _REGISTER.findall(text[dumps[0].end() : end])}


def _program_counters(trace: str) -> tuple[int, ...]:
    return tuple(int(pair.partition(":")[0], 16) for pair in trace.split())


def _stack(text: str) -> StackDump:
    words: dict[int, int] = {}
    for start, row in _STACK_ROW.findall(text):
        for at, word in enumerate(row.split()):
            words.setdefault(int(start, 16) + _WORD_BYTES * at, int(word, 16))
    return StackDump(words)


def _reset_in_words(reset: str) -> str:
    """Return the reset's name with what it means; names differ from chip to chip."""
    name = reset.upper()
    for part, meaning in (
        ("BROWN", "brownout"),
        ("WDT", "watchdog"),
        ("WATCHDOG", "watchdog"),
        ("POWERON", "power or reset pin"),
        ("EXT", "reset pin"),
        ("USB", "reset by the USB host"),
        ("DEEPSLEEP", "deep sleep"),
        ("SW", "restart by software"),
    ):
        if part in name and meaning.upper() != name:
            return f"{meaning}, {reset}"
    return reset
