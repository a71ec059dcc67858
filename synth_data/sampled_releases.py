"""What sampled releases come to, by Opacus' PRV accountant, as far as it can tell within seconds.

The releases may be those that a foreign set lists: a few numbers in them could ask for any amount
of time and memory, and some are beyond the accountant's numbers.

Kept apart since half of Opacus' import is of things that only training needs: seconds, for those
who sample.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

from opacus.accountants import PRVAccountant
from opacus.accountants.analysis.prv import Domain

from synth_data.errors import UserError

MOST_POINTS = 2**22  # of the accountant's grids, of all kinds together: five seconds, 800 MB
MOST_KINDS = 50  # of releases, 45 ms each

History = Sequence[tuple[float, float, int]]  # noise multiplier, sampling probability, count


def upper_bound(history: History, delta: float) -> float:
    """Epsilon is at most this.

    Raises:
        UserError: to tell would take too long, or is beyond the accountant.
    """
    if (kinds := round(sum(_kinds(noise, q) for noise, q, _ in history))) > MOST_KINDS:
        raise UserError(
            f"sampled releases of {len(history)} kinds take the accountant as long as {kinds} of "
            f"the simplest, allowed are {MOST_KINDS}: ask with the same noise and sampling "
            f"probability each time, and the less noise the nearer to 1/2 the probability is"
        )
    accountant = _Limited()
    accountant.history = list(history)
    with warnings.catch_warnings():
        # Of a sampling probability of 1 it takes the logarithm of 0, in a branch it then leaves;
        # and how wide its grid is comes from a looser accountant, which may say so. Where noise is
        # so small that hardly anything is private, the ends of the grid are beyond all numbers.
        warnings.filterwarnings("ignore", "divide by zero", RuntimeWarning)
        warnings.filterwarnings("ignore", "Optimal order", UserWarning)
        warnings.filterwarnings("ignore", "(overflow|invalid value) encountered", RuntimeWarning)
        try:
            return float(accountant.get_epsilon(delta))
        except UserError:
            raise
        except (ValueError, ArithmeticError, RuntimeError) as error:
            raise UserError(
                f"the accountant of sampled releases cannot tell what these come to at delta "
                f"{delta:g} ({error}): ask with more noise or another delta, or ask all units in "
                f"each release"
            ) from error


class _Limited(PRVAccountant):  # type: ignore[misc]
    """Which gives up where its grid would be too fine."""

    def _get_domain(self, **arguments: Any) -> Domain:
        domain = super()._get_domain(**arguments)
        if (points := domain.size * len(self.history)) > MOST_POINTS:
            raise UserError(
                f"to tell what the sampled releases come to takes the accountant a grid of "
                f"{points:,} points, allowed are {MOST_POINTS:,}: ask less often, or with more "
                f"noise, or ask all units in each release"
            )
        return domain


def _kinds(noise: float, q: float) -> float:
    """As how many kinds a release counts: how long the series are that its grid's width is from.

    They end once i is beyond the noise, or earlier since their terms fall as (q / (1 - q))^i.
    """
    if q == 1:
        return 1.0
    falls = abs(math.log(q) - math.log1p(-q))
    return 1 + min(8 * noise, 40 / max(falls, 1e-9)) / 100
