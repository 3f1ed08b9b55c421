"""Stages an export, waits, and looks whether another process has removed its stage.

Arguments: the target, a file that is written when the stage is there, and the seconds to wait.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from conformance.attack.scripts.reporting import done, problem
from tfexport.pipeline.staging import staged

if __name__ == "__main__":
    target, ready = Path(sys.argv[1]), Path(sys.argv[2])
    with staged(target) as stage:
        (stage / "model.onnx").write_text("x")
        ready.touch()
        time.sleep(float(sys.argv[3]))
        if not (stage / "model.onnx").exists():
            problem("another process removed the stage")
    done()
