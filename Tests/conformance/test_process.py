"""The daemon as a process: arguments, exit codes, signals, the data directory, the memory budget."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.daemon import BINARY, REPOSITORY, Daemon, launch, read_line
from support.wire import Answer, Api, raw_answer, raw_socket, state_of, until_waiting

BODY = {"optimizer": "sgd", "learning_rate": 0.5, "parameters": {"w": [0, 0]}}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs paramd with arguments that make it exit."""
    return subprocess.run(
        [str(BINARY), *arguments], capture_output=True, check=False, text=True, timeout=30, stdin=subprocess.DEVNULL
    )


def test_help_and_version() -> None:
    """Both are on standard output, with exit code 0."""
    assert "--listen" in run("--help").stdout
    version = run("--version")
    assert version.returncode == 0 and version.stdout.strip()


def test_public_address_needs_a_word(tmp_path: Path) -> None:
    """Without tokens, an address that others can reach is refused with 78, and the text names the flag."""
    ended = run("--listen", "0.0.0.0:0", "--data-dir", str(tmp_path))
    assert ended.returncode == 78
    assert "--insecure-no-auth" in ended.stderr
    assert ended.stdout == ""


def test_public_address_with_the_word(tmp_path: Path) -> None:
    """The flag allows the address."""
    process = launch("--listen", "0.0.0.0:0", "--data-dir", str(tmp_path), "--insecure-no-auth")
    line = process.stdout.readline().decode()
    # Clients use addresses that the daemon cannot know; names are still checked.
    api = Api("127.0.0.1", int(line.rpartition(":")[2]))
    statuses = [api("GET", "/v1/models", Host=host).status for host in ("10.0.0.7:8470", "[2001:db8::7]", "up")]
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert line.startswith("listening on http://")
    assert statuses == [200, 200, 421]


