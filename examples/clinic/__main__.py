"""`python -m examples.clinic FOLDER`: make a damaged clinic to try Upkeep on."""

import argparse
from collections import Counter
from pathlib import Path

from examples.clinic import ALL_KINDS, build


def main() -> None:
    """Build by the words of the command line and say in a few lines what came of it."""
    parser = argparse.ArgumentParser(prog="python -m examples.clinic", description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder, made if it is not there")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scale", type=int, default=1, help="multiplies the rows")
    parser.add_argument("--kinds", default=",".join(sorted(ALL_KINDS)), help="which damage, with commas: %(default)s")
    given = parser.parse_args()
    chosen = frozenset(filter(None, given.kinds.split(",")))
    try:
        truth = build(given.folder, seed=given.seed, scale=given.scale, kinds=chosen)
    except (ValueError, FileExistsError) as refused:
        parser.error(str(refused))
    print(f"{given.folder / 'clinic.db'}: {len(truth.orphans)} orphans, {len(truth.hidden)} hidden")
    for kind, many in Counter(orphan.kind for orphan in truth.orphans).most_common():
        print(f"  {kind}: {many}")


if __name__ == "__main__":
    main()
