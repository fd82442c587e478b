"""Invented people: names that nobody bears, yet look like personal values to whoever searches a log for them."""

from random import Random

# fmt: off
GIVEN = (
    "Zelmira", "Oskavian", "Brunhalde", "Tivadora", "Quenton", "Marisolde", "Yaroslavina", "Fennimore",
    "Ludovika", "Ambrosius", "Thessalina", "Wendelmar", "Isaulde", "Gorvane", "Philippina", "Ruprecht",
    "Calantha", "Evarist", "Nimuela", "Balthorne", "Sigrunella", "Peregrine", "Ottoline", "Valdemaro",
)
FAMILY = (
    "Quillfeather", "Ostrowindle", "Marblethwaite", "Fennigworth", "Zaprudnik", "Hollowbarrow", "Teskelund",
    "Vandermoot", "Krizhavets", "Bramblecott", "Ygdrasov", "Pellingham", "Duskwarden", "Thornequist", "Lovelacci",
    "Grimsbottle", "Ashkenwold", "Wexlington", "Pompadoro", "Sniedzemets", "Underbergh", "Jellicott",
    "Rastogovin", "Montelagro",
)
# fmt: on


def invent(rng: Random, number: int) -> tuple[str, str, str]:
    """A full name, an e-mail address and a telephone number; the number keeps addresses apart."""
    given, family = rng.choice(GIVEN), rng.choice(FAMILY)
    address = f"{given}.{family}.{number}@mail.example".lower()
    return f"{given} {family}", address, f"+00 555 {number % 1000:03d} {rng.randrange(10_000):04d}"
