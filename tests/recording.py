"""A recording of three commands as a picture that moves, made from what a terminal of that width is shown.

`python -m tests.recording` writes docs/recording.svg anew. The run in it is the stored example: waiting is left out.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.picture import FONT

FILE = Path(__file__).resolve().parent.parent / "docs" / "recording.svg"
COLUMNS, LINES = 88, 42
SECONDS = 7
"""Of each scene."""
SCENES = (
    ("advisor check support-intents", "check support-intents", ""),
    (
        "advisor run support-intents",
        "report example",
        "... 33 minutes on two cores later (the stored run):",
    ),
    (
        "advisor report runs/support-intents --volume 500000 --machine-hour 0.40",
        "report example --volume 500000 --machine-hour 0.40",
        "",
    ),
)
"""What is written, what is performed for it, and what was left out."""
_SIZE = re.compile(r'<svg class="rich-terminal" viewBox="0 0 ([\d.]+) ([\d.]+)"')
STYLE = """<style>
.scene {{ opacity: 0; animation: {seconds}s step-end infinite; }}
.scene:last-of-type {{ opacity: 1; }}
{frames}
@media (prefers-reduced-motion: reduce) {{ .scene {{ animation: none !important; }} }}
</style>"""


def text() -> str:
    """One scene after the other; who wants no motion sees the last one."""
    made = [_scene(number, *scene) for number, scene in enumerate(SCENES)]
    width, height = made[0][1]
    parts = 100 / len(made)
    frames = "\n".join(
        f".scene-{number} {{ animation-name: scene-{number}; }} @keyframes scene-{number} "
        f"{{ 0% {{ opacity: {int(number == 0)}; }} {number * parts:.2f}% {{ opacity: 1; }} "
        f"{(number + 1) * parts:.2f}% {{ opacity: {int(number + 1 == len(made))}; }} 100% {{ opacity: 0; }} }}"
        for number in range(len(made))
    )
    scenes = "\n".join(
        f'<g class="scene scene-{number}">\n{_placed(svg, size)}\n</g>' for number, (svg, size) in enumerate(made)
    )
    label = "A recording: " + ", then ".join(written for written, _, _ in SCENES)
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}">\n'
        f"{STYLE.format(seconds=SECONDS * len(made), frames=frames)}\n{scenes}\n</svg>\n"
    )


def _scene(number: int, written: str, performed: str, left_out: str) -> tuple[str, tuple[float, float]]:
    """The picture of a terminal after a command, and its size."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "dim"), (written, "bold")))
    if left_out:
        console.print(Text(left_out, "dim"))
    room = LINES - 2 if left_out else LINES - 1
    lines = shown(performed.split()).rstrip().split("\n")[:room]
    console.print(Text.from_ansi("\n".join(lines)))
    for _ in range(room - len(lines)):
        console.print()
    svg = FONT.sub("", console.export_svg(title="finetune-advisor", unique_id=f"scene{number}"))
    width, height = (float(value) for value in _SIZE.search(svg).groups())  # type: ignore[union-attr]  # rich writes it so
    return svg, (width, height)


def _placed(svg: str, size: tuple[float, float]) -> str:
    return _SIZE.sub(
        f'<svg class="rich-terminal" x="0" y="0" width="{size[0]:g}" height="{size[1]:g}" viewBox="0 0 {size[0]:g} {size[1]:g}"',
        svg,
    )


def shown(words: list[str]) -> str:
    """What `advisor` with these words writes to a terminal of that width, colours included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    root = Path(__file__).resolve().parent.parent
    more = {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(root)}
    environment = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI", "GITHUB_ACTIONS")
    }
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "bin" / "advisor"  # As it is installed, so that it calls itself by its name.
        script.parent.mkdir()
        script.write_text(f"#!{sys.executable}\nfrom advisor.__main__ import main\nmain()\n", encoding="utf-8")
        script.chmod(0o755)
        environment["PATH"] = os.pathsep.join((str(script.parent), environment["PATH"]))
        process = subprocess.Popen(
            [str(script), *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**environment, **more},
        )
        os.close(theirs)
        found = b""
        while part := _read(ours):
            found += part
        os.close(ours)
        process.wait()
    return found.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    """Empty at the end, which Linux tells by an error."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
