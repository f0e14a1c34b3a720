"""Holds the house in place: which way imports point, what may never be called, and what starting up may load."""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("strategies", "benchmarks", "advisor")
STUDIES = "benchmarks.studies"
HEAVY = ("torch", "transformers", "peft", "faiss", "sentence_transformers", "sklearn")
BASE = ("contract", "drawn", "goal", "panel", "placed", "wording")
LAYERS = (
    BASE,
    "ask",
    "costs",
    "decision",
    "material",
    "figures",
    "probes",
    "story",
    "reports",
    "experiments",
    "deploy",
    "cli",
)
"""What stands beside each other in advisor/, from what knows least to what knows all; imports go leftward here too."""
SHOWS_ITSELF = ("advisor.contract", "advisor.reports.render")
"""A notebook asks a verdict for its page, and it loads what makes one then."""
MOST_LINES = 400
LONGER = {"strategies/contract.py": "the seam that every approach is written against is read in one place"}
"""Files that may be longer, and why."""

UNSAFE_MODULES = frozenset({"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"})
UNSAFE_CALLS = frozenset(
    {
        *(
            "eval",
            "exec",
            "compile",
            "__import__",
            "os.system",
            "os.popen",
            "torch.load",
            "torch.jit.load",
            "torch.hub.load",
        ),
        *("subprocess.getoutput", "subprocess.getstatusoutput", "tempfile.mktemp", "numpy.fromfile", "runpy.run_path"),
        *("pandas.read_pickle", "faiss.read_index", "yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader"),
    }
)
"""What turns data into code, a name into a file that somebody else may have made, or a foreign file into an index."""
UNSAFE_YAML = frozenset({"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"})
NEVER = frozenset({"shell", "allow_pickle", "trust_remote_code"})
"""Keywords that are given as False, or not at all."""
NO_WEIGHTS = frozenset({"AutoConfig", "AutoTokenizer", "PeftModel"})
"""Of what has `from_pretrained`: read no weights, or (peft) take no such keyword, so that the folder is checked before."""
EMBEDDERS = frozenset({"SentenceTransformer", "CrossEncoder"})
NUMPY_LOAD = frozenset({"np.load", "numpy.load"})


def sources() -> list[Path]:
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(found) > 30, "The packages lie beside the folder of the tests."
    return found


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def each(problem: Callable[[Path], T]) -> dict[str, T]:
    """What is wrong with each file that something is wrong with."""
    return {named(path): found for path in sources() if (found := problem(path))}


# ---------------------------------------------------------------- what is looked for


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, full name) of everything imported, at whatever depth; `from a import b` gives `a.b`, so that a
    submodule counts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)


def wrong_way(module: str, tree: ast.AST) -> list[str]:
    """Imports that point to the right, or to the studies."""
    package = module.partition(".")[0]
    if module.startswith(STUDIES):
        return []
    to_the_right = PACKAGES[PACKAGES.index(package) + 1 :]
    return [
        f"line {line}: {name}"
        for line, name in imported(tree)
        if name.partition(".")[0] in to_the_right or name == STUDIES or name.startswith(f"{STUDIES}.")
    ]


def layer_of(module: str) -> int | None:
    """None of what is not in advisor/, and of its doors: what is imported, and what is started."""
    parts = module.split(".")
    if parts[0] != "advisor" or len(parts) == 1:
        return None
    return next(
        (place for place, layer in enumerate(LAYERS) if parts[1] in (layer if layer is BASE else (layer,))), None
    )


def to_the_right_within(module: str, tree: ast.AST) -> list[str]:
    """Imports from one folder of advisor/ to one that stands further to the right."""
    own = layer_of(module)
    if own is None:
        return []
    return [
        f"line {line}: {name}"
        for line, name in imported(tree)
        if (layer_of(name) or 0) > own and (module, name) != SHOWS_ITSELF
    ]


def unsafe(tree: ast.AST) -> list[str]:
    """Ways in which data could become code: pickles, eval, unsafe YAML, shells."""
    found = [f"line {line}: {name}" for line, name in imported(tree) if name.partition(".")[0] in UNSAFE_MODULES]
    found += [f"line {line}: {name}" for line, name in imported(tree) if name in UNSAFE_CALLS | UNSAFE_YAML]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += [f"line {node.lineno}: {what}" for what in unsafe_call(node)]
        elif isinstance(node, ast.Name | ast.Attribute) and dotted(node) in UNSAFE_CALLS | UNSAFE_YAML:
            found.append(f"line {node.lineno}: {dotted(node)}")
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            found += [
                f"line {node.lineno}: {key.value}"
                for key, value in pairs
                if isinstance(key, ast.Constant) and key.value in NEVER and not is_constant(value, False)
            ]
    return found


