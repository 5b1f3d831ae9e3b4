"""The upsets of a simulated survey: whether of each came what should come of it.

docs/reference/truth.md says what each is and what is expected. Figures are shares of ccdVisits: 1
if everything went as it should.
"""

from typing import Any

import numpy as np

from ingest.verdict import Columns, Verdict

_ZERO_POINT = 0.05  # mag
_SEEING = 0.10  # relative
_EXPOSURE = 0.1  # s


def upsets(cursor: Any, verdict: Verdict, frames: Columns, truth: Columns) -> None:
    """Judge every upset of which a ccdVisit was offered to the archive.

    Parameters
    ----------
    cursor
        Reads the ledger.
    frames
        Published ccdVisits, columns by lower-case name.
    truth
        All rows of ``visits`` of the truth.
    """
    cursor.execute("SELECT visitid, detector, state, reason, changedtai FROM ledger.delivery")
    offered = {(v, d): (state, reason, changed) for v, d, state, reason, changed in cursor}
    published = {int(c): k for k, c in enumerate(frames["ccdvisitid"])}
    for kind in sorted(set(truth["upset"].tolist()) - {""}):
        right = []
        for row in np.flatnonzero(truth["upset"] == kind):
            key = int(truth["visitId"][row]), int(truth["detector"][row])
            if key not in offered:
                continue
            state, reason, changed = offered[key]
            place = published.get(int(truth["ccdVisitId"][row]))
            if kind == "duplicate":
                cursor.execute(
                    "SELECT count(*) FROM ledger.refusedfile WHERE reason LIKE %s",
                    (f"%visit {key[0]} detector {key[1]} is there twice%",),
                )
                right.append(place is not None and cursor.fetchone()[0] == 1)
            elif kind == "withdrawn":
                right.append(place is None and (reason or "").startswith("withdrawn"))
            elif place is None:
                right.append(kind in _MAY_FAIL and state == "failed" and bool(reason))
            elif kind == "late":
                right.append(_after(cursor, key[0], changed))
            else:
                right.append(_as_it_was(kind, frames, place, truth, int(row)))
        if right:
            verdict.add(f"upset.{kind}", np.mean(right), 1, None, len(right), "as expected")


_MAY_FAIL = ("missing_snap", "clouds", "bad_focus", "dead_amplifier")


def _as_it_was(kind: str, frames: Columns, place: int, truth: Columns, row: int) -> bool:
    """Tell whether what is published of a visit agrees with what it really was."""
    true = 31.4 + 2.5 * np.log10(truth["electronsPerNjy"][row] * truth["response"][row])
    if abs(frames["zeropoint"][place] - true) > _ZERO_POINT:
        return False
    if kind == "missing_snap":
        exposed = 15.0 * truth["snaps"][row]
        return bool(abs(frames["exposuretime"][place] - exposed) < _EXPOSURE)
    if kind == "bad_focus":
        return bool(abs(frames["seeing"][place] / truth["seeing"][row] - 1) < _SEEING)
    if kind == "dead_amplifier":
        return bool(frames["usablefraction"][place] < 0.51)
    return True  # clouds, wrong_wcs, killed_worker: there, and calibrated


def _after(cursor: Any, visit: int, changed: Any) -> bool:
    """Tell whether a visit was published after some that were taken after it."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM ledger.delivery AS d "
        "JOIN prompt_store.visit AS other ON other.visitid = d.visitid, "
        "prompt_store.visit AS own WHERE own.visitid = %s AND d.state = 'published' "
        "AND d.changedtai < %s AND other.midpointtai > own.midpointtai AND NOT other.istemplate)",
        (visit, changed),
    )
    return bool(cursor.fetchone()[0])