@dataclass
class Started:
    """A daemon whose standard error the test reads."""

    process: subprocess.Popen[bytes]
    line: str

    def end(self) -> str:
        """Ends the daemon cleanly; returns its standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, errors
        return errors.decode()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Starts daemons in an empty working directory."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> Started:
        process = subprocess.Popen(
            [str(BINARY), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "SWIFT_BACKTRACE": "enable=no"},
        )
        processes.append(process)
        return Started(process, read_line(process, within=30))

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def test_start_ends_in_one_block(started: Callable[..., Started], tmp_path: Path) -> None:
    """The block says where, what, how safe, how much and for whom, in this order, and nothing else."""
    daemon = started("--listen", "127.0.0.1:0", "--allow-host", "*.example.org")
    url = daemon.line.removeprefix("listening on ")
    Api("127.0.0.1", int(url.rpartition(":")[2])).create("m", BODY)
    daemon.end()
    again = started("--listen", "127.0.0.1:0", "--memory", "64MB", "--durability", "interval:50")
    block = again.end().split("\n")
    address = again.line.removeprefix("listening on ")
    assert block[0] == f"paramd {run('--version').stdout.strip()} listens on {address}"
    if block[1].startswith("  connections"):
        del block[1]
    assert [line.split()[0] for line in block[1:5]] == ["data", "durability", "memory", "open"]
    assert f"{tmp_path}/paramd-data: 1 model, " in block[1]
    assert "interval:50" in block[2] and "last 50 ms" in block[2]
    assert "64M for models" in block[3]
    assert "localhost, 127.0.0.1, [::1]" in block[4] and "--allow-host" in block[4]
    assert all("draining" in line or "stopped" in line or not line for line in block[5:]), block


def test_effective_directory_is_absolute(started: Callable[..., Started], tmp_path: Path) -> None:
    """The reader may be in another directory."""
    daemon = started("--listen", "127.0.0.1:0")
    settings = Api("127.0.0.1", int(daemon.line.rpartition(":")[2])).get("/v1/server").json()["settings"]
    assert settings["data-dir"]["value"] == f"{tmp_path}/paramd-data"
    daemon.end()


def test_taken_port_leaves_nothing_behind(daemon: Daemon, started: Callable[..., Started], tmp_path: Path) -> None:
    """The daemon binds the address before it creates the directory."""
    refused = started("--listen", f"127.0.0.1:{daemon.port}")
    assert refused.process.wait(30) == 69 and not refused.line
    assert not list(tmp_path.iterdir())


def test_failed_start_leaves_no_socket(started: Callable[..., Started], tmp_path: Path) -> None:
    """The daemon removes the socket if it cannot open the directory."""
    (tmp_path / "file").write_text("")
    refused = started("--listen", "unix:socket", "--data-dir", "file")
    assert refused.process.wait(30) == 74
    assert not (tmp_path / "socket").exists()


def test_unix_socket(started: Callable[..., Started], tmp_path: Path) -> None:
    """The listening line names the socket, and the block shows how to send a request."""
    daemon = started("--listen", "unix:socket")
    assert daemon.line == f"listening on unix:{tmp_path}/socket"
    asked = ["curl", "-sS", "--unix-socket", f"{tmp_path}/socket", "http://localhost/livez"]
    assert subprocess.run(asked, capture_output=True, check=True, timeout=30).stdout == b"ok\n"
    assert "curl --unix-socket" in daemon.end()
    assert not (tmp_path / "socket").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_other_signals_change_nothing(start: Callable[..., Daemon], number: int) -> None:
    """A closing terminal and a reload have no effect here."""
    daemon = start()
    for _ in range(3):
        daemon.signal(number)
    Api(daemon.host, daemon.port).get("/livez")
    assert daemon.stop() == 0


def assert_drains(daemon: Daemon, *signals: int) -> None:
    """Waiting requests are answered before the daemon ends, and the exit code is 0."""
    api = Api(daemon.host, daemon.port)
    api.create("m", BODY)
    with raw_socket(api) as connection:
        connection.sendall(b"GET /v1/models/m/parameters?since=1&wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until_waiting(api, 1)
        for number in signals:
            daemon.signal(number)
        assert daemon.wait() == 0
        raw_answer(connection).expect(503)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signals_that_end_it_drain(start: Callable[..., Daemon], number: int) -> None:
    """Each of the signals, sent once, causes a drain."""
    assert_drains(start(), number)


@pytest.mark.unsanitized
def test_arguments_without_proc(tmp_path: Path) -> None:
    """A container may have no /proc, which Swift reads for the arguments."""
    hidden = 'mount -t tmpfs none /proc && exec "$@"'
    if (
        os.getuid() != 0
        or subprocess.run(["unshare", "--mount", "sh", "-c", hidden, "sh", "true"], check=False).returncode
    ):
        pytest.skip("hiding /proc needs root")
    arguments = [
        "--mount",
        "sh",
        "-c",
        hidden,
        "sh",
        str(BINARY),
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        f"{tmp_path}/d",
    ]
    process = launch(*arguments, binary=Path("/usr/bin/unshare"))
    line = read_line(process, within=30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert line.startswith("listening on http://127.0.0.1:") and not line.endswith(":8470")
    assert (tmp_path / "d/journal").is_dir()


def test_two_signals_at_once_drain(start: Callable[..., Daemon]) -> None:
    """Wrappers send a second signal within milliseconds: waiting requests are answered anyway."""
    for _ in range(5):
        assert_drains(start(), *[signal.SIGTERM] * 3)


README_LINES = re.findall(r"^curl .*$", (REPOSITORY / "README.md").read_text(), re.MULTILINE)[:3]


def test_readme_works_at_every_start(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """The same lines give the same answers at the first start and at the fourth."""
    for _ in range(4):
        daemon = start(data_dir=tmp_path)
        outputs = []
        for line in README_LINES:
            command = line.replace("localhost:8470", f"localhost:{daemon.port}").replace("curl", "curl -sS", 1)
            outputs.append(subprocess.run(["bash", "-c", command], capture_output=True, check=True, timeout=30).stdout)
        assert json.loads(outputs[1])["lr"] == {"default": 0.5}
        decoder = json.JSONDecoder()
        pulled, end = decoder.raw_decode(outputs[2].decode())
        rates, _ = decoder.raw_decode(outputs[2].decode()[end:].lstrip())
        assert pulled["parameters"]["w"]["data"] == [-0.5, 1] and rates["lr"] == {"default": 0.25}
        assert daemon.stop() == 0


def test_script_prints_the_lines_of_the_readme() -> None:
    """The lines contain the address of the daemon that the script started."""
    script = (REPOSITORY / "deploy/run").read_text().replace("$1", "localhost:8470").replace("$2", "")
    assert re.findall(r"^  (curl .*)$", script, re.MULTILINE) == README_LINES


@pytest.mark.parametrize("arguments", [["--listen", "nonsense"], ["--no-such-flag"], ["--listen", "127.0.0.1:99999"]])
def test_bad_arguments(arguments: list[str]) -> None:
    """The exit code is not 0, standard error has a sentence, and standard output is empty."""
    ended = run(*arguments)
    assert ended.returncode not in (0, None) and ended.returncode > 0
    assert ended.stderr and not ended.stdout


BAD_STARTS = {
    "name": (["--listen", "nosuchhost:0"], 78, "`nosuchhost` is not an IP address"),
    "port": (["--listen", "127.0.0.1:99999"], 78, "`99999` is not a valid port"),
    "no port": (["--listen", "127.0.0.1"], 78, "HOST:PORT"),
    "bare IPv6": (["--listen", "::1:0"], 78, "[::1]:0"),
    "foreign address": (["--listen", "192.0.2.1:0", "--insecure-no-auth"], 69, "not an address of this machine"),
    "path too long": (["--listen", "unix:/tmp/" + "x" * 120], 69, "107 bytes"),
    "socket nowhere": (["--listen", "unix:/nowhere/socket"], 69, "directory of the socket does not exist"),
    "no receipts": (["--receipt-window", "0"], 64, "at least 1"),
    "fewer than none": (["--receipt-window", "-5"], 64, "at least 1"),
    "host with port": (["--allow-host", "example.org:80"], 64, "without port"),
    "every host": (["--allow-host", "*"], 64, "*.example.org"),
    "pattern in the middle": (["--allow-host", "a.*.org"], 64, "*.example.org"),
    "little memory": (["--memory", "1"], 64, "at least 1M"),
    "memory of nowhere": (["--memory", "900T"], 64, "is more than this"),
    "no directory": (["--data-dir", ""], 64, "--data-dir must be the path of a directory"),
    "directory nowhere": (["--data-dir", "/proc/nowhere/data"], 74, "parent directory does not exist"),
    "file as directory": (["--data-dir", __file__], 74, "move it away"),
}


@pytest.mark.parametrize("kind", BAD_STARTS)
def test_failed_start_says_what_to_change(kind: str, tmp_path: Path) -> None:
    """The error is one sentence with the remedy, and the exit status matches it."""
    arguments, status, words = BAD_STARTS[kind]
    ended = run("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), *arguments)
    assert ended.returncode == status
    assert words in ended.stderr and not ended.stdout, ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_directory_of_somebody_else(tmp_path: Path) -> None:
    """The error names the missing permission."""
    tmp_path.chmod(0o755)
    command = ["setpriv", "--reuid=65534", "--clear-groups", str(BINARY), "--listen", "127.0.0.1:0", "--data-dir"]
    ended = subprocess.run([*command, "/var/paramd"], capture_output=True, check=False, text=True, timeout=30)
    assert ended.returncode == 74
    assert "permission to read and write" in ended.stderr


def test_allowed_hosts(start: Callable[..., Daemon]) -> None:
    """Requests for these hosts are answered, and `/v1/server` lists the hosts like every other setting."""
    daemon = start("--allow-host", "a.example", "--allow-host", "fe80::1", "--allow-host", "*.example.org")
    api = Api(daemon.host, daemon.port)
    settings = api.get("/v1/server", Host="a.example:80").json()["settings"]
    assert settings["allow-host"] == {"value": "a.example, fe80::1, *.example.org", "origin": "flag"}
    api.get("/v1/models", Host="[fe80::1]")
    api.get("/v1/models", Host="x.y.example.org:8470")
    api("GET", "/v1/models", Host="example.org").expect(421)
    flags = set(re.findall(r"^  --([a-z-]+)", run("--help").stdout, re.MULTILINE))
    assert flags - set(settings) == {"limit", "version"}


def limits_of(daemon: Daemon) -> dict[str, dict[str, str]]:
    """The table of limits that a running daemon returns."""
    return Api(daemon.host, daemon.port).get("/v1/server").json()["limits"]


def test_server_page_any_number_of_times(start: Callable[..., Daemon]) -> None:
    """A dashboard may poll `/v1/server` for as long as it likes."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    for _ in range(600):
        page = api.get("/v1/server").json()
    assert page["network"]["requests"] >= 599 and page["network"]["connections"] == 1
    assert daemon.stop() == 0


