"""LED's encoder for texts of any length: in transformers 4.57 its attention is a copy of Longformer's code.

Its padding to whole windows is a copy too, with one difference. LED removes the padding with ``[:, :-padding]`` under a
Python condition, because without padding that slice would remove everything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

from tfexport.backends.pytorch.patches.longformer import attention
from tfexport.backends.versions import Versions
from tfexport.processes.patching import PatchingSpec

VERSIONS = Versions("transformers", ">=4.57,<5")

_MODULE = "transformers.models.led.modeling_led"


def specs() -> list[PatchingSpec]:
    """Return the patches if LED is imported."""
    module = sys.modules.get(_MODULE)
    if module is None:
        return []
    encoder = module.LEDEncoder
    return [
        PatchingSpec(encoder, "forward", _padding_outside(encoder.forward)),
        PatchingSpec(encoder, "_pad_to_window_size", _padded_already),
        PatchingSpec(module.LEDEncoderSelfAttention, "forward", attention),
    ]


def _padding_outside(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``LEDEncoder.forward`` between padding and its removal, where the padding may be 0."""

    def padded_forward(
        self: Any,
        input_ids: Any = None,
        attention_mask: Any = None,
        global_attention_mask: Any = None,
        head_mask: Any = None,
        inputs_embeds: Any = None,
        **options: Any,
    ) -> Any:
        if inputs_embeds is not None or head_mask is not None:
            raise ValueError(
                "LED is exported without inputs_embeds and without head_mask: remove them from its inputs."
            )
        length = input_ids.shape[1]
        window = self.config.attention_window
        window = window if isinstance(window, int) else max(window)
        padding = (window - length % window) % window
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)

        def pad(tensor: Any, value: int = 0) -> Any:
            return None if tensor is None else torch.nn.functional.pad(tensor, (0, padding), value=value)

        outputs = forward(
            self,
            input_ids=pad(input_ids, self.config.pad_token_id),
            attention_mask=pad(attention_mask),
            global_attention_mask=pad(global_attention_mask),
            **{**options, "return_dict": True},
        )
        outputs.last_hidden_state = outputs.last_hidden_state[:, :length]
        return outputs

    return padded_forward


def _padded_already(
    self: Any, input_ids: Any, attention_mask: Any, inputs_embeds: Any, pad_token_id: int
) -> tuple[int, Any, Any, Any]:
    return 0, input_ids, attention_mask, inputs_embeds
