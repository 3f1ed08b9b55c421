"""Ask every engine for the same text, in turn, and keep what it took.

For each model and batch: every engine writes once, which compiles what it compiles, and must write the reference's tokens;
then warms up; then rounds, in each of which every engine writes once, in an order drawn anew. An engine that writes other
tokens, ever, gets no speed.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generation.engines import ENGINES, FRAMEWORKS, REFERENCE
from benchmarks.generation.models import make_prompt, prepare
from benchmarks.generation.summary import Leads, first_difference, leads_of, ratio, spread, tokens_a_second
from benchmarks.generation.worker import Answer, Worker, WorkerError
from tfexport.benchmark.processes import call_apart

_SEED = 0


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes:
        engines: names of those that write.
        batches: numbers of rows.
        prompt: tokens that are read first.
        tokens: tokens that are written after them.
        rounds: samples of each engine.
        warm_ups: texts after the first, before the rounds.
        threads: of each engine.
    """

    engines: tuple[str, ...]
    batches: tuple[int, ...]
    prompt: int
    tokens: int
    rounds: int
    warm_ups: int
    threads: int


@dataclass
class Cell:
    """One engine at one batch size.

    Attributes:
        refused: why it gets no speed.
        warm_up_seconds: the first text, compiling included, and those that warm up.
        seconds: each sample.
        others_cpus: processors that others kept busy during each; None of one too short to tell.
    """

    refused: str | None = None
    warm_up_seconds: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    others_cpus: list[float | None] = field(default_factory=list)

    def as_dict(self, tokens: int) -> dict[str, Any]:
        """For JSON: a refused one has no times of samples."""
        if self.refused is not None:
            return {"refused": self.refused}
        return {
            "tokens_per_second": spread(tokens_a_second(self.seconds, tokens)),
            "first_text_seconds": round(self.warm_up_seconds[0], 3),
            "warm_up_seconds": [round(seconds, 4) for seconds in self.warm_up_seconds[1:]],
            "seconds": [round(seconds, 4) for seconds in self.seconds],
            "others_cpus": [None if cpus is None else round(cpus, 2) for cpus in self.others_cpus],
        }


def measure(model: str, settings: Settings, say: Callable[[str], None], folder: Path | None = None) -> dict[str, Any]:
    """Everything about one model.

    Args:
        model: its name.
        settings: what is measured.
        say: called with a line on what goes on.
        folder: where to keep the model and its files; a temporary one by default.

    Raises:
        CellError: the model cannot be made or exported.
    """
    with tempfile.TemporaryDirectory(prefix="tfexport-generation-") as temporary:
        where = folder or Path(temporary)
        say(f"{model}: making it, and exporting it from TensorFlow")
        made = call_apart(prepare, model, where)
        chosen = [name for name in settings.engines if ENGINES[name].suits(model)]
        with _workers(model, chosen, where, settings.threads, say) as (workers, told):
            batches = [_at_batch(model, batch, workers, settings, say) for batch in settings.batches]
    return {**made, "engines": told, "batches": batches}


@contextmanager
def _workers(
    model: str, names: Sequence[str], folder: Path, threads: int, say: Callable[[str], None]
) -> Iterator[tuple[dict[str, Worker], dict[str, Any]]]:
    """The engines that could be loaded, one after the other, and what is known of each."""
    workers: dict[str, Worker] = {}
    told: dict[str, Any] = {}
    try:
        for name in names:
            say(f"{model}: loading {name}")
            told[name] = {"description": ENGINES[name].DESCRIPTION}
            try:
                workers[name] = Worker(name, model, folder, threads)
                told[name] |= workers[name].about
            except WorkerError as error:
                told[name]["failed"] = str(error)
                say(f"{model}: {name} could not be loaded: {error}")
        yield workers, told
    finally:
        for name, worker in workers.items():
            told[name] |= worker.close()


def _at_batch(
    model: str, batch: int, workers: dict[str, Worker], settings: Settings, say: Callable[[str], None]
) -> dict[str, Any]:
    prompt = make_prompt(model, batch, settings.prompt)
    cells = {name: Cell() for name in workers}
    reference: np.ndarray | None = None
    leads: Leads | None = None

    def ask(name: str) -> Answer | None:
        """The engine's text, if it fails not and writes what it should."""
        try:
            answer = workers[name].generate(prompt, settings.tokens)
            difference = None if reference is None else first_difference(answer.tokens, reference)
        except (WorkerError, ValueError) as error:
            cells[name].refused = str(error)
        else:
            if difference is None:
                return answer
            cells[name].refused = difference.told(leads)
        say(f"{model}, batch {batch}: no speed of {name}: {cells[name].refused}")
        return None

    for name in _reference_first(workers):
        say(f"{model}, batch {batch}: the first text of {name}")
        if (answer := ask(name)) is None:
            continue
        if reference is None:
            reference = answer.tokens
            leads = _leads(workers[name], prompt, reference)
        cells[name].warm_up_seconds.append(answer.span.seconds)
    for _ in range(settings.warm_ups):
        for name in _still_in(cells):
            if (answer := ask(name)) is not None:
                cells[name].warm_up_seconds.append(answer.span.seconds)
    order = random.Random(_SEED)
    for number in range(settings.rounds):
        names = _still_in(cells)
        order.shuffle(names)
        for name in names:
            if (answer := ask(name)) is not None:
                cells[name].seconds.append(answer.span.seconds)
                cells[name].others_cpus.append(answer.span.others_cpus)
        say(f"{model}, batch {batch}: round {number + 1} of {settings.rounds}")
    return _summary(batch, settings.tokens, cells, reference, leads)


def _reference_first(workers: dict[str, Worker]) -> list[str]:
    return sorted(workers, key=lambda name: name != REFERENCE)


def _leads(worker: Worker, prompt: dict[str, np.ndarray], written: np.ndarray) -> Leads | None:
    """What the model says of its own text without a cache.

    Raises:
        WorkerError: it says that it should have written another: then there is no reference.
    """
    if worker.engine != REFERENCE:
        return None
    leads = leads_of(worker.logits(prompt, written))
    difference = first_difference(written, leads.likeliest)
    if difference is not None:
        raise WorkerError(f"{worker.engine} itself, with its cache, differs from what it says without: {difference}")
    return leads


def _still_in(cells: dict[str, Cell]) -> list[str]:
    return [name for name, cell in cells.items() if cell.refused is None]


def _summary(
    batch: int, tokens: int, cells: dict[str, Cell], reference: np.ndarray | None, leads: Leads | None
) -> dict[str, Any]:
    done = _still_in(cells)
    speeds = {name: tokens_a_second(cells[name].seconds, batch * tokens) for name in done}
    return {
        "batch": batch,
        "text": None if reference is None else _text(reference, leads),
        "engines": {name: cell.as_dict(batch * tokens) for name, cell in cells.items()},
        "ratios": {
            name: {other: ratio(speeds[name], speeds[other]) for other in FRAMEWORKS if other in speeds}
            for name in done
            if name not in FRAMEWORKS
        },
    }


def _text(reference: np.ndarray, leads: Leads | None) -> dict[str, Any]:
    """How telling it is that engines agree on a text."""
    told: dict[str, Any] = {"distinct_tokens": [len(set(row.tolist())) for row in reference]}
    if leads is not None:
        told |= {"least_lead": float(f"{leads.lead.min():.3g}"), "largest_logit": float(f"{leads.largest:.3g}")}
    return told
