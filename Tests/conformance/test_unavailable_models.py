"""A model that cannot be served does not stop the others: its rule crashes, or its rule or schedule is missing."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import BINARY, Daemon, launch, read_line
from support.faults import run
from support.wire import Answer, Api, state_of

OWN = BINARY.with_name("own-daemon")
pytestmark = pytest.mark.skipif(not OWN.exists(), reason="own-daemon is not built beside the daemon under test")
Start = Callable[..., Daemon]


def own(start: Start, directory: Path, *arguments: str, binary: Path = OWN) -> tuple[Daemon, Api]:
    """A daemon on the directory, the user's own unless the test names another, and a client."""
    daemon = start(*arguments, binary=binary, data_dir=directory)
    return daemon, Api(daemon.host, daemon.port)


def kill(daemon: Daemon) -> None:
    """Ends the daemon without a drain."""
    daemon.process.kill()
    daemon.process.wait(20)


def create(api: Api, model: str, optimizer: object, rate: object = 0.5, **more: object) -> None:
    """A model with one parameter of two zeros."""
    api.create(model, {"optimizer": optimizer, "learning_rate": rate, "parameters": {"w": [0, 0]}, **more})


def crash(daemon: Daemon, api: Api, model: str, gradient: list[float]) -> int:
    """Returns the exit status of the daemon after a push that crashes it."""
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        api.push(model, {"w": gradient})
    return daemon.process.wait(60)


def unavailable(answer: Answer, *words: str) -> None:
    """Checks that the answer says that the model exists, is not served, and why."""
    problem = answer.expect(503).json()
    assert problem["type"] == "/problems/model-unavailable"
    for word in words:
        assert word in problem["detail"], problem["detail"]


