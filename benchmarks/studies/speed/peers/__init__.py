"""The peers' sides of the study: plain scripts that a peer's own Python runs, so they import nothing of ours."""
