"""The ways to write text: each loads a model, and turns a prompt into new tokens, greedily and with a cache.

The boundary is the same for all: NumPy ids go in, NumPy tokens come out, and nothing is left running. An engine imports its
framework when it is made, in a process that has no other one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from benchmarks.generation.models import SHAPES, Prepared

Prompt = Mapping[str, np.ndarray]


class Engine(ABC):
    """A way to write text.

    Args:
        name: of the model, in `SHAPES`.
        prepared: its checkpoints and files.
        threads: that one operation may take.
    """

    DESCRIPTION: ClassVar[str]

    def __init__(self, name: str, prepared: Prepared, threads: int) -> None:
        self.shape = SHAPES[name]
        self.load(prepared, threads)

    @staticmethod
    def suits(name: str) -> bool:
        """Whether it is a way to write with this model."""
        return True

    @abstractmethod
    def load(self, prepared: Prepared, threads: int) -> None:
        """Load the model."""

    @abstractmethod
    def generate(self, prompt: Prompt, tokens: int) -> np.ndarray:
        """The likeliest new tokens, one after the other: int64 ``(batch, tokens)``."""

    def about(self) -> dict[str, Any]:
        """What is worth knowing of what was loaded."""
        return {}


class _OnnxRuntime(Engine):
    """A loop of our own over the files: nothing but the steps, the argmax and the cache."""

    def load(self, prepared: Prepared, threads: int) -> None:
        import onnxruntime

        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.inter_op_num_threads = 1
        self._files = prepared.onnx
        if self.shape.encodes:
            self._encoder = self._session("encoder_model")
            self._first, self._later = self._decoders()
        else:
            self._decoder = self._session("model")

    def _decoders(self) -> tuple[Any, Any]:
        return self._session("decoder_model"), self._session("decoder_with_past_model")

    def _session(self, file: str) -> Any:
        import onnxruntime

        path = str(self._files / f"{file}.onnx")
        return onnxruntime.InferenceSession(path, self._options, providers=["CPUExecutionProvider"])

    def generate(self, prompt: Prompt, tokens: int) -> np.ndarray:
        return self._decode(prompt, tokens) if self.shape.encodes else self._continue(prompt, tokens)

    def _continue(self, prompt: Prompt, tokens: int) -> np.ndarray:
        from tfexport.validation.generation import empty_cache

        ids = prompt["input_ids"]
        batch, length = ids.shape
        mask = np.ones((batch, length + tokens), np.int64)
        positions = np.broadcast_to(np.arange(length + tokens), mask.shape)
        written = np.empty((batch, tokens), np.int64)
        step = self._steps(self._decoder, empty_cache(self._decoder, batch))
        new, read = ids, 0
        for index in range(tokens):
            end = read + new.shape[1]
            feeds = {"input_ids": new, "attention_mask": mask[:, :end], "position_ids": positions[:, read:end]}
            written[:, index] = step(feeds)[:, -1].argmax(-1)
            new, read = written[:, index : index + 1], end
        return written

    def _decode(self, prompt: Prompt, tokens: int) -> np.ndarray:
        state = {
            "encoder_hidden_states": self._encoder.run(["last_hidden_state"], dict(prompt))[0],
            "encoder_attention_mask": prompt["attention_mask"],
        }
        batch = len(prompt["input_ids"])
        written = np.empty((batch, tokens), np.int64)
        step = self._steps(self._first, self._at_first(batch) | state)
        new = np.zeros((batch, 1), np.int64)  # T5 begins with the padding token
        for index in range(tokens):
            written[:, index] = step({"input_ids": new})[:, -1].argmax(-1)
            if index == 0:
                step = self._steps(self._later, self._afterwards(step.state) | state)
            new = written[:, index : index + 1]
        return written

    def _at_first(self, batch: int) -> dict[str, Any]:
        return {}

    def _afterwards(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return dict(state)

    def _steps(self, session: Any, state: Mapping[str, Any]) -> Any:
        return _Steps(session, state)

    def about(self) -> dict[str, Any]:
        session = self._later if self.shape.encodes else self._decoder
        return {"providers": session.get_providers()}


class _Steps:
    """Steps of a session, each a plain ``run``: arrays go in, arrays come out, and the cache with them."""

    def __init__(self, session: Any, state: Mapping[str, Any]) -> None:
        from tfexport.validation.generation import CachedSession

        self._run = CachedSession(session, state)

    @property
    def state(self) -> Mapping[str, Any]:
        return self._run.state

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.asarray(self._run(feeds)["logits"])


class _BoundSteps:
    """Steps of a session with IO binding: what it returns as a cache it is given again, as the runtime's own value."""

    def __init__(self, session: Any, state: Mapping[str, Any]) -> None:
        import onnxruntime

        self._session = session
        self._inputs = {value.name for value in session.get_inputs()}
        self._outputs = [value.name for value in session.get_outputs()]
        make = onnxruntime.OrtValue.ortvalue_from_numpy
        self.state = {name: make(value) if isinstance(value, np.ndarray) else value for name, value in state.items()}

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        binding = self._session.io_binding()
        for name, array in feeds.items():
            if name in self._inputs:
                binding.bind_cpu_input(name, np.ascontiguousarray(array))
        for name, value in self.state.items():
            if name in self._inputs:
                binding.bind_ortvalue_input(name, value)
        for name in self._outputs:
            binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding)
        outputs = dict(zip(self._outputs, binding.get_outputs(), strict=True))
        logits = outputs.pop("logits")
        self.state |= {name.replace("present", "past_key_values", 1): value for name, value in outputs.items()}
        return np.asarray(logits.numpy())


