"""Makes the seeds: tiny sound models in every form, and exports of them."""

from __future__ import annotations

import sys
from pathlib import Path

from conformance.attack.seeds import make

make(Path(sys.argv[1]))
