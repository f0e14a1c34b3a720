"""What a look at the data finds: one thing at a time, with a count, cases to look at, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from strategies.contract import Case

Severity = Literal["note", "warning", "error"]


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
