"""Processes and threads: each child a worker of its own, one object for many threads, exceptions that travel."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import paramd
import pytest
from paramd import BadAnswer, Client, Fenced, Invalid, Model, Problem, ProxyAnswer, Unreachable

START = pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def push_some(model: Model, times: int) -> None:
    """What a child does; its own module, so that a spawned one finds it."""
    for _ in range(times):
        assert not model.push({"w": [1, 0]}).replayed


def refused(model: Model) -> None:
    """A push that is wrong."""
    model.push({"nope": [1]})


def run(method: str, model: Model, children: int, times: int) -> None:
    """Children that push, all of which have to end well."""
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=push_some, args=(model, times)) for _ in range(children)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * children


@START
@pytest.mark.parametrize("name", [None, "w0"])
def test_children_are_workers_of_their_own(client: Client, model: Model, method: str, name: str | None) -> None:
    """As many steps as pushes, and the parent continues under its name."""
    parent = client.model(model.name, worker=name)
    before = parent.worker
    push_some(parent, 3)
    run(method, parent, 2, 20)
    push_some(parent, 3)
    assert parent.worker == before
    assert model.info()["step"] == 46
    assert sorted(each["last_seq"] for each in model.workers()) == [6, 20, 20]
    if name:
        assert all(each["worker"].startswith("w0") for each in model.workers())


def test_fork_while_other_threads_are_at_work(model: Model) -> None:
    """Locks that they hold and sockets that they use are not the child's."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            model.push({"w": [0, 0]})

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    children = [os.fork() or _child(model) for _ in range(5)]
    codes = [os.waitpid(child, 0)[1] for child in children]
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 5
    pushed = model.info()["step"]
    assert sum(each["last_seq"] for each in model.workers()) == pushed


def _child(model: Model) -> Any:
    try:
        push_some(model, 5)
    except BaseException:
        os._exit(1)
    os._exit(0)


def test_long_name_of_a_worker(client: Client, model: Model) -> None:
    """The child's name is no longer than the server takes."""
    parent = client.model(model.name, worker="ü" * 64)
    assert copy.copy(parent).push({"w": [1, 0]}).step == 1


def test_one_object_for_many_threads(model: Model) -> None:
    """As many steps as successes, each with a receipt of its own."""
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda _: model.push({"w": [1, 0]}), range(200)))
    assert sorted(receipt.step for receipt in receipts) == list(range(1, 201))
    assert not any(receipt.replayed or "gap" in receipt.fields for receipt in receipts)
    assert len(model.workers()) == 1


def test_pulls_and_pushes_of_many_threads(model: Model) -> None:
    """Answers go to who asked."""
    with ThreadPoolExecutor(8) as pool:
        pulled = [pool.submit(model.latest) for _ in range(100)]
        pushed = [pool.submit(model.push, {"w": [1, 0]}) for _ in range(100)]
        for snapshot in (each.result() for each in pulled):
            assert snapshot["w"][0] == -0.5 * snapshot.step
        assert len({each.result().step for each in pushed}) == 100


def test_wait_of_one_thread_holds_up_none(model: Model) -> None:
    """The push that ends the wait comes through the same object."""
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(model.pull, since=1, wait=100) for _ in range(3)]
        model.push({"w": [1, 0]})
        assert [each.result().version for each in waits] == [2, 2, 2]


def test_closed_while_in_use(model: Model, client: Client) -> None:
    """A wait continues, and the connection is closed after it."""
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(model.pull, since=1, wait=100)
        client.close()
        model.push({"w": [1, 0]})
        assert wait.result().version == 2


@START
def test_refusal_comes_out_of_a_pool(model: Model, method: str) -> None:
    """With all that it says; the pool does not hang."""
    with multiprocessing.get_context(method).Pool(2) as pool, pytest.raises(Invalid, match="nope") as raised:
        pool.map(refused, [model])
    assert raised.value.errors
    assert raised.value.slug == "invalid-content"


CLASSES = [each for each in vars(paramd).values() if isinstance(each, type) and issubclass(each, paramd.ParamdError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_exceptions_survive_pickling(kind: type[paramd.ParamdError]) -> None:
    """Text, attributes and notes."""
    document = {"type": "/problems/x", "title": "T", "detail": "Do this.", "retry_after": 3}
    made = kind(422, document) if issubclass(kind, Problem) else kind(502, "S") if kind is ProxyAnswer else kind("S")
    made.extra = 7
    for again in (pickle.loads(pickle.dumps(made)), copy.copy(made)):
        assert type(again) is kind
        assert str(again) == str(made)
        assert vars(again) == vars(made)


def test_client_travels(client: Client, model: Model) -> None:
    """It opens a connection of its own; models keep sharing theirs."""
    again, first, second = pickle.loads(pickle.dumps((client, model, client.model(model.name))))
    assert again.version() == client.version()
    assert len({model.worker, first.worker, second.worker}) == 3
    assert first.push({"w": [1, 0]}).step == 1


def test_kinds_of_mistake_are_told_apart() -> None:
    """Also after the trip."""
    for made in (Fenced(409, {"detail": "x"}), Unreachable("x"), BadAnswer("x")):
        assert isinstance(pickle.loads(pickle.dumps(made)), type(made))
