"""Renders the chat template of a model as transformers does, within a size and a time: a template is a stranger's program."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any, cast

from jinja2 import Template, nodes, pass_context, pass_eval_context
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension
from jinja2.filters import do_join
from jinja2.nodes import EvalContext
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from strategies.models.rations import MOST_STEPS, NARROW, RATIONS, SECONDS, WIDE, Exhausted, Rations

__all__ = ["Exhausted", "rendered"]

LONGEST = 200_000
"""Characters of a template."""
ROOM, TIMES, A_TURN = 100_000, 8, 2_000
"""Characters that may be written: some, so many times those of messages and template, and for each message."""
GROWING = frozenset(
    {"center", "encode", "expandtabs", "format_map", "ljust", "maketrans", "rjust", "to_bytes", "translate", "zfill"}
)
"""Methods that make much out of little, and that no message needs."""
FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "format", "groupby"),
    *("indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr"),
    *("replace", "reverse", "round", "safe", "select", "selectattr", "sort", "string", "title", "tojson", "trim"),
    *("unique", "upper", "wordcount"),
)
INDENTS = ("indent", "tojson")


def rendered(template: str, turns: Sequence[Mapping[str, str]], more: Mapping[str, Any]) -> str:
    """The text that the template makes of the turns; `more` are the other variables that it may use.

    Raises `Exhausted` where it wants too much, and what jinja2 raises where it is wrong or refuses the turns.
    """
    if len(template) > LONGEST:
        raise Exhausted(f"it is longer than {LONGEST:,} characters")
    given = sum(len(text) for turn in turns for text in turn.values())
    room = ROOM + TIMES * (given + len(template)) + A_TURN * len(turns)
    outer = RATIONS.set(Rations(room=room, left=room, ends=time.thread_time() + SECONDS))
    try:
        return _compiled(template).render(messages=[dict(turn) for turn in turns], tools=None, documents=None, **more)
    except SecurityError as error:
        raise Exhausted(f"it does what no message needs ({str(error).rstrip('.')})") from None
    except RecursionError:
        raise Exhausted("it calls itself without end, or is nested too deep") from None
    finally:
        RATIONS.reset(outer)


@lru_cache(maxsize=16)
def _compiled(template: str) -> Template:
    made = _Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        optimized=False,
        extensions=[_Generation, "jinja2.ext.loopcontrols"],
        finalize=_written,
    )
    tree = cast(nodes.Template, _Watched().visit(made.parse(template)))
    return Template.from_code(made, made.compile(tree), made.make_globals(None))


# ---------------------------------------------------------------- what a template is made of


class _Generation(Extension):
    """The tag by which a template marks what the model says: here only its text."""

    tags = {"generation"}  # noqa: RUF012 - as its parent has it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


class _Watched(NodeTransformer):
    """Leads everything that writes, puts together or repeats past the rations."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node, nodes.TemplateData):  # A constant may be written more often than it stands there.
            return nodes.Const(node.data, lineno=node.lineno)
        if isinstance(node, nodes.For):
            node.iter = _through("_counted", node.iter)
        if isinstance(node, nodes.Concat):
            return _through("_joined", nodes.List(node.nodes, lineno=node.lineno))
        if isinstance(node, nodes.List | nodes.Dict) or (isinstance(node, nodes.Tuple) and node.ctx == "load"):
            return _through("_held", node)
        return node


def _through(name: str, node: nodes.Node) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


# ---------------------------------------------------------------- where it runs


