"""The model store: what is listed is whole, whatever happens to the power."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.firmware.power_cuts import (
    BLOCK,
    BLOCKS,
    ROOM,
    SECTORS,
    check_cut,
    make_model,
    mounted,
    name_of,
    places_around_steps,
    put,
    story,
    story_bytes,
)
from tests.firmware.vault_library import Adapter, Vault
from tests.firmware.wire_library import ARGUMENT, HASH, MEMORY, OK, SECTOR, STATE, STORE


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


@pytest.mark.parametrize("adapter", list(Adapter))
def test_a_cut_at_any_byte_around_a_step_leaves_whole_models(adapter):
    """Every byte of all of them is `python -m tests.firmware.power_cuts`."""
    for place in places_around_steps(adapter)[:: 7 if adapter else 4]:
        check_cut(adapter, place, seed=place)


@given(st.sampled_from(Adapter), st.integers(0), st.integers(0, 2**32 - 1))
def test_a_cut_at_any_byte_of_the_story_leaves_whole_models(adapter, place, seed):
    check_cut(adapter, place % (story_bytes(adapter) + 1), seed)


def test_a_cut_while_a_whole_block_is_erased_leaves_whole_models():
    rng = random.Random(5)
    whole = story_bytes(Adapter.PARTITION, BLOCKS)
    torn = [
        check_cut(Adapter.PARTITION, rng.randrange(whole), rng.randrange(2**32), BLOCKS)
        for _ in range(25)
    ]
    assert torn.count(BLOCK) >= 2, "blocks were cut too"


def test_a_second_cut_while_mending_the_first_does_no_harm():
    rng = random.Random(3)
    for _ in range(40):
        vault = mounted()
        for _ in range(4):
            vault.power(rng.randrange(40_000), rng.randrange(2**32))
            for _ in story(vault):
                pass
            vault.power(rng.randrange(6000), rng.randrange(2**32))
            vault.mount()
        vault.power()
        assert vault.mount() == OK
        assert all(name_of(model) == name for name, model in vault.models().items())
        assert put(vault, make_model(4, 9000)) == OK


@pytest.mark.parametrize("bit", range(0, 64 * 8, 5))
def test_a_rotten_header_record_costs_models_at_most_and_never_the_store(bit):
    """One bit of the record that puts the directory in force."""
    vault = mounted()
    model = make_model(1, 5000)
    assert put(vault, model) == OK
    flash = bytearray(vault.flash())
    (header,) = [at for at in (0, SECTOR) if flash[at + 4 : at + 8] == b"HILR"]
    flash[header + bit // 8] ^= 1 << bit % 8
    vault.set_flash(bytes(flash))
    assert vault.mount() == OK
    assert vault.models() == {}
    assert put(vault, model) == OK
    assert vault.mount() == OK
    assert vault.models() == {name_of(model): model}


def test_a_partition_of_another_size_is_begun_anew():
    """A new partition table moved its end: entries beyond it must not be believed."""
    large, small = mounted(SECTORS), Vault(SECTORS - 3)
    assert put(large, make_model(1, ROOM * SECTOR)) == OK
    small.set_flash(large.flash()[: (SECTORS - 3) * SECTOR])
    assert small.mount() == OK
    assert small.models() == {}


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
