"""Names that sort by the time at which they are given, also within one second."""

import time
from datetime import UTC, datetime, timedelta

from upkeep.clock import begun_at, named_by_time, utc_now


def test_names_sort_in_the_order_in_which_they_are_given() -> None:
    names = []
    for _ in range(60):
        names.append(named_by_time(utc_now()))
        time.sleep(0.02)
    assert names == sorted(names)
    assert len({name[:16] for name in names}) > 1


def test_one_whose_second_is_over_sorts_after_all_of_that_second_and_before_the_next() -> None:
    before = now = utc_now()
    while now == before:
        now = utc_now()
    in_time = named_by_time(now)  # the second has just begun
    time.sleep(1.1)
    late, next_one = named_by_time(now), named_by_time(utc_now())
    assert in_time < late < next_one


def test_a_clock_that_was_set_back_makes_no_other_name() -> None:
    now = utc_now() + timedelta(days=1)
    assert named_by_time(now).startswith(f"{now:%Y%m%dT%H%M%SZ}-0000")
    assert begun_at(named_by_time(now)) == now
    assert begun_at("shell") == datetime.min.replace(tzinfo=UTC)
