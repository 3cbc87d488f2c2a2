"""What every store does with several writers at once; tests/faults has many more of them, and kills them."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from opsconsole.contracts.store import AlreadyOpen, AlreadySigned, Conflict, Store
from opsconsole.model.events import Event, Signed, kind_of
from support.events import RUN, measurement, note, opening, sign_off
from support.stores import Stores, lines_of, writers


def test_of_eight_processes_that_open_a_day_one_does(stores: Stores) -> None:
    """Cron and operators that start at the same second share one run; the others are told that it is open."""
    store = stores.open()
    with writers(stores, [("open", RUN)] * 8) as processes:
        words = Counter(line.split()[0] for process in processes for line in lines_of(process))
    assert words == {"try": 8, "done": 1, "AlreadyOpen": 7}
    assert [kind_of(each.event.body) for each in store.events(RUN)] == ["opened"]


def test_of_six_processes_that_sign_a_day_one_does(stores: Stores) -> None:
    """Two people who sign at the same moment leave one sign-off; the other is told."""
    store = stores.open()
    store.append([opening(), measurement()])
    with writers(stores, [("sign", RUN)] * 6) as processes:
        words = Counter(line.split()[0] for process in processes for line in lines_of(process))
    # A process that read the run after the signature was in fails to sign a signed run; an earlier one conflicts.
    assert words["done"] == 1
    assert words["AlreadySigned"] == 5
    assert sum(isinstance(each.event.body, Signed) for each in store.events(RUN)) == 1
    assert store.verify().broken is None


def _at_once(count: int, deed: Callable[[int], str]) -> Counter[str]:
    """Let `count` threads do it at the same moment; return how often each answer came."""
    gate = threading.Barrier(count)

    def one(number: int) -> str:
        gate.wait()
        return deed(number)

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(one, range(count)))


def _outcome(store: Store, event: Event, after: int | None = None) -> str:
    try:
        store.append([event], after=after)
    except Conflict as error:
        return type(error).__name__
    return "stored"


def test_one_store_is_safe_to_use_from_many_threads(store: Store) -> None:
    """The engine's threads share a store: the same tick from all of them is one tick, unlike ones are all there."""
    store.append([opening()])
    tick = note("the same")
    assert _at_once(8, lambda _: _outcome(store, tick)) == {"stored": 8}
    assert store.last_seq(RUN) == 2
    assert _at_once(8, lambda n: _outcome(store, note(f"{n}"))) == {"stored": 8}
    assert store.last_seq(RUN) == 10
    assert store.verify().broken is None


@pytest.mark.parametrize(
    ("made", "losers"), [("opening", AlreadyOpen), ("sign", AlreadySigned), ("decide", Conflict)]
)
def test_of_many_threads_one_wins(stores: Stores, made: str, losers: type[Conflict]) -> None:
    """Whatever can happen once happens once, and the losers learn in which way they lost."""
    several = [stores.open() for _ in range(6)]
    if made != "opening":
        (last,) = several[0].append([opening()])
    for_each: dict[str, Callable[[Store], Event]] = {
        "opening": lambda _: opening(),
        "sign": lambda store: sign_off(store, last),
        "decide": lambda _: note("decided on what I saw"),
    }
    after = 0 if made == "opening" else 1
    answers = _at_once(6, lambda n: _outcome(several[n], for_each[made](several[n]), after))
    assert answers == {"stored": 1, losers.__name__: 5}
    assert several[0].verify().broken is None


def test_a_reader_sees_whole_batches_only(stores: Stores) -> None:
    """Whoever reads while others write never sees half of what was done together."""
    writer, reader = stores.open(), stores.open()
    writer.append([opening()])
    finished = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not finished.is_set():
            seen.append(len(reader.events(RUN, after=1)))

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(30):
        writer.append([note("one"), note("two"), note("three")])
    finished.set()
    thread.join()
    assert {count % 3 for count in seen} <= {0}
    assert reader.last_seq(RUN) == 91
