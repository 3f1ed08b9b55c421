"""The tasks: what a model computes, which auto class loads it, and what comes out.

A *feature* is a task, or a task followed by ``-with-past`` (the vocabulary of ``transformers.onnx``). Nothing here
imports a framework; the auto classes are named, and resolved by the backends.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Literal

from tfexport.errors import UnknownFrameworkError, UnsupportedFeatureError

Framework = Literal["pt", "tf"]
Axes = Mapping[int, str]

FRAMEWORKS: tuple[Framework, ...] = ("pt", "tf")
FRAMEWORK_NAMES: dict[Framework, str] = {"pt": "PyTorch", "tf": "TensorFlow"}
WITH_PAST = "-with-past"

_PER_TOKEN = {0: "batch", 1: "sequence"}
_PER_SAMPLE = {0: "batch"}


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: as ``transformers.onnx`` calls it.
        outputs: ordered output names, each with its named axes ``{axis index: axis name}``.
        pt_auto_class: the PyTorch auto class that loads a model for it.
        pt_mapping: the table in ``transformers.models.auto.modeling_auto`` from model type to class name.
        tf_auto_class: the TensorFlow auto class, or None when transformers 4.57 has none.
        tf_mapping: the table in ``transformers.models.auto.modeling_tf_auto``, or None.
    """

    name: str
    outputs: Mapping[str, Axes]
    pt_auto_class: str
    pt_mapping: str
    tf_auto_class: str | None = None
    tf_mapping: str | None = None

    def auto_class(self, framework: Framework) -> str | None:
        """Name of the auto class that loads this task in `framework`; None when transformers has none."""
        return self.pt_auto_class if framework == "pt" else self.tf_auto_class

    def model_class(self, framework: Framework, model_type: str) -> str | None:
        """Name of the class that `framework` has for `model_type`; None when there is none."""
        mapping = self.pt_mapping if framework == "pt" else self.tf_mapping
        if mapping is None:
            return None
        found = _model_classes(framework, mapping).get(normalise(model_type))
        # Some types map to several classes (one a size or a modality): transformers takes the first by default.
        return found[0] if isinstance(found, (tuple, list)) else found


def _task(name: str, auto: str, outputs: Mapping[str, Axes], *, tf: bool = True, mapping: str | None = None) -> Task:
    table = mapping or "MODEL_" + "_".join(_words(auto.removeprefix("AutoModel"))) + "_MAPPING_NAMES"
    return Task(
        name=name,
        outputs=OrderedDict((output, dict(axes)) for output, axes in outputs.items()),
        pt_auto_class=auto,
        pt_mapping=table,
        tf_auto_class=f"TF{auto}" if tf else None,
        tf_mapping=f"TF_{table}" if tf else None,
    )


def _words(camel: str) -> list[str]:
    words: list[str] = []
    for letter in camel:
        if letter.isupper():
            words.append("")
        words[-1] += letter.upper()
    return words


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        _task("default", "AutoModel", {"last_hidden_state": _PER_TOKEN}, mapping="MODEL_MAPPING_NAMES"),
        _task("masked-lm", "AutoModelForMaskedLM", {"logits": _PER_TOKEN}, mapping="MODEL_FOR_MASKED_LM_MAPPING_NAMES"),
        _task("causal-lm", "AutoModelForCausalLM", {"logits": _PER_TOKEN}, mapping="MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"),
        _task(
            "seq2seq-lm",
            "AutoModelForSeq2SeqLM",
            {"logits": {0: "batch", 1: "decoder_sequence"}},
            mapping="MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
        ),
        _task("sequence-classification", "AutoModelForSequenceClassification", {"logits": _PER_SAMPLE}),
        _task("token-classification", "AutoModelForTokenClassification", {"logits": _PER_TOKEN}),
        _task("multiple-choice", "AutoModelForMultipleChoice", {"logits": _PER_SAMPLE}),
        _task(
            "question-answering",
            "AutoModelForQuestionAnswering",
            {"start_logits": _PER_TOKEN, "end_logits": _PER_TOKEN},
        ),
        _task("image-classification", "AutoModelForImageClassification", {"logits": _PER_SAMPLE}),
        _task(
            "image-segmentation",
            "AutoModelForImageSegmentation",
            {"logits": _PER_TOKEN, "pred_boxes": _PER_TOKEN, "pred_masks": _PER_TOKEN},
            tf=False,
        ),
        _task(
            "object-detection",
            "AutoModelForObjectDetection",
            {"logits": _PER_TOKEN, "pred_boxes": _PER_TOKEN},
            tf=False,
        ),
        _task(
            "semantic-segmentation",
            "AutoModelForSemanticSegmentation",
            {"logits": {0: "batch", 1: "num_labels", 2: "height", 3: "width"}},
        ),
        _task(
            "masked-im",
            "AutoModelForMaskedImageModeling",
            {"logits": _PER_TOKEN},
            mapping="MODEL_FOR_MASKED_IMAGE_MODELING_MAPPING_NAMES",
        ),
        _task(
            "vision2seq-lm",
            "AutoModelForVision2Seq",
            {"logits": _PER_TOKEN},
            mapping="MODEL_FOR_VISION_2_SEQ_MAPPING_NAMES",
        ),
        _task(
            "speech2seq-lm",
            "AutoModelForSpeechSeq2Seq",
            {"logits": _PER_TOKEN},
            mapping="MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES",
        ),
    )
}

FEATURES_WITH_PAST = ("default", "causal-lm", "seq2seq-lm", "speech2seq-lm")
AVAILABLE_FEATURES: tuple[str, ...] = tuple(sorted({*TASKS, *(f"{task}{WITH_PAST}" for task in FEATURES_WITH_PAST)}))


def task_of(feature: str) -> Task:
    """The task of a feature.

    Raises:
        UnsupportedFeatureError: no such feature.
    """
    task = TASKS.get(feature.removesuffix(WITH_PAST))
    if task is None:
        raise UnsupportedFeatureError(f"{feature!r} is not a feature. Known features: {', '.join(AVAILABLE_FEATURES)}.")
    return task


def check_framework(framework: object) -> Framework:
    """The framework that a user named, validated.

    Raises:
        UnknownFrameworkError: not "pt" or "tf".
    """
    value = getattr(framework, "value", framework)  # transformers' TensorType and Python strings alike
    if value == "pt":
        return "pt"
    if value == "tf":
        return "tf"
    raise UnknownFrameworkError(f"{framework!r} is not a framework. Expected 'pt' (PyTorch) or 'tf' (TensorFlow).")


def normalise(model_type: str) -> str:
    """A model type as this project spells it: hyphens, never underscores (``gpt_neo`` is ``gpt-neo``)."""
    return model_type.replace("_", "-")


@cache
def _model_classes(framework: Framework, mapping: str) -> dict[str, str]:
    module = "modeling_auto" if framework == "pt" else "modeling_tf_auto"
    table = getattr(import_module(f"transformers.models.auto.{module}"), mapping)
    return {normalise(model_type): name for model_type, name in table.items()}
