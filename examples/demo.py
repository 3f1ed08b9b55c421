"""The demo on real weights: a TensorFlow checkpoint of MiniLM is exported, validated and used.

    make demo

MiniLM's weights come from a package of the Python registry, and transformers makes a TensorFlow checkpoint from them.
The rest is what any owner of such a checkpoint would do: `tfexport export`, then ONNX Runtime.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from conformance.real_weights import MINILM, tensorflow_checkpoint
from tfexport.processes.streams import quiet

OUTPUT = Path("demo-output") / "minilm-onnx"
SENTENCES = (
    "A man is eating food.",
    "Someone is having a meal.",
    "The train to Hamburg is late.",
)


def main() -> None:
    print("1. A TensorFlow checkpoint of the MiniLM sentence encoder", flush=True)
    with quiet(verbose=False):
        checkpoint = tensorflow_checkpoint(MINILM, "TFBertModel")
    print(f"   {checkpoint.name}: {', '.join(sorted(file.name for file in checkpoint.iterdir()))}\n")

    command = [sys.executable, "-m", "tfexport", "export", "-m", str(checkpoint), str(OUTPUT)]
    print(f"2. tfexport export -m {checkpoint.name} {OUTPUT}", flush=True)
    finished = subprocess.run(command, check=False)
    if finished.returncode != 0:
        raise SystemExit(finished.returncode)

    print("\n3. Three sentences, embedded with ONNX Runtime, and with TensorFlow", flush=True)
    with quiet(verbose=False):
        inputs, from_onnx, from_tensorflow = embed(checkpoint)
    ours, theirs = (similarities(hidden, inputs["attention_mask"]) for hidden in (from_onnx, from_tensorflow))
    print(f"   {'':<62} ONNX Runtime   TensorFlow")
    for first in range(len(SENTENCES)):
        for second in range(first + 1, len(SENTENCES)):
            pair = f"{SENTENCES[first]}  /  {SENTENCES[second]}"
            print(f"   {pair:<62} {ours[first, second]:12.6f} {theirs[first, second]:12.6f}")
    print(f"   largest difference of a hidden state: {abs(from_onnx - from_tensorflow).max():.1e}")


def embed(checkpoint: Path) -> tuple[dict[str, Any], Any, Any]:
    """Return the tokenised sentences, and their hidden states ``(batch, sequence, hidden)`` from ONNX and TensorFlow."""
    import onnxruntime
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(OUTPUT))
    inputs = dict(tokenizer(list(SENTENCES), padding=True, return_tensors="np"))
    session = onnxruntime.InferenceSession(str(OUTPUT / "model.onnx"), providers=["CPUExecutionProvider"])
    (from_onnx,) = session.run(["last_hidden_state"], inputs)
    model = transformers.TFAutoModel.from_pretrained(str(checkpoint))
    return inputs, from_onnx, model(inputs).last_hidden_state.numpy()


def similarities(hidden: Any, attention_mask: Any) -> Any:
    """Return the cosine similarities of the sentences, mean-pooled over their tokens as the model card says."""
    mask = attention_mask[..., None]
    pooled = (hidden * mask).sum(1) / mask.sum(1)
    pooled /= (pooled**2).sum(1, keepdims=True) ** 0.5
    return pooled @ pooled.T


if __name__ == "__main__":
    main()
