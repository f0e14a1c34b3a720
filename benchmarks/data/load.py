"""Turns data files into cases and documents, and names the line of everything that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from benchmarks.audit.findings import Finding
from benchmarks.contract import BadInput
from benchmarks.data import titled
from benchmarks.data.columns import (
    Layout,
    column_values,
    filled,
    find_layout,
    header_findings,
    input_apart,
    layout_apart,
    placeholders,
    shown_names,
    usual,
)
from benchmarks.data.conversation import answer_text, exchange_of, prompt_text, system_text
from benchmarks.data.metadata import metadata_of
from benchmarks.data.other_columns import OtherColumns, OtherValues
from benchmarks.data.value_types import ValueTypes
from benchmarks.formats import holds_data, is_document, named_once, read_records
from benchmarks.formats.clean import clean, text_of
from benchmarks.formats.folder import folder_records
from benchmarks.formats.listed import listed
from benchmarks.formats.record import Record, lines
from benchmarks.formats.table import SUFFIXES as TABLES
from benchmarks.specs.spec import Columns
from strategies.contract import Case, Document

Peeked = tuple[list[str], list[Record], Iterator[Record]]
_LOOKED_AT = 100
_NOT_VALUES = frozenset(("nan", "<na>"))
_SEVERAL = ', or call the column "group" where its values say which rows belong together'
_SYSTEM = "system"
"""A column beside chats that says what a system message does."""


@dataclass(frozen=True, kw_only=True)
class Cases:
    """The cases of one file, in its order, and one sentence for each thing that was inferred or removed."""

    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What is odd about the file itself."""
    group: str = ""
    """The column whose values group its rows; empty where there is none."""
    others: OtherColumns = field(default_factory=OtherColumns)
    """What further columns say of the rows."""
    systems: frozenset[str] = frozenset()
    """The different system messages of its chats, which are left out."""


