"""Rules become source text of Python, and that functions: the same rules are run for every customer, again and again.

A rule is written towards a *sink*, which says what is to be done with each outcome: return it, let it decide an `all`,
put a segment's name into a list. So of the outcomes that a leaf tells apart each has its own lines, and there is no
call, no tuple and no test in between. The text holds nothing that somebody else wrote but whole numbers: operands,
names and fields are constants of the module, called c0, c1, ....
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, singledispatch
from types import CodeType
from typing import Any, Protocol

from regulars.domain.rules.compiling import FAILS, HOLDS, Compiled, Setting
from regulars.domain.rules.windows import FOREVER

Lines = list[str]


class Sink(Protocol):
    """What becomes of a verdict. `fixed`: one for good; `until`: one until the instant in a variable; `found`: one in
    the variables `verdict` and `until`."""

    def fixed(self, *, verdict: bool) -> Lines: ...

    def until(self, edge: str, *, verdict: bool) -> Lines: ...

    def found(self) -> Lines: ...


class Module:
    """Functions that are being written, and the constants that they name."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"FOREVER": FOREVER, "HOLDS": HOLDS, "FAILS": FAILS}
        self._text: Lines = []
        self._functions = 0

    def constant(self, value: object) -> str:
        """The name of a value."""
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name

    def function(self, lines: Lines) -> str:
        """The name of a new function of `facts` and `now`."""
        name = f"f{self._functions}"
        self._functions += 1
        self._text += block(f"def {name}(facts, now):", lines)
        return name

    def made(self, name: str) -> Any:
        """The function of that name, once everything that it calls is written."""
        exec(_code("\n".join(self._text)), self.names)  # noqa: S102 - our own text, see above
        self._text.clear()
        return self.names[name]


@lru_cache(maxsize=256)
def _code(text: str) -> CodeType:
    """Rules that differ in their constants only have one text."""
    return compile(text, "<rules>", "exec")


Writer = Callable[[Module, Sink], Lines]


@singledispatch
def written(rule: object, setting: Setting) -> Writer:  # noqa: ARG001 - dispatches on the rule
    """How a rule is written in a setting. Raises TypeError on an unknown node."""
    raise TypeError(f"cannot compile {type(rule).__name__}")


def compiled(rule: object, setting: Setting) -> Compiled:
    """The function of one rule. Raises TypeError on an unknown node."""
    return functioning(written(rule, setting))


def functioning(writer: Writer) -> Compiled:
    """The function of what a writer writes."""
    module = Module()
    function: Compiled = module.made(module.function(writer(module, Returned())))
    return function


def block(header: str, lines: Lines) -> Lines:
    """Lines under a header, a step further in."""
    return [header, *(" " + line for line in lines)]


def either(condition: str, yes: Lines, no: Lines) -> Lines:
    """`if`, with as much of it as has anything to say."""
    if not yes:
        return block(f"if not ({condition}):", no) if no else []
    return block(f"if {condition}:", yes) + (block("else:", no) if no else [])


def edge_at(expression: str) -> Lines:
    """`edge`, an instant of the customer's and a span; FOREVER where the calendar ends before that."""
    return [*block("try:", [f"edge = {expression}"]), *block("except OverflowError:", ["edge = FOREVER"])]


def steady(condition: Callable[[Module], str]) -> Writer:
    """What time does not change: an expression in `facts`."""
    return lambda module, sink: either(condition(module), sink.fixed(verdict=True), sink.fixed(verdict=False))


def calling(function: Compiled) -> Writer:
    """What is not worth writing out is called."""
    return lambda module, sink: [f"verdict, until = {module.constant(function)}(facts, now)", *sink.found()]


def negated(writer: Writer) -> Writer:
    """The opposite verdict, until the same instant."""
    return lambda module, sink: writer(module, _Negated(sink))


def combined(children: Sequence[Writer], *, decisive: bool) -> Writer:
    """`all` (one False decides) or `any` (one True decides), as a function of its own, which ends where one decides for
    good; as a part of the function that it is in where that is one of the same."""
    if len(children) == 1:
        return children[0]

    def write(module: Module, sink: Sink) -> Lines:
        inner = sink if isinstance(sink, _Decides) and sink.decisive is decisive else _Decides(decisive=decisive)
        lines = [line for child in children for line in child(module, inner)]
        if inner is sink:
            return lines
        if inner.moves:
            last = block("if decided_until is not None:", [f"return {decisive}, decided_until"])
            lines = [
                "steady_until, decided_until = FOREVER, None",
                *lines,
                *last,
                f"return {not decisive}, steady_until",
            ]
        else:
            lines.append(_RETURN[not decisive])
        return [f"verdict, until = {module.function(lines)}(facts, now)", *sink.found()]

    return write


_RETURN = {True: "return HOLDS", False: "return FAILS"}


class Returned:
    """The verdict is what the function returns."""

    def fixed(self, *, verdict: bool) -> Lines:
        return [_RETURN[verdict]]

    def until(self, edge: str, *, verdict: bool) -> Lines:
        return [f"return {verdict}, {edge}"]

    def found(self) -> Lines:
        return ["return verdict, until"]


class _Negated:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def fixed(self, *, verdict: bool) -> Lines:
        return self._sink.fixed(verdict=not verdict)

    def until(self, edge: str, *, verdict: bool) -> Lines:
        return self._sink.until(edge, verdict=not verdict)

    def found(self) -> Lines:
        return ["verdict = not verdict", *self._sink.found()]


class _Decides:
    """One of the rules of `all` or `any`. `moves`: whether time changes any of them."""

    def __init__(self, *, decisive: bool) -> None:
        self.decisive = decisive
        self.moves = False

    def fixed(self, *, verdict: bool) -> Lines:
        return [_RETURN[verdict]] if verdict is self.decisive else []

    def until(self, edge: str, *, verdict: bool) -> Lines:
        self.moves = True
        if verdict is self.decisive:
            return block(f"if decided_until is None or {edge} > decided_until:", [f"decided_until = {edge}"])
        return block(f"if {edge} < steady_until:", [f"steady_until = {edge}"])

    def found(self) -> Lines:
        for_good = block("if until is FOREVER:", [_RETURN[self.decisive]])
        return either(
            f"verdict is {self.decisive}",
            for_good + self.until("until", verdict=self.decisive),
            self.until("until", verdict=not self.decisive),
        )
