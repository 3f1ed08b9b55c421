"""The only module that imports transformers and huggingface_hub, apart from the patches of transformers' own modules.

Everything that depends on the version of transformers stands here: names of classes and tables, configurations, caches,
outputs, and the conversion of weight names. Both packages are imported on first use: a Keras file or a SavedModel is exported
without them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from tfexport.checkpoints.framework import Framework
from tfexport.checkpoints.places import in_utf8, shown
from tfexport.errors import CheckpointNotFoundError, TfExportError, TransformersNotInstalledError, first_line
from tfexport.processes.locks import PROCESS_LOCK, exclusive
from tfexport.processes.patching import PatchingSpec, patched

_PACKAGES = ("transformers", "huggingface_hub")
_TABLES: dict[Framework, str] = {"pt": "modeling_auto", "tf": "modeling_tf_auto"}
PREPROCESSORS = {
    "tokenizer": "AutoTokenizer",
    "feature_extractor": "AutoFeatureExtractor",
    "image_processor": "AutoImageProcessor",
    "processor": "AutoProcessor",
}
"""Auto classes of preprocessors, by kind."""
_ENCODER_OUTPUTS: dict[Framework, tuple[str, str]] = {
    "pt": ("transformers.modeling_outputs", "BaseModelOutput"),
    "tf": ("transformers.modeling_tf_outputs", "TFBaseModelOutput"),
}
_GENERATION_MIXINS: dict[Framework, str] = {"pt": "GenerationMixin", "tf": "TFGenerationMixin"}
_ASKS_FOR_TRUST = "trust_remote_code=True"
"""Part of every error of transformers that needs Python of a checkpoint."""
_SELF_AND_CROSS_ATTENTION = 4
"""Tensors per layer in the cache of a decoder with cross-attention: two keys and two values."""


class NotLoadedError(Exception):
    """transformers cannot load a part of a checkpoint. The text says why."""


class CodeNeededError(NotLoadedError):
    """transformers loads the part only with Python of the checkpoint."""


class RemoteCodeError(OSError):
    """transformers wants to run code of a checkpoint.

    It is an OSError so that transformers goes on without a ``custom_generate``, as if that file was not there.
    """


@exclusive
def _imported(module: str, need: str = "this checkpoint needs") -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").replace("-", "_").split(".")[0]
        if package not in _PACKAGES:
            raise
        raise TransformersNotInstalledError(package, need) from error


@contextmanager
def without_remote_code() -> Iterator[None]:
    """Keep transformers from running code of a checkpoint, and from asking for it on standard input, during a block.

    ``trust_remote_code=False`` is not enough: transformers 4.57 runs a local ``custom_generate/generate.py`` all the same, and
    LightGlue's configuration says itself whether it is trusted. The block holds the lock of the process.
    """
    with PROCESS_LOCK:
        dynamic = _imported("transformers.dynamic_module_utils")
        specs = [
            PatchingSpec(dynamic, "TIME_OUT_REMOTE_CODE", 0),  # seconds to wait for an answer: with 0 it does not ask
            # Every import of a checkpoint's Python first asks for its file.
            PatchingSpec(dynamic, "cached_file", _refuse),
        ]
        if "transformers.modeling_utils" in sys.modules:  # it needs PyTorch
            specs.append(PatchingSpec(sys.modules["transformers.modeling_utils"], "load_and_register_kernel", _refuse))
        with patched(specs):
            yield


def _refuse(place: Any, *names: Any, **_: Any) -> NoReturn:
    raise RemoteCodeError(f"it wants to run code: {' of '.join(map(str, (*names[:1], place)))}")


def needs_remote_code(error: BaseException) -> bool:
    """Return whether transformers failed because it must run Python of a checkpoint for it."""
    return isinstance(error, RemoteCodeError) or _ASKS_FOR_TRUST in str(error)


@exclusive
def class_named(name: str) -> Any:
    """Return a class of transformers by its name.

    Raises:
        TransformersNotInstalledError: transformers is not installed.
    """
    return getattr(_imported("transformers"), name)


@exclusive
def has_class(name: str) -> bool:
    """Return whether transformers has a class of a name.

    Raises:
        TransformersNotInstalledError: transformers is not installed.
    """
    return hasattr(_imported("transformers"), name)


@exclusive
def model_table(framework: Framework, name: str) -> Mapping[str, Any]:
    """Return a table of the auto classes: names of model classes, by model type.

    Args:
        framework: The framework of the model classes.
        name: Name of the table, such as ``MODEL_FOR_MASKED_LM_MAPPING_NAMES``.
    """
    tables = _imported(
        f"transformers.models.auto.{_TABLES[framework]}", need="the features of transformers' models need"
    )
    table: Mapping[str, Any] = getattr(tables, name)
    return table


@exclusive
def knows_model_type(model_type: str) -> bool:
    """Return whether transformers has a configuration for a model type."""
    return model_type in _imported("transformers").CONFIG_MAPPING


@exclusive
def read_configuration(location: str, model_type: str | None, cache_dir: str | None) -> Any:
    """Read a ``PretrainedConfig``.

    Args:
        location: A folder, or an id on the hub.
        model_type: Model type whose class reads it; None for the one that the configuration names.
        cache_dir: Folder in which transformers keeps downloads; None for its default.

    Raises:
        OSError: The configuration is missing, or the hub cannot be reached.
        ValueError: The configuration is not one of the model type, or names an unknown one.
    """
    transformers = _imported("transformers")
    reader = transformers.CONFIG_MAPPING[model_type] if model_type else transformers.AutoConfig
    with without_remote_code():
        return reader.from_pretrained(location, cache_dir=cache_dir, trust_remote_code=False)


@exclusive
def load_pretrained(model_class: str, location: str, **options: Any) -> Any:
    """Load a model by ``from_pretrained`` of its class, without code of the checkpoint.

    Args:
        model_class: Name of the class.
        location: A folder, or an id on the hub.
        options: Further arguments of ``from_pretrained``.
    """
    load = class_named(model_class).from_pretrained
    with without_remote_code(), in_utf8(location) as place:
        return load(place, trust_remote_code=False, **options)


@exclusive
def cached_snapshot(name: str, cache_dir: str | None) -> Path | None:
    """Return the folder of a hub id in the local cache; None where the cache lacks it. Nothing is downloaded.

    Raises:
        CheckpointNotFoundError: The name cannot be an id on the hub.
        TransformersNotInstalledError: huggingface_hub is not installed.
    """
    hub = _imported("huggingface_hub", f"{name!r} is not an existing path, and looking it up on the hub needs")
    errors = _imported("huggingface_hub.errors")
    try:
        return Path(hub.snapshot_download(name, cache_dir=cache_dir, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        return None
    except errors.HFValidationError as error:
        raise CheckpointNotFoundError(
            f"{shown(name)} is neither a path that exists nor a hub id. Expected a folder or file, or an id such as "
            "google-bert/bert-base-uncased."
        ) from error
    except Exception as error:  # the boundary of huggingface_hub: a cache or a name that it does not expect
        raise CheckpointNotFoundError(
            f"{shown(name)} cannot be looked up in the cache of the hub: {type(error).__name__}: {first_line(error)}"
        ) from error


@exclusive
def load_preprocessor(kind: str, location: str, cache_dir: str | None, config: Any) -> Any:
    """Load a tokenizer or processor with the auto class of its kind.

    Args:
        kind: ``tokenizer``, ``feature_extractor``, ``image_processor`` or ``processor``.
        location: A folder, or an id on the hub.
        cache_dir: Folder in which transformers keeps downloads; None for its default.
        config: Configuration of the model, for a file that does not name a type: transformers would guess it from the path.
            None for the file's own.

    Raises:
        CodeNeededError: The preprocessor is a class of the checkpoint's own.
        NotLoadedError: The preprocessor is missing, or cannot be loaded.
    """
    load = class_named(PREPROCESSORS[kind]).from_pretrained
    try:
        with without_remote_code():
            given = {} if config is None else {"config": config}
            found = load(location, cache_dir=cache_dir, trust_remote_code=False, **given)
    except TfExportError:
        raise
    except Exception as error:  # the boundary of transformers: files of others decide what its classes raise
        kind_of_error = CodeNeededError if needs_remote_code(error) else NotLoadedError
        raise kind_of_error(f"{type(error).__name__}: {first_line(error)}") from error
    # transformers 4.57 returns False for a PLBart tokenizer without its vocabulary.
    if not hasattr(found, "save_pretrained"):
        raise NotLoadedError(f"{PREPROCESSORS[kind]} returned {found!r}")
    return found


def as_cache(layers: tuple[tuple[Any, ...], ...]) -> Any:
    """Return a PyTorch key-value cache as transformers' classes want it.

    Args:
        layers: Keys and values ``(batch, heads, length, head size)`` of each layer, those of the cross-attention last.
    """
    caches = _imported("transformers.cache_utils")
    has_cross_attention = len(layers[0]) == _SELF_AND_CROSS_ATTENTION
    kind = caches.EncoderDecoderCache if has_cross_attention else caches.DynamicCache
    return kind.from_legacy_cache(layers)


def as_tuples(value: Any) -> Any:
    """Return an output of a PyTorch model, a cache as nested tuples."""
    return value.to_legacy_cache() if hasattr(value, "to_legacy_cache") else value


def as_encoder_outputs(values: tuple[Any, ...], framework: Framework) -> Any:
    """Return the outputs of an encoder as the decoder of the framework accepts them."""
    module, name = _ENCODER_OUTPUTS[framework]
    return getattr(_imported(module), name)(*values)


def pytorch_name(variable: str, prefix: str = "", shape: Any = None) -> tuple[str, Any]:
    """Convert the name of a TensorFlow variable to that of its PyTorch parameter.

    Args:
        variable: Name of the variable, as ``bert/pooler/dense/kernel:0``.
        prefix: Prefix that the parameter's name lacks.
        shape: Shape of the variable.

    Returns:
        The name, and how its values are transposed.
    """
    names = _imported("transformers.modeling_tf_pytorch_utils")
    found: tuple[str, Any] = names.convert_tf_weight_name_to_pt_weight_name(variable, prefix, shape)
    return found


def to_pytorch_order(transpose: Any, array: Any, shape: tuple[int, ...]) -> Any:
    """Return the values of a TensorFlow variable in the order of axes of a PyTorch parameter.

    Args:
        transpose: Transposition, from `pytorch_name`.
        array: Values of the variable.
        shape: Shape of the parameter.
    """
    names = _imported("transformers.modeling_tf_pytorch_utils")
    return names.apply_transpose(transpose, array, shape, pt_to_tf=False)


def copy_weights_to_pytorch(model: Any, tf_model: Any) -> frozenset[str]:
    """Copy the weights of a TensorFlow model into a PyTorch model, and return the parameters that it does not fill."""
    names = _imported("transformers.modeling_tf_pytorch_utils")
    _, report = names.load_tf2_model_in_pytorch_model(
        model, tf_model, allow_missing_keys=True, output_loading_info=True
    )
    return frozenset(report["missing_keys"])


def generate(framework: Framework) -> Any:
    """Return transformers' own ``generate`` of a framework, without the override of any model."""
    return class_named(_GENERATION_MIXINS[framework]).generate
