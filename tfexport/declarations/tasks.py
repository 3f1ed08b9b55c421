"""The tasks: the classes that load a model for one, and the outputs of the model.

A *feature* is a task, or a task followed by ``-with-past`` (the vocabulary of ``transformers.onnx``). Nothing here
imports a framework: auto classes are named here, and the backends resolve them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from tfexport.checkpoints.framework import Framework
from tfexport.checkpoints.transformers_api import model_table
from tfexport.dummy_inputs.sizes import Axes
from tfexport.errors import UnsupportedFeatureError

WITH_PAST = "-with-past"

_PER_TOKEN = {0: "batch", 1: "sequence"}
_PER_SAMPLE = {0: "batch"}


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: Name of the task in ``transformers.onnx``.
        outputs: Names of the outputs in their order, each with its named axes ``{axis index: axis name}``.
        pt_auto_class: PyTorch auto class that loads a model for the task.
        pt_mapping: Table in ``transformers.models.auto.modeling_auto`` from model type to class name.
        tf_auto_class: TensorFlow auto class; None when transformers 4.57 lacks one.
        tf_mapping: Table in ``transformers.models.auto.modeling_tf_auto``; None when transformers 4.57 lacks one.
    """

    name: str
    outputs: Mapping[str, Axes]
    pt_auto_class: str
    pt_mapping: str
    tf_auto_class: str | None = None
    tf_mapping: str | None = None

    def auto_class(self, framework: Framework) -> str | None:
        """Return the name of the auto class that loads this task in `framework`; None when transformers lacks one."""
        return self.pt_auto_class if framework == "pt" else self.tf_auto_class

    def model_classes(self, framework: Framework, model_type: str) -> tuple[str, ...]:
        """Return the names of the classes that `framework` has for `model_type`. The auto class chooses the first."""
        mapping = self.pt_mapping if framework == "pt" else self.tf_mapping
        return () if mapping is None else _model_classes(framework, mapping).get(normalise(model_type), ())


def _task(name: str, auto: str, table: str, outputs: Mapping[str, Axes], *, tf: bool = True) -> Task:
    mapping = f"MODEL_{table}MAPPING_NAMES"
    return Task(
        name=name,
        outputs=OrderedDict((output, dict(axes)) for output, axes in outputs.items()),
        pt_auto_class=f"AutoModel{auto}",
        pt_mapping=mapping,
        tf_auto_class=f"TFAutoModel{auto}" if tf else None,
        tf_mapping=f"TF_{mapping}" if tf else None,
    )


_LOGITS_PER_TOKEN = {"logits": _PER_TOKEN}
_LOGITS_PER_SAMPLE = {"logits": _PER_SAMPLE}
_LOGITS_PER_CHOICE = {"logits": {0: "batch", 1: "choice"}}
_SPAN = {"start_logits": _PER_TOKEN, "end_logits": _PER_TOKEN}
_DECODER_LOGITS = {"logits": {0: "batch", 1: "decoder_sequence"}}
_BOXES = {"logits": _PER_TOKEN, "pred_boxes": _PER_TOKEN}
_MAPS = {"logits": {0: "batch", 1: "num_labels", 2: "height", 3: "width"}}

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        _task("default", "", "", {"last_hidden_state": _PER_TOKEN}),
        _task("masked-lm", "ForMaskedLM", "FOR_MASKED_LM_", _LOGITS_PER_TOKEN),
        _task("causal-lm", "ForCausalLM", "FOR_CAUSAL_LM_", _LOGITS_PER_TOKEN),
        _task("seq2seq-lm", "ForSeq2SeqLM", "FOR_SEQ_TO_SEQ_CAUSAL_LM_", _DECODER_LOGITS),
        _task(
            "sequence-classification", "ForSequenceClassification", "FOR_SEQUENCE_CLASSIFICATION_", _LOGITS_PER_SAMPLE
        ),
        _task("token-classification", "ForTokenClassification", "FOR_TOKEN_CLASSIFICATION_", _LOGITS_PER_TOKEN),
        _task("multiple-choice", "ForMultipleChoice", "FOR_MULTIPLE_CHOICE_", _LOGITS_PER_CHOICE),
        _task("question-answering", "ForQuestionAnswering", "FOR_QUESTION_ANSWERING_", _SPAN),
        _task("image-classification", "ForImageClassification", "FOR_IMAGE_CLASSIFICATION_", _LOGITS_PER_SAMPLE),
        _task(
            "image-segmentation",
            "ForImageSegmentation",
            "FOR_IMAGE_SEGMENTATION_",
            _BOXES | {"pred_masks": _PER_TOKEN},
            tf=False,
        ),
        _task("object-detection", "ForObjectDetection", "FOR_OBJECT_DETECTION_", _BOXES, tf=False),
        _task("semantic-segmentation", "ForSemanticSegmentation", "FOR_SEMANTIC_SEGMENTATION_", _MAPS),
        _task("masked-im", "ForMaskedImageModeling", "FOR_MASKED_IMAGE_MODELING_", _LOGITS_PER_TOKEN),
        _task("vision2seq-lm", "ForVision2Seq", "FOR_VISION_2_SEQ_", _LOGITS_PER_TOKEN),
        _task("speech2seq-lm", "ForSpeechSeq2Seq", "FOR_SPEECH_SEQ_2_SEQ_", _LOGITS_PER_TOKEN),
        # Tasks that transformers.onnx did not know.
        _task("text-encoding", "ForTextEncoding", "FOR_TEXT_ENCODING_", {"last_hidden_state": _PER_TOKEN}),
        _task("document-question-answering", "ForDocumentQuestionAnswering", "FOR_DOCUMENT_QUESTION_ANSWERING_", _SPAN),
        _task(
            "table-question-answering", "ForTableQuestionAnswering", "FOR_TABLE_QUESTION_ANSWERING_", _LOGITS_PER_TOKEN
        ),
        _task(
            "next-sentence-prediction",
            "ForNextSentencePrediction",
            "FOR_NEXT_SENTENCE_PREDICTION_",
            _LOGITS_PER_SAMPLE,
        ),
        _task("audio-classification", "ForAudioClassification", "FOR_AUDIO_CLASSIFICATION_", _LOGITS_PER_SAMPLE),
        _task("ctc", "ForCTC", "FOR_CTC_", _LOGITS_PER_TOKEN, tf=False),
        _task(
            "mask-generation",
            "ForMaskGeneration",
            "FOR_MASK_GENERATION_",
            {"iou_scores": _PER_SAMPLE, "pred_masks": _PER_SAMPLE},
        ),
        _task("pretraining", "ForPreTraining", "FOR_PRETRAINING_", _LOGITS_PER_TOKEN),
    )
}