def unsafe_call(call: ast.Call) -> Iterator[str]:
    name = dotted(call.func)
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in NUMPY_LOAD and not is_constant(keywords.get("allow_pickle"), False):
        yield f"{name} without allow_pickle=False"
    for keyword in NEVER & keywords.keys():
        if not is_constant(keywords[keyword], False):
            yield f"{keyword} other than False"
    if loads_weights(name, keywords) and not only_safetensors(keywords):
        yield f"{name} without use_safetensors=True"


def loads_weights(name: str, keywords: Mapping[str | None, ast.expr]) -> bool:
    owner, _, method = name.rpartition(".")
    if method == "from_pretrained":
        return owner.rpartition(".")[2] not in NO_WEIGHTS and "gguf_file" not in keywords
    return name in EMBEDDERS


def only_safetensors(keywords: Mapping[str | None, ast.expr]) -> bool:
    inner = keywords.get("model_kwargs")
    if isinstance(inner, ast.Dict):
        pairs = zip(inner.keys, inner.values, strict=True)
        return any(is_constant(key, "use_safetensors") and is_constant(value, True) for key, value in pairs)
    return is_constant(keywords.get("use_safetensors"), True)


def is_console(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "Console"


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return node.id if isinstance(node, ast.Name) else ""


def is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is type(value) and node.value == value


def leftovers(text: str) -> list[str]:
    """Comments that put work off."""
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [f"line {one.start[0]}" for one in tokens if one.type == tokenize.COMMENT and marks.search(one.string)]


def start_up(program: str, folder: Path) -> str:
    """What a fresh interpreter prints for `program`, started in another folder than the repository."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOADED = f"print('loaded:', sorted(set({HEAVY!r}) & set(__import__('sys').modules)))"


# ---------------------------------------------------------------- the house


def test_imports_point_to_the_left() -> None:
    assert each(lambda path: wrong_way(module_of(path), parsed(path))) == {}


def test_imports_within_the_advisor_point_to_the_left() -> None:
    found = {module_of(path).split(".")[1] for path in sources() if module_of(path).startswith("advisor.")}
    assert found - {"__main__"} == {*BASE, *(layer for layer in LAYERS if isinstance(layer, str))}
    assert each(lambda path: to_the_right_within(module_of(path), parsed(path))) == {}


def test_nothing_turns_data_into_code() -> None:
    def found(path: Path) -> list[str]:
        lines = unsafe(parsed(path))
        if module_of(path).startswith(STUDIES):  # They load models that come with the product, or that they made.
            return [line for line in lines if not line.endswith("without use_safetensors=True")]
        return lines

    assert each(found) == {}


def test_text_of_others_becomes_no_emoji_in_a_terminal() -> None:
    """A console of rich reads `:name:` as one unless it is told not to: `shown.console` tells it, and nobody else makes one."""
    made = each(lambda path: [ast.unparse(node) for node in ast.walk(parsed(path)) if is_console(node)])
    assert list(made) == ["advisor/cli/shown.py"]


def test_a_module_says_what_it_is_for() -> None:
    assert each(lambda path: "" if (ast.get_docstring(parsed(path)) or "").strip() else "it has no docstring") == {}
    assert each(lambda path: leftovers(path.read_text(encoding="utf-8"))) == {}


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    """Where one is: what is mixed up in it?"""
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES and name not in LONGER} == {}


def test_the_page_of_the_architecture_names_every_folder() -> None:
    """Whoever opens a package finds there what each folder in it is for."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for package in PACKAGES:
        table = page.partition(f"| {package}/ |")[2].partition("\n\n")[0]
        folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")} - {"studies"}
        assert folders
        assert {folder for folder in folders if f"`{folder}/`" not in table} == set()
    about = page.partition("`tests/` has a folder")[2].partition("\n\n")[0]
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders
    assert {folder for folder in folders if f"`{folder}/`" not in about} == set()


def test_every_imported_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = {
        re.split(r"[^A-Za-z0-9._-]", line)[0].lower().replace("_", "-")
        for line in (*project["dependencies"], *extras["cluster"], *extras["remote"], *extras["tracking"])
    }
    own = {*PACKAGES, *sys.stdlib_module_names}
    distributions = packages_distributions()
    missing: dict[str, str] = {}
    for path in sources():
        if module_of(path).startswith(STUDIES):
            continue
        for _, name in imported(parsed(path)):
            top = name.partition(".")[0]
            offered = {one.lower().replace("_", "-") for one in distributions.get(top, [top])}
            if top not in own and not offered & declared:
                missing[top] = named(path)
    assert missing == {}


# ---------------------------------------------------------------- starting up


def test_importing_the_product_loads_nothing_heavy(tmp_path: Path) -> None:
    shown = start_up(f"import advisor\nprint('file:', advisor.__file__)\n{LOADED}", tmp_path)
    assert f"file: {ROOT / 'advisor' / '__init__.py'}" in shown
    assert "loaded: []" in shown


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import runpy, sys\n"
        "sys.argv = ['advisor', '--help']\n"
        "try:\n"
        "    runpy.run_module('advisor', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        f"{LOADED}"
    )
    shown = start_up(program, tmp_path)
    assert "Usage:" in shown
    assert "loaded: []" in shown


