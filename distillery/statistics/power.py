"""How many rows would decide a question that too few have left open."""

from __future__ import annotations

import math

from distillery.statistics.tango import Z_ONE_SIDED, variance_under

Z_NINE_IN_TEN = 1.2815515655446004  # the normal quantile of 90 %


def rows_to_pass(disagreement: float, margin: float, difference: float = 0.0) -> int:
    """Rows on which Tango's lower bound reaches -margin nine times in ten.

    `disagreement`: share of the rows that one file alone has right; `difference`: the true one. With two
    variances, that of the score test at the margin and the true one (Nam 1997, Biometrics 53, 1422-1430).
    ValueError where no number of rows would: the difference is not above -margin.
    """
    if difference <= -margin:
        raise ValueError("a loss of the margin or more is not shown to be less by any number of rows")
    gained, lost = (disagreement + difference) / 2, (disagreement - difference) / 2
    tested = math.sqrt(float(variance_under(gained, lost, -margin)))
    true = math.sqrt(max(0.0, disagreement - difference**2))
    return math.ceil(((Z_ONE_SIDED * tested + Z_NINE_IN_TEN * true) / (difference + margin)) ** 2)


def sample_to_tell(error: float, sample: int, distance: float) -> int:
    """Rows, or rounds, that tell a value `distance` away from a bound, nine times in ten.

    `error` is its standard error on `sample` of them, which falls with the square root of their number.
    """
    return math.ceil(sample * ((Z_ONE_SIDED + Z_NINE_IN_TEN) * error / distance) ** 2)
