"""Power cuts in the life of a model store: at every byte, and what the next mount must find.

The law of this file: it judges by what was committed and not erased, computed without the store.
``python -m tests.firmware.power_cuts [--every N] [--scale N]`` cuts at every (Nth) byte that the
story writes or erases, through each board's flash adapter, with writes torn between bytes and
within a page; ``--scale 6`` tells it with models that flash is erased for in blocks of 64 KiB. It
prints how many cuts there were; the first inconsistent store ends it with an error.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import random
from collections.abc import Callable, Iterator

from tests.firmware.vault_library import Adapter, Vault
from tests.firmware.wire_library import OK, SECTOR

SECTORS = 14
ROOM = SECTORS - 2
BLOCK = 16 * SECTOR
"""What flash erases at once where it may."""
BLOCKS = 6
"""The least scale at which the story erases whole blocks."""
_SUPPLY = 1 << 40


@functools.cache
def make_model(seed: int, size: int) -> bytes:
    """Some bytes; equal arguments give equal ones."""
    return random.Random(seed).randbytes(size)


def name_of(model: bytes) -> bytes:
    """Its SHA-256."""
    return hashlib.sha256(model).digest()


def put(vault: Vault, model: bytes, piece: int = 1000) -> int:
    """Store a model in pieces; the status of what failed first."""
    status = vault.begin(name_of(model), len(model))
    for at in range(0, len(model), piece):
        status = status or vault.write(model[at : at + piece])
    return status or vault.commit()


def _sectors(scale: int) -> int:
    return SECTORS - ROOM + ROOM * scale


def mounted(sectors: int = SECTORS, adapter: Adapter = Adapter.PLAIN) -> Vault:
    """An empty store."""
    vault = Vault(sectors, adapter)
    assert vault.mount() == OK
    return vault


def story(vault: Vault, scale: int = 1) -> Iterator[dict[bytes, bytes]]:
    """Uploads, uses, an eviction and an erase; yields what must be listed after each step."""
    small = make_model(1, 5000 * scale)
    large = make_model(2, 6 * SECTOR * scale + 1)
    last = make_model(3, 30_000 * scale)
    steps: list[tuple[Callable[[], int], list[bytes]]] = [
        (lambda: put(vault, small, 700), [small]),
        (lambda: put(vault, large), [small, large]),
        (lambda: vault.touch(name_of(small)), [small, large]),
        (lambda: put(vault, last), [small, last]),
        (lambda: vault.erase(name_of(small)), [last]),
        (lambda: put(vault, large), [large]),
    ]
    for step, listed in steps:
        step()
        yield {name_of(model): model for model in listed}


@functools.cache
def _consumption(adapter: Adapter, scale: int) -> tuple[list[int], list[dict[bytes, bytes]]]:
    """The story without a cut: the power spent after each step, and what was listed."""
    vault = mounted(_sectors(scale), adapter)
    vault.power(_SUPPLY)
    spent: list[int] = [0]
    listed: list[dict[bytes, bytes]] = [{}]
    for models in story(vault, scale):
        assert vault.models() == models
        spent.append(_SUPPLY - vault.power_left)
        listed.append(models)
    assert not vault.broke_nor
    return spent, listed


def story_bytes(adapter: Adapter, scale: int = 1) -> int:
    """How many bytes the story writes and erases."""
    return _consumption(adapter, scale)[0][-1]


def places_around_steps(adapter: Adapter) -> list[int]:
    """Every byte of the records that end a step, and of the pages before them."""
    spent, _ = _consumption(adapter, 1)
    places = {end - back for end in spent[1:] for back in range(-3, 200) if end >= back}
    return sorted(place for place in places if place >= 0)


def check_cut(adapter: Adapter, supply: int, seed: int, scale: int = 1) -> int:
    """Tell the story on ``supply`` bytes of power, and look at what is left.

    Returns:
        The size of the erase that the cut was in; 0 where it was in none.

    Raises:
        AssertionError: the store is not consistent, or of no further use.
    """
    spent, listed = _consumption(adapter, scale)
    vault = mounted(_sectors(scale), adapter)
    vault.power(supply, seed)
    for _ in story(vault, scale):
        pass
    torn_erase = vault.torn_erase
    step = sum(end <= supply for end in spent) - 1  # steps that were complete
    vault.power()
    assert vault.mount() == OK
    found = vault.models()
    assert all(name_of(model) == name for name, model in found.items())
    if step + 1 < len(listed):
        before, after = listed[step], listed[step + 1]
        # The old, the new, or models gone that had to go and none come.
        kept = {name: model for name, model in before.items() if name in after}
        assert found in (before, after, kept)
    else:
        assert found == listed[-1]
    another = make_model(4, 9000)
    assert put(vault, another) == OK
    assert vault.models()[name_of(another)] == another
    assert not vault.broke_nor
    return torn_erase


def main() -> None:
    """Cut everywhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth byte")
    parser.add_argument("--scale", type=int, default=1, metavar="N", help="models N times as long")
    arguments = parser.parse_args()
    scale: int = arguments.scale
    for adapter in Adapter:
        cuts = in_blocks = 0
        for place in range(0, story_bytes(adapter, scale) + 1, arguments.every):
            for seed in (2 * place, 2 * place + 1):  # torn between bytes, torn within a page
                in_blocks += check_cut(adapter, place, seed, scale) >= BLOCK
                cuts += 1
        print(
            f"{adapter.name.lower()}: {cuts} cuts, {in_blocks} of them in the erase of a block, "
            "all consistent",
            flush=True,
        )


if __name__ == "__main__":
    main()
