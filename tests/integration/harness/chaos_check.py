# SPDX-License-Identifier: PostgreSQL
"""What must hold after any fault: pure functions over what was seen, each
returning a list of sentences; an empty one is good.

Each migration leaves a marker row in its own transaction, so a marker is the
effect, the row of the tracking table is the record, and both bear the number
of the transaction that wrote them (xmin).
"""

import collections
import dataclasses

EXIT_FINE, EXIT_FAILED, EXIT_LOCK, EXIT_REFUSED = 0, 5, 7, 8


@dataclasses.dataclass
class State:
    """What a look at the database found."""
    markers: list  # (migration, xmin), in the order of the writing
    rows: list  # (migration, xmin, hash), in the order of the writing

    def present(self):
        return {m for m, _ in self.markers} & {r for r, *_ in self.rows}


@dataclasses.dataclass
class Answer:
    """What a caller was told: --once by its exit code, POST /apply by its
    status; both mapped to `ok`, with the code for the report."""
    who: str  # the run: callers of a daemon may be told of the same one
    code: int
    ok: bool
    claims: list  # the migrations that the run says it applied
    disturbed: bool  # a fault was aimed at it, so it may have failed
    said: str = ""  # for the report
    after: State = None  # what was there right after an answer of success


def of_state(plan, state, loose=frozenset()):
    """`plan` is the list of migrations in order; the effects of those in
    `loose` are not in the transaction of their row, and may be there before."""
    bad = []
    marked = collections.Counter(m for m, _ in state.markers)
    recorded = collections.Counter(r for r, *_ in state.rows)
    for what, counts in (("executed", marked), ("recorded", recorded)):
        bad += [f"{m} was {what} {n} times" for m, n in counts.items() if n > 1]
    bad += [f"{m} was executed and is not recorded" for m in marked if m not in recorded and m not in loose]
    bad += [f"{m} is recorded and was not executed" for m in recorded if m not in marked]
    xmin = dict(state.markers)
    bad += [f"{m} was recorded in another transaction than it was executed in"
            for m, x, _ in state.rows if m in xmin and xmin[m] != x and m not in loose]
    for what, seen in (("executed", [m for m, _ in state.markers]),
                       ("recorded", [r for r, *_ in state.rows])):
        once_each = list(dict.fromkeys(seen))
        if once_each != plan[:len(once_each)]:
            bad.append(f"{what} out of order or with a gap: {' '.join(seen)}")
    return bad


def of_answers(plan, answers, state):
    """`answers` are all of one round, `state` is what was there at its end."""
    bad = []
    for answer in answers:
        seen = answer.after or state
        if answer.ok and (lacking := [m for m in plan if m not in seen.present()]):
            bad.append(f"{answer.who} reported success without {' '.join(lacking)}")
        if not answer.ok and not answer.disturbed:
            bad.append(f"{answer.who} failed ({answer.code}) with no fault aimed at it: {answer.said}")
        bad += [f"{answer.who} says that it applied {m}, which is not there"
                for m in answer.claims if m not in state.present()]
    claimed = collections.Counter(m for _, m in {(answer.who, m) for answer in answers for m in answer.claims})
    bad += [f"{n} runs say that they applied {m}" for m, n in claimed.items() if n > 1]
    return bad


def of_end(plan, state, left, undisturbed):
    """After healing all is there, and `left` (schema and rows, a dict of texts)
    is what an undisturbed run leaves."""
    bad = [f"{m} is still missing" for m in plan if m not in state.present()]
    bad += [f"{name} is not what an undisturbed run leaves" for name in undisturbed
            if left.get(name) != undisturbed[name]]
    return bad
