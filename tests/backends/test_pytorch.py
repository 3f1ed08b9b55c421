"""The PyTorch backend on tiny models, compared with torch itself."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch backend's tests need PyTorch")

from transformers import masking_utils  # noqa: E402
from transformers.models.longformer import modeling_longformer  # noqa: E402

from conformance.zoo.models import tiny_model  # noqa: E402
from conformance.zoo.tiny import tiny_config  # noqa: E402
from tfexport.backends.pytorch import BACKEND, patches  # noqa: E402
from tfexport.backends.pytorch.tracing import trace_arguments  # noqa: E402
from tfexport.backends.pytorch.weights import LARGE_BUFFER_BYTES, weight_names  # noqa: E402
from tfexport.backends.weightless import WeightlessGraph  # noqa: E402
from tfexport.declarations.features import config_factory, model_class  # noqa: E402
from tfexport.declarations.onnx_config import OnnxConfig  # noqa: E402
from tfexport.declarations.with_past import OnnxConfigWithPast  # noqa: E402
from tfexport.errors import ContractError, OpsetError, TracingError, UnsupportedOpError  # noqa: E402
from tfexport.graph import OnnxGraph, contract_of, finish, writing  # noqa: E402
from tfexport.validation import Case, Tolerance, case_inputs, standard_cases, validate_file  # noqa: E402
from tfexport.validation.reference import Reference  # noqa: E402

BROKEN_LAYER = "transformer.layer.1.ffn.lin1"
ROUTES = ("torchscript", "dynamo")


def tiny(model_type: str, feature: str = "default") -> tuple[Any, OnnxConfig]:
    config = tiny_config(model_type, feature)
    return tiny_model("pt", model_class(model_type, feature, "pt"), config), config_factory(model_type, feature)(config)


def traced_inputs(declaration: OnnxConfig) -> dict[str, Any]:
    return case_inputs(declaration, None, None, "pt")


def converted(model: Any, declaration: OnnxConfig, route: str = "torchscript", opset: int = 18) -> OnnxGraph:
    inputs = traced_inputs(declaration)
    flat = dict(inputs)
    if "past_key_values" in inputs:
        flat.update(declaration.flatten_output_collection_property("past_key_values", inputs["past_key_values"]))
    contract = contract_of(declaration, flat, BACKEND.run(model, declaration, inputs))
    return finish(BACKEND.convert(model, declaration, inputs, opset, route), contract, opset)


def assert_agrees(
    model: Any, declaration: OnnxConfig, graph: OnnxGraph, folder: Path, *extra: Case, cases: Iterable[Case] = ()
) -> None:
    files = writing.save(graph.model, folder / "model.onnx")
    report = validate_file(
        files.model,
        Reference(BACKEND, model, declaration),
        cases or (*standard_cases(declaration), *extra),
        Tolerance(declaration.atol_for_validation),
        contract=graph.contract,
    )
    assert report.passed, report.problems


def wrapped(model: Any, layer: str, function: Callable[[Any], Any]) -> Any:
    """A model that applies a function to the result of one layer."""
    module = model.get_submodule(layer)
    forward = module.forward
    module.forward = lambda *arguments: function(forward(*arguments))
    return model


class TestAgreement:
    @pytest.mark.parametrize(
        ("model_type", "feature"),
        [
            ("bert", "masked-lm"),
            ("bloom", "sequence-classification"),  # linear biases, and a head that looks for the last token
            ("codegen", "causal-lm"),  # rotary positions, a causal mask in a buffer
            ("deberta-v2", "default"),  # relative positions in buckets
            ("flaubert", "question-answering"),
            ("gpt2", "causal-lm"),  # masks made with torch.vmap
            ("longformer", "default"),  # sliding windows, and two outputs
            ("roformer", "multiple-choice"),
        ],
    )
    def test_torchscript(self, model_type: str, feature: str, tmp_path: Path) -> None:
        model, declaration = tiny(model_type, feature)
        extra = () if feature == "multiple-choice" else (Case(2, 40, padding="right"), Case(1, 33, padding="left"))
        assert_agrees(model, declaration, converted(model, declaration), tmp_path, *extra)

    def test_dynamo(self, tmp_path: Path) -> None:
        model, declaration = tiny("gpt2", "causal-lm")
        assert_agrees(model, declaration, converted(model, declaration, "dynamo"), tmp_path)

    def test_torchscript_comes_first(self) -> None:
        assert BACKEND.routes(tiny("bert")[1]) == ROUTES

    @pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
    def test_longformer_with_any_number_of_global_tokens(self, share: float, tmp_path: Path) -> None:
        model, declaration = tiny("longformer")
        session = session_of(converted(model, declaration), tmp_path)
        for case in standard_cases(declaration):
            inputs = case_inputs(declaration, None, case, "pt")
            shape = inputs["global_attention_mask"].shape
            inputs["global_attention_mask"] = (np.random.default_rng(0).random(shape) < share).astype(np.int64)
            expected = BACKEND.run(model, declaration, inputs)
            for name, value in outputs_of(session, inputs).items():
                np.testing.assert_allclose(value, expected[name], atol=1e-5, err_msg=f"{name} of {case.name}")

    def test_longformer_with_a_window_longer_than_the_traced_sequence(self, tmp_path: Path) -> None:
        config = tiny_config("longformer")
        config.attention_window, config.max_position_embeddings = [16, 8], 200
        model, declaration = (
            tiny_model("pt", "LongformerModel", config),
            config_factory("longformer", "default")(config),
        )
        assert_agrees(model, declaration, converted(model, declaration), tmp_path, Case(2, 57), Case(1, 96))


def session_of(graph: OnnxGraph, folder: Path) -> Any:
    files = writing.save(graph.model, folder / "model.onnx")
    return onnxruntime.InferenceSession(str(files.model), providers=["CPUExecutionProvider"])


def outputs_of(session: Any, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(feeds)), strict=True))


class DecoderWithPast(OnnxConfigWithPast):
    @property
    def inputs(self) -> Mapping[str, Mapping[int, str]]:
        inputs: Any = OrderedDict(input_ids={0: "batch", 1: "sequence"})
        self.fill_with_past_key_values_(inputs, direction="inputs")
        inputs["attention_mask"] = {0: "batch", 1: "past_sequence + sequence"}
        made: Mapping[str, Mapping[int, str]] = inputs
        return made


@pytest.fixture(scope="module")
def decoder() -> tuple[Any, OnnxConfig]:
    config = tiny_config("gpt2", "causal-lm")
    return tiny_model("pt", "GPT2LMHeadModel", config), DecoderWithPast.with_past(config, task="causal-lm")


class TestPast:
    def test_each_layer_gets_its_own_cache(self, decoder: tuple[Any, OnnxConfig], tmp_path: Path) -> None:
        model, declaration = decoder
        session = session_of(converted(model, declaration), tmp_path)
        for case in (Case(3, 5), Case(1, 1)):
            inputs = case_inputs(declaration, None, case, "pt")
            random = np.random.default_rng(0)
            past = [
                tuple(random.normal(size=tensor.shape).astype(np.float32) for tensor in layer)
                for layer in inputs.pop("past_key_values")
            ]
            expected = BACKEND.run(model, declaration, {**inputs, "past_key_values": past})
            flat = declaration.flatten_output_collection_property("past_key_values", past)
            found = outputs_of(session, {**inputs, **flat})
            assert list(found) == list(declaration.outputs)
            for name, value in found.items():
                np.testing.assert_allclose(value, expected[name], atol=2e-5, err_msg=name)

    def test_names_survive_an_array_in_several_places(self, decoder: tuple[Any, OnnxConfig]) -> None:
        model, declaration = decoder
        inputs = traced_inputs(declaration)
        same = inputs["past_key_values"][0][0]
        inputs["past_key_values"] = [(same, same) for _ in inputs["past_key_values"]]
        structure = trace_arguments(model, declaration, inputs).module._structure
        assert structure["past_key_values"] == (
            ("past_key_values.0.key", "past_key_values.0.value"),
            ("past_key_values.1.key", "past_key_values.1.value"),
        )


@pytest.fixture(scope="module", params=ROUTES)
def masked_lm_graph(request: pytest.FixtureRequest) -> tuple[Any, OnnxConfig, WeightlessGraph]:
    """Return a BERT with a tied embedding, and its weightless graph, for each route."""
    model, declaration = tiny("bert", "masked-lm")
    return model, declaration, BACKEND.convert(model, declaration, traced_inputs(declaration), 18, request.param)


class TestWeights:
    def test_are_views_under_the_names_of_torch(self, masked_lm_graph: tuple[Any, OnnxConfig, WeightlessGraph]) -> None:
        model, declaration, graph = masked_lm_graph
        parameters = dict(model.named_parameters())
        held = {name: tensor for name, tensor in graph.weights.items() if name in parameters}
        assert {name for name in parameters if name not in held} == set()
        for name, tensor in held.items():
            assert np.shares_memory(tensor.numpy(), parameters[name].detach().numpy()), name
        assert {value.name for value in graph.proto.graph.input} == {*declaration.inputs, *graph.weights}
        assert sum(len(tensor.raw_data) for tensor in graph.proto.graph.initializer) < LARGE_BUFFER_BYTES

    def test_tied_weights_are_one(self, masked_lm_graph: tuple[Any, OnnxConfig, WeightlessGraph]) -> None:
        model, _, graph = masked_lm_graph
        assert "bert.embeddings.word_embeddings.weight" in graph.weights
        assert "cls.predictions.decoder.weight" not in graph.weights
        assert weight_names(model)["cls.predictions.decoder.bias"] == "cls.predictions.bias"

    def test_equal_weights_are_not_merged(self) -> None:
        model, declaration = tiny("bert")
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(0.5)
        graph = BACKEND.convert(model, declaration, traced_inputs(declaration), 18, "torchscript")
        used = {name for name, _ in model.named_parameters() if not name.startswith("pooler")}
        assert used <= set(graph.weights)

    @pytest.mark.parametrize("route", ROUTES)
    def test_large_buffers_are_weights_too(self, route: str) -> None:
        model, declaration = tiny("gpt-neo")
        absent = copy.deepcopy([module._non_persistent_buffers_set for module in model.modules()])
        graph = BACKEND.convert(model, declaration, traced_inputs(declaration), 18, route)
        mask = "h.0.attn.attention.bias"
        assert np.shares_memory(graph.weights[mask].numpy(), model.get_buffer(mask).numpy())
        assert absent == [module._non_persistent_buffers_set for module in model.modules()]
        assert mask not in model.state_dict()


class TestContract:
    def test_an_input_that_the_model_does_not_take(self) -> None:
        model = tiny("distilbert")[0]
        declaration = config_factory("bert", "default")(tiny_config("bert"))
        with pytest.raises(ContractError, match=r"DistilBertModel does not accept the input token_type_ids"):
            BACKEND.convert(model, declaration, traced_inputs(declaration), 18, "torchscript")

    @pytest.mark.parametrize("route", ROUTES)
    def test_an_output_that_the_model_does_not_give(self, route: str) -> None:
        model, _ = tiny("distilbert")
        declaration = config_factory("distilbert", "masked-lm")(model.config)
        with pytest.raises(ContractError, match=r"does not return the output logits"):
            BACKEND.convert(model, declaration, traced_inputs(declaration), 18, route)

    def test_inputs_are_int64_whatever_they_are_traced_with(self) -> None:
        model, declaration = tiny("distilbert")
        inputs = {name: array.astype(np.int32) for name, array in traced_inputs(declaration).items()}
        graph = BACKEND.convert(model, declaration, inputs, 18, "torchscript")
        types = {value.name: value.type.tensor_type.elem_type for value in graph.proto.graph.input}
        assert {types[name] for name in declaration.inputs} == {7}

    def test_run_names_every_output(self) -> None:
        model, declaration = tiny("bert")
        inputs = traced_inputs(declaration)
        before = {name: array.copy() for name, array in inputs.items()}
        outputs = BACKEND.run(model.train(), declaration, inputs)
        assert list(outputs) == ["last_hidden_state", "pooler_output"]
        assert model.training
        assert model.encoder.training
        np.testing.assert_array_equal(
            outputs["pooler_output"], BACKEND.run(model.eval(), declaration, inputs)["pooler_output"]
        )
        assert all((inputs[name] == before[name]).all() for name in inputs)

    def test_tensor(self) -> None:
        tensor = BACKEND.tensor(np.arange(3))
        assert tensor.dtype == torch.int64
        assert tensor.tolist() == [0, 1, 2]


class TestOpset:
    @pytest.mark.parametrize(("route", "too_low"), [("torchscript", 10), ("dynamo", 17)])
    def test_below_what_a_route_writes(self, route: str, too_low: int) -> None:
        model, declaration = tiny("distilbert")
        with pytest.raises(OpsetError, match=f"writes opsets from {too_low + 1}; {too_low} was requested"):
            BACKEND.convert(model, declaration, traced_inputs(declaration), too_low, route)

    def test_below_what_an_op_needs(self) -> None:
        model, declaration = tiny("codegen")
        with pytest.raises(OpsetError, match=r"aten::triu.*added in version 14"):
            BACKEND.convert(model, declaration, traced_inputs(declaration), 13, "torchscript")

    @pytest.mark.parametrize(("opset", "written"), [(11, 11), (20, 20), (22, 20)])
    def test_nearest_that_torchscript_writes(self, opset: int, written: int) -> None:
        model, declaration = tiny("distilbert")
        graph = BACKEND.convert(model, declaration, traced_inputs(declaration), opset, "torchscript")
        assert graph.proto.opset_import[0].version == written

    def test_above_it_the_graph_is_converted(self, tmp_path: Path) -> None:
        model, declaration = tiny("distilbert")
        graph = converted(model, declaration, opset=21)
        assert graph.opset == 21
        assert_agrees(model, declaration, graph, tmp_path)


class TestFailures:
    @pytest.mark.parametrize(("route", "op"), [("torchscript", "aten::i0"), ("dynamo", "prims.bessel_i0.default")])
    def test_an_op_without_a_mapping_is_named_with_its_layer(self, route: str, op: str) -> None:
        model, declaration = tiny("distilbert")
        wrapped(model, BROKEN_LAYER, torch.special.i0)
        with pytest.raises(UnsupportedOpError) as caught:
            BACKEND.convert(model, declaration, traced_inputs(declaration), 18, route)
        assert caught.value.ops == ((op, BROKEN_LAYER),)

    @pytest.mark.parametrize("route", ROUTES)
    def test_everything_is_put_back_and_nothing_is_printed(self, route: str, capfd: pytest.CaptureFixture[str]) -> None:
        def fail(states: Any) -> Any:
            raise ValueError("this layer is broken\nand says so at length")

        model, declaration = tiny("distilbert")
        wrapped(model, BROKEN_LAYER, fail).train()
        held = (masking_utils._vmap_for_bhqkv, modeling_longformer.LongformerSelfAttention.forward)
        training = [module.training for module in model.modules()]
        with pytest.raises(TracingError) as caught:
            BACKEND.convert(model, declaration, traced_inputs(declaration), 18, route)
        assert str(caught.value).endswith(f"cannot trace the model in {BROKEN_LAYER}: ValueError: this layer is broken")
        assert held == (masking_utils._vmap_for_bhqkv, modeling_longformer.LongformerSelfAttention.forward)
        assert training == [module.training for module in model.modules()]
        assert torch.is_autocast_cache_enabled()
        assert capfd.readouterr() == ("", "")


class TestUpstream:
    """Each test fails once upstream has fixed the defect that a patch works around."""

    def test_torchscript_cannot_trace_masks_made_with_vmap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model, declaration = tiny("gpt2")
        kept = [spec for spec in patches._specs() if spec.o is not masking_utils]
        monkeypatch.setattr(patches, "_specs", lambda: kept)
        with pytest.raises(TracingError, match="unordered_map"):
            BACKEND.convert(model, declaration, traced_inputs(declaration), 18, "torchscript")

    def test_torchscript_prints_the_graph_when_it_fails(
        self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model, declaration = tiny("distilbert")
        wrapped(model, BROKEN_LAYER, torch.special.i0)
        kept = [spec for spec in patches._specs() if spec.name != "setup_onnx_logging"]
        monkeypatch.setattr(patches, "_specs", lambda: kept)
        with pytest.raises(UnsupportedOpError):
            BACKEND.convert(model, declaration, traced_inputs(declaration), 18, "torchscript")
        assert "Torch IR graph at exception" in "".join(capfd.readouterr())

    def test_longformer_fixes_the_length(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        model, declaration = tiny("longformer")
        kept = [spec for spec in patches._specs() if "Longformer" not in getattr(spec.o, "__name__", "")]
        monkeypatch.setattr(patches, "_specs", lambda: kept)
        with pytest.raises(AssertionError, match="padded right"):
            assert_agrees(
                model, declaration, converted(model, declaration), tmp_path, cases=[Case(3, 13, padding="right")]
            )
