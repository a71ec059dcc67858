"""Numbers as the page prints them."""

from evaluation.records import Estimate, Spread

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
# What the column of this name is.
MINUTES = "to make the set and train one student on it; a dash where nobody noted the former"


def spread(value: Spread) -> str:
    """Mean and deviation over runs.

    >>> spread(Spread(mean=0.4936, interval=None, sd=0.01))
    '0.494 ± 0.010'
    """
    number = f"{value.mean:.3f}" + ("" if value.sd is None else f" ± {value.sd:.3f}")
    return number.replace("-", MINUS)


def mean(value: Estimate | None) -> str:
    """Three decimals, or a dash."""
    return NONE if value is None else f"{value.mean:.3f}".replace("-", MINUS)


def interval(value: Estimate | None) -> str:
    """The ends in brackets, or a dash."""
    if value is None or value.interval is None:
        return NONE
    low, high = value.interval
    return f"[{low:.3f}, {high:.3f}]".replace("-", MINUS)


def difference(value: float) -> str:
    """With its sign.

    >>> difference(0.0724), difference(-0.0724) == MINUS + "0.072"
    ('+0.072', True)
    """
    return f"{value:+.3f}".replace("-", MINUS)


def difference_interval(value: Estimate) -> str:
    """The ends with their signs, in brackets, or a dash."""
    if value.interval is None:
        return NONE
    low, high = value.interval
    return f"[{difference(low)}, {difference(high)}]"


def in_words(value: Estimate) -> str:
    """For those who cannot see a picture.

    >>> in_words(Estimate(mean=0.5, interval=(0.4, 0.6)))
    '0.500, interval 0.400 to 0.600'
    """
    if value.interval is None:
        return f"{value.mean:.3f}".replace("-", MINUS)
    low, high = value.interval
    return f"{value.mean:.3f}, interval {low:.3f} to {high:.3f}".replace("-", MINUS)


def minutes(seconds: float | None) -> str:
    """One decimal; a dash where nobody knows."""
    return NONE if seconds is None else f"{seconds / 60:.1f}"


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "item"), count(2_000, "item")
    ('1 item', '2,000 items')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
