"""What results say of the machine."""

from __future__ import annotations

import json

from benchmarks.environment import Stopwatch, environment


def test_the_environment_names_processor_and_versions() -> None:
    told = json.loads(json.dumps(environment()))
    assert told["cpus"] >= 1
    assert "(" in told["cpu"]
    assert {"transformers", "onnxruntime", "numpy"} <= set(told["versions"])


def test_one_span_is_part_of_a_longer_one() -> None:
    watch = Stopwatch()
    short = watch.stop()
    long = watch.stop()
    assert 0 < short.seconds < long.seconds
    assert long.others_cpus is None or long.others_cpus >= 0
