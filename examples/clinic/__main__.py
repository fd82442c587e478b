"""`python -m examples.clinic FOLDER`: make a damaged clinic to try Upkeep on."""

import argparse
import os
from collections import Counter
from pathlib import Path

from sqlalchemy import make_url

from examples.clinic import ALL_KINDS, HistoryFailed, build, impossible

ABOUT = """Make a damaged clinic to try Upkeep on: in FOLDER/clinic.db or, where DATABASE_URL is set, in the database
that it names, which must be empty. FOLDER/truth.json says what is wrong with it."""


def main() -> None:
    """Build by the words of the command line and say in a few lines what came of it."""
    parser = argparse.ArgumentParser(prog="python -m examples.clinic", description=ABOUT)
    parser.add_argument("folder", type=Path, help="an empty folder, made if it is not there")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scale", type=int, default=1, help="multiplies the rows")
    parser.add_argument("--kinds", default=",".join(sorted(ALL_KINDS)), help="which damage, with commas: %(default)s")
    given = parser.parse_args()
    chosen = frozenset(filter(None, given.kinds.split(",")))
    url = make_url(os.environ.get("DATABASE_URL") or f"sqlite:///{given.folder / 'clinic.db'}")
    try:
        truth = build(
            given.folder,
            url=url.render_as_string(hide_password=False),
            seed=given.seed,
            scale=given.scale,
            kinds=chosen,
        )
    except (ValueError, FileExistsError, HistoryFailed) as refused:
        parser.error(str(refused))
    print(f"{url}: {len(truth.orphans)} orphans, {len(truth.hidden)} hidden")
    for kind, many in Counter(orphan.kind for orphan in truth.orphans).most_common():
        print(f"  {kind}: {many}")
    for kind, why in impossible(url.get_backend_name()).items():
        if kind in chosen:
            print(f"  {kind}: not on {url.get_backend_name()}, {why}")


if __name__ == "__main__":
    main()