@pytest.mark.unsanitized
@pytest.mark.parametrize(("gradient", "number"), [(42, signal.SIGILL), (43, signal.SIGSEGV)], ids=["trap", "stack"])
def test_crash_of_a_rule_leaves_the_others(
    start: Start, tmp_path: Path, gradient: float, number: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """The user's code traps, or its stack overflows: the next start names model, step and rule."""
    daemon, api = own(start, tmp_path)
    create(api, "sane", "my_momentum")
    create(api, "hurt", "touchy")
    for model in ("sane", "hurt"):
        api.push(model, {"w": [1, 2]})
    before = state_of(api, "sane")
    assert crash(daemon, api, "hurt", [gradient, 0]) == -number
    capfd.readouterr()
    for _ in range(2):
        daemon, api = own(start, tmp_path)
        text = capfd.readouterr().err
        assert "the model hurt is not served" in text and "Touchy crashed in the update to step 2" in text, text
        assert "1 model served and 1 not" in text
        unavailable(api("GET", "/v1/models/hurt"), "Touchy", "step 2")
        unavailable(api("POST", "/v1/models/hurt/gradients", {"gradients": {"w": [1, 1]}}), "Touchy")
        unavailable(api("PUT", "/v1/models/hurt", {"optimizer": "sgd", "parameters": {"w": [0]}}), "Touchy")
        listing = api.get("/v1/models").expect(200).json()
        assert [model["model"] for model in listing["models"]] == ["sane"]
        assert [model["model"] for model in listing["unavailable"]] == ["hurt"]
        assert state_of(api, "sane") == before
        kill(daemon)
    assert_verify_names_it(tmp_path)


def assert_verify_names_it(directory: Path) -> None:
    """`verify` accepts the files and says which rule crashed."""
    ended = subprocess.run([OWN, "verify", directory], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0 and "Touchy crashed" in ended.stdout and "step 2" in ended.stdout, ended


def test_verify_and_salvage_build_the_models(start: Start, tmp_path: Path) -> None:
    """A program without the rule cannot serve the model, and says so before a start; nothing is given up."""
    daemon, api = own(start, tmp_path)
    create(api, "sane", "sgd")
    create(api, "hurt", "touchy")
    before = state_of(api, "hurt")
    daemon.stop()
    verified = run("verify", tmp_path)
    assert verified.returncode == 65 and "1 model built" in verified.stdout, verified
    salvaged = run("recover", "--salvage", tmp_path)
    assert salvaged.returncode == 0 and "nothing to do" in salvaged.stdout, salvaged
    for told in (verified.stdout, salvaged.stdout):
        assert (
            "not served: model hurt" in told and "Its files stay in the directory" in told and "intact" not in told
        ), told
    ended = subprocess.run([OWN, "verify", tmp_path], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0 and "2 models built" in ended.stdout, ended
    _, api = own(start, tmp_path)
    assert state_of(api, "hurt") == before


def test_verify_takes_the_memory_of_a_start(tmp_path: Path) -> None:
    """Both refuse a directory whose models need more than --memory."""
    with Daemon(data_dir=tmp_path) as daemon:
        Api(daemon.host, daemon.port).create(
            "m", {"optimizer": "sgd", "parameters": {"w": {"shape": [1 << 20], "init": "zeros"}}}
        )
    for arguments in (["verify", tmp_path, "--memory", "2M"], ["--data-dir", tmp_path, "--memory", "2M"]):
        ended = run(*arguments)
        assert ended.returncode == 65 and "--memory" in ended.stderr, ended
    assert run("verify", tmp_path).returncode == 0


@pytest.mark.unsanitized
def test_other_build_tries_the_update_again(start: Start, tmp_path: Path) -> None:
    """A program with another build time is another build: a copy of the same one crashes again, and notes that too."""
    daemon, api = own(start, tmp_path / "data")
    create(api, "hurt", "touchy")
    assert crash(daemon, api, "hurt", [42, 0]) == -signal.SIGILL
    copy = Path(shutil.copy(OWN, tmp_path / "own-daemon"))
    os.utime(copy, ns=(1, 1))
    again = launch("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), binary=copy)
    assert again.wait(60) == -signal.SIGILL
    _, api = own(start, tmp_path / "data", binary=copy)
    unavailable(api("GET", "/v1/models/hurt"), "Touchy")


@pytest.mark.unsanitized
def test_other_build_is_known_without_proc(tmp_path: Path) -> None:
    """A container may have no /proc; the first build starts without the model, a corrected one tries the update."""
    hidden = 'mount -t tmpfs none /proc && exec "$@"'
    shell = ["unshare", "--mount", "sh", "-c", hidden, "sh"]
    if os.getuid() != 0 or subprocess.run([*shell, "true"], check=False).returncode:
        pytest.skip("hiding /proc needs root")
    copy = Path(shutil.copy(OWN, tmp_path / "own-daemon"))

    def begin() -> tuple[subprocess.Popen[bytes], str]:
        arguments = [str(copy), "--listen", "127.0.0.1:0", "--data-dir", f"{tmp_path}/data"]
        process = launch(*shell[1:], *arguments, binary=Path("/usr/bin/unshare"))
        return process, read_line(process, within=30).removeprefix("listening on http://").strip()

    process, address = begin()
    host, port = address.split(":")
    api = Api(host, int(port))
    create(api, "hurt", "touchy")
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        api.push("hurt", {"w": [42, 0]})
    assert process.wait(60) == -signal.SIGILL
    process, address = begin()
    process.kill()
    process.wait(20)
    assert address
    os.utime(copy, ns=(1, 1))
    process, address = begin()
    assert process.wait(60) == -signal.SIGILL and not address


@pytest.mark.unsanitized
def test_kill_in_an_update_is_no_crash(start: Start, tmp_path: Path) -> None:
    """SIGKILL, and a fatal signal from another process while no rule runs, leave every model served."""
    daemon, api = own(start, tmp_path)
    create(api, "hurt", "touchy")
    api.push("hurt", {"w": [1, 2]})
    kill(daemon)
    daemon, api = own(start, tmp_path)
    daemon.signal(signal.SIGSEGV)
    assert daemon.process.wait(60) == -signal.SIGSEGV
    _, api = own(start, tmp_path)
    assert api.pull("hurt")["w"].tolist() == [-0.5, -1]


@pytest.mark.unsanitized
@pytest.mark.parametrize("way", ["DELETE", "replace"])
def test_crashed_model_is_given_up(start: Start, tmp_path: Path, way: str) -> None:
    """DELETE and ?replace=1 end the model; its name is free, also after another start."""
    daemon, api = own(start, tmp_path)
    create(api, "hurt", "touchy")
    assert crash(daemon, api, "hurt", [42, 0]) == -signal.SIGILL
    daemon, api = own(start, tmp_path)
    if way == "DELETE":
        api("DELETE", "/v1/models/hurt").expect(204)
        create(api, "hurt", "touchy")
    else:
        body = {"optimizer": "touchy", "learning_rate": 0.5, "parameters": {"w": [0, 0]}}
        api("PUT", "/v1/models/hurt?replace=1", body).expect(201)
    api.push("hurt", {"w": [2, 2]})
    assert "unavailable" not in api.get("/v1/models").json()
    # The journal has the push that crashed, before the record of the model's end.
    for _ in range(4):
        kill(daemon)
        daemon, api = own(start, tmp_path)
        assert api.pull("hurt")["w"].tolist() == [-1, -1]


def test_daemon_without_the_rule(start: Start, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The built-in daemon keeps the model's files and records while it writes snapshots and cuts its journal."""
    daemon, api = own(start, tmp_path, "--snapshot-after", "64K")
    for model in ("first", "second"):
        create(api, model, "touchy")
        api.push(model, {"w": [1, 2]})
    before = {model: state_of(api, model) for model in ("first", "second")}
    kill(daemon)
    daemon, api = own(start, tmp_path, "--snapshot-after", "64K", binary=BINARY)
    assert "Unknown optimizer `touchy`" in capfd.readouterr().err
    unavailable(api("GET", "/v1/models/first"), "touchy")
    create(api, "busy", "sgd")
    for seq in range(1, 61):
        api.push("busy", {"w": [1, 1]}, worker="w" * 100, seq=seq)
        api("PUT", "/v1/models/big", {"optimizer": "sgd", "parameters": {"w": [0] * 1000}}).expect(201)
        api("DELETE", "/v1/models/big").expect(204)
    assert daemon.stop() == 0
    _, api = own(start, tmp_path)
    for model, state in before.items():
        assert state_of(api, model) == state
        api.push(model, {"w": [1, 1]})


def test_daemon_without_the_schedule(start: Start, tmp_path: Path) -> None:
    """The schedule is in the definition or a later patch: the updates after it would differ from the original ones."""
    daemon, api = own(start, tmp_path)
    halving = {"schedule": "halving_lr", "learning_rate": 0.5}
    create(api, "born", "sgd", halving)
    create(api, "patched", "sgd", 1)
    create(api, "plain", "sgd", 1)
    api("PATCH", "/v1/models/patched", {"learning_rate": halving}).expect(200)
    for model in ("born", "patched", "plain"):
        api.push(model, {"w": [1, 2]})
        api.push(model, {"w": [1, 2]})
    for model in ("born", "patched"):
        assert api.pull(model)["w"].tolist() == [-0.75, -1.5]
    kill(daemon)
    daemon, api = own(start, tmp_path, binary=BINARY)
    for model in ("born", "patched"):
        unavailable(api("GET", f"/v1/models/{model}"), "halving_lr")
    assert api.pull("plain")["w"].tolist() == [-2, -4]
    kill(daemon)
    _, api = own(start, tmp_path)
    for model in ("born", "patched"):
        assert api.pull(model)["w"].tolist() == [-0.75, -1.5]


def test_without_model(start: Start, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Models that a start leaves out return with a start that does not; an unknown name is reported."""
    daemon, api = own(start, tmp_path, binary=BINARY)
    for model in ("one", "two", "three"):
        create(api, model, "adam")
        api.push(model, {"w": [1, 2]})
    before = {model: state_of(api, model) for model in ("one", "two", "three")}
    kill(daemon)
    capfd.readouterr()
    names = ("--without-model", "one", "--without-model", "three", "--without-model", "tow")
    daemon, api = own(start, tmp_path, *names, binary=BINARY)
    text = capfd.readouterr().err
    assert "--without-model tow has no effect" in text
    for model in ("one", "three"):
        unavailable(api("GET", f"/v1/models/{model}"), f"--without-model {model}")
    assert state_of(api, "two") == before["two"]
    assert daemon.stop() == 0
    _, api = own(start, tmp_path, binary=BINARY)
    for model, state in before.items():
        assert state_of(api, model) == state


def test_users_schedule_is_listed(start: Start, tmp_path: Path) -> None:
    """The daemon lists it with its own."""
    _, api = own(start, tmp_path)
    assert "HalvingLR" in api.get("/v1/server").json()["schedules"]


def test_repeated_creation_of_a_model_that_is_not_served(start: Start, tmp_path: Path) -> None:
    """The stored answer says that the model exists and is not served."""
    daemon, api = own(start, tmp_path)
    body = {"optimizer": "touchy", "learning_rate": 1, "parameters": {"w": [0, 0]}}
    uid = api("PUT", "/v1/models/m", body, Idempotency_Key="k").expect(201).json()["uid"]
    kill(daemon)
    _, api = own(start, tmp_path, "--without-model", "m")
    answer = api("PUT", "/v1/models/m", body, Idempotency_Key="k").expect(201)
    assert answer.headers["idempotency-replayed"] == "true"
    assert (answer.json()["uid"], answer.json()["status"]) == (uid, "unavailable")


def test_full_disk_keeps_no_daemon_from_starting(start: Start, small_disk: Path) -> None:
    """When no rule can be noted, the models are served anyway."""
    daemon, api = own(start, small_disk / "data", "--snapshot-after", "64K")
    create(api, "m", "my_momentum")
    api.push("m", {"w": [1, 2]})
    assert daemon.stop() == 0
    (small_disk / "data/RULES").unlink()
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    _, api = own(start, small_disk / "data", "--snapshot-after", "64K")
    assert api.pull("m")["w"].tolist() == [-0.5, -1]
