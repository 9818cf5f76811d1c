"""The fuzzer as a script: counts the answers, or prints the request that broke something and exits with 1."""

from __future__ import annotations

import argparse
import sys
import time

from .campaign import Campaign, Finding


def main() -> int:
    """Runs one campaign."""
    parser = argparse.ArgumentParser(prog="deploy/prove fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--count", type=int, default=20_000, help="requests to send")
    parser.add_argument("--start", type=int, default=0, help="number of the first one; a multiple of the batch")
    parser.add_argument("--batch", type=int, default=100, help="requests between two comparisons of all state")
    options = parser.parse_args()
    campaign, began = Campaign(options.seed, options.batch), time.monotonic()
    try:
        campaign.run(options.count, options.start)
    except Finding as finding:
        print(finding)
        return 1
    print(f"seed {options.seed}: {options.count} requests in {time.monotonic() - began:.0f} s, nothing broken")
    print(", ".join(f"{status}: {count}" for status, count in sorted(campaign.statuses.items())))
    print(f"closed without an answer: {campaign.silent}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
