"""64 connections send the most expensive requests, and the daemon's memory stays near --memory."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
import safetensors.numpy
from support.daemon import Daemon
from support.memory import CLIENTS, LIMIT, Idler, idlers, taken
from support.wire import SAFETENSORS, Api

pytestmark = [pytest.mark.unsanitized, pytest.mark.heavy, pytest.mark.timeout(300)]


@pytest.fixture
def daemon(start: Callable[..., Daemon]) -> Daemon:
    """A daemon with 256 MiB."""
    return start("--memory", str(LIMIT), "--durability", "none")


def client(daemon: Daemon) -> Api:
    """A client with its own connection."""
    return Api(daemon.host, daemon.port)


def check(daemon: Daemon, what: str, limit: int = LIMIT) -> None:
    """Prints the figure, compares it with the limit of --memory, and checks that the daemon still answers."""
    figure, allowed = taken(daemon), limit + limit // 4 + (64 << 20)
    print(f"{what}: {figure / 2**20:.0f} MiB of {allowed / 2**20:.0f}")
    assert figure < allowed
    assert client(daemon).get("/livez").status == 200


def vector(api: Api, count: int, optimizer: str = "sgd", **more: object) -> None:
    """A model `m` with one parameter of the given number of zeros."""
    body = {"optimizer": optimizer, "parameters": {"w": {"shape": [count], "init": "zeros"}}, **more}
    api.create("m", body)


def all_at_once(idlers: list[Idler], *request: object, **headers: str) -> list[int]:
    """Sends the request on every connection; returns the statuses."""
    with ThreadPoolExecutor(len(idlers)) as pool:
        return list(pool.map(lambda idler: idler.send(*request, **headers).status, idlers))


def test_unread_states(daemon: Daemon) -> None:
    """The daemon copies slots only where there is room; all requests for one state share the copy."""
    api = client(daemon)
    vector(api, 2_000_000, "adam")
    with idlers(daemon) as readers:
        statuses = []
        for reader in readers:
            statuses.append(reader.send("GET", "/v1/models/m/state.safetensors").status)
            pushed = api.push_binary("m", {"w": np.zeros(2_000_000, np.float32)})
            assert pushed.status in (200, 503)
        assert set(statuses) <= {200, 503} and 200 in statuses
        check(daemon, "unread states")


def test_pinned_versions(daemon: Daemon) -> None:
    """A version that a slow pull holds stays counted, and a push that would make one too many waits."""
    api = client(daemon)
    vector(api, 2_000_000)
    gradient = {"w": np.ones(2_000_000, np.float32)}
    with idlers(daemon) as readers:
        pushed = []
        for reader in readers:
            assert reader.send("GET", "/v1/models/m/parameters.safetensors").status == 200
            pushed.append(api.push_binary("m", gradient).status)
        check(daemon, "pinned versions")
        assert set(pushed) == {200, 503}
    step = api.get("/v1/models/m").json()["step"]
    assert step == pushed.count(200)


def test_curves_of_many_groups(daemon: Daemon) -> None:
    """60 million rates do not fit, and the daemon does not begin to compute them."""
    api = client(daemon)
    names = [f"p{number}" for number in range(2000)]
    groups = [{"params": [name], "lr": 0.1} for name in names]
    api.create("m", {"optimizer": "sgd", "groups": groups, "parameters": {name: [0] for name in names}})
    with idlers(daemon) as readers:
        assert set(all_at_once(readers[:2], "GET", "/v1/models/m/lr?from=0&to=29999")) == {422}
        statuses = all_at_once(readers[2:], "GET", "/v1/models/m/lr?from=0&to=300")
        assert set(statuses) <= {200, 429, 503} and 200 in statuses
        check(daemon, "curves")


def test_dry_runs(daemon: Daemon) -> None:
    """Every stage of a dry run is counted before it is computed."""
    api = client(daemon)
    vector(api, 300_000, "adam")
    body = safetensors.numpy.save({"w": np.random.default_rng(1).normal(size=300_000).astype(np.float32)})
    target = "/v1/models/m/gradients?dry_run=1&stages=1"
    with idlers(daemon) as readers:
        statuses = all_at_once(readers, "POST", target, body, Content_Type=SAFETENSORS)
        # When memory is short, the slowest bodies make room.
        assert set(statuses) <= {200, 408, 503} and 200 in statuses
        check(daemon, "dry runs")


def test_appends(daemon: Daemon) -> None:
    """Rates of earlier versions are counted as long as a client may read them."""
    api = client(daemon)
    api.create("m", {"optimizer": "sgd", "learning_rate": [0.5], "parameters": {"w": [0]}})
    rates = json.dumps({"learning_rate": {"append": [0.5] * 500_000}}).encode()
    statuses = [api("PATCH", "/v1/models/m", rates, Content_Type="application/json").status for _ in range(20)]
    assert statuses[0] == 200 and set(statuses) <= {200, 503, 422}
    check(daemon, "appends")


def test_unknown_names(daemon: Daemon) -> None:
    """An answer about 65,000 unknown names in a model of 30,000."""
    api = client(daemon)
    api.create("m", {"optimizer": "sgd", "parameters": {f"block.{n}.weight": [0] for n in range(30_000)}})
    body = json.dumps({"gradients": {f"layer.{number}.weight": [0] for number in range(65_000)}}).encode()
    with idlers(daemon) as readers:
        statuses = all_at_once(readers, "POST", "/v1/models/m/gradients", body)
        assert set(statuses) <= {422, 503}
        check(daemon, "unknown names")


def test_model_pages(daemon: Daemon) -> None:
    """Clients do not read the pages."""
    api = client(daemon)
    api.create("m", {"optimizer": "sgd", "parameters": {f"layer.{n}.weight": [0] for n in range(30_000)}})
    with idlers(daemon) as readers:
        statuses = all_at_once(readers, "GET", "/v1/models/m")
        assert set(statuses) <= {200, 503} and 200 in statuses
        check(daemon, "model pages")


def test_documents(daemon: Daemon) -> None:
    """Documents of empty objects take 80 times their length: all arrive except the last byte, then the rest at once."""
    api = client(daemon)
    vector(api, 1)
    body = b'{"rows":[' + b"{}," * 1_300_000 + b"{}]}"
    with idlers(daemon) as readers:
        with ThreadPoolExecutor(CLIENTS) as pool:

            def send(idler: Idler) -> int:
                idler.send_head("POST", "/v1/models/m/parameters/w/lookup", len(body))
                with suppress(OSError):
                    idler.socket.sendall(body)
                return idler.status

            statuses = list(pool.map(send, readers))
        assert set(statuses) <= {408, 422, 503}
        check(daemon, "documents")


def test_receipts(start: Callable[..., Daemon]) -> None:
    """Receipts of 2,500 groups with rates that differ at each step, of more workers than there is room for."""
    daemon = start("--memory", "64M", "--durability", "none")
    api = client(daemon)
    names = [f"p{number}" for number in range(2500)]
    rate = {"schedule": "ExponentialDecayLR", "learning_rate": 0.5, "decay_rate": 0.9999, "decay_steps": 10}
    groups = [{"params": [name]} for name in names]
    body = {"optimizer": "sgd", "learning_rate": rate, "groups": groups, "parameters": {name: [0] for name in names}}
    api.create("m", body)
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda worker: push_of(daemon, worker), range(7000)))
    check_small(daemon, "receipts")
    assert set(statuses) == {200, 503}
    api("DELETE", "/v1/models/m").expect(204)
    assert within(60, lambda: api.get("/v1/server").json()["memory"]["reserved"] < 1 << 20)


def push_of(daemon: Daemon, worker: int) -> int:
    """Returns the status of a worker's first push; 75 kB of the answer stay unread."""
    idler = Idler(daemon)
    body = json.dumps({"gradients": {"p0": [1]}, "worker": f"worker-{worker}", "seq": 1}).encode()
    try:
        return idler.send("POST", "/v1/models/m/gradients", body).status
    finally:
        idler.socket.close()