@dataclass(frozen=True, kw_only=True)
class Documents:
    """The documents of one file or folder, in order, and what was left out or removed."""

    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Files of the folder that are documents and cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs of one file, in its order, and a sentence where they stand in another column than the spec says."""

    texts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_cases(
    path: Path, columns: Columns, slices: Sequence[str] = (), apart: bool = False, common: Sequence[str] = ()
) -> Cases:
    """Reads examples, recorded or held-out cases alike.

    `columns` says which column holds what; what it leaves open is found by the usual names, and in a file `apart` from the
    examples so is what it names and the file lacks. `slices` are columns that results are broken down by;
    `common`, these by default, do not tell which rows belong together. Raises `BadInput`, with the line, for a row without
    an input or an output, an id that stands twice, NaN, and for a file without rows.
    """
    names, first, records = peeked(path)
    rows = [values for _, values in first]
    layout = (layout_apart if apart else find_layout)(names, columns, path.name, rows)
    for name in slices:
        if name not in names:
            key = "columns.time" if name == columns.time else "slices"
            raise BadInput(
                f'{key} names the column "{name}", which {path.name} does not have; '
                f"its columns are {shown_names(names)}."
            )
    reader = CaseReader(file=path.name, stem=path.stem, layout=layout, slices=tuple(slices))
    watched, types = OtherValues(names, layout, common or slices), ValueTypes(layout)
    cases = tuple(_read(reader, types.passing(watched.passing(records))))
    answers, ids = [case.output for case in cases], [case.id for case in cases]
    others = watched.told(path.name, answers, ids)
    table = path.suffix.lower() in TABLES
    return Cases(
        cases=cases,
        notes=(*layout.notes, *reader.notes()),
        findings=(
            *(header_findings(path.name, names, rows) if table else ()),
            *others.findings,
            *types.findings(answers, ids),
        ),
        group=layout.group,
        others=others,
        systems=frozenset(reader.systems),
    )


def _read(reader: CaseReader, records: Iterator[Record]) -> Iterator[Case]:
    """Case by case; where one has no output, how many of those after it have none either is said too."""
    for number, record in enumerate(records, start=1):
        try:
            yield reader.case(number, record)
        except _NoOutput as found:
            more = sum(map(reader.lacks_output, records))
            others = f"; so it is with {more:,} of the rows after it" if more else ""
            raise BadInput(f"{found}{others}. Write the answer that is wanted, or leave the row out.") from None


def read_inputs(path: Path, columns: Columns) -> Inputs:
    """The inputs alone, of a file whose rows need no output, or of a text file with one input a line. Raises `BadInput`."""
    if path.suffix.lower() == ".txt":
        reader = _Texts(file=path.name)
        found = (reader.text(line.rstrip("\r\n"), f"line {number}", "input") for number, line in lines(path))
        return Inputs(texts=tuple(text for text in found if text and text.strip()))
    names, _, records = peeked(path)
    layout = input_apart(names, columns, path.name)
    cases = CaseReader(file=path.name, stem=path.stem, layout=layout, slices=())
    return Inputs(texts=tuple(cases.input(record) for record in records), notes=layout.notes)


def peeked(path: Path, empty: bool = False) -> Peeked:
    """The names of all columns, the first records, and all of them; `empty`: with rows of a table without any value.

    A file without one header is read twice, since a name may first stand in its last record: all records at once would
    take several times the memory of the file.
    """
    records = read_records(path, empty)
    first = list(islice(records, _LOOKED_AT))
    if not first:
        raise without_rows(path)
    if named_once(path):
        return _column_names(first), first, chain(first, records)
    return _column_names(chain(first, records)), first, read_records(path, empty)


def without_rows(path: Path) -> BadInput:
    """How many there have to be depends on what they are for."""
    return BadInput(f"{path.name} has no rows. Write some into it.")


def _column_names(records: Iterable[Record]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record.values))


class _NoOutput(BadInput):
    """A row without an answer, as a clause."""


@dataclass(kw_only=True)
class _Texts:
    """Values as clean texts, counting what was removed."""

    file: str
    removed: int = 0
    removed_rows: int = 0
    _last_row: str = ""

    def text(self, value: Any, place: str, what: str) -> str | None:
        where = f"{self.file}, {place}"
        raw = text_of(value, where, what)
        if raw is None:
            return None
        text, removed = clean(raw, f"{where}: {what}")
        if removed:
            self.removed += removed
            self.removed_rows += place != self._last_row
            self._last_row = place
        return text

    def notes(self) -> tuple[str, ...]:
        if not self.removed:
            return ()
        rows = "1 row" if self.removed_rows == 1 else f"{self.removed_rows:,} rows"
        many = "character was" if self.removed == 1 else "characters were"
        return (f"{self.file}: {self.removed:,} invisible {many} removed (zero-width, tags, control codes) in {rows}.",)


@dataclass(kw_only=True)
class CaseReader(_Texts):
    stem: str
    layout: Layout
    slices: tuple[str, ...]
    _places: dict[str, str] = field(default_factory=dict)
    systems: set[str] = field(default_factory=set)

    def case(self, number: int, record: Record) -> Case:
        place, values = record
        layout = self.layout
        answers = self._answers(record)
        if layout.chat:
            source, output = self._chat(values.get(layout.chat), place)
            self._left_out(values.get(_SYSTEM))
        else:
            source = self._joined(values, layout.input, place, "input")
            output = self._output(values, place, answers)
        return Case(
            id=self._id(values, number, place),
            input=source,
            output=output,
            answers=answers,
            document_ids=self._list(values.get(name), place, "document ids") if (name := layout.document_ids) else (),
            group=self._trimmed(values, layout.group, place, "group") if layout.group else "",
            slices={name: self._trimmed(values, name, place, name) for name in self.slices},
            metadata=self._metadata(values, place),
        )

    def lacks_output(self, record: Record) -> bool:
        try:
            self._output(record.values, record.place, self._answers(record))
        except BadInput as found:
            return isinstance(found, _NoOutput)
        return False

    def input(self, record: Record, source: str = "") -> str:
        """Of a record that need not hold anything else; `source`: another column, or joined text, than that of the layout."""
        return self._joined(record.values, source or self.layout.input, record.place, "input")

    def notes(self) -> tuple[str, ...]:
        notes = super().notes()
        if not self.systems:
            return notes
        many = (
            f"{len(self.systems):,} different system messages are" if len(self.systems) > 1 else "The system message is"
        )
        return (*notes, f"{self.file}: {many} left out; the task's instruction stands in its place.")

    def _left_out(self, system: Any) -> None:
        if isinstance(system, str) and system.strip():
            self.systems.add(system.strip())

    def _joined(self, values: Mapping[str, Any], source: str, place: str, what: str) -> str:
        where = f"{self.file}, {place}"
        if source in values or not placeholders(source):
            plain = answer_text if what == "output" else prompt_text
            self._left_out(system_text(values.get(source), where))
            text = self.text(plain(values.get(source), where), place, what)
            if text is None:
                raise BadInput(f'{where} has no {what} (column "{source}"). Write one, or leave the row out.')
            return text
        parts = column_values(dict(values), source)
        texts = {name: self.text(value, place, name) or "" for name, value in parts.items()}
        return filled(source, texts).strip()

    def _output(self, values: Mapping[str, Any], place: str, answers: tuple[str, ...]) -> str:
        where = f"{self.file}, {place}"
        if self.layout.output and (values.get(self.layout.output) is not None or placeholders(self.layout.output)):
            output = self._joined(values, self.layout.output, place, "output").strip()
        else:
            output = answers[0].strip() if answers else ""
        if not output:
            column = self.layout.output or self.layout.answers
            raise _NoOutput(f'{where} has no output (column "{column}")')
        if output.lower() in _NOT_VALUES:
            raise BadInput(
                f'{where}: the output is "{output}", which is not a value. Write the answer, or leave the row out.'
            )
        return output

    def _chat(self, messages: Any, place: str) -> tuple[str, str]:
        where = f"{self.file}, {place}"
        exchange = exchange_of(messages, where)
        self._left_out(exchange.system)
        output = (self.text(exchange.output, place, "output") or "").strip()
        if not output:
            raise BadInput(
                f"{where}: the assistant's message is empty. Write the answer that is wanted, or leave the row out."
            )
        return self.text(exchange.input, place, "input") or "", output

    def _answers(self, record: Record) -> tuple[str, ...]:
        name = self.layout.answers
        return self._list(record.values.get(name), record.place, "answers") if name else ()

    def _trimmed(self, values: Mapping[str, Any], name: str, place: str, what: str) -> str:
        return (self.text(values.get(name), place, what) or "").strip()

    def _id(self, values: Mapping[str, Any], number: int, place: str) -> str:
        if not self.layout.id:
            return f"{self.stem}-{number}"
        name = self._trimmed(values, self.layout.id, place, "id")
        if not name:
            raise BadInput(f"{self.file}, {place} has no id. Give every row one, or leave the column out.")
        _claim(self._places, name, place, self.file, _SEVERAL)
        return name

    def _list(self, value: Any, place: str, what: str) -> tuple[str, ...]:
        """Alternatives from a list, from `{"text": [...]}`, or from a text, which may be either of these as a table has it."""
        if isinstance(value, Mapping):
            value = value.get("text")
        if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
            value = listed(value, f"{self.file}, {place}", what)
        entries = value if isinstance(value, list | tuple) else [value]
        texts = ((self.text(entry, place, what) or "").strip() for entry in entries)
        return tuple(dict.fromkeys(text for text in texts if text))

    def _metadata(self, values: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        value = values.get(self.layout.metadata) if self.layout.metadata else None
        return metadata_of(value, f"{self.file}, {place}")


def _claim(places: dict[str, str], name: str, place: str, file: str, several: str = "") -> None:
    """Notes the place of an id; raises `BadInput` where another record has it already. `several`: what else it may be."""
    if name in places:
        raise BadInput(
            f'{file}, {place} has the id "{name[:60]}", which {places[name]} has already. Give each row its own id{several}.'
        )
    places[name] = place


def read_documents(path: Path) -> Documents:
    """Reads documents with id, title, text and date from a data file, one text, Markdown, HTML or PDF file, or a folder of them.

    Further short columns of a data file are told with the title. In a folder the id is the path inside it, and the title is
    the first heading or the file's name. Raises `BadInput` for a folder without texts, a document without a text, and an id
    that stands twice.
    """
    if is_document(path) or (path.is_dir() and not holds_data(path)):
        found, notes, unread = folder_records(path)
        first = list(islice(found, _LOOKED_AT))
        read = _documents(path, _column_names(first), chain(first, found), notes)
        return replace(read, findings=unread)
    names, first, records = peeked(path)
    others = [name for name in names if name not in _columns(names).values()]
    every = (values for _, values in read_records(path))
    telling = titled.telling(others, [values for _, values in first], every) if others else []
    return _documents(path, names, records, (), others, telling)


def _columns(names: Sequence[str]) -> dict[str, str]:
    return {part: usual(names, part) for part in ("id", "document_ids", "title", "text", "date")}


def _documents(
    path: Path,
    names: Sequence[str],
    records: Iterable[Record],
    notes: tuple[str, ...],
    others: Sequence[str] = (),
    telling: Sequence[str] = (),
) -> Documents:
    """`others`: further columns of rows; `telling`: those of them that may be part of the title."""
    columns = _columns(names)
    if not names:
        raise BadInput(
            f"{path.name} holds no documents. Put text, Markdown, HTML or PDF files, or rows with a text, into it."
        )
    if not columns["text"]:
        raise BadInput(
            f"{path.name} has no column with a document's text; its columns are {shown_names(names)}. Name it text."
        )
    reader = _Texts(file=path.name)
    places: dict[str, str] = {}
    documents: list[Document] = []
    told: list[titled.Told] = []
    empty = 0
    for number, (place, values) in enumerate(records, start=1):
        got = {
            part: (reader.text(values.get(name), place, part) or "").strip() for part, name in columns.items() if name
        }
        if not got["text"]:
            empty += 1
            continue
        name = got.get("id") or got.get("document_ids") or f"{path.stem}-{number}"
        _claim(places, name, place, path.name)
        documents.append(Document(id=name, text=got["text"], title=got.get("title", ""), date=got.get("date", "")))
        told.append([(each, reader.text(titled.plain(values.get(each)), place, each) or "") for each in telling])
    if not documents:
        raise BadInput(f"{path.name} holds no document with a text. Write the texts into it.")
    left_out = (f"{path.name}: {empty:,} without a text {'was' if empty == 1 else 'were'} left out.",) if empty else ()
    documents, shown = titled.all_titled(documents, told) if telling else (documents, [])
    notes = (*notes, *titled.notes(path.name, shown, [name for name in others if name not in shown]))
    return Documents(documents=tuple(documents), notes=(*notes, *left_out, *reader.notes()))
