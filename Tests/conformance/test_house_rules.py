"""Rules that no compiler checks: the length of files and functions, and that every name is used."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.daemon import REPOSITORY

pytestmark = pytest.mark.unsanitized
SOURCES = sorted((REPOSITORY / "Sources").rglob("*.swift"))
MODIFIERS = r"(?:@\w+(?:\([^)]*\))? |(?:[a-z]+(?:\([a-z]+\))?) )*"
#: One pattern for each kind of declaration whose name must be used.
DECLARED = re.compile(rf" *{MODIFIERS}(?:func|struct|class|enum|protocol|typealias|var|let) (\w+)")
FUNCTION = re.compile(rf"( *){MODIFIERS}(?:func \S+?|init[?]?|subscript)(?:<.*?>)?\(")
KINDS = "func|struct|class|enum|protocol|typealias|actor|var|let|init|subscript"
#: A public declaration with a name of its own.
PUBLIC = re.compile(rf" *{MODIFIERS}(?:public|open) {MODIFIERS}(?:{KINDS})\b")
WALKS = REPOSITORY / "Sources/ParameterServing/ParameterServing.docc/Walks.md"
PLANTED = REPOSITORY / "Tests/ParameterServingTests/Simulation/Planted"
#: A row of a walk: a function, its file, and a description.
STEP = re.compile(r"^\| `(?:(\w+)\.)?(\w+)` \| `([^`]+\.swift)` \| \S", re.MULTILINE)
LONGEST_FILE = 300
LONGEST_FUNCTION = 45
#: Tables of texts, as long as there are problems.
LONGER_FILES = {"ProblemTable.swift", "Problem+Serving.swift"}
#: A switch over every error, as long as there are errors: the compiler keeps it complete.
LONGER = {("Problem+Serving.swift", "init(_ error: ServingError)")}
#: Names that the sources declare and do not mention again: the standard library, packages or tests use them.
USED_ELSEWHERE = {
    "waitingCount": "tests look at who waits",
    "customMirror": "the parser of arguments asks for it",
    "Benchmark": "the main type of a program",
    "aboveOne": "a bound for rules that users write",
    "scaledWeightDecay": "tests hold it against what MindSpore tells",
}


#: How tests and tools ask for a variable of the environment.
READ_VARIABLE = re.compile(r"(?:environ(?:ment)?(?:\.get\(|\[)|getenv\()\"(PARAMD_\w+)\"")


class Function(NamedTuple):
    """A function with a body of more than one line."""

    file: Path
    line: int
    text: str
    length: int


def code(path: Path) -> list[str]:
    """Returns the lines of a file without comments."""
    return [re.sub(r"//.*", "", line) for line in path.read_text().splitlines()]


def functions(path: Path) -> Iterator[Function]:
    """Yields every function of a file; `swift format` aligns the closing brace with the declaration."""
    lines = path.read_text().splitlines()
    for first, line in enumerate(lines):
        if not (match := FUNCTION.match(line)):
            continue
        opening = next((i for i in range(first, min(first + 15, len(lines))) if lines[i].endswith("{")), None)
        ends = [i for i in range(first, len(lines)) if lines[i].startswith(f"{match[1]}}}")]
        if opening is None or not ends or any(lines[i] == "" for i in range(first, opening)):
            continue
        yield Function(path, first + 1, line.strip(), ends[0] - first + 1)


def test_files_are_short() -> None:
    """A file has one subject and can be read in one sitting."""
    lengths = {path.name: len(path.read_text().splitlines()) for path in SOURCES if path.name not in LONGER_FILES}
    long = {name: length for name, length in lengths.items() if length > LONGEST_FILE}
    assert not long, f"more than {LONGEST_FILE} lines: {long}"


def test_functions_are_short() -> None:
    """A function fits on one screen."""
    found = [function for path in SOURCES for function in functions(path)]
    assert len(found) > 1500
    long = [
        f"{function.file.name}:{function.line} {function.text} has {function.length} lines"
        for function in found
        if function.length > LONGEST_FUNCTION
        and not any(function.file.name == name and function.text.startswith(text) for name, text in LONGER)
    ]
    assert not long, "\n".join(long)


def test_every_name_is_used() -> None:
    """Every declared name occurs a second time."""
    written = Counter(word for path in SOURCES for line in code(path) for word in re.findall(r"\w+", line))
    dead = [
        f"{path.relative_to(REPOSITORY)}: {match[1]}"
        for path in SOURCES
        for line in code(path)
        if (match := DECLARED.match(line)) and written[match[1]] == 1 and match[1] not in USED_ELSEWHERE
    ]
    assert not dead, f"declared and not used: {dead}"


def test_public_names_are_documented() -> None:
    """Each public name of each module has a comment, and every module that others import has public names."""
    seen: Counter[str] = Counter()
    missing = []
    for path in SOURCES:
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if not PUBLIC.match(line) or " override " in line:
                continue
            seen[path.relative_to(REPOSITORY / "Sources").parts[0]] += 1
            above = next((text for text in reversed(lines[:number]) if not text.strip().startswith("@")), "")
            if not above.strip().startswith("///"):
                missing.append(f"{path.relative_to(REPOSITORY)}:{number + 1}: {line.strip()}")
    assert not missing, "\n" + "\n".join(missing)
    modules = {path.relative_to(REPOSITORY / "Sources").parts[0] for path in SOURCES}
    assert modules - {"paramd", "paramd-benchmark"} == set(seen), "no public name was found in a module"


def test_exceptions_are_needed() -> None:
    """Every exception above still exists."""
    names = {match[1] for path in SOURCES for line in code(path) if (match := DECLARED.match(line))}
    assert set(USED_ELSEWHERE) <= names
    assert {name for name, _ in LONGER} | LONGER_FILES <= {path.name for path in SOURCES}


def test_planted_mistakes_can_be_made() -> None:
    """Each mistake that the simulation has to find is a patch that applies to the current code."""
    patches = sorted(PLANTED.glob("*.patch"))
    assert len(patches) >= 5
    for patch in patches:
        subprocess.run(["git", "apply", "--check", patch], cwd=REPOSITORY, check=True)


def test_walks_lead_somewhere() -> None:
    """Each function of the walks, and its type, is in the file that its row names."""
    text = WALKS.read_text()
    steps = STEP.findall(text)
    assert len(steps) == sum(line.startswith("| `") for line in text.splitlines()) > 30
    lost = []
    for owner, name, place in steps:
        path = REPOSITORY / "Sources" / place
        body = path.read_text() if path.exists() else ""
        if not re.search(rf"\bfunc {name}\b", body) or (owner and not re.search(rf"\b{owner}\b", body)):
            lost.append(f"{owner}.{name} in {place}")
    assert not lost, f"Walks.md names what is not there: {lost}"


def test_variables_of_tests_are_not_taken_for_settings() -> None:
    """A daemon that a test starts inherits them, and refuses variables that look like settings and are unknown."""
    files = [
        path
        for folder in ("Sources", "Tests", "deploy", "api")
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in (".swift", ".py") and path.is_file()
    ]
    read = {name for path in files for name in READ_VARIABLE.findall(path.read_text())}
    known = (REPOSITORY / "Sources/ParameterServer/Settings/SettingSource.swift").read_text()
    assert "PARAMD_SEEDS" in read
    assert not [name for name in sorted(read - {"PARAMD_CONFIG"}) if f'"{name}"' not in known]


def test_locks_protect_no_bare_closures() -> None:
    """Each access to a closure in a generic lock wraps it once more: hundreds of accesses overflow the stack."""
    files = [path for folder in ("Sources", "Tests") for path in (REPOSITORY / folder).rglob("*.swift")]
    lines = [(path.name, line) for path in files for line in code(path) if "Locked<" in line]
    assert len(lines) > 20
    assert not [found for found in lines if re.search(r"Locked<\(?[^<>]*->", found[1])]
