"""What a model without a configuration of transformers takes: named tensors, and what a user says about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tfexport.errors import InputsError

Length = int | str | None
"""Of an axis: a number when it is fixed, None when it is dynamic, a name when it is dynamic and called so."""
_DYNAMIC = ("?", "-1", "None", "none", "*")
NCHW = (0, 3, 1, 2)
NHWC = (0, 2, 3, 1)


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a signature.

    Attributes:
        name: as the model calls it.
        dtype: NumPy's name of the dtype that the model wants.
        shape: a length an axis, None for a dynamic one.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join('?' if n is None else str(n) for n in self.shape)}]"


@dataclass(frozen=True)
class SignatureOptions:
    """How a model that declares itself by a signature is read, and what is to be called otherwise.

    Attributes:
        trust: whether code in the model may run: Lambda layers, SavedModels.
        signature: of a SavedModel; None for ``serving_default``, or the only one.
        tag: of a SavedModel's graph; None for ``serve``.
        input_shapes: by input, a length an axis: fixed, dynamic (None), or dynamic under a name.
        axis_names: by input or output, names of dynamic axes by axis.
        inputs_as_nchw: images that the file takes as ``(batch, channels, height, width)``.
        outputs_as_nchw: images that the file gives so.
    """

    trust: bool = False
    signature: str | None = None
    tag: str | None = None
    input_shapes: Mapping[str, tuple[Length, ...]] = field(default_factory=dict)
    axis_names: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    inputs_as_nchw: tuple[str, ...] = ()
    outputs_as_nchw: tuple[str, ...] = ()

    @property
    def given(self) -> tuple[str, ...]:
        """Names of those that are not the default."""
        plain = SignatureOptions()
        return tuple(name for name, value in vars(self).items() if value != getattr(plain, name))

    def as_dict(self) -> dict[str, Any]:
        """For the manifest: what is not the default."""
        return {name: _plain(getattr(self, name)) for name in self.given}


def signature_options(
    *,
    trust: bool = False,
    signature: str | None = None,
    tag: str | None = None,
    input_shapes: Mapping[str, Sequence[Length]] | None = None,
    axis_names: Mapping[str, Mapping[int, str] | Sequence[str | None]] | None = None,
    inputs_as_nchw: Iterable[str] = (),
    outputs_as_nchw: Iterable[str] = (),
) -> SignatureOptions:
    """Options in the forms that are convenient to write: sequences where a mapping by axis is meant.

    Raises:
        InputsError: a length that is neither a positive number, nor None, nor a name; an axis or its name that is none.
    """
    return SignatureOptions(
        trust,
        signature,
        tag,
        {name: tuple(_length(name, each) for each in lengths) for name, lengths in (input_shapes or {}).items()},
        {name: _by_axis(name, names) for name, names in (axis_names or {}).items()},
        tuple(inputs_as_nchw),
        tuple(outputs_as_nchw),
    )


def by_name(texts: Iterable[str], option: str) -> dict[str, list[str]]:
    """``image=1,64,64,3`` as a list of parts by name.

    Raises:
        InputsError: a text of another form, or a name that comes twice.
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        name, equals, parts = text.rpartition("=")
        if not equals or not name:
            raise InputsError(f"{option} {text!r} is not of the form NAME=FIRST,SECOND,... with one entry an axis.")
        if name in found:
            raise InputsError(f"{option} names {name} twice.")
        found[name] = [part.strip() for part in parts.split(",")] if parts else []
    return found


def with_shapes(specs: Sequence[TensorSpec], shapes: Mapping[str, tuple[Length, ...]]) -> tuple[TensorSpec, ...]:
    """Specs with the shapes that a user gave in place of their own.

    Raises:
        InputsError: there is no such input, or the shape contradicts the model's.
    """
    check_names(shapes, [spec.name for spec in specs], "input shape")
    return tuple(_with_shape(spec, shapes[spec.name]) if spec.name in shapes else spec for spec in specs)


def check_names(given: Iterable[str], known: Sequence[str], what: str) -> None:
    """Refuse names that nothing has.

    Raises:
        InputsError: one of `given` is not known.
    """
    unknown = [name for name in given if name not in known]
    if unknown:
        raise InputsError(f"{what} was given for {', '.join(unknown)}; the model has {', '.join(known) or 'none'}.")


def permuted(spec: TensorSpec, order: tuple[int, ...]) -> TensorSpec:
    """A spec with its axes in another order.

    Raises:
        InputsError: it has another number of axes.
    """
    if len(spec.shape) != len(order):
        raise InputsError(f"{spec} is no batch of images: expected four axes (batch, height, width, channels).")
    return replace(spec, shape=tuple(spec.shape[axis] for axis in order))


def _with_shape(spec: TensorSpec, lengths: tuple[Length, ...]) -> TensorSpec:
    fits = len(lengths) == len(spec.shape) and all(
        own is None or not isinstance(asked, int) or own == asked
        for own, asked in zip(spec.shape, lengths, strict=True)
    )
    if not fits:
        told = ", ".join("?" if each is None else str(each) for each in lengths)
        raise InputsError(f"the shape [{told}] was given for the input {spec}, which does not take it.")
    # What the model has fixed stays fixed, whatever is asked.
    shape = tuple(
        own if own is not None else asked if isinstance(asked, int) else None
        for own, asked in zip(spec.shape, lengths, strict=True)
    )
    return replace(spec, shape=shape)


def _length(name: str, value: Length) -> Length:
    text = str(value)
    if value is None or text in _DYNAMIC:
        return None
    if re.fullmatch(r"-?[0-9]+", text):
        if int(text) < 1:
            raise InputsError(f"the length {text} was given for an axis of {name}; expected one or more, or ?.")
        return int(text)
    if not text.isidentifier():
        raise InputsError(f"{text!r} was given for an axis of {name}; expected a number, a name, or ?.")
    return text


def _by_axis(of: str, names: Mapping[int, str] | Sequence[str | None]) -> dict[int, str]:
    items = names.items() if isinstance(names, Mapping) else enumerate(names)
    found = {axis: name for axis, name in items if name and name not in _DYNAMIC}
    for axis, name in found.items():
        if not isinstance(axis, int) or axis < 0:
            raise InputsError(f"{axis!r} was given for an axis of {of}; expected its number, from 0.")
        if not str(name).isidentifier():
            raise InputsError(f"{name!r} was given as the name of an axis of {of}; expected letters, digits and _.")
    return found


def _plain(value: Any) -> Any:
    """For JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
