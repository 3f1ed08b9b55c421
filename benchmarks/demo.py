"""The main job on real weights: a TensorFlow checkpoint of MiniLM, exported, validated, and put to use.

    make demo

MiniLM's weights come from a package of the Python registry; transformers makes a TensorFlow checkpoint of them; from
there on it is what any owner of such a checkpoint would do: `tfexport export`, then ONNX Runtime.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.real_weights import MINILM, tensorflow_checkpoint

OUTPUT = Path("demo-output") / "minilm-onnx"
SENTENCES = (
    "A man is eating food.",
    "Someone is having a meal.",
    "The train to Hamburg is late.",
)


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    print("1. A TensorFlow checkpoint of the MiniLM sentence encoder", flush=True)
    checkpoint = tensorflow_checkpoint(MINILM, "TFBertModel")
    print(f"   {checkpoint.name}: {', '.join(sorted(file.name for file in checkpoint.iterdir()))}\n")

    command = [sys.executable, "-m", "tfexport", "export", "-m", str(checkpoint), str(OUTPUT)]
    print(f"2. tfexport export -m {checkpoint.name} {OUTPUT}", flush=True)
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        raise SystemExit(done.returncode)

    print("\n3. Three sentences, embedded with ONNX Runtime, and with TensorFlow", flush=True)
    compare(checkpoint)


def compare(checkpoint: Path) -> None:
    """Print cosine similarities from the exported file beside TensorFlow's own."""
    import numpy as np
    import onnxruntime
    import transformers

    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(OUTPUT))
    inputs = dict(tokenizer(list(SENTENCES), padding=True, return_tensors="np"))
    session = onnxruntime.InferenceSession(str(OUTPUT / "model.onnx"), providers=["CPUExecutionProvider"])
    (from_onnx,) = session.run(["last_hidden_state"], inputs)
    model = transformers.TFAutoModel.from_pretrained(str(checkpoint))
    from_tensorflow = model(inputs).last_hidden_state.numpy()

    def similarities(hidden: np.ndarray) -> np.ndarray:
        mask = inputs["attention_mask"][..., None]
        pooled = (hidden * mask).sum(1) / mask.sum(1)  # mean pooling, as the model card says
        pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
        return pooled @ pooled.T

    ours, theirs = similarities(from_onnx), similarities(from_tensorflow)
    print(f"   {'':<62} ONNX Runtime   TensorFlow")
    for first in range(len(SENTENCES)):
        for second in range(first + 1, len(SENTENCES)):
            pair = f"{SENTENCES[first]}  /  {SENTENCES[second]}"
            print(f"   {pair:<62} {ours[first, second]:12.6f} {theirs[first, second]:12.6f}")
    print(f"   largest difference of a hidden state: {np.abs(from_onnx - from_tensorflow).max():.1e}")


if __name__ == "__main__":
    main()
