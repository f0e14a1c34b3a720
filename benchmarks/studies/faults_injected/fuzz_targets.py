"""What is fuzzed: each parser of files and answers as one function of bytes, which raises nothing but what it documents."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.contract import BadInput
from benchmarks.studies.faults_injected import fuzz_inputs as inputs

Read = Callable[[bytes], object]
LONGEST_SENTENCE = 2_000
"""Characters of what is said to an input that is refused: a terminal shows it at once."""
ADDRESS = "http://127.0.0.1:9/v1"
"""Of a server that nobody asks."""
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One parser. `opened` makes in a folder what it needs beside the bytes, and gives the function that reads them."""

    what: str
    opened: Callable[[Path], Read]
    seeds: Callable[[], Sequence[bytes]]


def read_or_refused(read: Read, data: bytes) -> bool:
    """True: it was read. False: it was refused in a sentence. Whatever else happens comes out and is a finding."""
    try:
        read(data)
    except BadInput as error:
        said = str(error)
        assert said.strip(), "the refusal is empty"
        assert len(said) <= LONGEST_SENTENCE, "the refusal is longer than a terminal shows at once"
        return False
    return True


# ---------------------------------------------------------------- task files


def _desk(folder: Path) -> None:
    """The files that a task may name."""
    personas = ("new", "old")
    rows = [
        {"id": f"r{n}", "input": f"text {n} {n * 7919}", "output": "ab"[n % 2], "persona": personas[n % 2]}
        for n in range(40)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    objects = [{"input": f"order {n} {n * 7919}", "output": json.dumps({"a": "x" * n, "b": n})} for n in range(1, 31)]
    (folder / "objects.jsonl").write_text("".join(json.dumps(row) + "\n" for row in objects), encoding="utf-8")
    table = "".join(f"{n} more {n * 104729},{'ab'[n % 2]}\n" for n in range(30))
    (folder / "more.csv").write_text("input,output\n" + table, encoding="utf-8")
    (folder / "page.md").write_text("# Page\n\nText.\n", encoding="utf-8")


def _spec(folder: Path) -> Read:
    from benchmarks.specs.spec import Spec, read_spec

    path = folder / "task.yaml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        spec, _ = read_spec(path)
        stored = json.loads(spec.model_dump_json(by_alias=True))
        again = Spec.model_validate(stored).model_dump()  # Where a model lies is never stored.
        assert again == spec.model_dump(), "the spec is another one when it was stored"

    _desk(folder)
    return read


def _task(folder: Path) -> Read:
    """A spec and all that is made of it before a run: data read, checked and split, metric and prices settled."""
    from advisor.experiments.found import find
    from benchmarks.costs.prices import machine_prices
    from benchmarks.data.frozen import freeze

    path = folder / "task.yaml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        assembly = find(path).assembled()
        machine_prices(assembly.spec)
        json.dumps(freeze(assembly.benchmark)).encode()

    _desk(folder)
    return read


def _schema(folder: Path) -> Read:
    """The schema of objects that a task names."""
    from advisor.experiments.found import find

    path = folder / "task.yaml"
    path.write_text(
        "name: t\ninstruction: i\nexamples: objects.jsonl\nkind: extraction\ntarget: 0.5\nschema: schema.json\n",
        encoding="utf-8",
    )

    def read(data: bytes) -> None:
        (folder / "schema.json").write_bytes(data)
        find(path).assembled()

    _desk(folder)
    return read


def _prices(folder: Path) -> Read:
    from benchmarks.costs.prices import machine_prices
    from benchmarks.specs.repriced import repriced
    from benchmarks.specs.spec import parse_spec
    from benchmarks.specs.spec_prices import read_prices
    from benchmarks.specs.yaml_text import read_yaml

    (folder / "task.yaml").write_bytes(inputs.SPEC)
    spec, path = read_yaml(folder / "task.yaml").values, folder / "prices.yaml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        stated = read_prices(path, partly=True)
        machine_prices(parse_spec(repriced(spec, stated)))
        machine_prices(parse_spec({**spec, "upkeep": {}, "prices": read_prices(path)}))

    return read


# ---------------------------------------------------------------- data and documents


def _data(name: str) -> Callable[[Path], Read]:
    """Cases, inputs, requests and documents of a file of that name; the cases can be stored."""

    def opened(folder: Path) -> Read:
        from benchmarks.data.frozen import frozen_cases, thawed_cases
        from benchmarks.data.load import read_cases, read_documents, read_inputs
        from benchmarks.data.requests import read_requests
        from benchmarks.specs.spec import Columns

        path, columns = folder / name, Columns()

        def cases() -> None:
            found = read_cases(path, columns).cases
            text = json.dumps(frozen_cases(found), ensure_ascii=False).encode()
            assert thawed_cases(json.loads(text)) == found, "the cases are others when they were stored"

        def read(data: bytes) -> None:
            path.write_bytes(data)
            asked = (lambda: read_inputs(path, columns), lambda: read_requests(path, columns))
            for way in (cases, *asked, lambda: read_documents(path)):
                read_or_refused(lambda _, way=way: way(), data)  # type: ignore[misc]

        _desk(folder)
        return read

    return opened


def _document(name: str) -> Callable[[Path], Read]:
    def opened(folder: Path) -> Read:
        from benchmarks.data.load import read_documents

        path = folder / name

        def read(data: bytes) -> None:
            path.write_bytes(data)
            for document in read_documents(path).documents:
                json.dumps(asdict(document), ensure_ascii=False).encode()

        return read

    return opened


# ---------------------------------------------------------------- what a run left


def _stored_run() -> tuple[bytes, str]:
    """run.json and the rows of a small run, which the tests hold."""
    place = ROOT / "tests" / "stored_runs" / "1"
    return (place / "run.json").read_bytes(), (place / "run.sql").read_text(encoding="utf-8")


def _put_run(folder: Path) -> None:
    about, rows = _stored_run()
    (folder / "run.json").write_bytes(about)
    with closing(sqlite3.connect(folder / "run.sqlite")) as db:
        db.executescript(rows)


def _run(folder: Path) -> Read:
    """A run as it is told again, with another target too, and read for new answers."""
    from advisor.deploy.answering import Kept
    from advisor.experiments.stored import Changes, reopen
    from advisor.reports import render

    _put_run(folder)

    def read(data: bytes) -> None:
        (folder / "run.json").write_bytes(data)
        render(reopen(folder, changes=Changes(target=0.1)).story, "json")
        kept = Kept.of_run(folder)
        kept.parts("majority")

    return read


def _exported(folder: Path) -> Path:
    """An export of the commonest answer of the stored run."""
    from advisor.deploy.export import export
    from benchmarks.storage.store import Store

    run, out = folder / "run", folder / "out"
    run.mkdir()
    _put_run(run)
    with closing(Store(run / "run.sqlite")) as store:
        fit = run / "fits" / store.fits()["majority"]
    fit.mkdir(parents=True)
    (fit / "constant.json").write_text('{"text": "delivery"}', encoding="utf-8")
    (fit / "complete.json").write_text("{}", encoding="utf-8")
    export(run, out, "majority")
    shutil.rmtree(run)
    return out


def _export(folder: Path) -> Read:
    from advisor.deploy.answering import Kept, answerer
    from advisor.deploy.gate import check

    out = _exported(folder)
    rows = [{"input": f"text {n} {n * 7919}", "output": ("delivery", "login")[n % 2]} for n in range(40)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def read(data: bytes) -> None:
        (out / "export.json").write_bytes(data)
        _ = Kept.of(out).columns
        for _, outcome in answerer(out).answers(["where is it?"]):
            asdict(outcome)
        check(out, folder / "rows.jsonl")

    return read


def _export_seeds() -> Sequence[bytes]:
    with tempfile.TemporaryDirectory() as made:
        whole = json.loads((_exported(Path(made)) / "export.json").read_bytes())
    return json.dumps(whole).encode(), json.dumps({**whole, "files": None}).encode()


# ---------------------------------------------------------------- servers


def _server(folder: Path) -> Read:
    """One answer of a server: the first line says its status and Retry-After, the rest is what it sends."""
    import openai

    from strategies.contract import Message, Sampling
    from strategies.models import endpoint

    http: Any = import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    sent: list[bytes] = []

    def reply(_: Any) -> Any:
        head, _, body = sent[-1].partition(b"\n")
        status, _, wait = head.partition(b" ")
        headers = {
            "Content-Type": "application/json",
            **({"Retry-After": wait.decode("ascii", "ignore")} if wait else {}),
        }
        stated = int(status) if status.isdigit() and len(status) == 3 else 200
        return http.Response(stated if 200 <= stated < 600 else 200, headers=headers, content=body)

    answered = answered_by(http.MockTransport(reply))
    prompt, sampling = (Message("user", "where is it?"),), Sampling(alternatives=2, schema='{"type": "object"}')

    def read(data: bytes) -> None:
        model = endpoint.EndpointModel(name="m", base_url=ADDRESS, model="m", retries=0, concurrency=1)
        sent[:] = [data]
        with answered:
            ((_, completion),) = model.generate([prompt], 20, sampling)
        must_be_a_completion(completion)

    return read


def answered_by(transport: Any) -> Any:
    """While it lasts servers are not asked: this answers in their place, behind the client that they are asked with."""
    from strategies.models import endpoint
    from strategies.models.client import client_for

    client = client_for(ADDRESS, "none", endpoint.EndpointModel.timeout_s, local=True)
    client._client._transport, client._client._mounts = transport, {}
    return patch.object(endpoint.EndpointModel, "client", client)


def must_be_a_completion(completion: Any) -> None:
    """It can be stored, and its tokens can be billed."""
    used = completion.usage
    for tokens in (used.prompt_tokens, used.cached_tokens, used.answer_tokens):
        assert type(tokens) is int, "a number of tokens is no whole number"
        assert 0 <= tokens <= 10**9, "a number of tokens is below zero or beyond all models"
    assert used.cached_tokens <= used.prompt_tokens, "more tokens are cached than were sent"
    json.dumps(asdict(completion), ensure_ascii=False, allow_nan=False).encode()


TARGETS: Mapping[str, Target] = {
    "spec": Target(what="task.yaml as a spec", opened=_spec, seeds=lambda: inputs.SPECS),
    "task": Target(what="task.yaml up to the split cases", opened=_task, seeds=lambda: inputs.SPECS),
    "schema": Target(what="the JSON schema of a task", opened=_schema, seeds=lambda: inputs.SCHEMAS),
    "prices": Target(what="prices.yaml, and over a task's", opened=_prices, seeds=lambda: inputs.PRICES),
    "jsonl": Target(what="cases and documents as JSONL", opened=_data("data.jsonl"), seeds=lambda: inputs.ROWS),
    "json": Target(what="cases and documents as JSON", opened=_data("data.json"), seeds=lambda: inputs.LISTS),
    "csv": Target(what="cases and documents as CSV", opened=_data("data.csv"), seeds=lambda: inputs.TABLES),
    "promptfoo": Target(what="a promptfoo configuration", opened=_data("p.yaml"), seeds=lambda: inputs.PROMPTFOO),
    "markdown": Target(what="a Markdown document", opened=_document("a.md"), seeds=lambda: inputs.MARKDOWN),
    "html": Target(what="an HTML document", opened=_document("a.html"), seeds=lambda: inputs.PAGES),
    "run": Target(what="run.json, told again", opened=_run, seeds=lambda: (_stored_run()[0],)),
    "export": Target(what="export.json, answers and the gate", opened=_export, seeds=_export_seeds),
    "server": Target(what="the answer of a server", opened=_server, seeds=lambda: inputs.ANSWERS),
}
