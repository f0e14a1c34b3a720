"""A report format: the verdict as one line, for a chat or a log."""

from __future__ import annotations

from advisor.contract import Story

SUFFIX = ".line.txt"


def render(story: Story) -> str:
    """Task, title and headline. A format lays a story out and computes nothing."""
    return f"{story.task}: {story.title}. {story.headline}\n"
