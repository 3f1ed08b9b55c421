"""Measure every cell of all groups.

Cells of one setting form a group and are compared with each other. Each cell of a group has a process of its own. The processes
are loaded one after the other, must return the outputs of the reference, and warm up. Then come rounds. In each round every
cell makes calls for a moment, in a random order, so that a drift of the machine affects all cells. The processes are launched
several times, since some causes of a slow or fast process last as long as the process. A launch ends when every median is known
precisely enough, or when its share of the time is over.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from tfexport.benchmark.cell_results import CellResult, Launch
from tfexport.benchmark.engines import engine
from tfexport.benchmark.groups import Group
from tfexport.benchmark.processes import CellProcess, patience_s
from tfexport.benchmark.sampling import WARM_UP_S
from tfexport.benchmark.statistics import LEAST_ROUNDS

INTERRUPTED = "interrupted"
LAUNCHES = 3
ROUND_S = 0.2
TIME_LIMIT_S = 110.0
_LEAST = 2
_PATIENCE_S = 10.0
"""Time for which a launch continues to `LEAST_ROUNDS`, even without time left; after it, `_LEAST` rounds are enough."""
_LEAST_WARM_UP_S = 1.0
_WORTHWHILE_S = 5.0
"""Time for which a group must be measured to be worth the loading of a launch."""
_WARM_UP_SHARE = 0.3
_SEED = 0

Progress = Callable[[float, str], None]
"""Function that is called with the share that is done, and the name of the step."""


@dataclass(frozen=True)
class Limits:
    """Limits of a measurement.

    Attributes:
        launches: Processes of each cell, one after the other.
        round_s: Seconds for which a cell makes calls in a round; it makes at least one.
        time_limit_s: Seconds after which no launch and no round begins. They include the run of the reference.
    """

    launches: int = LAUNCHES
    round_s: float = ROUND_S
    time_limit_s: float = TIME_LIMIT_S


class _RunningCell:
    """A cell, and the process in which it is measured.

    Args:
        cell: Result of the cell.
        process: Process of the cell, loaded.
    """

    def __init__(self, cell: CellResult, process: CellProcess) -> None:
        self.cell, self.process = cell, process
        self._launch = Launch(process.loaded)
        cell.launches.append(self._launch)

    def check(self, group: Group) -> None:
        """Compare the outputs with the reference's. A cell whose outputs disagree gets no number."""
        with self.cell.trying():
            target = group.target
            self.cell.parity = self.process.compare(group.outputs, target.atol, target.rtol)
            problem = self.cell.parity["problem"]
            if problem is not None:
                self.cell.give_up("refused", f"its outputs disagree with the reference's: {problem}")

    def warm_up(self, seconds: float) -> None:
        """Make calls until their times are steady, or for so many seconds."""
        with self.cell.trying():
            self._launch.warm_up_us, self._launch.steady = self.process.warm_up(seconds)

    def round(self, seconds: float) -> None:
        """Measure one round of so many seconds."""
        with self.cell.trying():
            self._launch.rounds.append(self.process.round(seconds))


def measure(groups: Sequence[Group], limits: Limits, begin: float, progress: Progress) -> str:
    """Measure groups launch by launch, so that all of them have had as many launches when the time is over.

    Args:
        groups: Groups to measure.
        limits: Limits of the measurement.
        begin: Time at which the time limit began, by ``time.perf_counter``.
        progress: Function that is called as the measurement proceeds.

    Returns:
        How it ended: ``precise``, when every median is known precisely enough; ``time limit``; or ``interrupted``.
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
                _visit(group, partial(plan.seconds, launch, index), limits, order)
    progress(1.0, "done")


class _Plan:
    """Distribution of the time: as many launches as leave each group enough time, and equal shares of it.

    Args:
        limits: Limits of the measurement.
        groups: Number of groups.
        begin: Time at which the time limit began.
    """

    def __init__(self, limits: Limits, groups: int, begin: float) -> None:
        self._limits, self._groups, self._begin = limits, groups, begin
        self._loading_s = 0.0

    def _left(self) -> float:
        return self._limits.time_limit_s - (time.perf_counter() - self._begin)

    def allows(self, launch: int) -> bool:
        """Return whether there is time for one more launch of a group. The first launch is always made."""
        return launch == 0 or self._left() > self._loading_s + _WORTHWHILE_S

    def seconds(self, launch: int, index: int, loading_s: float) -> float:
        """Return for how many seconds a loaded group is measured.

        Args:
            launch: Number of the launch, from 0.
            index: Index of the group.
            loading_s: Seconds that loading it took. The other groups will take about as long.
        """
        self._loading_s = loading_s
        left, visit_s = self._left(), loading_s + _WORTHWHILE_S
        others = self._groups - 1 - index
        affordable = int(max(0.0, left - others * visit_s) / (self._groups * visit_s))
        visits = others + self._groups * min(self._limits.launches - 1 - launch, affordable)
        return max(0.0, (left - visits * loading_s) / (visits + 1))


def _visit(group: Group, seconds_for: Callable[[float], float], limits: Limits, order: random.Random) -> None:
    """Launch the cells of a group, and measure them for the seconds that `seconds_for` returns."""
    started = time.perf_counter()
    with ExitStack() as stack:
        running = [each for cell in group.alive if (each := _load(group, cell, stack, limits.time_limit_s)) is not None]
        loaded = time.perf_counter()
        seconds = seconds_for(loaded - started)
        for each in running:
            each.warm_up(min(WARM_UP_S, max(_LEAST_WARM_UP_S, _WARM_UP_SHARE * seconds / len(running))))
        warm, number = time.perf_counter(), 0
        while running := [each for each in running if each.cell.alive]:
            order.shuffle(running)
            for each in running:
                each.round(limits.round_s)
            number += 1
            now = time.perf_counter()
            least = LEAST_ROUNDS if now - warm < _PATIENCE_S else _LEAST
            if number >= least and (now - loaded >= seconds or group.precise):
                break
        for each in running:  # again, to find outputs that change from call to call
            if each.cell.alive:
                each.check(group)


def _load(group: Group, cell: CellResult, stack: ExitStack, time_limit_s: float) -> _RunningCell | None:
    """Return a cell with its process after the first call; None when it failed, or its outputs disagree."""
    with cell.trying():
        spec = group.specs[cell.cell.key]
        found = engine(cell.cell.engine, writes=group.target.writes)
        process = CellProcess(spec, group.inputs, patience_s(found, spec.model, time_limit_s))
        stack.callback(process.close)
        running = _RunningCell(cell, process)
        running.check(group)
        if cell.alive:
            return running
        process.close()
    return None
