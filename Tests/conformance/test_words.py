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
    r"\bthere (is|are) no (model|group|parameter|optimizer|schedule|average|worker|checkpoint|problem)s? (of|`|with)": (
        "unknown model `x`, or the model `x` does not exist"
    ),
    r"\bthere is nothing at\b": "the path does not exist",
    r"\bno longer kept\b": "no longer available, or dropped",
    r"\b(lists what|its files|which files) (is|are) kept\b": "say what stays available, or where",
    r"\bsigns? of life\b": "a heartbeat, or name the requests",
    r"\bgiven again\b": "reused, or returned again",
    r"\bbelongs? into\b": "use PATCH for, or belongs in",
    r"\bpush(es)? (may |can |must |cannot )?(that )?(brings?|brought)\b": "a push sets, or its hyperparameters",
    r"\bround (of [a-z ]+ )?(is|was|were) given up\b": "the round was dropped",
    r"\b(go|goes|went|gone|going) on\b": "continues",
    r"\b(pull|push|request|name|connection|entry)(es)? too many\b": "one more than the limit, or beyond the limit",
    r"\bwho wants\b": "to do this, ...",
    r"\b(without a word|in silence)\b": "silently",
    r"\bone's own\b": "your own",
    r"\bopen passing\b|\bnext passing\b": "generation",
    r"\b(have|has) come to that\b": "has not reached that",
}

#: The files that are checked: sources, tests, the client, the documents, and every file of `deploy`.
SUFFIXES = (".swift", ".py", ".md", ".c", ".h", ".inc", ".sh", ".yaml", ".conf", ".toml")
FOLDERS = ("Sources", "api", "deploy", "README.md")


def files(*more: str) -> list[Path]:
    """The files of the repository that people read, and those of more folders."""
    listed = subprocess.run(
        ["git", "ls-files", *FOLDERS, *more], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    names = [Path(name) for name in listed.stdout.splitlines() if Path(name).name != Path(__file__).name]
    return [REPOSITORY / name for name in names if name.suffix in SUFFIXES or name.parts[0] == "deploy"]


@pytest.mark.unsanitized
def test_no_banned_turns() -> None:
    """No line uses a banned phrase, in tests either."""
    any_turn = re.compile("|".join(BANNED))
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {match[0]!r}; write: {better}"
        for path in files("Tests")
        if path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8").lower().splitlines(), 1)
        if any_turn.search(line)
        for turn, better in BANNED.items()
        if (match := re.search(turn, line))
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
