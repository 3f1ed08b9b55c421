"""The interface of a kind of source. Each module of `tfexport.checkpoints.sources` implements it once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tfexport.checkpoints.framework import Framework
from tfexport.checkpoints.weight_files import WeightFiles


class SourceKind(ABC):
    """A kind of source that can be exported.

    Attributes:
        name: Name of the kind in manifests.
        description: Description for messages and help texts, with an article.
        priority: Place in the order of recognition: the kind with the lowest number comes first.
        loaders: Entry points that load the model, ``module:function``, by framework. A framework without one cannot load it.
        weights_expected: Names of the weight files, for the message about a source without weights.
        suffixes: Suffixes of its files: a name with one of them is a path, whether or not it exists.
        declares_itself: Whether the model declares its inputs by a signature, and not by a configuration of transformers.
        loads_in_both: Reason for which each framework reads the weights without the other one; None where it does not.
        is_on_hub: Whether a name that is not a path may be the id of such a source on the hub.
        is_on_disk: Whether a path can be such a source.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    priority: ClassVar[int]
    loaders: ClassVar[Mapping[Framework, str]]
    weights_expected: ClassVar[str] = ""
    suffixes: ClassVar[tuple[str, ...]] = ()
    declares_itself: ClassVar[bool] = True
    loads_in_both: ClassVar[str | None] = None
    is_on_hub: ClassVar[bool] = False
    is_on_disk: ClassVar[bool] = True

    def __repr__(self) -> str:
        return f"<source kind {self.name}>"

    @abstractmethod
    def recognises(self, source: Any, weights: Sequence[WeightFiles]) -> bool:
        """Return whether a source is of this kind.

        Args:
            source: A path that exists, or a live object.
            weights: Weight files of the path, of any kind; empty for a live object.
        """

    def find_weights(self, source: Any) -> Iterator[WeightFiles]:
        """Find the weights of this kind in a path or in a live object: the evidence of the framework.

        Raises:
            CorruptCheckpointError: A weight file or an index is truncated, or is not what its name says.
        """
        return iter(())

    def fingerprint(self, root: Path, weights: Sequence[Path]) -> Iterable[Path]:
        """Return the files whose SHA-256 identifies a source.

        Args:
            root: Folder of the source.
            weights: Weight files that were read.
        """
        return weights

    def near_miss(self, path: Path, name: str) -> str | None:
        """Explain why a path that looks like this kind cannot be used; None for a path that does not look like it.

        Args:
            path: A path that no kind recognises.
            name: Name of the path as the user wrote it.
        """
        return None
