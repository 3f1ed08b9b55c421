"""The signature of a model that has no configuration of transformers: its named tensors, and what a user says of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, TypedDict, Unpack

from tfexport.errors import InputsError
from tfexport.keywords import Reader, flag, name_text, names, not_valid, optional, read_keywords, shown
from tfexport.text import shortened

Length = int | str | None
"""Length of an axis: a number for a fixed one, None for a dynamic one, a name for a dynamic one of that name."""
_DYNAMIC = ("?", "-1", "None", "none", "*")
_LONGEST = 2**31 - 1
"""Length that an axis may have: more elements along one axis no runtime addresses."""
_DIGITS = 40
NCHW = (0, 3, 1, 2)
NHWC = (0, 2, 3, 1)


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a signature.

    Attributes:
        name: Name of the tensor in the model.
        dtype: NumPy's name of the dtype that the model wants.
        shape: Length of each axis, None for a dynamic one.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join('?' if n is None else str(n) for n in self.shape)}]"


@dataclass(frozen=True)
class SignatureOptions:
    """How a model that declares itself by a signature is read, and which of its axes get other names or lengths.

    Attributes:
        trust: Whether code in the model may run: Lambda layers, SavedModels.
        signature: Name of a SavedModel's signature; None for ``serving_default``, or the only one.
        tag: Tag of a SavedModel's graph; None for ``serve``.
        input_shapes: Lengths of the axes of an input, by its name: fixed, dynamic (None), or dynamic under a name.
        axis_names: Names of dynamic axes, by input or output and by axis.
        inputs_as_nchw: Names of the images that the file takes as ``(batch, channels, height, width)``.
        outputs_as_nchw: Names of the images that the file returns as ``(batch, channels, height, width)``.
    """

    trust: bool = False
    signature: str | None = None
    tag: str | None = None
    input_shapes: Mapping[str, tuple[Length, ...]] = field(default_factory=dict)
    axis_names: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    inputs_as_nchw: tuple[str, ...] = ()
    outputs_as_nchw: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of the options that are not at their default."""
        default = SignatureOptions()
        return tuple(name for name, value in vars(self).items() if value != getattr(default, name))

    def as_dict(self) -> dict[str, Any]:
        """Return the changed options for JSON."""
        return {name: _as_json(getattr(self, name)) for name in self.changed}


class SignatureKeywords(TypedDict, total=False):
    """The keywords of `signature_options`: the fields of `SignatureOptions`, in the forms that are convenient to write."""

    trust: bool
    signature: str | None
    tag: str | None
    input_shapes: Mapping[str, Sequence[Length]] | None
    axis_names: Mapping[str, Mapping[int, str] | Sequence[str | None]] | None
    inputs_as_nchw: Iterable[str]
    outputs_as_nchw: Iterable[str]


def signature_options(**keywords: Unpack[SignatureKeywords]) -> SignatureOptions:
    """Make options from convenient forms: sequences instead of mappings by axis, digits instead of numbers.

    Raises:
        InputsError: A length is not a positive number, None or a name; an axis is not a number, or its name not a name.
    """
    return SignatureOptions(**read_keywords(keywords, _READERS))


def by_name(texts: Iterable[str], option: str) -> dict[str, list[str]]:
    """Split texts such as ``image=1,64,64,3`` into lists of parts by name.

    Raises:
        InputsError: A text has another form, or a name comes twice.
    """
    found: dict[str, list[str]] = {}
    for each in texts:
        name, equals, parts = each.rpartition("=")
        if not equals or not name:
            raise InputsError(f"{option} {each!r} is not of the form NAME=FIRST,SECOND,... with one entry per axis.")
        if name in found:
            raise InputsError(f"{option} names {name} twice.")
        found[name] = [part.strip() for part in parts.split(",")] if parts else []
    return found


def with_shapes(specs: Sequence[TensorSpec], shapes: Mapping[str, tuple[Length, ...]]) -> tuple[TensorSpec, ...]:
    """Return specs with the shapes of a user in place of their own.

    Raises:
        InputsError: The model has no such input, or the shape contradicts the model's.
    """
    check_names(shapes, [spec.name for spec in specs], "--input-shape (input_shapes=...)")
    return tuple(_with_shape(spec, shapes[spec.name]) if spec.name in shapes else spec for spec in specs)


