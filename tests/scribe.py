"""An application that writes without a break, in a process of its own, and logs each write once it is committed.

Called as ``python scribe.py DATABASE LOG TABLE``. It waits five seconds for a lock, as Python's driver does unless told
otherwise; a write that is refused is logged as such, is not lost, and is tried again.
"""

import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path


def write_for_ever(database: str, log: Path, table: str) -> None:
    """Insert numbers, one transaction each, until the process is ended."""
    number = 0
    with closing(sqlite3.connect(database)) as connection, log.open("w", buffering=1) as told:
        while True:
            try:
                with connection:
                    connection.execute(f"INSERT INTO {table} (n) VALUES (?)", (number,))
            except sqlite3.Error as fault:
                told.write(f"refused {number} {fault}\n")
                continue
            told.write(f"written {number}\n")
            number += 1
            time.sleep(0.002)


if __name__ == "__main__":
    write_for_ever(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
