"""A plan and its undo are the same whichever process draws them up: what is approved here is done there (promise 8)."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings

from tests.test_restoring import Story, stories

Teller = subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def tellers() -> Iterator[list[Teller]]:
    """Processes in which sets have different orders."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.teller"],
                    env=os.environ | {"PYTHONHASHSEED": seed},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            for seed in ("1", "2", "3")
        ]


def told(teller: Teller, story: Story) -> str:
    assert teller.stdin is not None
    assert teller.stdout is not None
    pickle.dump(story, teller.stdin)
    teller.stdin.flush()
    return teller.stdout.readline().decode().strip()


@settings(
    max_examples=int(os.environ.get("RESTORE_EXAMPLES", "60")), deadline=None, suppress_health_check=list(HealthCheck)
)
@given(story=stories())
def test_the_digests_of_a_plan_and_of_its_undo_are_the_same_in_each_process(
    tellers: list[Teller], story: Story
) -> None:
    digests = [told(teller, story) for teller in tellers]
    assert digests[0]
    assert digests == digests[:1] * len(digests)
