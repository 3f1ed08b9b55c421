"""Deviations from ``transformers.onnx``: each is a change to the seed's names and axes, with its reason.

A rule takes the ports that the seed declares and returns the right ones. The rules apply in this order. A rule that changes
nothing is stale, and a test fails.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

Ports = dict[str, dict[int, str]]

ONE_SIZE = frozenset(
    [
        "chinese-clip",
        "clip",
        "data2vec-vision",
        "deit",
        "groupvit",
        "layoutlmv3",
        "levit",
        "owlvit",
        "pvt",
        "vit",
    ]
)
"""Types that have position embeddings, or windows, for images of one size."""
MAPS = frozenset(
    [
        "convnext",
        "efficientnet",
        "mobilenet-v1",
        "mobilenet-v2",
        "mobilevit",
        "mobilevitv2",
        "poolformer",
        "resnet",
        "segformer",
        "swiftformer",
    ]
)
"""Types whose last hidden state is a map ``(batch, channels, height, width)``."""
MASKED = frozenset(["conditional-detr", "detr", "table-transformer"])
"""Types that detect one object per query, and take a mask of pixels."""
DUAL = frozenset(["chinese-clip", "clip", "groupvit", "owlvit"])
"""Types that compare texts with images."""
T5_LIKE = frozenset(["longt5", "mt5", "t5"])
DECODER_ONLY = frozenset(["bart", "bigbird-pegasus", "blenderbot", "blenderbot-small", "marian", "mbart"])
"""Encoder-decoders whose decoder is also exported as a model of its own."""
SEQ2SEQ = DECODER_ONLY | T5_LIKE | {"m2m-100", "whisper"}
WITH_PAST = tuple(f"{task}-with-past" for task in ("default", "causal-lm", "seq2seq-lm", "speech2seq-lm"))
BART_LIKE = frozenset(["bart", "bigbird-pegasus", "mbart", "plbart"])

_MAP = {0: "batch", 2: "feature_height", 3: "feature_width"}
_TEXT = {0: "batch", 1: "sequence"}
_ENCODER = {0: "batch", 1: "encoder_sequence"}
_DECODER = {0: "batch", 1: "decoder_sequence"}
_SEQ2SEQ_INPUTS: Ports = {
    "input_ids": _ENCODER,
    "attention_mask": _ENCODER,
    "decoder_input_ids": _DECODER,
    "decoder_attention_mask": _DECODER,
}
_CHOICES = {0: "batch", 1: "choice", 2: "sequence"}


@dataclass(frozen=True)
class Rule:
    """One deviation.

    Attributes:
        reason: Reason why the seed is wrong.
        side: "inputs" or "outputs".
        change: Function from the seed's ports to the right ports.
        types: Model types that the rule concerns; None for all.
        features: Features that the rule concerns; None for all.
    """

    reason: str
    side: str
    change: Callable[[Ports], Ports]
    types: Collection[str] | None = None
    features: Collection[str] | None = None

    def apply(self, model_type: str, feature: str, side: str, ports: Ports) -> Ports:
        """Return the right ports; the same ones when the rule does not concern them."""
        concerned = side == self.side
        concerned = concerned and (self.types is None or model_type in self.types)
        concerned = concerned and (self.features is None or feature in self.features)
        return self.change(ports) if concerned else ports


def _without(*labels: str, of: Collection[str] | None = None) -> Callable[[Ports], Ports]:
    """Make axes with these names static, in these ports only."""
    return lambda ports: {
        name: {
            axis: label for axis, label in axes.items() if label not in labels or (of is not None and name not in of)
        }
        for name, axes in ports.items()
    }


def _set(**changed: dict[int, str]) -> Callable[[Ports], Ports]:
    """Set the axes of these ports where they exist."""
    return lambda ports: {name: changed.get(name, axes) for name, axes in ports.items()}


def _are(ports: Ports) -> Callable[[Ports], Ports]:
    """Return exactly these ports."""
    return lambda _: ports


def _renamed(old: str, new: str) -> Callable[[Ports], Ports]:
    return lambda ports: {
        name: {axis: new if label == old else label for axis, label in axes.items()} for name, axes in ports.items()
    }


def past_has_its_own_length(ports: Ports) -> Ports:
    """Give the past a length of its own: that of the tokens in the cache."""
    return {
        name: {
            axis: label.removesuffix(" + sequence") if name.startswith("past_key_values") else label
            for axis, label in axes.items()
        }
        for name, axes in ports.items()
    }


def _one_layout(ports: Ports) -> Ports:
    return {
        name: ports[name[: -len("value")] + "key"] if name.endswith(".value") else axes for name, axes in ports.items()
    }


def _every_layer(ports: Ports) -> Ports:
    """Add the third layer of the tiny decoders to the two of their encoders."""
    added = {name.replace(".1.", ".2."): axes for name, axes in ports.items() if ".1." in name}
    return ports | added


RULES: tuple[Rule, ...] = (
    Rule("the weights fix the number of channels: no file accepts another", "inputs", _without("num_channels")),
    Rule(
        "the model has positions or windows for images of one size, and refuses others",
        "inputs",
        _without("height", "width"),
        types=ONE_SIZE,
    ),
    Rule(
        "images of one size all have the same number of patches",
        "outputs",
        _without("sequence"),
        types=ONE_SIZE - DUAL - {"layoutlmv3"},
    ),
    Rule(
        "logits of a classification are (batch, num_labels), not (batch, sequence)",
        "outputs",
        _without("sequence"),
        features=("image-classification",),
    ),
    Rule(
        "the model takes images of any size; the seed's axes are static",
        "inputs",
        _set(pixel_values={0: "batch", 2: "height", 3: "width"}),
        types=("mobilenet-v1", "mobilenet-v2"),
    ),
    Rule(
        "the last hidden state is a map (batch, channels, height, width): its axis 1 is static, 2 and 3 are not",
        "outputs",
        _set(last_hidden_state=_MAP),
        types=MAPS,
    ),
    Rule(
        "the number of labels is static, and the map is smaller than the image, whose axis names the seed uses",
        "outputs",
        _are({"logits": _MAP}),
        features=("semantic-segmentation",),
    ),
    Rule(
        "the mask has the image's size",
        "inputs",
        _set(pixel_mask={0: "batch", 1: "height", 2: "width"}),
        types=MASKED,
    ),
    Rule(
        "the number of queries is static",
        "outputs",
        _without("sequence"),
        types=MASKED,
    ),
    Rule(
        "the number of queries is static",
        "outputs",
        _without("sequence"),
        types=("yolos",),
        features=("object-detection",),
    ),
    Rule("masks have the size of a feature map", "outputs", _set(pred_masks=_MAP), features=("image-segmentation",)),
    Rule(
        "the numbers of texts and of images are independent: two batches",
        "inputs",
        _set(
            input_ids={0: "text_batch", 1: "sequence"},
            attention_mask={0: "text_batch", 1: "sequence"},
            pixel_values={0: "image_batch"},
        ),
        types=DUAL,
    ),
    Rule(
        "every image is compared with every text: both axes of the logits are dynamic",
        "outputs",
        _set(
            logits_per_image={0: "image_batch", 1: "text_batch"},
            logits_per_text={0: "text_batch", 1: "image_batch"},
            text_embeds={0: "text_batch"},
            image_embeds={0: "image_batch"},
        ),
        types=DUAL,
    ),
    Rule(
        "the hidden states of the image's patches follow those of the text",
        "outputs",
        _set(last_hidden_state={0: "batch", 1: "sequence_and_patches"}),
        types=("layoutlmv3",),
    ),
    Rule(
        "the declaration, never registered there, lacks the decoder's inputs",
        "inputs",
        _are(_SEQ2SEQ_INPUTS),
        types=("plbart",),
        features=("default", "seq2seq-lm", "sequence-classification"),
    ),
    Rule(
        "a decoder-only task has no encoder",
        "inputs",
        _renamed("encoder_sequence", "sequence"),
        features=("causal-lm", "causal-lm-with-past"),
    ),
    Rule(
        "the decoder's states are read at the end of the encoder's ids: both have the same length",
        "inputs",
        _renamed("decoder_sequence", "encoder_sequence"),
        types=BART_LIKE,
        features=("sequence-classification",),
    ),
    Rule(
        "the logits have the decoder's length",
        "outputs",
        _renamed("sequence", "decoder_sequence"),
        types=BART_LIKE - {"plbart"},
        features=("question-answering",),
    ),
    Rule(
        "the declaration, never registered there, has one list of outputs for every task",
        "outputs",
        _are({"last_hidden_state": _DECODER}),
        types=("plbart",),
        features=("default",),
    ),
    Rule(
        "the declaration, never registered there, has one list of outputs for every task",
        "outputs",
        _are({"logits": _DECODER}),
        types=("plbart",),
        features=("seq2seq-lm",),
    ),
    Rule(
        "the declaration, never registered there, has one list of outputs for every task",
        "outputs",
        _are({"logits": _TEXT}),
        types=("plbart",),
        features=("causal-lm",),
    ),
    Rule(
        "the declaration, never registered there, has one list of outputs for every task",
        "outputs",
        _are({"logits": {0: "batch"}}),
        types=("plbart",),
        features=("sequence-classification",),
    ),
    Rule(
        "each choice has one logit, and the number of choices is dynamic: the seed fixes the traced number",
        "outputs",
        _set(logits={0: "batch", 1: "choice"}),
        features=("multiple-choice",),
    ),
    Rule(
        "the seed overwrites the choices' axes by those of a single sentence (tests/onnx/test_peer_bugs.py, bug 13)",
        "inputs",
        _are(dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), _CHOICES)),
        types=("roformer",),
        features=("multiple-choice",),
    ),
    Rule(
        "the encoder's positions fix the number of frames, and the weights fix the mel bins",
        "inputs",
        _set(input_features={0: "batch"}),
        types=("whisper",),
    ),
    Rule(
        "the model fails with task types of several choices (ErnieForMultipleChoice does not join them with the batch)",
        "inputs",
        _are(dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), _CHOICES)),
        types=("ernie",),
        features=("multiple-choice",),
    ),
    Rule(
        "the input is an image, and the model takes no mask of it",
        "inputs",
        _are({"inputs": {0: "batch"}}),
        types=("perceiver",),
        features=("image-classification",),
    ),
    Rule(
        "the number of logits is that of the decoder's positions, for inputs of any length",
        "outputs",
        _without("sequence"),
        types=("perceiver",),
    ),
    # With past.
    Rule("key and value have one layout, since transformers 4.44", "inputs", _one_layout, types=("bloom",)),
    Rule(
        "a past and a mask over past and new tokens have two lengths and need two names: ONNX Runtime plans memory by names",
        "inputs",
        past_has_its_own_length,
        features=("default-with-past", "causal-lm-with-past"),
    ),
    Rule(
        "rows that are padded on the left need positions, which these models do not derive from the mask",
        "inputs",
        lambda ports: {**ports, "position_ids": _TEXT} if any(name.startswith("past") for name in ports) else ports,
        types=("gpt-neo", "gpt2", "gptj"),
    ),
    Rule(
        "the mask covers past and new tokens",
        "inputs",
        _set(attention_mask={0: "batch", 1: "past_sequence + sequence"}),
        types=DECODER_ONLY,
        features=("causal-lm-with-past",),
    ),
    Rule(
        "the encoder's mask covers the encoder's input, which has no past",
        "inputs",
        _set(attention_mask=_ENCODER),
        types=T5_LIKE,
        features=("default-with-past", "seq2seq-lm-with-past"),
    ),
    Rule(
        "every layer of the decoder has a cache, also where the encoder has fewer layers",
        "inputs",
        _every_layer,
        types=SEQ2SEQ - {"blenderbot"},
        features=WITH_PAST,
    ),
    Rule(
        "every layer of the decoder has a cache, also where the encoder has fewer layers",
        "outputs",
        _every_layer,
        types=SEQ2SEQ,
        features=WITH_PAST,
    ),
)