class _Environment(ImmutableSandboxedEnvironment):
    """What transformers gives a template, where nothing grows unseen."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        ours: dict[str, Any] = {"tojson": _as_json, "replace": _replaced, "join": _joined_by, "format": _formatted}
        self.filters = {name: _limited(name, ours.get(name) or self.filters[name]) for name in FILTERS}
        self.filters |= {"_held": _held, "_joined": _joined, "_counted": _counted}
        self.globals.pop("lipsum")
        self.globals |= {"raise_exception": _refuse, "strftime_now": _now, "namespace": _Namespace, "dict": _Dict()}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        grows = attr in GROWING and isinstance(obj, str | int)
        return not grows and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        plain = super().wrap_str_format(value)
        if plain is None or value.__name__ in GROWING:
            return None

        def limited(*args: Any, **kwargs: Any) -> str:
            RATIONS.get().formatted(value.__self__, "{", [args, kwargs])
            return plain(*args, **kwargs)

        return limited

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        rations = RATIONS.get()
        if isinstance(left, int) and isinstance(right, int):
            rations.reckoned(operator, left, right)
        elif operator == "+":
            rations.fits(rations.size(left) + rations.size(right))
        elif operator == "*" and isinstance(left, int) != isinstance(right, int):
            times, value = (left, right) if isinstance(left, int) else (right, left)
            rations.fits(rations.size(value) * times)
        elif operator == "%" and isinstance(left, str):
            rations.formatted(left, "%", right)
        return rations.held(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as its parent
        rations = RATIONS.get()
        rations.tick()
        owner, name = getattr(__obj, "__self__", None), getattr(__obj, "__name__", "")
        if isinstance(owner, str) and name == "replace":
            rations.replaced(owner, *args[:2])
        if isinstance(owner, str) and name == "join":
            args = (rations.joined(owner, *args),)
        return rations.held(super().call(__context, __obj, *args, **kwargs))


def _limited(name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    """A filter with everything that it takes and gives measured, and no number with which it would work without end."""
    first = 1 if hasattr(inner, "jinja_pass_arg") else 0

    @wraps(inner)
    def limited(*args: Any, **kwargs: Any) -> Any:
        rations = RATIONS.get()
        rations.tick()
        given = [rations.gathered(each) if isinstance(each, Iterator) else rations.held(each) for each in args[first:]]
        for each in (*given[1:], *kwargs.values()):
            if isinstance(each, int) and abs(each) > (NARROW if name in INDENTS else MOST_STEPS):
                raise Exhausted(f"it tells the filter {name} a number that no message needs")
            if name in INDENTS and rations.size(each) > NARROW:
                raise Exhausted(f"it indents by more than {NARROW} characters")
        return rations.held(inner(*args[:first], *given, **kwargs))

    return limited


# ---------------------------------------------------------------- filters and functions


@pass_context
def _written(_: Context, value: Any) -> Any:
    return RATIONS.get().written(value)


@pass_context
def _held(_: Context, value: Any) -> Any:
    return RATIONS.get().held(value)


@pass_context
def _counted(_: Context, values: Any) -> Iterator[Any]:
    return RATIONS.get().counted(values)


@pass_context
def _joined(_: Context, values: list[Any]) -> str:
    """What `~` does."""
    return "".join(map(str, RATIONS.get().joined("", values)))


@pass_eval_context
def _joined_by(context: EvalContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    return str(do_join(context, RATIONS.get().joined(str(d), value), d, attribute))


def _replaced(s: Any, old: Any, new: Any, count: int | None = None) -> str:
    RATIONS.get().replaced(str(s), str(old), str(new))
    return str(s).replace(str(old), str(new), -1 if count is None else count)


def _formatted(value: Any, *args: Any, **kwargs: Any) -> str:
    RATIONS.get().formatted(str(value), "%", kwargs or args)
    return str(value) % (kwargs or args)


def _as_json(
    x: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _now(format: str) -> str:
    if WIDE.search(format):
        raise Exhausted("it fills a field up to a width that no message needs")
    return datetime.now().strftime(format)


class _Namespace(Namespace):
    """One that holds no name which begins with an underscore, as in transformers."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, *given = args
        values = dict(*given, **kwargs)
        for name in values:
            _check_name(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a name of a name space begins with an underscore: {name!r}")


class _Dict:
    """`dict`, of which a template may use these two."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)