class OnnxRuntime(_OnnxRuntime):
    """Each step a plain ``run``."""

    DESCRIPTION = "ONNX Runtime, a loop of session.run; the cache goes through NumPy arrays"


class OnnxRuntimeBound(_OnnxRuntime):
    """Each step with IO binding."""

    DESCRIPTION = "ONNX Runtime, a loop with IO binding; the cache stays in the runtime's values"

    def _steps(self, session: Any, state: Mapping[str, Any]) -> Any:
        return _BoundSteps(session, state)


class OnnxRuntimeMerged(_OnnxRuntime):
    """Each step a plain ``run`` of the merged decoder."""

    DESCRIPTION = "ONNX Runtime, a loop of session.run over decoder_model_merged.onnx"

    @staticmethod
    def suits(name: str) -> bool:
        return SHAPES[name].encodes

    def _decoders(self) -> tuple[Any, Any]:
        merged = self._session("decoder_model_merged")
        return merged, merged

    def _at_first(self, batch: int) -> dict[str, Any]:
        from tfexport.validation.generation import empty_cache

        return {**empty_cache(self._first, batch), "use_cache_branch": np.array([False])}

    def _afterwards(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {**state, "use_cache_branch": np.array([True])}


class Optimum(Engine):
    """The same files through optimum's classes."""

    DESCRIPTION = "the same files in optimum's ORTModel, generate"

    def load(self, prepared: Prepared, threads: int) -> None:
        import onnxruntime
        import torch
        from optimum.onnxruntime import ORTModelForCausalLM, ORTModelForSeq2SeqLM

        torch.set_num_threads(threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        chosen = ORTModelForSeq2SeqLM if self.shape.encodes else ORTModelForCausalLM
        self._model = chosen.from_pretrained(
            str(prepared.onnx), session_options=options, provider="CPUExecutionProvider", use_cache=True
        )

    def generate(self, prompt: Prompt, tokens: int) -> np.ndarray:
        return _generate_with_torch(self._model, prompt, tokens, encodes=self.shape.encodes)

    def about(self) -> dict[str, Any]:
        return {
            "use_io_binding": bool(getattr(self._model, "use_io_binding", False)),
            "merged": bool(getattr(self._model, "use_merged", False)),
        }


class PyTorch(Engine):
    """PyTorch's ``generate``."""

    DESCRIPTION = "PyTorch generate, eager execution, scaled_dot_product_attention where the class has it"

    def load(self, prepared: Prepared, threads: int) -> None:
        import torch
        import transformers

        torch.set_num_threads(threads)
        chosen = transformers.AutoModelForSeq2SeqLM if self.shape.encodes else transformers.AutoModelForCausalLM
        self._model = chosen.from_pretrained(prepared.pytorch).eval()

    def generate(self, prompt: Prompt, tokens: int) -> np.ndarray:
        return _generate_with_torch(self._model, prompt, tokens, encodes=self.shape.encodes)

    def about(self) -> dict[str, Any]:
        return {"attention": self._model.config._attn_implementation, "dtype": str(self._model.dtype)}


def _generate_with_torch(model: Any, prompt: Prompt, tokens: int, *, encodes: bool) -> np.ndarray:
    import torch

    inputs = {name: torch.from_numpy(array) for name, array in prompt.items()}
    with torch.inference_mode():
        text = model.generate(**inputs, max_new_tokens=tokens, do_sample=False, num_beams=1, use_cache=True)
    return text.numpy()[:, _before(prompt, encodes=encodes) :]


class TensorFlowEager(Engine):
    """TensorFlow's ``generate``, as it is called without further ado. Its tokens are those that others must write."""

    DESCRIPTION = "TensorFlow generate, eager"

    def load(self, prepared: Prepared, threads: int) -> None:
        import tensorflow as tf
        import transformers

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        chosen = transformers.TFAutoModelForSeq2SeqLM if self.shape.encodes else transformers.TFAutoModelForCausalLM
        self._model = chosen.from_pretrained(prepared.tensorflow)

    def generate(self, prompt: Prompt, tokens: int) -> np.ndarray:
        import tensorflow as tf

        inputs = {name: tf.constant(array, tf.int32) for name, array in prompt.items()}
        text = self._call(inputs, tokens).numpy()
        return text.astype(np.int64)[:, _before(prompt, encodes=self.shape.encodes) :]

    def _call(self, inputs: Mapping[str, Any], tokens: int) -> Any:
        return self._model.generate(**inputs, max_new_tokens=tokens, do_sample=False, num_beams=1)

    def logits(self, prompt: Prompt, written: np.ndarray) -> np.ndarray:
        """What the model says of each token of a text at once, without a cache: ``(batch, tokens, vocabulary)``."""
        before = written[:, :-1].astype(np.int32)
        if self.shape.encodes:
            ids = np.concatenate([np.zeros_like(before[:, :1]), before], axis=1)
            return self._model(input_ids=prompt["input_ids"].astype(np.int32), decoder_input_ids=ids).logits.numpy()
        ids = np.concatenate([prompt["input_ids"].astype(np.int32), before], axis=1)
        return self._model(input_ids=ids).logits.numpy()[:, prompt["input_ids"].shape[1] - 1 :]


class TensorFlowXla(TensorFlowEager):
    """TensorFlow's ``generate`` compiled: ``tf.function(model.generate, jit_compile=True)``, one program a shape."""

    DESCRIPTION = "TensorFlow generate, compiled by XLA; compiling is the first call's, apart"

    def load(self, prepared: Prepared, threads: int) -> None:
        import tensorflow as tf

        super().load(prepared, threads)
        self._compiled = tf.function(self._model.generate, jit_compile=True)

    def _call(self, inputs: Mapping[str, Any], tokens: int) -> Any:
        return self._compiled(**inputs, max_new_tokens=tokens, do_sample=False, num_beams=1)


def _before(prompt: Prompt, *, encodes: bool) -> int:
    """Tokens that ``generate`` returns before the new ones: the prompt, or a decoder's first token."""
    return 1 if encodes else prompt["input_ids"].shape[1]


ENGINES: dict[str, type[Engine]] = {
    "tensorflow-eager": TensorFlowEager,
    "tensorflow-xla": TensorFlowXla,
    "pytorch": PyTorch,
    "onnxruntime": OnnxRuntime,
    "onnxruntime-bound": OnnxRuntimeBound,
    "onnxruntime-merged": OnnxRuntimeMerged,
    "optimum": Optimum,
}
REFERENCE = "tensorflow-eager"
FRAMEWORKS = ("tensorflow-eager", "tensorflow-xla", "pytorch")
"""Those that the others are compared with."""