def test_limits_are_one_table(daemon: Daemon) -> None:
    """The daemon, its help and the page of settings show the same limits, with the same values and words."""
    limits = limits_of(daemon)
    help_rows = re.findall(r"^  ([a-z-]+)=(\S+) +(.*)\.$", run("--help").stdout, re.MULTILINE)
    assert [(name, value, meaning.removesuffix(" (fixed)")) for name, value, meaning in help_rows] == [
        (name, row["value"], row["meaning"]) for name, row in limits.items()
    ]
    rows = [
        f"| `{name}` | {row['value']}{', fixed' if row['origin'] == 'fixed' else ''} | {row['meaning']} |"
        for name, row in limits.items()
    ]
    assert "\n".join(rows) in (REPOSITORY / "api/settings.md").read_text()


def test_a_limit_that_was_changed(start: Callable[..., Daemon]) -> None:
    """The limit applies, its refusal names the new number, and `/v1/server` shows the origin."""
    daemon = start("--limit", "header-bytes=1K", "--limit", "models=1", "--limit", "head-deadline=700ms")
    api = Api(daemon.host, daemon.port)
    limits = limits_of(daemon)
    assert {name: row["value"] for name, row in limits.items() if row["origin"] == "flag"} == {
        "header-bytes": "1K",
        "models": "1",
        "head-deadline": "700ms",
    }
    assert api("GET", "/livez", X_Long="x" * 2000).status == 431
    api.create("m", BODY)
    assert "1 model" in api("PUT", "/v1/models/n", BODY).expect(429).json()["detail"]
    with socket.create_connection((daemon.host, daemon.port), timeout=10) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        answer = connection.recv(100)
    assert answer.startswith(b"HTTP/1.1 408") or not answer


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("head-deadlin=1s", ["head-deadline", "minimum-rate"]),
        ("head-deadline=ten", ["10s"]),
        ("connections=0", ["20000"]),
        ("wait=600s", ["NAME=VALUE"]),
    ],
)
def test_bad_limits(argument: str, words: list[str]) -> None:
    """The exit code is 64, and the error says which values are valid."""
    ended = run("--limit", argument)
    assert ended.returncode == 64
    assert all(word in ended.stderr for word in words), ended.stderr