SYNONYMS: dict[str, tuple[str, ...]] = {
    "feature-extraction": ("default",),
    "fill-mask": ("masked-lm",),
    "text-generation": ("causal-lm",),
    "text2text-generation": ("seq2seq-lm",),
    "text-classification": ("sequence-classification",),
    "image-to-text": ("vision2seq-lm",),
    "image-text-to-text": ("vision2seq-lm",),
    "automatic-speech-recognition": ("speech2seq-lm", "ctc"),
    "zero-shot-image-classification": ("default",),
    "masked-image-modeling": ("masked-im",),
}
"""Optimum's names of tasks, each with the tasks that it may mean: the first that a model type has."""

GENERATING = ("causal-lm", "seq2seq-lm", "speech2seq-lm", "vision2seq-lm")
"""Tasks that generate text token by token, and need a key-value cache for it."""
FEATURES_WITH_PAST = ("default", *GENERATING)
AVAILABLE_FEATURES: tuple[str, ...] = tuple(sorted({*TASKS, *(f"{task}{WITH_PAST}" for task in FEATURES_WITH_PAST)}))


def canonical(feature: str, among: Collection[str] = ()) -> str:
    """Return this project's name of a feature. Optimum's names are synonyms.

    Args:
        feature: A feature, or a synonym of one; either may end in ``-with-past``.
        among: Features of a model type, which choose between two meanings of a synonym.
    """
    task, past = feature.removesuffix(WITH_PAST), WITH_PAST if feature.endswith(WITH_PAST) else ""
    meanings = [f"{meant}{past}" for meant in SYNONYMS.get(task, (task,))]
    return next((meant for meant in meanings if meant in among), meanings[0])


def task_of(feature: str) -> Task:
    """Return the task of a feature, or of a synonym of one.

    Raises:
        UnsupportedFeatureError: The feature does not exist.
    """
    task = TASKS.get(canonical(feature).removesuffix(WITH_PAST))
    if task is None:
        raise UnsupportedFeatureError(
            f"{feature!r} is not a feature. Known features: {', '.join(AVAILABLE_FEATURES)}. "
            f"Synonyms: {', '.join(SYNONYMS)}."
        )
    return task


def normalise(model_type: str) -> str:
    """Return a model type in this project's spelling: hyphens, never underscores (``gpt_neo`` is ``gpt-neo``)."""
    return model_type.replace("_", "-")


@cache
def _model_classes(framework: Framework, mapping: str) -> dict[str, tuple[str, ...]]:
    return {
        normalise(model_type): (names,) if isinstance(names, str) else tuple(names)
        for model_type, names in model_table(framework, mapping).items()
    }
