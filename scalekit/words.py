"""The leaf that every room may use: the error of a fit, the nearest name, interval tails."""

import difflib
import numbers
import sys
from collections.abc import Iterable


class FitError(RuntimeError):
    """A fit that cannot be trusted: no number should be used."""


def nearest(name: object, known: Iterable) -> str:
    """Return ``" Did you mean 'x'?"`` for the known name nearest to `name`, or an empty string."""
    lower = {str(k).lower(): k for k in known}
    found = difflib.get_close_matches(str(name).lower(), lower, n=1)
    return f" Did you mean {lower[found[0]]!r}?" if found else ""


def unknown(who: str, what: str, name: object, known: Iterable) -> str:
    """Return the message for a name not among the known ones, with the nearest and all of them."""
    known = [str(k) for k in known]
    return (
        f"{who}: no {what} {name!r:.60}.{nearest(name, known)} There are: "
        f"{', '.join(known) or 'none'}."
    )


def is_number(value: object) -> bool:
    """Say whether a value is a real number, no larger than floats go; True and False are not."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    exact = isinstance(value, numbers.Rational)
    return real and not (exact and abs(value) > sys.float_info.max)


def whole_number(who: str, name: str, value: object, least: int = 0) -> None:
    """Refuse what is no whole number of at least `least`: a seed, a count of resamples."""
    require(
        isinstance(value, numbers.Integral) and is_number(value) and value >= least,
        f"{who}: {name} must be a whole number, {least} or more; got {value!r:.60}.",
    )


def tails(level: float, who: str = "level") -> tuple[float, float]:
    """Return the two quantiles between which the central `level` lies: 0.95 gives .025 and .975."""
    if not is_number(level) or not 0 < level < 1:
        raise ValueError(f"{who}: a level must lie between 0 and 1, as in 0.95; got {level!r}.")
    tail = (1 - float(level)) / 2
    return tail, 1 - tail


def require(holds: bool, message: str) -> None:
    """Raise a ValueError with this message unless something holds."""
    if not holds:
        raise ValueError(message)


def check_known(who: str, what: str, names: Iterable, known: Iterable) -> None:
    """Refuse the first of the names that is not among the known ones, as `unknown` words it."""
    known = dict.fromkeys(known)
    for name in names:
        try:
            there = name in known
        except TypeError:
            # a list or an array, which is no name
            there = False
        if not there:
            raise ValueError(unknown(who, what, name, known))
