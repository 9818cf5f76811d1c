"""Damages files of each class in a data directory, starts, and checks that no acknowledged change is lost silently.

deploy/prove damages [--count 200] [--seed 1] [--salvage 4]
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from support.faults import Victim, gradient, run, temporary
from support.wire import Api

from .datadir import WIDTH, Files, Known, Load, ask, make, write

LOADS = (("stopped", True, ()), ("killed", False, ()), ("interval", False, ("--durability", "interval:60000")))
"""How a directory came to be: its name, whether the daemon stopped cleanly, further arguments."""

REFUSED = 65


@dataclass
class Damage:
    """The damage to a file, and its result."""

    load: Load
    kind: str
    name: str
    files: Files
    place: int = 0
    outcome: str = ""

    @property
    def family(self) -> str:
        """Returns the class of the file."""
        folder, _, name = self.name.rpartition("/")
        newest = max((n for n in self.load.files if n.startswith("journal/segment-")), default="")
        if name.startswith("segment-"):
            return "newest segment" if self.name >= newest else "older segment"
        return folder.removesuffix("s") if name.startswith("state-") else name

    def __str__(self) -> str:
        return f"{self.load.name}: {self.kind} of {self.name} at {self.place}: {self.outcome}"


def choose(load: Load, rng: random.Random) -> Damage:
    """Chooses a file, every class with equal probability, and a damage."""
    earlier = {name for files in load.earlier for name in files} - set(load.files)
    families: dict[str, list[str]] = {}
    for name in [*load.files, *earlier]:
        if not name.endswith(".tmp"):
            families.setdefault(Damage(load, "", name, {}).family, []).append(name)
    name = rng.choice(families[rng.choice(sorted(families))])
    kinds = ["cut", "flip", "zeros", "old copy", "removed"]
    # A checkpoint is its file: removing the file deletes the checkpoint.
    kinds = kinds[:-1] if name.startswith("checkpoints/") else kinds
    kind = "old copy" if name in earlier else rng.choice(kinds)
    damage = Damage(load, kind, name, dict(load.files))
    apply(damage, rng)
    return damage


def apply(damage: Damage, rng: random.Random) -> None:
    """Damages one file."""
    content, size = damage.files.get(damage.name, (b"", 0))
    damage.place = rng.randrange(max(1, len(content)))
    if damage.kind == "removed":
        del damage.files[damage.name]
    elif damage.kind == "cut":
        damage.files[damage.name] = (content[: damage.place], damage.place)
    elif damage.kind == "old copy":
        copies = [files[damage.name] for files in damage.load.earlier if damage.name in files]
        damage.files[damage.name] = rng.choice(copies or [(content, size)])
    else:
        changed = bytearray(content.ljust(min(size, damage.place + 512), b"\0"))
        stretch = slice(damage.place, damage.place + (1 if damage.kind == "flip" else 512))
        changed[stretch] = [b ^ 1 << rng.randrange(8) if damage.kind == "flip" else 0 for b in changed[stretch]]
        damage.files[damage.name] = (bytes(changed), size)


def judge(damage: Damage, with_salvage: bool) -> str:
    """Returns `harmless`, `told` or `refused`; a result that begins with `SILENT` is a loss without a report."""
    with temporary() as place:
        write(damage.files, place)
        verified = run("verify", place).returncode
        try:
            daemon = Victim(place, *damage.load.arguments)
        except AssertionError:
            ended = run("--listen", "127.0.0.1:0", "--data-dir", place, *damage.load.arguments)
            if ended.returncode != REFUSED or "--salvage" not in ended.stderr:
                return f"SILENT: ended with {ended.returncode}: {ended.stderr[-500:]}"
            if verified != REFUSED:
                return f"SILENT: verify ended with {verified}, the start was refused: {ended.stderr[-500:]}"
            return salvaged(damage, place) if with_salvage else "refused"
        try:
            return compare(daemon.api(), damage.load)
        finally:
            daemon.kill()


def compare(api: Api, load: Load) -> str:
    """Compares what a started daemon shows with what was acknowledged."""
    there = api.get("/v1/models").json()
    if {model["model"] for model in there["models"]} - set(load.models):
        return "SILENT: a deleted model is there"
    outcomes = [compare_model(api, name, load) for name in load.models]
    silent = [outcome for outcome in outcomes if outcome.startswith("SILENT")]
    return silent[0] if silent else max(outcomes, key=["harmless", "told"].index)


def compare_model(api: Api, name: str, load: Load) -> str:
    """Compares one model."""
    known = load.models[name]
    status = api("GET", f"/v1/models/{name}").status
    if status != 200:
        return "told" if status == 503 or not load.is_durable else f"SILENT: {name} is gone ({status})"
    body = ask(api, name)
    values, is_whole = body["parameters"]["w"]["data"], body["step"] == known.step
    if values != known.steps.get(body["step"]) or (load.is_durable and not is_whole):
        return f"SILENT: {name} is at step {body['step']} of {known.step}"
    # A push that was answered with `durable: false` may be lost, but no version that was shown is used again.
    if body["version"] < known.version + (not is_whole):
        return f"SILENT: {name} has version {body['version']} after {known.version}"
    return compare_checkpoints(api, name, known, is_whole)


def compare_checkpoints(api: Api, name: str, known: Known, is_whole: bool) -> str:
    """Checks that each checkpoint exists or is listed as damaged."""
    listed = api.get(f"/v1/models/{name}/checkpoints").json()
    missing = known.checkpoints - {entry["id"] for entry in listed["checkpoints"]}
    if len(missing) > len(listed["damaged"]):
        return f"SILENT: checkpoints {sorted(missing)} of {name} are gone"
    return "told" if missing or not is_whole else "harmless"


def salvaged(damage: Damage, place: Path) -> str:
    """Salvages; neither the salvage nor the next push may give a version that was shown other values."""
    ended = run("recover", "--salvage", place)
    if ended.returncode or run("verify", place).returncode:
        return f"SILENT: salvage ended with {ended.returncode}, and not all is intact: {ended.stdout}{ended.stderr}"
    daemon = Victim(place, *damage.load.arguments)
    try:
        api = daemon.api()
        there = {model["model"] for model in api.get("/v1/models").json()["models"]}
        for name in there & set(damage.load.models):
            for number in range(2):
                body, shown = ask(api, name), damage.load.models[name].shown
                if (
                    body is not None
                    and shown.get(body["version"], body["parameters"]["w"]["data"]) != (body["parameters"]["w"]["data"])
                ):
                    return f"SILENT: version {body['version']} of {name} names two states after a salvage"
                if body is not None:
                    api.push(name, {"w": gradient(1, 3, WIDTH)}, worker="w1", seq=number + 1)
    finally:
        daemon.kill()
    return "refused"


def damage_all(count: int, seed: int, salvage_every: int) -> list[Damage]:
    """Makes the given number of damages, in turn over the kinds of directories, and returns the silent losses."""
    rng, loads, tally, silent = random.Random(seed), [], Counter(), []
    for name, clean, arguments in LOADS:
        with temporary() as place:
            loads.append(make(name, place, seed, clean, *arguments))
    for number in range(count):
        damage = choose(loads[number % len(loads)], rng)
        damage.outcome = judge(damage, number % salvage_every == 0)
        tally[damage.family, damage.outcome.split(":")[0]] += 1
        if damage.outcome.startswith("SILENT"):
            silent.append(damage)
            print(damage, flush=True)
    for family in sorted({family for family, _ in tally}):
        outcomes = ", ".join(f"{n} {what}" for (of, what), n in sorted(tally.items()) if of == family)
        print(f"{family}: {outcomes}")
    return silent


def main() -> int:
    """Returns 0 when no loss was silent."""
    parser = argparse.ArgumentParser(prog="deploy/prove damages", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--salvage", type=int, default=4, help="salvage every so many refused directories")
    options = parser.parse_args()
    began = time.monotonic()
    silent = damage_all(options.count, options.seed, options.salvage)
    print(f"{options.count} damages, {len(silent)} silent, {time.monotonic() - began:.0f} s")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