def test_no_module_loads_anything_heavy_when_it_is_imported(tmp_path: Path) -> None:
    modules = [module_of(path) for path in sources() if path.stem != "__main__"]
    shipped = [module for module in modules if not module.startswith(STUDIES)]
    program = (
        "import importlib, sys\n"
        f"for module in {shipped!r}:\n"
        "    importlib.import_module(module)\n"
        f"    heavy = set({HEAVY!r}) & set(sys.modules)\n"
        "    assert not heavy, f'{module} loads {sorted(heavy)}'\n"
        f"{LOADED}"
    )
    assert "loaded: []" in start_up(program, tmp_path)


# ---------------------------------------------------------------- the checks themselves can fail


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("strategies.prompting.approach", "import benchmarks.contract"),
        ("strategies.catalog", "from advisor import story"),
        ("benchmarks.running.run", "from advisor.contract import Story"),
        ("benchmarks.running.run", "def later():\n    import advisor.decision.decide"),
        ("benchmarks.running.run", "from benchmarks import studies"),
        ("advisor.story.tell", "from benchmarks.studies.speed import main"),
    ],
)
def test_an_import_in_the_wrong_direction_is_found(module: str, line: str) -> None:
    assert wrong_way(module, ast.parse(line)) != []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("advisor.decision.decide", "from advisor.story.reasons import reasons"),
        ("advisor.costs.economics", "from advisor.material import Material"),
        ("advisor.contract", "from advisor.costs.economics import Ranking"),
        ("advisor.experiments.stored", "def later():\n    from advisor.deploy.export import export"),
    ],
)
def test_an_import_in_the_wrong_direction_within_the_advisor_is_found(module: str, line: str) -> None:
    assert to_the_right_within(module, ast.parse(line)) != []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("advisor.decision.decide", "from benchmarks.contract import State\nfrom strategies.contract import Case"),
        ("benchmarks.running.run", "from strategies.contract import Case\nfrom benchmarks.storage.store import Store"),
        ("benchmarks.studies.peers", "from advisor.story.tell import tell"),
    ],
)
def test_an_import_to_the_left_is_allowed(module: str, line: str) -> None:
    assert wrong_way(module, ast.parse(line)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import dump",
        "import torch\ntorch.load('weights.bin')",
        "from torch import load",
        "eval(text)",
        "exec(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name)",
        "causal.from_pretrained(name, use_safetensors=False)",
        "SentenceTransformer(name)",
        "CrossEncoder(name, model_kwargs={'use_safetensors': None})",
        "AutoModel.from_pretrained(name, trust_remote_code=allowed)",
        "AutoModel.from_pretrained(name, **{'trust_remote_code': True})",
        "run = os.system",
        "map(eval, texts)",
        "from marshal import loads",
        "from yaml import FullLoader",
        "tempfile.mktemp()",
        "from tempfile import mktemp",
        "subprocess.getoutput(command)",
        "subprocess.run(command, shell=flag)",
        "code = compile(text, name, 'exec')",
        "faiss.read_index(path)",
    ],
)
def test_an_unsafe_line_is_found(line: str) -> None:
    assert unsafe(ast.parse(line)) != []


@pytest.mark.parametrize(
    "line",
    [
        "model.eval()",
        "yaml.safe_load(text)",
        "np.load(path, allow_pickle=False)",
        "subprocess.run([program, name])",
        "json.load(file)",
        "re.compile(pattern)",
        "subprocess.run(command, shell=False)",
        "AutoModel.from_pretrained(name, use_safetensors=True, trust_remote_code=False)",
        "transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)",
        "SentenceTransformer(name, model_kwargs={'use_safetensors': True})",
    ],
)
def test_a_safe_line_is_allowed(line: str) -> None:
    assert unsafe(ast.parse(line)) == []


def test_work_put_off_is_found_in_comments_only() -> None:
    assert leftovers("x = 1  # TO" + "DO: later\n") == ["line 1"]
    assert leftovers('x = "TO' + 'DO"\n') == []
