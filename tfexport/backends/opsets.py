"""The lowest opset of each converter."""

from __future__ import annotations

from tfexport.errors import OpsetError


def check_opset(converter: str, lowest: int, opset: int) -> None:
    """Refuse an opset that a converter cannot write.

    Args:
        converter: The converter's name in the message.
        lowest: The lowest opset that it writes.
        opset: The requested opset.

    Raises:
        OpsetError: The requested opset is lower.
    """
    if opset < lowest:
        raise OpsetError(
            f"{converter} writes opsets from {lowest}; {opset} was requested. "
            f"Pass --opset {lowest} (opset={lowest}) or a higher one."
        )