def check_names(names: Iterable[str], known: Sequence[str], option: str) -> None:
    """Refuse names that no tensor of the model has.

    Raises:
        InputsError: One of `names` is not known.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputsError(f"{option} names {', '.join(unknown)}; the model has {', '.join(known) or 'none'}.")


def permuted(spec: TensorSpec, order: tuple[int, ...]) -> TensorSpec:
    """Return a spec with its axes in another order.

    Raises:
        InputsError: The spec has another number of axes.
    """
    if len(spec.shape) != len(order):
        raise InputsError(f"{spec} is not a batch of images: expected four axes (batch, height, width, channels).")
    return replace(spec, shape=tuple(spec.shape[axis] for axis in order))


def _with_shape(spec: TensorSpec, lengths: tuple[Length, ...]) -> TensorSpec:
    fits = len(lengths) == len(spec.shape) and all(
        own is None or not isinstance(asked, int) or own == asked
        for own, asked in zip(spec.shape, lengths, strict=True)
    )
    if not fits:
        shape = ", ".join("?" if each is None else str(each) for each in lengths)
        raise InputsError(
            f"--input-shape (input_shapes=...) has the shape [{shape}] for the input {spec}, which does not take it."
        )
    # What the model has fixed stays fixed, whatever is asked.
    return replace(
        spec,
        shape=tuple(
            own if own is not None else asked if isinstance(asked, int) else None
            for own, asked in zip(spec.shape, lengths, strict=True)
        ),
    )


def _shapes(name: str, shapes: Any) -> dict[str, tuple[Length, ...]]:
    return {
        tensor: tuple(_length(tensor, each) for each in _items(name, lengths, "a list of lengths"))
        for tensor, lengths in _by_tensor(name, shapes).items()
    }


def _by_tensor(name: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(tensor, str) for tensor in value):
        raise not_valid(name, value, "a mapping by the names of tensors")
    return value


def _items(name: str, value: Any, expected: str) -> Iterable[Any]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise not_valid(name, value, expected)
    return value


def _length(name: str, value: Any) -> Length:
    written = str(value) if isinstance(value, Real | str) and not isinstance(value, bool) else shown(value)
    if value is None or written in _DYNAMIC:
        return None
    if re.fullmatch(r"-?[0-9]+", written):
        if len(written) > _DIGITS or not 1 <= int(written) <= _LONGEST:
            raise InputsError(
                f"--input-shape has the length {shortened(written, _DIGITS)} for an axis of {name}; expected one or more, "
                f"at most {_LONGEST}, or ?."
            )
        return int(written)
    if not isinstance(value, str) or not written.isidentifier():
        raise InputsError(f"--input-shape has {shown(written)} for an axis of {name}; expected a number, a name, or ?.")
    return written


def _axis_names(name: str, names: Any) -> dict[str, dict[int, str]]:
    return {tensor: _by_axis(name, tensor, each) for tensor, each in _by_tensor(name, names).items()}


def _by_axis(option: str, tensor: str, names: Any) -> dict[int, str]:
    items = (
        names.items()
        if isinstance(names, Mapping)
        else enumerate(_items(option, names, "for each tensor a list of names, or a mapping by axis"))
    )
    found = {_axis(tensor, axis): name for axis, name in items if name not in (None, "", *_DYNAMIC)}
    for name in found.values():
        if not isinstance(name, str) or not name.isidentifier():
            raise InputsError(
                f"--axis-names has {shown(name)} as the name of an axis of {tensor}; expected letters, digits and _."
            )
    return found


def _axis(tensor: str, axis: Any) -> int:
    """Return the number of an axis, which is a text in JSON."""
    if isinstance(axis, str) and re.fullmatch(r"[0-9]{1,4}", axis):
        return int(axis)
    if not isinstance(axis, int) or isinstance(axis, bool) or axis < 0:
        raise InputsError(f"axis_names has {shown(axis)} for an axis of {tensor}; expected its number, from 0.")
    return axis


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


_READERS: dict[str, Reader] = {
    "trust": flag,
    "signature": optional(name_text),
    "tag": optional(name_text),
    "input_shapes": _shapes,
    "axis_names": _axis_names,
    "inputs_as_nchw": names,
    "outputs_as_nchw": names,
}
