"""The size of the model that a configuration describes, held against the weight files before anything is allocated.

A configuration is a few hundred bytes and can describe a model of any size. The files hold at most one value per byte, and a
layer takes room in them for its weights and their names. So `check_size` estimates, from the sizes that a configuration names,
the values of the weights and tables that a framework would make: rows of a table times the width of the model, and for each
layer the width times the widths within it. The model may be some times larger than the files say, since layers can share
weights, weights can be tied, and heads can be new. A model below `_SMALLEST_LIMIT` values is never refused.

The estimate errs downwards. It counts only sizes of which the name is known, so that a field that sizes nothing, such as the
number of positions of rotary embeddings or a theta, refuses no checkpoint.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfexport.checkpoints.checkpoint import Checkpoint
from tfexport.checkpoints.framework import FrameworkChoice
from tfexport.errors import MismatchedWeightsError

_SMALLEST_LIMIT = 2**27
"""Values of a model that any machine holds: half a gigabyte in float32."""
_VALUES_PER_BYTE = 8
"""Times that a model may be larger than its files: 32 times for float32."""
_FEWEST_LAYERS = 256
_BYTES_PER_LAYER = 512
"""Bytes of a file that a layer takes at least, its weights and their names together. Layers that share weights are few."""

_WIDTHS = ("hidden_size", "d_model", "n_embd", "dim", "emb_dim")
_LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers")
"""Names of one number: transformers keeps it under several of them."""
_FURTHER_LAYERS = (
    *(
        "decoder_layers",
        "num_decoder_layers",
        "l_layers",
        "x_layers",
        "r_layers",
        "num_conv_layers",
        "num_feedforward_networks",
    ),
    *("depths", "depth", "block_sizes", "num_blocks", "num_block_repeats", "n_attn_blocks", "iou_head_depth"),
    *("num_hidden_groups", "inner_group_num"),
)
_ROWS = (
    *(
        "vocab_size",
        "type_vocab_size",
        "entity_vocab_size",
        "additional_vocab_size",
        "num_labels",
        "n_langs",
        "task_type_vocab_size",
        "type_vocab_sizes",
    ),
    *("max_2d_position_embeddings", "max_encoder_position_embeddings", "max_decoder_position_embeddings"),
    *("max_source_positions", "max_target_positions", "relative_attention_num_buckets", "num_conv_pos_embeddings"),
    *("num_queries", "num_latents", "num_detection_tokens", "num_mel_bins"),
)
_POSITIONS = ("max_position_embeddings", "n_positions")
"""Rows of a table, unless the positions are rotary."""
_ACTIVATIONS = ("activation_function", "afn")
"""Fields of the kin of GPT-2 which others with ``n_positions`` (CTRL, T5) do not have."""
_WITHIN = (
    *("intermediate_size", "ffn_dim", "d_ff", "dff", "d_inner", "n_inner", "hidden_dim", "mlp_dim", "embedding_size"),
    *("encoder_ffn_dim", "decoder_ffn_dim", "decoder_hidden_size", "decoder_intermediate_size", "pooler_hidden_size"),
    *("num_attention_heads", "num_key_value_heads", "num_heads", "n_head", "d_kv", "d_head", "projection_dim"),
    *("input_embedding_size", "intra_bottleneck_size", "coordinate_size", "shape_size", "true_hidden_size"),
)
"""Widths within a layer."""
_OTHER_WIDTHS = (
    *(
        "hidden_sizes",
        "embed_dims",
        "embed_dim",
        "conv_dim",
        "neck_hidden_sizes",
        "num_channels",
        "in_channels",
        "out_channels",
    ),
    *(
        "d_latents",
        "hidden_dim",
        "iou_head_hidden_dim",
        "mask_input_channels",
        "conv_channels",
        "input_channels",
        "key_dim",
    ),
    *(
        "base_attn_unit_dims",
        "groups_width",
        "min_depth",
        "depth_divisible_by",
        "depth_divisor",
        "input_feat_per_channel",
    ),
)
"""Widths of models, or of parts of them, that have no single one."""
_RATIOS = (
    *(
        "mlp_ratio",
        "mlp_ratios",
        "mlp_expansion_ratio",
        "expand_ratio",
        "expand_ratios",
        "attention_ratio",
        "ffn_multiplier",
    ),
    *("cross_attention_widening_factor", "self_attention_widening_factor", "conv_kernel_size", "conv_kernel"),
)
"""Factors of a width within a layer, or lengths of a convolution over a text."""
_KERNELS = (
    "patch_size",
    "patch_sizes",
    "kernel_size",
    "kernel_sizes",
    "kernel_qkv",
    "down_patch_size",
    "downsample_patch_size",
)
"""Lengths of both sides of a convolution."""


def check_size(checkpoint: Checkpoint, choice: FrameworkChoice) -> None:
    """Refuse a configuration that describes a model far larger than the weight files.

    Raises:
        MismatchedWeightsError: The model would be many times as large as the files that are to fill it.
    """
    found = checkpoint.weights_of(choice.weights) if choice.weights is not None else None
    if found is None:  # a hub id that is not in the local cache
        return
    held = sum(file.stat().st_size for file in found.files)
    layers, values = layers_and_values(checkpoint.config)
    if layers > max(_FEWEST_LAYERS, held // _BYTES_PER_LAYER):
        raise _mismatch(checkpoint, f"{layers:,} layers", held, found.files)
    if values > max(_SMALLEST_LIMIT, held * _VALUES_PER_BYTE):
        raise _mismatch(checkpoint, f"at least {values:,} values", held, found.files)


def layers_and_values(config: Any) -> tuple[int, int]:
    """Return the number of layers of a model and a low estimate of the number of its values, by its configuration."""
    parts = [_Part(each) for each in _parts(config)]
    widest = max(part.width for part in parts)
    parts = [_Part(part.config, widest) for part in parts]
    return sum(part.layers for part in parts), sum(part.values for part in parts)


def _mismatch(checkpoint: Checkpoint, what: str, held: int, files: tuple[Path, ...]) -> MismatchedWeightsError:
    return MismatchedWeightsError(
        f"the config.json of {checkpoint.source} describes a model of {what}, and its weight files ({files[-1].name}) have "
        f"{held:,} bytes, so that they cannot be those of the model. Expected sizes (number of layers, vocab_size, hidden sizes, "
        "positions) that fit the weights: fetch or save both again."
    )


def _parts(config: Any) -> Iterator[Any]:
    """Yield a configuration and all that are nested in it."""
    yield config
    for value in (config if isinstance(config, Mapping) else vars(config)).values():
        if isinstance(value, Mapping) or hasattr(value, "to_dict"):
            yield from _parts(value)


class _Part:
    """The sizes of one configuration, without those nested in it."""

    def __init__(self, config: Any, outer_width: int = 0) -> None:
        """Make the sizes.

        Args:
            config: The configuration.
            outer_width: Width for a configuration that names none: CLIP's projection is as wide as its parts.
        """
        self.config = config
        self._outer_width = outer_width

    @property
    def width(self) -> int:
        """Width of the model; 0 where the configuration names none."""
        return max(map(self._total, _WIDTHS))

    @property
    def layers(self) -> int:
        """Number of layers."""
        return max(map(self._total, _LAYERS)) + sum(map(self._total, _FURTHER_LAYERS))

    @property
    def values(self) -> int:
        """Low estimate of the number of values."""
        width = self.width or self._outer_width
        positions, grid = self._positions(), self._grid()
        tables = sum(map(self._total, _ROWS)) + positions + grid**2 + max(map(self._largest, _KERNELS)) ** 2
        layers = width * (width + sum(map(self._total, _WITHIN))) * max(self.layers, 1)
        widest = max(map(self._largest, _OTHER_WIDTHS))
        widened = max(map(self._largest, _RATIOS)) * max(width, widest) ** 2
        return width * tables + layers + widest**2 + widened + self._masks(positions) + self._relative(grid)

    def _positions(self) -> int:
        rotary = (
            not isinstance(self.config, Mapping) and "rope_theta" in inspect.signature(type(self.config)).parameters
        )
        return 0 if rotary else max(map(self._total, _POSITIONS))

    def _masks(self, positions: int) -> int:
        """Return the size of the causal masks, in bytes, that GPT-2 and its kin make in each layer."""
        of_gpt = self._get("n_positions") is not None and any(self._get(name) is not None for name in _ACTIVATIONS)
        makes = of_gpt or self._get("attention_types") is not None
        return positions**2 // 4 * max(self.layers, 1) if makes else 0

    def _grid(self) -> int:
        """Return the number of patches along an image."""
        image, patch = self._largest("image_size"), self._smallest("patch_size")
        return image // patch if patch > 0 else 0

    def _relative(self, grid: int) -> int:
        """Return the size of the index of relative positions: of all patches, or of those in a window."""
        window = self._largest("window_size") if self._get("patch_size") is not None else 0
        return window**4 + (grid**4 if self._get("use_relative_position_bias") is not None else 0)

    def _get(self, name: str) -> Any:
        return self.config.get(name) if isinstance(self.config, Mapping) else getattr(self.config, name, None)

    def _total(self, name: str) -> int:
        return sum(self._numbers(name))

    def _largest(self, name: str) -> int:
        return max(self._numbers(name), default=0)

    def _smallest(self, name: str) -> int:
        return min(self._numbers(name), default=0)

    def _numbers(self, name: str) -> list[int]:
        value = self._get(name)
        values = value if isinstance(value, (list, tuple)) else [value]
        numbers = (each for each in values if isinstance(each, (int, float)) and not isinstance(each, bool))
        return [int(each) for each in numbers if 0 < each < math.inf]
