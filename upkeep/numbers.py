"""Numbers with their nouns, as a person says them."""


def several(number: int, noun: str) -> str:
    """A number and its noun: 1 key, 2 keys."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: tuple[str, ...], most: int = 3) -> str:
    """The first names in a sentence: a, b and c; or a, b, c and 4 more."""
    told, more = names[:most], len(names) - most
    if more > 0:
        return f"{', '.join(told)} and {more:,} more"
    return " and ".join(filter(None, [", ".join(told[:-1]), *told[-1:]]))
