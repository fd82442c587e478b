"""How large the parts of an upload are: S3 takes 10,000 of them, of 5 MiB to 5 GiB each (P-127)."""

MOST_PARTS = 10_000
LARGEST_OBJECT = 5 << 40  # bytes
_MIB = 1 << 20
_SMALLEST = 8 * _MIB
_LARGEST = 5 << 30


def part_size(number: int, expected_size: int | None) -> int:
    """Bytes of part ``number`` (from 1 on) of a stream that may be ``expected_size`` bytes long.

    With an expectation all parts are equal, and a stream may be a third longer before they grow: memory goes with one
    six-thousandth of the size. Without one they begin at 8 MiB and double from 16 GiB on, every 800 parts, which
    reaches 6 TiB: 100 GB end in parts of 64 MiB where an expectation would have made them 16 MiB. A store that wants
    equal parts (Cloudflare R2) therefore takes streams of unknown size up to 16 GiB.
    """
    base = max(_SMALLEST, -(-(expected_size or 0) // (6000 * _MIB)) * _MIB)
    steady, step = (8000, 200) if expected_size else (2000, 800)
    doublings = max(0, -(-(number - steady) // step))
    return min(_LARGEST, base << doublings)