def test_too_few_open_files_for_the_connections(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The daemon serves as many as it can, and its start block says so."""
    command = ("--nofile=600:600", str(BINARY), "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path))
    process = launch(*command, binary=Path("/usr/bin/prlimit"))
    assert read_line(process, within=30).startswith("listening on")
    process.terminate()
    assert process.wait(20) == 0
    log = capfd.readouterr().err
    assert "ulimit -n" in log and "344" in log, log


def test_open_files_are_raised(tmp_path: Path) -> None:
    """The daemon raises its limit as far as it may, without a setting."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    command = (f"--nofile=600:{most}", str(BINARY), "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path))
    process = launch(*command, binary=Path("/usr/bin/prlimit"))
    assert read_line(process, within=30).startswith("listening on")
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    process.terminate()
    assert process.wait(20) == 0
    assert re.search(rf"Max open files +{most} ", limits)


def test_address_in_use(daemon: Daemon, tmp_path: Path) -> None:
    """The exit code is 69, and the error names the address and the remedy."""
    ended = run("--listen", f"127.0.0.1:{daemon.port}", "--data-dir", str(tmp_path))
    assert ended.returncode == 69
    assert str(daemon.port) in ended.stderr and "another port" in ended.stderr


def test_socket_in_use(tmp_path: Path) -> None:
    """A path has no alternative port."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        ended = run("--listen", f"unix:{tmp_path}/socket", "--data-dir", str(tmp_path / "data"))
    assert ended.returncode == 69
    assert "another path" in ended.stderr and "another port" not in ended.stderr


def test_second_daemon_on_one_directory(daemon: Daemon) -> None:
    """The second daemon is refused, because two writers would destroy the journal."""
    ended = run("--listen", "127.0.0.1:0", "--data-dir", str(daemon.data_dir))
    assert ended.returncode > 0
    assert ended.stderr and not ended.stdout


def test_standard_output_holds_one_line(start: Callable[..., Daemon]) -> None:
    """Standard output has only the listening line; logs are on standard error."""
    daemon = start()
    Api(daemon.host, daemon.port).create("m", BODY)
    assert daemon.stop() == 0
    assert daemon.process.stdout.read() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain(start: Callable[..., Daemon], number: int) -> None:
    """A parked pull gets 503 with Retry-After, and the daemon ends with 0, long before the pull's wait is over."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    api.create("m", BODY)
    answers: list[Answer] = []
    waiting = threading.Thread(target=lambda: answers.append(api("GET", "/v1/models/m/parameters?since=1&wait=60s")))
    waiting.start()
    until_waiting(api, 1)
    began = time.monotonic()
    daemon.signal(number)
    assert daemon.wait() == 0
    assert time.monotonic() - began < 10
    waiting.join(10)
    assert int(answers[0].expect(503).headers["retry-after"]) > 0