def test_plans(start: Callable[..., Daemon]) -> None:
    """Names of parameters count: 16 models of 30,000 do not fit, although their numbers would."""
    daemon = start("--memory", "64M", "--durability", "none")
    api = client(daemon)
    body = {"optimizer": "sgd", "parameters": {f"layer.{number}.weight": [0] for number in range(30_000)}}
    statuses = [api("PUT", f"/v1/models/m{number}", body).status for number in range(16)]
    check_small(daemon, "plans")
    assert statuses[0] == 201 and set(statuses) == {201, 503}


def test_connections(start: Callable[..., Daemon]) -> None:
    """Each connection holds 40 kB once it has sent a second request."""
    daemon = start("--memory", "64M")
    with idlers(daemon, 5000) as connections:
        kept = sum(asks_twice(connection) for connection in connections)
        assert 256 <= kept < 5000
    check_small(daemon, "connections")


def check_small(daemon: Daemon, what: str) -> None:
    """Does what `check` does, for a daemon with 64 MiB."""
    check(daemon, what, 64 << 20)


def asks_twice(connection: Idler) -> bool:
    """Whether two requests are answered and the connection stays open."""
    try:
        for _ in range(2):
            connection.send("GET", "/livez")
            answer = connection.socket.recv(65536)
        return answer.startswith(b"HTTP/1.1 200")
    except OSError:
        return False


@pytest.mark.parametrize("share", [50, 100])
def test_slow_bodies(start: Callable[..., Daemon], share: int) -> None:
    """90 bodies at 80 kB/s do not block a push of 40 MB: they pay for what has arrived, and the slowest are cut."""
    limits = ("--limit", f"body-memory-per-model={share}%")
    daemon = start("--memory", str(LIMIT), "--durability", "none", *limits)
    api = client(daemon)
    vector(api, 10_000_000)
    values = np.ones(10_000_000, np.float32)
    body = safetensors.numpy.save({"w": values})
    stop = threading.Event()
    with idlers(daemon, 90) as senders:
        for sender in senders:
            sender.send_head("POST", "/v1/models/m/gradients", len(body), Content_Type=SAFETENSORS)
        drip = threading.Thread(target=dripping, args=(senders, body, stop))
        drip.start()
        try:
            # Wait until they hold everything that is left beside the model.
            most = min(LIMIT * share // 100 + (20 << 20), LIMIT - (80 << 20))
            full = within(120, lambda: api.get("/v1/server").json()["memory"]["reserved"] > most)
            assert full, "90 bodies do not hold much"
            assert within(120, lambda: api.push_binary("m", {"w": values}).status == 200)
        finally:
            stop.set()
            drip.join()
        check(daemon, "slow bodies")
    assert api.get("/v1/models/m").json()["step"] == 1


def dripping(senders: list[Idler], body: bytes, stop: threading.Event) -> None:
    """Sends 80 kB/s on each open connection, except for the last megabyte."""
    sent, alive = 0, list(senders)
    while not stop.is_set():
        piece = body[sent : sent + 40_000] if sent < len(body) - (1 << 20) else b""
        sent += len(piece)
        for sender in list(alive):
            try:
                sender.socket.sendall(piece)
            except OSError:
                alive.remove(sender)
        stop.wait(0.5)


def within(seconds: float, is_true: Callable[[], bool]) -> bool:
    """Whether the condition becomes true in time; it is checked twice per second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_true():
            return True
        time.sleep(0.5)
    return False
