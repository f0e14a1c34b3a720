"""The report as JUnit XML, which build servers show: one test that passes where the goal is met, and one for each approach."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from advisor.contract import Story
from advisor.reports import markdown
from advisor.reports.text import cleaned

SUFFIX = ".xml"
_MET = ("choose", "safe but cheaper undecided")
_OPEN = ("undecided", "compared")


def render(story: Story) -> str:
    """One suite. The test `verdict` fails where nothing meets the goal and is skipped where that is not decided; an approach
    that does not meet it is skipped with its status, since it takes one that does. The whole report is its output."""
    safe = cleaned(story)
    cases = [_verdict(safe), *(_approach(row) for row in safe.main.rows)]
    found = {kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "skipped")}
    counts = {"tests": len(cases), "failures": found["failure"], "errors": 0, "skipped": found["skipped"]}
    suite = ET.Element("testsuite", {"name": f"advisor: {safe.task}", **{key: str(n) for key, n in counts.items()}})
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    ET.SubElement(cases[0], "system-out").text = markdown.render(safe)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _verdict(story: Story) -> ET.Element:
    case = _case("verdict")
    if story.settled not in _MET:
        kind = "skipped" if story.settled in _OPEN else "failure"
        ET.SubElement(case, kind, {"message": f"{story.title}: {story.headline}"})
    return case


def _approach(row: tuple[str, ...]) -> ET.Element:
    case = _case(row[0])
    if row[-1] != "meets":
        ET.SubElement(case, "skipped", {"message": ", ".join(row[1:])})
    return case


def _case(name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": "advisor", "name": name})
