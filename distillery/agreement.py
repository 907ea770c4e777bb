"""How two model files' predictions compare on a data set's test rows."""

from __future__ import annotations

import numpy as np

from distillery.data.rows import Rows, Split
from distillery.inference import open_session, run_rows
from distillery.rebuild import Agreement


def agree(first: bytes, second: bytes, rows: Rows) -> Agreement:
    """Run both files on the test rows."""
    tested = rows.where(Split.TEST)
    one, other = (run_rows(open_session(content), rows, tested) for content in (first, second))
    same = one.argmax(1) == other.argmax(1)
    return Agreement(len(tested), float(same.mean()), float(np.abs(one - other).max()))
