"""Measure every cell of some targets.

Cells of one setting form a group: they are what is compared. A group's cells each have a process; all of them are loaded,
one after the other, must give what the reference gives, and warm up. Then come rounds, in each of which every cell calls for
a moment, in an order drawn anew: what drifts, drifts for all. Processes are launched anew a few times, since some of what
makes a process slow or fast lasts as long as it does. A launch ends when every median is known well enough, or when its
share of the time is over.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from tfexport.benchmark.groups import Group
from tfexport.benchmark.measured import Launch, Measured
from tfexport.benchmark.processes import CellProcess
from tfexport.benchmark.sampling import WARM_UP_S
from tfexport.benchmark.statistics import LEAST_ROUNDS

INTERRUPTED = "interrupted"
LAUNCHES = 3
ROUND_S = 0.2
TIME_LIMIT_S = 110.0
_LEAST = 2
_PATIENCE_S = 10.0
"""For so long a launch goes on to `LEAST_ROUNDS`, however little time there is; then `_LEAST` rounds are enough."""
_LEAST_WARM_UP_S = 1.0
_WORTHWHILE_S = 5.0
"""A launch is worth its loading when a group is measured for so long."""
_WARM_UP_SHARE = 0.3
_SEED = 0

Progress = Callable[[float, str], None]
"""Called with the share that is done, and what is being done."""


@dataclass(frozen=True)
class Limits:
    """How long it goes on.

    Attributes:
        launches: processes of each cell, one after the other.
        round_s: for which a cell calls in a round, once at least.
        time_limit_s: after which no launch and no further round begins; running the reference is in it.
    """

    launches: int = LAUNCHES
    round_s: float = ROUND_S
    time_limit_s: float = TIME_LIMIT_S


class _Live:
    """A cell, and the process that it is measured in.

    Args:
        cell: what is measured.
        process: its process, loaded.
    """

    def __init__(self, cell: Measured, process: CellProcess) -> None:
        self.cell, self.process = cell, process
        self._launch = Launch(process.loaded)
        cell.launches.append(self._launch)

    def check(self, group: Group) -> None:
        """No number for outputs that disagree with the reference's."""
        with self.cell.trying():
            target = group.target
            self.cell.parity = self.process.compare(group.outputs, target.atol, target.rtol)
            problem = self.cell.parity["problem"]
            if problem is not None:
                self.cell.give_up("refused", f"its outputs disagree with the reference's: {problem}")

    def warm_up(self, seconds: float) -> None:
        """Call until calls take what they took before, or for so long."""
        with self.cell.trying():
            self._launch.warm_up_us, self._launch.steady = self.process.warm_up(seconds)

    def round(self, seconds: float) -> None:
        """Measure for a moment."""
        with self.cell.trying():
            self._launch.rounds.append(self.process.round(seconds))


def measure(groups: Sequence[Group], limits: Limits, begin: float, progress: Progress) -> str:
    """Measure groups, launch by launch: when time runs out, all of them have had as many.

    Args:
        groups: what is measured.
        limits: how long it goes on.
        begin: when the time limit began, by ``time.perf_counter``.
        progress: called as it goes on.

    Returns:
        How it ended: ``precise``, every median known well enough; ``time limit``; or ``interrupted``, with what was measured.
    """
    try:
        _measure(groups, limits, begin, progress)
    except KeyboardInterrupt:
        for cell in (cell for group in groups for cell in group.alive if not cell.rounds):
            cell.give_up("failed", "interrupted before it was measured")
        return INTERRUPTED
    return "precise" if all(group.precise for group in groups) else "time limit"


def _measure(groups: Sequence[Group], limits: Limits, begin: float, progress: Progress) -> None:
    order = random.Random(_SEED)
    plan = _Plan(limits, len(groups), begin)
    for launch in range(limits.launches):
        for index, group in enumerate(groups):
            if group.alive and plan.allows(launch):
                share = (launch * len(groups) + index) / (limits.launches * len(groups))
                progress(share, group.setting.name)
                _visit(group, partial(plan.seconds, launch, index), limits.round_s, order)
    progress(1.0, "done")


class _Plan:
    """How the time is spent: as many launches as leave each group time enough to be measured, and equal shares of it.

    Args:
        limits: how long it all goes on.
        groups: their number.
        begin: when it began.
    """

    def __init__(self, limits: Limits, groups: int, begin: float) -> None:
        self._limits, self._groups, self._begin = limits, groups, begin
        self._loading_s = 0.0

    def _left(self) -> float:
        return self._limits.time_limit_s - (time.perf_counter() - self._begin)

    def allows(self, launch: int) -> bool:
        """Whether there is time for one more launch of a group; the first one is made in any case."""
        return launch == 0 or self._left() > self._loading_s + _WORTHWHILE_S

    def seconds(self, launch: int, index: int, loading_s: float) -> float:
        """For how long a group, which is loaded, is measured.

        Args:
            launch: which, from 0.
            index: of the group.
            loading_s: what loading it took; the others will take about as long.
        """
        self._loading_s = loading_s
        left, visit_s = self._left(), loading_s + _WORTHWHILE_S
        others = self._groups - 1 - index
        affordable = int(max(0.0, left - others * visit_s) / (self._groups * visit_s))
        visits = others + self._groups * min(self._limits.launches - 1 - launch, affordable)
        return max(0.0, (left - visits * loading_s) / (visits + 1))


def _visit(group: Group, seconds_for: Callable[[float], float], round_s: float, order: random.Random) -> None:
    """Launch a group's cells, and measure them for so long."""
    started = time.perf_counter()
    with ExitStack() as stack:
        live = [each for cell in group.alive if (each := _load(group, cell, stack)) is not None]
        loaded = time.perf_counter()
        seconds = seconds_for(loaded - started)
        for each in live:
            each.warm_up(min(WARM_UP_S, max(_LEAST_WARM_UP_S, _WARM_UP_SHARE * seconds / len(live))))
        warm, number = time.perf_counter(), 0
        while live := [each for each in live if each.cell.alive]:
            order.shuffle(live)
            for each in live:
                each.round(round_s)
            number += 1
            now = time.perf_counter()
            least = LEAST_ROUNDS if now - warm < _PATIENCE_S else _LEAST
            if number >= least and (now - loaded >= seconds or group.precise):
                break
        for each in live:  # again: what changes from call to call is found out too
            if each.cell.alive:
                each.check(group)


def _load(group: Group, cell: Measured, stack: ExitStack) -> _Live | None:
    """A cell with its process, the first call made, if that gives what it should."""
    with cell.trying():
        process = CellProcess(group.works[cell.cell.key], group.inputs)
        stack.callback(process.close)
        live = _Live(cell, process)
        live.check(group)
        if cell.alive:
            return live
        process.close()
    return None
