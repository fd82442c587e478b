"""What a database URL may be: asked where settings are read, and where a database is opened."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError


def read_url(text: str) -> URL:
    """A database URL; raises ValueError, in words that tell nothing of it, for what is none.

    Where a password holds an @ its rest would be taken for the server's name, and told.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is no database URL") from None
    if url.host and "@" in f"{url.host}{url.database}":
        raise ValueError("has more than one @: in a password it is written as %40")
    return url
