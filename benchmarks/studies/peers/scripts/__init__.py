"""The peers' sides of the study: plain scripts that a peer's own Python runs, so they import nothing of ours.

Each is called with two files, `WORK.json` to read and `FOUND.json` to write. They see the examples with their answers, and
the inputs of the held-out cases without them.
"""
