"""Every bound in the code is a row of the table of limits, or is listed here with the reason why it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support.daemon import REPOSITORY

pytestmark = pytest.mark.unsanitized
SOURCES = REPOSITORY / "Sources"
TABLE = (SOURCES / "ParameterServer/Limits/LimitTable.swift").read_text()
TYPE = re.compile(r"^(?:(?:public|private|fileprivate|final|indirect) )*(?:struct|class|enum|extension|protocol) (\w+)")
#: A constant whose name marks it as a bound, and whose value is in its declaration.
BOUND = re.compile(
    r" static (?:let|var) ((?:most|maximum|longest|largest|kept|reserved)\w*|limit|\w+(?:Limit|InPlace))\b.* [={] [\d(]"
)
#: Places where every constant is a bound.
FIXED = re.compile(r" static let (\w+)\b.* = ")
FIXED_FILES = ("FixedLimits.swift", "ServingConfiguration.swift", "DefinitionLimits.swift")
#: A number of three digits and more in a comparison: a bound without a name.
BARE = re.compile(r"(?:[^-=<>][<>]=?|\bmin\([^()]*,) *\d[\d_]{2,}\b")
#: Bounds that affect no client and no operator, with the reason.
INTERNAL = {
    "Array.movedInPlace": "which thread moves an array, not how long it may be",
    "BeyondRange.mostBytes": "how much of a header names take; `beyond-range` counts them",
    "BarrierBoard.longestName": "what a name counts against --memory; `name-bytes` bounds it",
    "BetaPower.limit": "beyond it every power is the same number",
    "ByteCount.most": "part of how a size is written, and told by the refusal of a larger one",
    "Call.itemsInPlace": "which thread writes a refusal, not what it says",
    "CurvePlot.mostPoints": "how fine a picture is drawn",
    "DecimalText.floatLimit": "the longest text that a float32 has",
    "Durability.longestInterval": "part of how a mode is written, and told by the refusal of a longer one",
    "Duration.longestText": "beyond every limit on a time, each of which tells its own",
    "EventStream.mostEvents": "how many events are written at a time, not how many there may be",
    "Fifo.mostGone": "how a queue gives its memory back",
    "FixedLimits.largestInteger": "RFC 8259: what JSON libraries hold",
    "HistoryDocument.pointsInPlace": "which thread writes an answer, not what it has",
    "KeeperState.mostInBatch": "how much of a turn snapshots take",
    "Modesty.mostDecay": "until where two ways of an update are equal to the bit",
    "Modesty.mostEntries": "until where two ways of an update are equal to the bit",
    "Modesty.mostFactor": "until where two ways of an update are equal to the bit",
    "NearestNames.mostCandidates": "suggestions are made without the rest",
    "NearestRoute.longest": "suggestions are made without the rest",
    "NumberText.digitLimit": "more digits cannot change a float32",
    "PlotLegend.longest": "how a picture is drawn",
    "PlotLegend.most": "how a picture is drawn",
    "Registration.longestTTL": "part of the format of a file; `lease` bounds a request",
    "RefusalCache.longestAnswer": "longer ones are made again",
    "ServingConfiguration.eventsPerRecord": "how far numbers jump after a loss",
    "SegmentLog.mostLeft": "how many files one sync makes durable",
    "SettingValue.longestLine": "how a value is told in one line",
    "ByteReader.mostNesting": "twice `json-depth`, for files that are damaged",
    "ShortestFloat.largestFactor": "the range of float32",
    "Simulation.mostIdleTurns": "part of the simulation of a test",
    "SnapshotInfo.maximumLabel": "part of the format of a file",
    "SpellingDistance.longest": "suggestions are made without the rest",
    "StorageLog.mostLines": "lines of a log; the rest is counted",
    "TensorBuffer.surplusLimit": "how a buffer grows",
    "TensorReader.earlyInPlace": "which thread converts values, not how many there may be",
    "YAMLText.mostPasses": "keys set twice, of which the rest is told next time",
}


def bounds() -> Iterator[tuple[str, str]]:
    """File and `Type.name` of each constant that is a bound."""
    for path in sorted(SOURCES.rglob("*.swift")):
        owner = path.stem
        pattern = FIXED if path.name in FIXED_FILES else BOUND
        for line in path.read_text().splitlines():
            if match := TYPE.match(line):
                owner = match[1]
            elif match := pattern.search(line) or BOUND.search(line):
                yield path.name, f"{owner}.{match[1]}"


def test_every_bound_is_a_row() -> None:
    """Other bounds have a reason above; a reason whose bound is gone fails."""
    found = list(bounds())
    assert len(found) > 50
    missing = [place for place in found if place[1] not in TABLE and place[1] not in INTERNAL]
    assert not missing, f"neither a row of LimitTable.swift nor listed here: {missing}"
    names = {name for _, name in found}
    assert {name for name in INTERNAL if name not in names} == set()
    assert {name for name in INTERNAL if f"{name})" in TABLE} == set()


def test_no_bound_is_without_a_name() -> None:
    """A bare number in a comparison does not say what it bounds; statuses of HTTP are names."""
    bare = [
        f"{path.relative_to(SOURCES)}:{number}: {line.strip()}"
        for room in ("HTTPServing", "ParameterAPI", "ParameterServing")
        for path in sorted((SOURCES / room).rglob("*.swift"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if BARE.search(re.sub(r'//.*|"[^"]*"', "", line)) and "status" not in line
    ]
    assert not bare, "\n".join(bare)
