"""Runs a command for as long as its standard input stays open: so no server outlives whoever started it, even killed.

    python kept.py SECONDS FOLDER COMMAND...

When the input ends, the command and all that it started are asked to end, and after so many seconds made to. What the command
left behind ends with it in any case. Then FOLDER is removed, and the one that it lies in where that is empty.

It goes on as nobody's child: Ray kills the children of a worker that ends, and then nobody would end the command.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress


def main(seconds: str, folder: str, *command: str) -> None:
    """Returns when the command has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Whoever started us decides when it ends, and says so by the input.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_watch, args=(child, float(seconds)), daemon=True).start()
    child.wait()
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        os.rmdir(os.path.dirname(folder))


def _watch(child: subprocess.Popen[bytes], seconds: float) -> None:
    while os.read(0, 4096):  # Not through a buffer, whose lock a thread must not hold when Python ends.
        pass
    os.close(0)  # Whoever comes now sees that this server is not to be joined any more.
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, how)
        with suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
            return


if __name__ == "__main__":
    if os.fork() == 0:
        main(*sys.argv[1:])