@pytest.mark.unsanitized
def test_drain_takes_less_than_two_seconds(start: Callable[..., Daemon]) -> None:
    """The drain includes 200 parked pulls."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    api.create("m", BODY)
    clients = [Api(daemon.host, daemon.port) for _ in range(200)]
    threads = [
        threading.Thread(target=client, args=("GET", "/v1/models/m/parameters?since=1&wait=60s"), daemon=True)
        for client in clients
    ]
    for thread in threads:
        thread.start()
    until_waiting(api, len(clients))
    began = time.monotonic()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert time.monotonic() - began < 2
    for thread in threads:
        thread.join(10)


def test_restart_brings_everything_back(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """Parameters, slots, step and receipts are restored, byte for byte."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    api.create("m", {**BODY, "optimizer": {"type": "momentum", "momentum": 0.9}, "learning_rate": [0.5, 0.25]})
    receipt = api.push("m", {"w": [1, -2]}, worker="w1", seq=1).json()
    before = state_of(api, "m")
    assert daemon.stop() == 0
    again = start(data_dir=tmp_path)
    api = Api(again.host, again.port)
    assert state_of(api, "m") == before
    assert api.push("m", {"w": [1, -2]}, worker="w1", seq=1).json() == {**receipt, "replayed": True}


def test_kill_loses_nothing_acknowledged(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """A push whose receipt says `durable` survives a SIGKILL."""
    daemon = start(data_dir=tmp_path)
    api = Api(daemon.host, daemon.port)
    api.create("m", BODY)
    assert api.push("m", {"w": [1, -2]}).json()["durable"] is True
    before = state_of(api, "m")
    daemon.process.kill()
    daemon.process.wait(10)
    again = start(data_dir=tmp_path)
    assert state_of(Api(again.host, again.port), "m") == before


def huge(shape: list[int]) -> tuple[str, str, dict[str, object]]:
    """A PUT of a model with one parameter of this shape."""
    return "PUT", "/v1/models/big", {"optimizer": "adam", "parameters": {"w": {"shape": shape, "init": "zeros"}}}


WARM_UP = {"schedule": "warmup_lr", "learning_rate": 0.1, "step_per_epoch": 1, "warmup_epoch": 2}

HUGE = {
    "terabytes": huge([2**40]),
    "product beyond 2^63": huge([2**32, 2**32]),
    "product that wraps to 0": huge([2**32, 2**32, 2**32, 2**32]),
    "array of a function": ("POST", "/v1/lr_preview", {"learning_rate": {**WARM_UP, "total_step": 2**62}, "to": 3}),
}


@pytest.mark.parametrize("kind", HUGE)
def test_sixty_bytes_do_not_allocate_terabytes(daemon: Daemon, api: Api, kind: str) -> None:
    """The request is refused by arithmetic before any allocation, or is computed without an array."""
    method, target, body = HUGE[kind]
    before = resident(daemon)
    answer = api(method, target, body)
    assert answer.status in ((200, 422) if "preview" in target else (413, 422, 507)), answer.body
    assert resident(daemon) - before < 50e6
    api("GET", "/v1/models/big").expect(404)


def test_memory_budget(start: Callable[..., Daemon]) -> None:
    """`--memory` bounds the memory of all models together; a refusal names the budget."""
    daemon = start("--memory", "64M")
    api = Api(daemon.host, daemon.port)
    body = {"optimizer": "adam", "parameters": {"w": {"shape": [1_000_000], "init": "zeros"}}}
    answers = [api("PUT", f"/v1/models/m{index}", body) for index in range(8)]
    assert answers[0].status == 201
    assert answers[-1].status in (413, 422, 503, 507)
    assert "memory" in answers[-1].json()["detail"]
    api.get("/v1/models/m0")


def test_what_never_fits_is_no_want_of_memory(start: Callable[..., Daemon]) -> None:
    """8M has room for 8 MB of slots, but not for 4 MB of values beside them: a retry would not help."""
    api_of = start("--memory", "8M")
    api = Api(api_of.host, api_of.port)
    body = {"optimizer": "adam", "parameters": {"w": {"shape": [1_000_000], "init": "zeros"}}}
    refused = api("PUT", "/v1/models/m", body).expect(422)
    assert refused.json()["type"].endswith("exceeds-memory") and "retry-after" not in refused.headers
    assert "12000000" in refused.json()["detail"] and "8388608" in refused.json()["detail"]


def test_model_that_could_take_no_push(start: Callable[..., Daemon]) -> None:
    """16M has room for 8 MB of slots and one version of 4 MB, but not for three: 422 with the number."""
    daemon = start("--memory", "16M")
    api = Api(daemon.host, daemon.port)
    body = {"optimizer": "adam", "parameters": {"w": {"shape": [1_000_000], "init": "zeros"}}}
    refused = api("PUT", "/v1/models/m", body).expect(422)
    problem = refused.json()
    assert problem["type"].endswith("exceeds-memory") and "retry-after" not in refused.headers
    assert re.search(r"needs 200\d{5} bytes to take a step", problem["detail"]), problem
    assert "--memory is 16777216. Start paramd with --memory 20M" in problem["detail"], problem
    api("GET", "/v1/models/m").expect(404)
    body["parameters"]["w"]["shape"] = [800_000]
    api.create("m", body)
    api.push_binary("m", {"w": np.ones(800_000, np.float32)}).expect(200)


def resident(daemon: Daemon) -> float:
    """Bytes of physical memory that the daemon holds."""
    pages = Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def test_pulls_take_their_memory_from_the_budget(start: Callable[..., Daemon]) -> None:
    """Text of a large model is encoded while it is sent, so it needs little more than the numbers themselves."""
    daemon = start("--memory", "40M")
    api = Api(daemon.host, daemon.port)
    api.create("m", {"optimizer": "sgd", "parameters": {"w": {"shape": [1_000_000], "init": "zeros"}}})
    for target in ("/v1/models/m/parameters", "/v1/models/m/parameters/w"):
        assert api.get(target).expect(200).body.count(b"0,") >= 999_999
        assert api("GET", target, Accept="application/vnd.safetensors").expect(200).body
    reserved = api.get("/v1/server").json()["memory"]["reserved"]
    assert reserved < 20e6


def test_heads_alone_take_no_memory(start: Callable[..., Daemon]) -> None:
    """A client that announces a push and sends nothing holds no arena: 30 of them leave room for all others."""
    daemon = start("--memory", "64M")
    api = Api(daemon.host, daemon.port)
    api.create("m", {"optimizer": "adam", "parameters": {"w": {"shape": [1_000_000], "init": "zeros"}}})
    head = f"POST /v1/models/m/gradients HTTP/1.1\r\nHost: {api.host}:{api.port}\r\nContent-Length: 60\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(raw_socket(api)).sendall(head.encode() + b'{"gradients":')
        api("POST", "/v1/models/m/gradients", {"gradients": {"w": {"indices": [3], "values": [1]}}}).expect(200)
        api.create("n", {"optimizer": "adam", "parameters": {"w": {"shape": [1_000_000], "init": "zeros"}}})


@pytest.mark.heavy
def test_push_of_a_million_numbers_costs_little(start: Callable[..., Daemon]) -> None:
    """JSON is parsed as it arrives: 4 MB of floats and 1 MB beside, not a tree with 40 bytes per number."""
    daemon = start()
    api = Api(daemon.host, daemon.port)
    api.create("m", {"optimizer": "sgd", "parameters": {"w": {"shape": [1_000_000], "init": "zeros"}}})
    gradient = np.random.default_rng(1).normal(size=1_000_000).astype(np.float32)
    api.push_binary("m", {"w": gradient}).expect(200)
    before = peak(daemon)
    api.push("m", {"w": gradient})
    assert peak(daemon) - before < 5 << 20


def peak(daemon: Daemon) -> float:
    """The peak of the physical memory, in bytes."""
    lines = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
