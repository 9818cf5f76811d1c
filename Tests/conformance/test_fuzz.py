"""A short run of the fuzzer: no crash, no 500; every refusal is a problem with a text and changes nothing."""

from __future__ import annotations

import random
import re
import struct

import pytest
from proofs.fuzz.campaign import Campaign
from proofs.fuzz.corpus import endings, reads, writes
from proofs.fuzz.judge import replies
from proofs.fuzz.mutations import file
from support.contract import routes


def test_the_corpus_has_a_request_of_every_route() -> None:
    """A new route that the fuzzer's corpus lacks fails by its name; a stream of events would never end."""
    sent = {(case.method.lower(), case.target.partition("?")[0]) for case in [*reads(), *writes(), *endings()]}
    for method, path in sorted(route for route in routes() if not route[1].endswith("/events")):
        pattern = re.escape(path).replace(r"\{\}", r"[^/]+?")
        assert any(re.fullmatch(pattern, target) for sender, target in sent if sender == method), f"{method} {path}"


def test_requests_are_made_of_the_seed_alone() -> None:
    """The same seed makes the same requests, so that a printed request can be sent again."""
    one, other = Campaign(5), Campaign(5)
    assert [one.request(number) for number in range(200)] == [other.request(number) for number in range(200)]
    assert one.request(7) != Campaign(6).request(7)
    assert len({one.request(number) for number in range(200)}) > 190


@pytest.mark.parametrize("length", [0, 2**64 - 1])
def test_a_file_is_changed_again(length: int) -> None:
    """A second change works whatever an earlier one has done to the header's length."""
    body = struct.pack("<Q", length) + b"{}data"
    assert all(len(file(random.Random(seed), body)) >= 8 for seed in range(200))


def test_answers_in_a_stream() -> None:
    """The judge distinguishes interim answers, answers without a body and problems."""
    stream = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno"
    )
    unchanged, refusal = replies(stream)
    assert (unchanged.status, unchanged.fault) == (304, None)
    assert refusal.fault == "a refusal of type text/html"
    with pytest.raises(ValueError, match="behind the last answer"):
        replies(stream + b"junk")


def test_a_slice_of_the_fuzzer() -> None:
    """Sends a few requests, always from the same start."""
    campaign = Campaign(seed=1)
    campaign.run(600)
    assert campaign.statuses[200] > 20 and campaign.statuses[422] > 20


@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [2, 3])
def test_ten_thousand_requests(seed: int) -> None:
    """Runs `deploy/prove fuzz --count 10000 --seed` with the number."""
    campaign = Campaign(seed)
    campaign.run(10_000)
    assert len(campaign.statuses) > 15, campaign.statuses
