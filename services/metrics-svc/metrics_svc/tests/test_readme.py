"""Every example of the README does what it says: it is run as printed, by curl, in the order of the page."""

from pathlib import Path
from typing import Any

import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.testing_readme import examples, run
from ltc_contracts.examples import all_examples

from metrics_svc.consumers import consumers
from metrics_svc.tests.test_facts import FLOW, LATER, record

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.timeout(120)
async def test_every_example_of_the_readme_works_as_printed(
    deliver: Deliver, address: str, keys: KeyPair, clock: FixedClock, tmp_path: Path
) -> None:
    clock.set(LATER)
    await deliver.records(consumers, [record(sample) for sample in all_examples()])
    told = {"TOKEN": keys.token(), "FLOW": FLOW}
    refused, empty = [], []
    for example in examples(README):
        answer = await run(example, address, told, tmp_path)
        if not answer.is_success:
            refused.append(f"line {example.line}: {example.method} {example.path}: {answer.status} {answer.printed[:300]}")
        elif not _rows(answer.body):
            empty.append(f"line {example.line}: {example.path}")
    assert (refused, empty) == ([], [])


def _rows(body: Any) -> Any:
    """What an answer lists, or all of it where it is no list."""
    return next((body[name] for name in ("items", "rows") if name in body), body) if isinstance(body, dict) else body
