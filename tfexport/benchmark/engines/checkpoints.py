"""A checkpoint loaded by its framework, for the engines that run the framework's own model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

from tfexport.benchmark.engines.base import Engine
from tfexport.benchmark.run_spec import Model, RunSpec
from tfexport.checkpoints.transformers_api import class_named
from tfexport.declarations.onnx_config import OnnxConfig
from tfexport.errors import UnsupportedCheckpointError

if TYPE_CHECKING:
    from tfexport.pipeline.plan import ConfiguredPlan


def plan_of(model: Model, framework: str) -> ConfiguredPlan:
    """Return the plan by which a framework loads the checkpoint of a model.

    Raises:
        UnsupportedCheckpointError: The checkpoint is not one of transformers.
        CheckpointError, FrameworkError, UnsupportedError: It cannot be used.
    """
    # Imported here, because these import onnx: importing an engine's module must not import what an engine imports.
    from tfexport.pipeline.options import export_options
    from tfexport.pipeline.plan import ConfiguredPlan, make_plan

    plan = make_plan(
        model.converted.get(framework) or model.checkpoint or "",
        export_options(feature=model.feature or "default", framework=framework, model_type=model.model_type),
    )
    if not isinstance(plan, ConfiguredPlan):
        raise UnsupportedCheckpointError(
            f"{plan.checkpoint.source} is not a checkpoint of transformers, the only kind that this engine runs. "
            "Measure an exported directory instead."
        )
    return plan


class CheckpointEngine(Engine):
    """An engine that runs the framework's own model."""

    needs_checkpoint = True
    providers = ("cpu", "cuda")
    _spec: RunSpec
    _model: Any
    _config: OnnxConfig

    def _load_checkpoint(self, framework: str, load: Callable[..., Any]) -> None:
        """Load the model of the checkpoint and its declaration.

        Args:
            framework: Framework that loads it.
            load: Function of the backend that returns a `LoadedModel`. It is called with the checkpoint, the name of the
                class and the choice of the framework.
        """
        plan = plan_of(self._spec.model, framework)
        self._config = plan.declared.config
        self._model = load(plan.checkpoint, plan.model_class, plan.choice).model
        if not self._spec.cell.setting.tokens:
            self._prepare()

    def _prepare(self) -> None:
        """Override the configuration's values and patch the ops, as for an export, until the process ends.

        `tfexport.backends.base.prepared` would hold the lock of the process for that long, against the threads of the streams.
        """
        for path, value in (self._config.values_override or {}).items():
            *parts, name = path.split(".")
            setattr(reduce(getattr, parts, self._model.config), name, value)
        self._config.patch_ops()

    @abstractmethod
    def _function(self) -> Callable[[Mapping[str, Any]], Any]:
        """Return the function that a call calls with the framework's tensors by name."""


class WritesText(CheckpointEngine):
    """An engine that writes text by ``generate``, which returns the new tokens after other ones."""

    writes = True
    boundaries = ("host",)

    def _settings(self) -> Any:
        return generation(self._spec.cell.setting.tokens, self._spec.model.start)

    def run(self, fed: Any) -> Any:
        return super().run(fed), tokens_before(self._spec, fed)  # type: ignore[safe-super]  # of the framework's engine


def generation(tokens: int, start: int | None) -> Any:
    """Return settings of ``generate``: greedy, with a cache, exactly so many tokens, and none of the model's own settings.

    Args:
        tokens: Number of new tokens.
        start: First token of a decoder; None for a model that continues its prompt.
    """
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


def tokens_before(spec: RunSpec, prompt: Any) -> int:
    """Return the number of tokens that ``generate`` returns before the new ones: the prompt, or a decoder's first token."""
    return 1 if spec.model.start is not None else int(prompt["input_ids"].shape[1])
