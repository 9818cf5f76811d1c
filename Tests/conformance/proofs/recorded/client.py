"""One client of a recorded history: it pushes, pulls, loses connections, dies and comes back, as its seed decides."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from support.wire import Answer

from .calls import Call
from .lines import HALF, UNREAD, WHOLE, Lines
from .modes import has_deadline, has_rounds, is_single, seconds

if TYPE_CHECKING:
    from .recorder import Recorder

MODEL = "/v1/models/m"
RATES = (0.5, 1.0, 2.0)
"""Powers of two, so that amounts times any of them are exact."""
ANSWERS, BRIEF = ("push", "pull", "outcome", "close"), ("type", "detail", "version", "step", "epoch")
"""The kinds of calls whose answers are recorded whole, and what is recorded of the others."""
UNSURE = ("in-flight",)
"""The problems after which the same request is sent again."""


class Client:
    """Sends one request after another, and records each attempt."""

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder, self.number = recorder, number
        self._history, self._plan = recorder.history, recorder.plan
        self._chance = random.Random(self._plan.seed * 1000 + number)
        self._lines = Lines(recorder.address)
        self._epoch, self._seq, self._count, self._keys = 0, 0, 0, 0
        self._step, self._version = 0, 1
        self._until = time.monotonic() + self._plan.patience
        self._mode = self._history.consistency["mode"]
        # Numbers or keys: both make a retry recognizable. A round of registered workers takes only the former.
        self._has_keys = (
            number == 1 and self._mode != "ssp" and self._history.consistency.get("workers") != "registered"
        )

    # MARK: What it does

    def create(self) -> None:
        """Creates the model."""
        definition = {"optimizer": "sgd", "learning_rate": 1.0, "parameters": {"w": [0.0] * self._history.width}}
        body = {**definition, "consistency": self._history.consistency}
        self._insist(Call("create", self.number, {}), "PUT", MODEL, body)
        self.close()

    def work(self) -> None:
        """Does one thing after another until it has pushed enough, or until the history is over."""
        if self._history.consistency.get("workers") == "registered":
            self._register()
        while self._goes_on():
            self._do(self._chance.random())
        if has_rounds(self._history.consistency):
            # Rounds that wait for all would now wait in vain.
            self._recorder.is_over.set()

    def _goes_on(self) -> bool:
        most = self._history.numbers if has_rounds(self._history.consistency) else self._plan.pushes
        return self._count < most and self._has_time()

    def _has_time(self) -> bool:
        return not self._recorder.is_over.is_set() and time.monotonic() < self._until

    def _do(self, kind: float) -> None:
        if kind < 0.04 and not self._has_keys:
            self._die()
        elif kind < 0.30:
            self.pull()
        elif kind < 0.36:
            self._wait()
        elif kind < 0.42 and self.number == 0:
            self._patch()
        elif kind < 0.50 and self._mode == "manual":
            self._close_round()
        else:
            self._push()

    def _die(self) -> None:
        """Pushes, hangs up, and comes back as another process that knows nothing of the push."""
        call = self._next_push()
        self._attempt(call, *self._push_request(call, ""), how=self._chance.choice((UNREAD, HALF)))
        if self._history.consistency.get("workers") == "registered" and self._chance.random() < 0.5:
            self._insist(
                Call("delete", self.number, {}), "DELETE", f"{MODEL}/workers/{self._worker}", None, self._key()
            )
        before = self._epoch
        self._register()
        if self._goes_on() and self._chance.random() < 0.5:
            late = self._next_push()
            late.asked |= {"epoch": before, "seq": 1000}
            self._insist(late, *self._push_request(late, ""))

    def _register(self) -> None:
        call = Call("register", self.number, {})
        answer = self._insist(call, "PUT", f"{MODEL}/workers/{self._worker}", {}, self._key())
        if answer.status == 200:
            self._epoch, self._seq = call.told["epoch"], 0

    def _patch(self) -> None:
        rate = self._chance.choice(RATES)
        self._insist(Call("patch", self.number, {"rate": rate}), "PATCH", MODEL, {"learning_rate": rate}, self._key())

    def _close_round(self) -> None:
        self._keys += 1
        self._insist(Call("close", self.number, {"key": self._keys}), "POST", f"{MODEL}/step", None, self._key())

    def end(self) -> None:
        """Closes the open round with what it holds, by a change of the mode."""
        if has_rounds(self._history.consistency):
            self._insist(Call("end", self.number, {}), "PATCH", MODEL, {"consistency": {"mode": "async"}}, self._key())

    def ask_for_outcomes(self) -> None:
        """Asks for the results of the pushes of the current epoch that have no final answer."""
        known = {call.push for call in self._history.calls if call.kind == "push" and call.status in (200, 409)}
        mine = {call.push: call for call in self._history.calls if call.kind == "push" and call.client == self.number}
        for push in sorted(mine.keys() - known):
            asked = mine[push].asked
            if asked["seq"] is not None:
                self._outcome(asked)

    def _outcome(self, asked: dict[str, Any]) -> Call:
        call = Call("outcome", self.number, asked)
        target = f"{MODEL}/pushes/{self._worker}/{asked['seq']}?epoch={asked['epoch']}"
        self._insist(call, "GET", target, None)
        return call

    # MARK: Pushes

    def _next_push(self) -> Call:
        self._count += 1
        self._seq += 1
        base = self._step if self._chance.random() < 0.7 else None
        seq = None if self._has_keys else self._seq
        return Call("push", self.number, {"number": self._count, "seq": seq, "epoch": self._epoch, "base": base})

    def _push_request(self, call: Call, wait: str) -> tuple[str, str, Any, dict[str, str]]:
        """The request of a push: rows or a whole gradient, under a number or a key."""
        amount, place = -float(self._history.amount(call.push)), self._history.place(call.push)
        gradient = [0.0] * self._history.width
        gradient[place] = gradient[-1] = amount
        body: dict[str, Any] = {"gradients": {"w": gradient}}
        if call.asked["base"] is not None:
            body["based_on"] = call.asked["base"]
        if call.asked["seq"] is None:
            return "POST", f"{MODEL}/gradients{wait}", body, {"Idempotency_Key": f"push-{self.number}-{self._count}"}
        body |= {"worker": self._worker, "seq": call.asked["seq"], "epoch": call.asked["epoch"]}
        return "POST", f"{MODEL}/gradients{wait}", body, {}

    def _push(self) -> None:
        """Pushes until the push is applied or refused; in rounds, sometimes only until it is held."""
        if has_deadline(self._history.consistency) and self._chance.random() < 0.1:
            time.sleep(1.5 * seconds(self._history.consistency["round_timeout"]))
        first = self._next_push()
        waits = has_rounds(self._history.consistency) and not is_single(self._history.consistency)
        wait = "?wait=200ms" if self._chance.random() < (0.9 if waits else 0.25) else ""
        while True:
            call = Call("push", self.number, first.asked)
            answer = self._insist(call, *self._push_request(first, wait))
            if answer.status != 202 or not waits or not self._has_time():
                break
            wait = "?wait=200ms"
            if self._chance.random() < 0.1:
                self._push_too_early()
        if call.slug == "round-dropped" and first.asked["seq"] is not None:
            self._outcome(first.asked)
        elif call.slug in ("already-in-round", "round-closed", "stale"):
            self.pull()

    def _push_too_early(self) -> None:
        """Pushes again although the round has a push of this worker: it must be refused until the round closes."""
        if self._has_keys or self._count >= self._history.numbers:
            return
        call = self._next_push()
        self._insist(call, *self._push_request(call, ""))

    # MARK: Pulls

    def pull(self) -> None:
        """Pulls; in mode `ssp` in the name of the worker."""
        named = self._mode == "ssp" and self._chance.random() < 0.8
        query = f"?worker={self._worker}" if named else ""
        query += "&wait=50ms" if named and self._chance.random() < 0.5 else ""
        call = Call("pull", self.number, {"worker": self.number if named else None})
        self._read(call, self._insist(call, "GET", f"{MODEL}/parameters{query}", None))

    def _wait(self) -> None:
        """Pulls and waits for a newer version: 304 means that the known version is still the newest."""
        call = Call("pull", self.number, {"worker": None, "since": self._version})
        answer = self._insist(call, "GET", f"{MODEL}/parameters?since={self._version}&wait=20ms", None)
        if answer.status == 304:
            call.kind, call.told = "wait", {"version": int(answer.headers["x-paramd-version"])}
        else:
            self._read(call, answer)

    def _read(self, call: Call, answer: Answer) -> None:
        if answer.status != 200:
            return
        values = call.told["parameters"]["w"]["data"]
        call.told = {"version": call.told["version"], "step": call.told["step"], "values": values}
        self._step, self._version = call.told["step"], max(self._version, call.told["version"])

    # MARK: Sending

    @property
    def _worker(self) -> str:
        return f"w{self.number:02}"

    def _key(self) -> dict[str, str]:
        self._keys += 1
        return {"Idempotency_Key": f"{self.number}-{self._keys}"}

    def close(self) -> None:
        """Closes the connection."""
        self._lines.close()

    def _insist(self, call: Call, method: str, target: str, body: Any, headers: dict[str, str] | None = None) -> Answer:
        """Repeats a request until it is answered by other than a daemon that stops."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            how = self._chance.choices((WHOLE, UNREAD, HALF), (0.92, 0.05, 0.03))[0]
            answer = self._attempt(call, method, target, body, headers or {}, how)
            if answer is not None and answer.status != 503 and call.slug not in UNSURE:
                return answer
            time.sleep(0.002)
        raise AssertionError(f"{method} {target} was never answered")

    def _attempt(
        self, call: Call, method: str, target: str, body: Any, headers: dict[str, str], how: str
    ) -> Answer | None:
        """Sends a request once, and records it before the first time."""
        if not call.attempts:
            call.began = time.monotonic_ns()
            self._history.calls.append(call)
        call.attempts += 1
        answer = self._lines.send(self._recorder.address, how, method, target, body, headers)
        if answer is None:
            return None
        call.ended, call.status = time.monotonic_ns(), answer.status
        told = answer.json() if answer.body else {}
        call.told = told if call.kind in ANSWERS else {name: told[name] for name in BRIEF if name in told}
        self._recorder.note(call.told)
        return answer
