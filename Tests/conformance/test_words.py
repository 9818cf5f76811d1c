"""House rules for words: phrases that no message, comment or page may use, and what to write instead.

Most of them sound translated: a native writer of manuals would not choose them.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

#: A phrase, as a regular expression over a line in lower case, and its replacement.
BANNED = {
    r"\bhow manieth\b": "the number of",
    r"\bnobody\b": "no one, or say who does not",
    r"\bsomebody\b": "someone, or say who",
    r"\banew\b|\bafresh\b": "again",
    r"\bfor ever\b(?! new)": "forever, or for good",
    r"\bstrangers?\b": "unknown name",
    r"\bit goes by itself\b|\bgo(es)? by itself\b": "it ends without a restart, or it resolves",
    r"\binstead of it\b": "in its place",
    r"\bcannot stand here\b|\bhas to stand\b|\bmay not stand\b|\bmust stand\b": "is not allowed here, or belongs here",
    r"\bmay hope\b": "may succeed",
    r"\b(is|are) no (port|value|integer|setting|address|problem document|paramd|outage|push|pushes|such)\b": "is not a",
    r"\blies? (before|behind|beyond|above|below|outside|inside|elsewhere|there|here|in|on|at|between)\b": "is",
    r"\bnot known here\b|\bspoken here\b|\bread here\b": "not supported",
    r"\bholds (integers|numbers)\b": "must be integers, must contain only numbers",
    r"\bunder way\b": "in progress",
    r"\bcut short\b": "truncated, or interrupted",
    r"\bpassed over\b": "skipped, or ignored",
    r"\bwhat (became|becomes) of\b": "the result of",
    r"\b(come|comes|came) to the same\b": "gives the same result",
    r"\bwhoever\b": "name who: the caller, a client, the owner",
    r"\b(let|lets|letting) go of\b": "releases, or drops",
    r"\btells? of\b": "reports, or logs",
    r"\bheld against\b": "compared with",
    r"\b(another|one) life of\b": "an earlier model of the name",
    r"\bbut for\b": "except for",
    r"\bthere and true\b": "present and true",
    r"\bin good order\b": "cleanly",
    r"\b(bytes|requests|kib|mib) a second\b": "per second",
}

#: The files that are checked: sources, the client, the documents.
SUFFIXES = (".swift", ".py", ".md", ".c", ".h", ".inc", ".sh", ".yaml")
FOLDERS = ("Sources", "api", "deploy", "README.md")


def files() -> list[Path]:
    """The files of the repository that people read."""
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [REPOSITORY / name for name in listed.stdout.splitlines() if name.endswith(SUFFIXES)]


@pytest.mark.unsanitized
def test_no_banned_turns() -> None:
    """No line uses a banned phrase."""
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {match[0]!r}; write: {better}"
        for path in files()
        if path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for turn, better in BANNED.items()
        if (match := re.search(turn, line.lower()))
    ]
    assert not found, "\n" + "\n".join(found)


def test_names_in_pointers_are_escaped() -> None:
    """A JSON pointer takes a name only through `pointerEscaped` (RFC 6901): `a/b` is one token."""
    literal = re.compile(r'"/(?:parameters|gradients|groups|__metadata__)/\\\((?!(?:\w+\.)?place\b)([^"]*?)\)["/]')
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {match[0]}"
        for path in files()
        if path.suffix == ".swift"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in literal.finditer(line)
        if "pointerEscaped" not in match[1] and "/v1/" not in line
    ]
    assert not found, "\n" + "\n".join(found)


def test_no_text_is_taken_apart() -> None:
    """The outcome of a request is data: no source searches a message for it."""
    searched = re.compile(r'(contains|hasSuffix|hasPrefix|range\(of:|split\(separator:)[ (]*"[^"]*[a-z]{3,} [a-z]{3,}')
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for path in files()
        if path.suffix == ".swift"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if searched.search(line)
    ]
    assert not found, "\n" + "\n".join(found)
