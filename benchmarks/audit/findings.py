"""What a look at the data finds: one thing at a time, with a count, cases to look at, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from strategies.contract import Case

Severity = Literal["note", "warning", "error"]
FIX = "advisor check task.yaml --fix reviewed"
"""Writes sheets of the rows to look at; `Finding.of_the_task` puts in what the task is called."""

LISTED = f"`{FIX}` lists them."


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong or odd: how often, up to three ids to look at, what it does to the comparison, and what to do."""

    kind: str
    count: int
    examples: tuple[str, ...]
    says: str
    effect: str
    """What it does to the comparison."""
    what_to_do: str
    severity: Severity = "warning"

    @property
    def told(self) -> str:
        """All three sentences."""
        return f"{self.says} {self.effect} {self.what_to_do}"

    def of_the_task(self, fix: str) -> Finding:
        """The same with the command that writes the sheets as it is given for the task at hand."""
        return replace(self, what_to_do=self.what_to_do.replace(FIX, fix))

    def named_by(self, names: Mapping[str, str]) -> Finding:
        """The same with other names in place of these ids, in pairs of them too."""
        examples = (
            names.get(one) or " and ".join(names.get(id, id) for id in one.split(" and ")) for one in self.examples
        )
        return replace(self, examples=tuple(examples))


def ids(cases: Iterable[Case]) -> tuple[str, ...]:
    """Of the first three."""
    return tuple(case.id for _, case in zip(range(3), cases, strict=False))


def many(count: int, one: str, several: str) -> str:
    """`1 case holds`, `1,204 cases hold`."""
    return f"1 {one}" if count == 1 else f"{count:,} {several}"


def listed(names: Sequence[str]) -> str:
    """The first three in quotes, and how many more there are."""
    shown = ", ".join(f'"{name[:40]}"' for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def gravest_first(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors, then warnings, then notes; those of one severity as they come."""
    order: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda one: order[one.severity]))
