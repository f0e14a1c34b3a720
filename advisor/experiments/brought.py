"""Which package an approach of a run comes with, and what is said where an export or a run finds it missing or changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from benchmarks.contract import BadInput, Candidate
from benchmarks.running.foreign import code_of
from strategies.catalog import CannotLoad, approaches, bringing

_log = logging.getLogger(__name__)

Package = Mapping[str, str]
"""`package` and `version` as they were installed, and `code`, the hash of its code (`benchmarks.running.foreign`)."""


def packages_of(candidates: Iterable[Candidate]) -> dict[str, Package]:
    """Candidate -> the package that brings its approach; without those that are ours."""
    found: dict[str, Package] = {}
    for candidate in candidates:
        code = code_of(candidate.strategy)
        point = next(iter(bringing(candidate.strategy.name)), None) if code else None
        if point is not None and point.dist is not None:
            found[candidate.name] = {"package": point.dist.name, "version": point.dist.version, "code": code}
    return found


def named(package: Package) -> str:
    """As people write it: with its version."""
    return f"{package['package']} {package['version']}"


def must_be_here(name: str, approach: str, package: Package | None) -> None:
    """Raises `BadInput` where neither this program nor an installed package brings the approach of that candidate."""
    if not _is_here(approach):
        comes = "another package, or another version of this program" if package is None else named(package)
        raise BadInput(
            f"{name} comes with {comes}, and nothing that is installed here brings it. Install that, then give the same "
            "command again."
        )


def _is_here(approach: str) -> bool:
    """One that cannot be loaded may be it: whoever loads it says so."""
    try:
        return any(each.name == approach for each in approaches())
    except CannotLoad:
        return True


def warn_of_other_code(candidate: Candidate, package: Package | None) -> None:
    """Says where the code that answers is not the code that was measured."""
    if package is not None and package["code"] != code_of(candidate.strategy):
        said = (
            "%s was measured with %s, and the code that is installed here is another, so its answers may be others too"
        )
        _log.warning(said, candidate.name, named(package))
