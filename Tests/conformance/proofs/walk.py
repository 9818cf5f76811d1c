"""Counts the functions of the project that one request calls, with callgrind: how far a reader has to follow it.

`deploy/prove walk` counts the functions of a small JSON push on an open connection, after other pushes have warmed the
daemon up. It needs valgrind and a debug build, whose functions are not inlined. A closure counts as the function that
contains it; additions of the compiler (witnesses, outlined copies, metadata) and accessors of properties do not count.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from support.daemon import BINARY, REPOSITORY, Daemon
from support.faults import temporary
from support.wire import Api

MODULES = tuple(path.name for path in (REPOSITORY / "Sources").iterdir() if any(path.rglob("*.swift")))
#: The beginnings of symbols that no line of the project declares.
MADE = re.compile(
    r"(outlined|type metadata|lazy |protocol |dispatch thunk|vtable thunk|reabstraction|merged|generic special|"
    r"default argument|variable initialization|value witness|one-time|associated |base witness|initializeWith|"
    r"getEnumTag|storeEnumTag|destroy |assignWith|partial apply for|thunk for|key path|demangling|canonical|"
    r"property descriptor|static .*__derived|reflection|nominal type|.*\.__derived|method |objective-c|"
    r"curry thunk|implicit closure)"
)
ACCESSOR = re.compile(r"\.(getter|setter|modify|read|_modify|_read|unsafeMutableAddressor|unsafeAddressor)( :|$)")
INSIDE = re.compile(r"^(?:closure #\d+ .*? in |implicit closure #\d+ .*? in |\$?defer #\d+ .*? in |@Sendable |@objc )+")
ENDS = re.compile(r"(__allocating_init|__deallocating_deinit|\.deinit)")


class Watched(Daemon):
    """A debug build under callgrind, which counts nothing until it is told to."""

    def __init__(self, place: Path) -> None:
        # Swift's debug information is too large for valgrind; the names of functions are in the symbol table.
        plain, wrapper = place / "paramd", place / "watched"
        subprocess.run(["objcopy", "--strip-debug", BINARY, plain], check=True)
        self.trace = place / "trace"
        wrapper.write_text(
            "#!/bin/sh\nexec valgrind --quiet --tool=callgrind --instr-atstart=no "
            f'--callgrind-out-file={self.trace} {plain} "$@"\n'
        )
        wrapper.chmod(0o700)
        super().__init__(data_dir=place / "data", binary=wrapper)

    def count(self, on: bool) -> None:
        """Starts or stops counting."""
        command = ["callgrind_control", "-i", "on" if on else "off", str(self.process.pid)]
        subprocess.run(command, check=True, capture_output=True)

    def symbols(self) -> set[str]:
        """The symbols that ran while counting; call this after the end."""
        return set(re.findall(r"\(\d+\) (\$s\S+)", self.trace.read_text()))


def demangled(symbols: set[str]) -> dict[str, str]:
    """Demangles each symbol with `swift demangle`."""
    names = sorted(symbols)
    lines = subprocess.run(
        ["swift", "demangle"], input="\n".join(names), capture_output=True, text=True, check=True
    ).stdout
    return dict(zip(names, lines.splitlines(), strict=True))


def declaration(name: str) -> str | None:
    """The function of the project that a symbol belongs to, or None if the project does not declare it."""
    name = INSIDE.sub("", name)
    if MADE.match(name) or ACCESSOR.search(name) or ENDS.search(name):
        return None
    owner = re.match(r"(?:static |class |\(extension in )?(\w+)[.):]", name)
    if not owner or owner[1] not in MODULES:
        return None
    return re.split(r" -> | throws| async", name)[0]


def walk(pushes: int) -> set[str]:
    """The functions that one push calls, after the given number of pushes that warm the daemon up."""
    with temporary() as place:
        daemon = Watched(place)
        api = Api(daemon.host, daemon.port)
        api.create("m", {"optimizer": "adam", "learning_rate": 0.1, "parameters": {"w": [1, 2]}})
        for _ in range(pushes):
            api.push("m", {"w": [1, 1]})
        time.sleep(2)
        daemon.count(on=True)
        api.push("m", {"w": [1, 1]})
        daemon.count(on=False)
        api.close()
        assert daemon.stop() == 0
        functions = {declaration(name) for name in demangled(daemon.symbols()).values()}
    return {function for function in functions if function}


def main() -> None:
    """Prints the functions of each module, and their number."""
    parser = argparse.ArgumentParser(prog="deploy/prove walk", description=__doc__.split("\n")[0])
    parser.add_argument("--pushes", type=int, default=20, help="before the one that counts (20)")
    parser.add_argument("--at-most", type=int, help="exit with 1 where there are more functions")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed; on Debian: apt-get install valgrind")
    functions = sorted(walk(options.pushes))
    print("\n".join(functions))
    print(f"{len(functions)} functions")
    if options.at_most is not None and len(functions) > options.at_most:
        sys.exit(f"there are more than {options.at_most}")


if __name__ == "__main__":
    main()
