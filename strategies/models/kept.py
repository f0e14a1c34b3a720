"""Runs a command for as long as its standard input stays open: so no server outlives whoever started it, even killed.

    python kept.py SECONDS COMMAND...

When the input ends, the command and all that it started are asked to end, and after so many seconds made to.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress


def main(seconds: str, *command: str) -> int:
    """The exit code of the command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Whoever started us decides when it ends, and says so by the input.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_watch, args=(child, float(seconds)), daemon=True).start()
    return child.wait()


def _watch(child: subprocess.Popen[bytes], seconds: float) -> None:
    while os.read(0, 4096):  # Not through a buffer, whose lock a thread must not hold when Python ends.
        pass
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, how)
        with suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
            return


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
