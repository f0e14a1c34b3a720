"""Serves the model with vLLM until standard input ends; the first line of standard output says where.

python vllm_serve.py WORK.json
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "speed" / "peers"))


def main() -> None:
    from vllm_answers import HOST, NAME, protected_output, say, serving  # type: ignore[import-not-found]

    output = protected_output()
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with serving(work) as port:
        say(output, {"address": f"http://{HOST}:{port}/v1", "model": NAME})
        sys.stdin.read()


if __name__ == "__main__":
    main()
