"""Simulates a daemon, its disk and its clients on one thread over many seeds; planted mistakes must be found.

`deploy/prove simulation --seeds 100000` runs the simulation of the Swift tests over different seeds.
`deploy/prove simulation --planted` makes each mistake of Simulation/Planted in a copy of the project, and fails unless
the simulation finds every one of them within the seeds. A patch may begin with the line `Seed: N`, the seed that found
it last time, which is tried first.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from support.daemon import REPOSITORY

PLANTED = REPOSITORY / "Tests/ParameterServingTests/Simulation/Planted"
#: The folder of the copy: a later run reuses what an earlier one has built.
COPY = REPOSITORY / ".build/planted"
#: Added to the copy's manifest, so that it builds only what the simulation needs.
TRIMMED = b"""
let simulated: Set = [
    "CArguments", "CFiles", "CKernels", "CXXHash", "Names", "Threading", "Optimizers", "Journal", "ParameterServing",
    "SimulatedMachine", "ParameterServingTests",
]
package.targets.removeAll { !simulated.contains($0.name) }
(package.products, package.dependencies) = ([], [])
"""
#: Most mistakes show within a few seeds; for the others, each step of the search uses four times as many.
FEW = 20
FOUND = re.compile(r"seed \d+: .*|Fatal error: .*")
KNOWN = re.compile(r"Seed: (\d+)\n")


def copy_project() -> None:
    """Makes the copy equal to the project: removes deleted files, and keeps the time of unchanged files."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    wanted = {name for name in names.split("\0") if name and (REPOSITORY / name).is_file()}
    for path in (path for folder in ("Sources", "Tests") for path in (COPY / folder).rglob("*")):
        if path.is_file() and str(path.relative_to(COPY)) not in wanted:
            path.unlink()
    for name in wanted:
        content, target = (REPOSITORY / name).read_bytes(), COPY / name
        if name == "Package.swift":
            content += TRIMMED
        if not target.is_file() or content != target.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def simulate(place: Path, first: int, seeds: int, *, quiet: bool = False) -> tuple[bool, str]:
    """Runs the seeds; returns whether all passed, and the output."""
    environment = os.environ | {"PARAMD_SEEDS": f"{first}..<{first + seeds}"}
    command = ["swift", "test", "--skip-build", "--filter", "SimulationTests/seeds"]
    output = []
    with subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            output.append(line)
            if not quiet:
                print(line, end="", flush=True)
    return process.returncode == 0, "".join(output)


def build(place: Path) -> None:
    """Builds the tests as `deploy/test` does, because other flags would build everything again."""
    command = ["swift", "build", "--build-tests", "--quiet", "-Xswiftc", "-warnings-as-errors"]
    subprocess.run(command, cwd=place, check=True)


def find(patch: Path, seeds: int) -> bool:
    """Plants a mistake in the copy, and returns what the simulation reports."""
    copy_project()
    subprocess.run(["git", "apply", f"--directory={COPY.relative_to(REPOSITORY)}", patch], cwd=REPOSITORY, check=True)
    build(COPY)
    is_well, output, first, count = True, "", 0, FEW
    if known := KNOWN.match(patch.read_text()):
        is_well, output = simulate(COPY, int(known[1]), 1, quiet=True)
    while is_well and first < seeds:
        is_well, output = simulate(COPY, first, min(count, seeds - first), quiet=True)
        first, count = first + count, 4 * count
    found = sorted(FOUND.findall(output), key=lambda line: int((re.findall(r"seed (\d+)", line) or ["0"])[0]))
    print(f"{patch.stem}: {found[0] if found else 'not found'}", flush=True)
    return not is_well and bool(found)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="deploy/prove simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many (default 2000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--planted", action="store_true", help="find the planted mistakes")
    options = parser.parse_args()
    if not options.planted:
        build(REPOSITORY)
        sys.exit(not simulate(REPOSITORY, options.first, options.seeds)[0])
    missed = [patch.stem for patch in sorted(PLANTED.glob("*.patch")) if not find(patch, options.seeds)]
    if missed:
        sys.exit(f"{options.seeds} seeds did not find: {', '.join(missed)}")


if __name__ == "__main__":
    main()
