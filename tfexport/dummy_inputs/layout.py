"""Dummy documents and tables: boxes of words on a page, cells of tokens, and the ``inputs`` of Perceiver."""

from __future__ import annotations

import numpy as np

from tfexport.dummy_inputs import text, vision
from tfexport.dummy_inputs.request import Request

_PAGE = 1000
"""Width and height of a page: boxes are in thousandths of it (LayoutLM, arXiv:1912.13318, section 2.2)."""
_COLUMNS, _ROWS = 3, 4
"""Columns and rows of a dummy table. They are few, so that a cell has several tokens."""
_TABLE_TYPES = 7
"""Number of token types in TAPAS: segment, column, row, previous answer, rank in the column, rank from the end, relation to
the question (arXiv:2004.02349, section 2)."""


def _bbox(request: Request) -> np.ndarray:
    """Return boxes, int64 ``(batch, sequence, 4)``: left, top, right, bottom, with left <= right and top <= bottom."""
    shape = request.sizes.shape({axis: name for axis, name in request.axes.items() if axis < 2}, rank=2)
    limit = min(_PAGE, getattr(request.config, "max_2d_position_embeddings", _PAGE + 1) - 1)
    corners = request.random.integers(0, limit + 1, size=(*shape, 2, 2))
    corners.sort(axis=-2)
    return corners.reshape(*shape, 4)


def _token_type_ids(request: Request) -> np.ndarray:
    """Return token types, int64: ``(batch, sequence, types)`` where the configuration has a size per type, else those of text."""
    sizes = getattr(request.config, "type_vocab_sizes", None)
    return text.GENERATORS["token_type_ids"](request) if sizes is None else _table(request, list(sizes))


def _table(request: Request, sizes: list[int]) -> np.ndarray:
    """Return the token types of a question and the cells of a table. Row 0 is the header; cells have columns from 1."""
    shape = request.sizes.shape(request.axes, rank=2)
    random = request.random
    types = [random.integers(0, size, size=shape) for size in sizes]
    if len(types) == _TABLE_TYPES:
        types[0][:] = 1
        types[1] = random.integers(1, _limit(request, "max_num_columns", _COLUMNS, sizes[1]), size=shape)
        types[2] = random.integers(0, _limit(request, "max_num_rows", _ROWS, sizes[2]), size=shape)
    table = np.stack(types, axis=-1).astype(np.int64)
    table[:, : shape[1] // 4] = 0
    return table


def _limit(request: Request, attribute: str, wanted: int, size: int) -> int:
    return max(2, min(wanted + 1, size, getattr(request.config, attribute, size)))


def _inputs(request: Request) -> np.ndarray:
    """Return token ids where the axes name a sequence, else images."""
    is_text = any("sequence" in label for label in request.axes.values())
    made: np.ndarray = text.GENERATORS["inputs"](request) if is_text else vision.GENERATORS["pixel_values"](request)
    return made


GENERATORS = {"bbox": _bbox, "token_type_ids": _token_type_ids, "inputs": _inputs}
