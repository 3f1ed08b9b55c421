"""A checkpoint loaded by its framework, for the engines that run it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tfexport.benchmark.engines.base import Engine
from tfexport.benchmark.work import Work
from tfexport.checkpoints.transformers_api import class_named

if TYPE_CHECKING:
    from tfexport.backends.base import LoadedModel
    from tfexport.checkpoints.checkpoint import Checkpoint
    from tfexport.checkpoints.framework import FrameworkChoice


class LoadedCheckpoint:
    """The framework's model of a checkpoint, its declaration, and the values that the declaration overrides.

    Args:
        work: what is run.
        framework: that loads it.
        load: from the checkpoint, the class's name and the choice of framework to the loaded model.
    """

    def __init__(
        self, work: Work, framework: str, load: Callable[[Checkpoint, str, FrameworkChoice], LoadedModel]
    ) -> None:
        from tfexport.backends.base import prepared  # here: what an engine's module imports is not timed
        from tfexport.pipeline.options import export_options
        from tfexport.pipeline.plan import make_plan

        plan = make_plan(
            work.model.converted.get(framework) or work.model.checkpoint or "",
            export_options(feature=work.model.feature or "default", framework=framework),
        )
        self.config = plan.config
        self.model: Any = load(plan.checkpoint, plan.model_class, plan.choice).model
        self.context = ExitStack()
        if not work.cell.setting.tokens:  # as when it was exported, for as long as it is run
            self.context.enter_context(prepared(self.model, self.config))


class CheckpointEngine(Engine):
    """An engine that runs the framework's own model."""

    needs_checkpoint = True
    providers = ("cpu", "cuda")
    _work: Work

    @abstractmethod
    def _made(self, loaded: LoadedCheckpoint) -> Callable[[Mapping[str, Any]], Any]:
        """What a call calls, with the framework's tensors by name."""


class WritesText(CheckpointEngine):
    """Such an engine that writes text by ``generate``, whose new tokens stand behind others."""

    writes = True
    boundaries = ("host",)

    def _settings(self) -> Any:
        return generation(self._work.cell.setting.tokens, self._work.model.start)

    def run(self, fed: Any) -> Any:
        return super().run(fed), before(self._work, fed)  # type: ignore[safe-super]  # of the framework's engine


def generation(tokens: int, start: int | None) -> Any:
    """Greedy, with a cache, and as many tokens as are asked for: nothing of the model's own settings."""
    return class_named("GenerationConfig")(
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        do_sample=False,
        num_beams=1,
        use_cache=True,
        decoder_start_token_id=start,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
    )


def before(work: Work, prompt: Any) -> int:
    """Tokens that ``generate`` returns before the new ones: the prompt, or a decoder's first token."""
    return 1 if work.model.start is not None else int(prompt["input_ids"].shape[1])
