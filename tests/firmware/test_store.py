"""The model store: what is listed is whole, whatever happens to the power."""

from __future__ import annotations

import functools
import hashlib
import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.firmware.wire_library import (
    ARGUMENT,
    HASH,
    MEMORY,
    OK,
    SECTOR,
    STATE,
    STORE,
    Vault,
)

SECTORS = 14
ROOM = SECTORS - 2


def make_model(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def name_of(model: bytes) -> bytes:
    return hashlib.sha256(model).digest()


def put(vault: Vault, model: bytes, piece: int = 1000) -> int:
    status = vault.begin(name_of(model), len(model))
    for at in range(0, len(model), piece):
        status = status or vault.write(model[at : at + piece])
    return status or vault.commit()


def mounted(sectors: int = SECTORS) -> Vault:
    vault = Vault(sectors)
    assert vault.mount() == OK
    return vault


@given(st.lists(st.integers(1, 3 * SECTOR), max_size=4), st.integers(1, 5000))
def test_models_survive_a_mount_byte_for_byte(sizes, piece):
    vault = mounted()
    models = {name_of(m): m for m in (make_model(at, size) for at, size in enumerate(sizes))}
    for model in models.values():
        assert put(vault, model, piece) == OK
    assert vault.models() == models
    assert vault.mount() == OK
    assert vault.models() == models
    assert all(at % 16 == 0 for at, _ in vault.places().values())


@given(st.integers(0), st.binary(max_size=64))
def test_any_flash_content_mounts_empty_and_works(seed, head):
    vault = Vault(SECTORS)
    vault.set_flash(head + make_model(seed, SECTORS * SECTOR - len(head)))
    assert vault.mount() == OK
    assert vault.models() == {}
    model = make_model(1, ROOM * SECTOR)
    assert put(vault, model) == OK
    assert vault.models() == {name_of(model): model}


def test_a_wrong_hash_lists_nothing():
    vault = mounted()
    model = make_model(1, 5000)
    assert vault.begin(name_of(model), len(model)) == OK
    assert vault.write(model[:-1] + b"\0") == OK
    assert vault.commit() == HASH
    assert vault.models() == {}
    assert vault.commit() == STATE
    assert vault.mount() == OK
    assert vault.models() == {}
    assert put(vault, model) == OK


def test_too_few_bytes_are_a_wrong_hash_and_too_many_an_error():
    vault = mounted()
    model = make_model(1, 5000)
    assert vault.begin(name_of(model), 5000) == OK
    assert vault.write(model[:4999]) == OK
    assert vault.write(b"12") == ARGUMENT
    assert vault.commit() == HASH


def test_an_empty_model_and_one_that_is_there_are_refused():
    vault = mounted()
    assert vault.begin(bytes(32), 0) == ARGUMENT
    model = make_model(1, 10)
    assert put(vault, model) == OK
    assert vault.begin(name_of(model), 10) == STATE
    assert vault.models() == {name_of(model): model}


def test_the_model_used_longest_ago_gives_way_also_after_a_mount():
    vault = mounted()
    models = [make_model(at, 3 * SECTOR) for at in range(4)]
    for model in models:
        assert put(vault, model) == OK
    assert vault.free_bytes == 0
    assert vault.touch(name_of(models[0])) == OK
    assert vault.mount() == OK
    newcomer = make_model(9, 3 * SECTOR)
    assert put(vault, newcomer) == OK
    assert set(vault.models()) == {name_of(m) for m in (models[0], *models[2:], newcomer)}


def test_no_more_models_give_way_than_must():
    """Two free stretches do not suffice; the cheapest stretch costs one model, an old one."""
    vault = mounted()
    sizes = (2, 3, 4, 3)
    models = [make_model(at, size * SECTOR) for at, size in enumerate(sizes)]
    for model in models:
        assert put(vault, model) == OK
    assert vault.erase(name_of(models[0])) == OK
    newcomer = make_model(9, 5 * SECTOR)
    assert put(vault, newcomer) == OK
    assert set(vault.models()) == {name_of(m) for m in (models[2], models[3], newcomer)}


def test_the_pinned_model_stays_and_a_refusal_drops_nothing():
    vault = mounted()
    pinned, other = make_model(1, 5 * SECTOR), make_model(2, 2 * SECTOR)
    assert put(vault, pinned) == OK
    assert put(vault, other) == OK
    vault.pin(name_of(pinned))
    assert vault.begin(name_of(b"x"), 8 * SECTOR) == MEMORY
    assert vault.erase(name_of(pinned)) == STATE
    assert set(vault.models()) == {name_of(pinned), name_of(other)}
    assert put(vault, make_model(3, 7 * SECTOR)) == OK
    assert name_of(pinned) in vault.models()
    vault.pin(None)
    assert vault.begin(name_of(b"x"), ROOM * SECTOR) == OK


def test_more_than_the_partition_never_fits():
    vault = mounted()
    assert vault.begin(name_of(b"x"), ROOM * SECTOR + 1) == MEMORY
    assert vault.begin(name_of(b"x"), 2**32 - 1) == MEMORY


def test_the_table_holds_sixteen_and_the_oldest_gives_way():
    vault = mounted(40)
    models = [make_model(at, 100) for at in range(17)]
    for model in models:
        assert put(vault, model) == OK
    assert set(vault.models()) == {name_of(model) for model in models[1:]}


def test_the_directory_is_renewed_as_it_fills_up():
    vault = mounted()
    models = [make_model(at, 2000) for at in range(3)]
    for model in models:
        assert put(vault, model) == OK
    for turn in range(300):
        assert vault.touch(name_of(models[turn % 3])) == OK
        if turn % 50 == 0:
            assert vault.mount() == OK
    assert vault.models() == {name_of(model): model for model in models}
    assert not vault.broke_nor


@given(st.integers(0, 150))
def test_what_comes_after_a_renewal_survives_a_mount(touches):
    """Both directory sectors are valid then; the one in force must win."""
    vault = mounted()
    models = [make_model(at, 2000) for at in range(2)]
    for model in models:
        assert put(vault, model) == OK
    for turn in range(touches):
        assert vault.touch(name_of(models[turn % 2])) == OK
    assert vault.erase(name_of(models[0])) == OK
    assert vault.mount() == OK
    assert vault.models() == {name_of(models[1]): models[1]}


def test_a_dead_flash_is_a_store_error():
    vault = mounted()
    model = make_model(1, 5000)
    assert vault.begin(name_of(model), 5000) == OK
    vault.power(0)
    assert vault.write(model) == STORE
    assert vault.touch(name_of(model)) == STATE


# --- Power cuts -----------------------------------------------------------------------------------


def _story(vault: Vault) -> Iterator[dict[bytes, bytes]]:
    """Uploads, uses, an eviction and an erase; yields what must be listed after each step."""
    small, large, last = make_model(1, 5000), make_model(2, 6 * SECTOR + 1), make_model(3, 30_000)
    steps = [
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


def _allowed(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> list[dict[bytes, bytes]]:
    """What a cut inside a step may leave: the old, the new, or models gone and none come."""
    kept = {name: model for name, model in before.items() if name in after}
    return [before, after, kept]


@functools.cache
def _consumption() -> tuple[list[int], list[dict[bytes, bytes]]]:
    """The story without a cut: the power spent after each step, and what was listed."""
    vault = mounted()
    supply = 1 << 40
    vault.power(supply)
    spent, listed = [0], [{}]
    for models in _story(vault):
        assert vault.models() == models
        spent.append(supply - vault.power_left)
        listed.append(models)
    assert not vault.broke_nor
    return spent, listed


def _cut_places() -> list[int]:
    """Every byte of directory writes would be too many: all around each step's end, and some."""
    spent, _ = _consumption()
    places = {end - back for end in spent[1:] for back in range(-3, 200) if end >= back}
    return sorted(place for place in places if place >= 0)


@pytest.mark.parametrize("part", range(4))
def test_a_cut_at_any_byte_around_a_step_leaves_whole_models(part):
    for supply in _cut_places()[part::4]:
        _check_cut(supply, seed=supply)


@given(st.integers(0), st.integers(0, 2**32 - 1))
def test_a_cut_at_any_byte_of_the_story_leaves_whole_models(place, seed):
    spent, _ = _consumption()
    _check_cut(place % (spent[-1] + 1), seed)


def _check_cut(supply: int, seed: int) -> None:
    spent, listed = _consumption()
    vault = mounted()
    vault.power(supply, seed)
    for _ in _story(vault):
        pass
    step = sum(end <= supply for end in spent) - 1  # steps that were complete
    vault.power()
    assert vault.mount() == OK
    found = vault.models()
    assert all(name_of(model) == name for name, model in found.items())
    if step + 1 < len(listed):
        assert found in _allowed(listed[step], listed[step + 1])
    else:
        assert found == listed[-1]
    after = make_model(4, 9000)
    assert put(vault, after) == OK
    assert vault.models()[name_of(after)] == after
    assert not vault.broke_nor


class StoreUnderPowerCuts(RuleBasedStateMachine):
    """Any order of uploads, uses, erases, mounts and cuts: what is listed is always whole."""

    @initialize()
    def start(self) -> None:
        self.vault = mounted()
        self.committed: set[bytes] = set()

    @rule(seed=st.integers(0, 9), sectors=st.integers(0, 6), rest=st.integers(1, SECTOR))
    def upload(self, seed: int, sectors: int, rest: int) -> None:
        model = make_model(seed, sectors * SECTOR + rest)
        if name_of(model) not in self.vault.models():
            assert put(self.vault, model) == OK
        self.committed.add(name_of(model))
        assert self.vault.models()[name_of(model)] == model

    @rule(seed=st.integers(0, 9), supply=st.integers(0, 60_000), torn=st.integers(0, 2**32 - 1))
    def upload_cut_short(self, seed: int, supply: int, torn: int) -> None:
        model = make_model(seed, 9000 + seed)
        self.vault.power(supply, torn)
        if name_of(model) not in self.vault.models() and put(self.vault, model) == OK:
            self.committed.add(name_of(model))
        self.committed.add(name_of(model))  # the cut may have come right after the commit
        self.vault.power()
        assert self.vault.mount() == OK

    @rule(at=st.integers(0, 15))
    def touch(self, at: int) -> None:
        names = sorted(self.vault.models())
        if names:
            assert self.vault.touch(names[at % len(names)]) == OK

    @rule(at=st.integers(0, 15))
    def erase(self, at: int) -> None:
        names = sorted(self.vault.models())
        if names:
            gone = names[at % len(names)]
            assert self.vault.erase(gone) == OK
            assert gone not in self.vault.models()

    @rule()
    def mount(self) -> None:
        before = self.vault.models()
        assert self.vault.mount() == OK
        assert self.vault.models() == before

    @invariant()
    def listed_models_are_whole_and_apart(self) -> None:
        models = self.vault.models()
        assert all(name_of(model) == name for name, model in models.items())
        assert set(models) <= self.committed
        assert not self.vault.broke_nor
        places = sorted(self.vault.places().values())
        assert all(a + size <= b for (a, size), (b, _) in itertools.pairwise(places))


TestStoreUnderPowerCuts = StoreUnderPowerCuts.TestCase
TestStoreUnderPowerCuts.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
