"""Import files: rows become events as generic orders and collect make them, and go into the lake as history.

Three passes, of which each holds a small part of the files in memory at a time: rows are put aside by what they belong
to (an order's lines may lie anywhere), each of those becomes events, which are put aside by customer; whole customers
are written in objects of thousands of events. Nothing is written before everything has been read. What lands in the
lake is folded like everything else, with one write per customer and object.

An import is known by what is in it: its mapping and its files' contents. The first run notes when it was; every later
one takes that instant, finds which objects are there, and writes the others: so the same import again writes nothing,
and one that was killed goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from regulars.application.collect.shape import checked
from regulars.application.payload_hash import payload_hash
from regulars.domain.errors import BadInputError, PermanentError
from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import PRODUCT, BadRow, Event, event_from_doc, event_to_doc
from regulars.domain.importing.fields import Import, Row
from regulars.domain.importing.mapping import ImportMapping, load_mapping
from regulars.domain.importing.targets import Kind
from regulars.domain.importing.translate import Translator, translator_of
from regulars.domain.importing.values import RowError
from regulars.domain.instants import from_millis, to_millis
from regulars.ports.imports import UnreadableRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from regulars.ports import Clock, EventLog, Spill
    from regulars.ports.imports import ImportNotes, RowFile

STAGE = "import"
"""A row's stage is `import/<kind>`."""
LAYOUT = 1
"""Part of what an import is known by: to be raised when the same rows would be written in other objects."""
EVENTS_PER_OBJECT = 10_000
MAX_BAD = 1_000
_BYTES_PER_GROUP = 8 * 1024 * 1024
_MAX_GROUPS = 64
_BEGUN, _DONE = "begun", "done"
_MAX_ORIGINAL = 200_000


class RowFault(NamedTuple):
    """Why a row was not imported: file, row in it, code (docs/error-codes.md), field of the mapping, problem."""

    file: str
    row: int
    code: str
    field: str
    problem: str


Progress = Callable[[str, int, int], None]
"""Hears of each pass (`reading` in bytes, `assembling` in parts, `writing` in events) how much is done of how much."""


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class ImportReport:
    """What an import did: `rows` read, `events` and bad rows made of them; `objects` written now, and `skipped` because
    they had been before. `already`: all of it had been, so the files were not read again."""

    import_id: str
    received_at: datetime
    rows: int = 0
    events: int = 0
    bad_rows: int = 0
    objects: int = 0
    skipped: int = 0
    already: bool = False
    keys: list[str] = field(default_factory=list)


Intaking = Callable[[], Callable[[Event], Event]]
"""Gives what takes an event and gives what the lake keeps of it; made anew in each process."""


class Assembled(NamedTuple):
    """What a part of the rows became: events as (customer's node, JSON), and rows that are not imported together, as
    (RowError's arguments, rows). Plain data, so that it may be made in another process."""

    events: list[tuple[str, bytes]]
    rejected: list[tuple[tuple[str, str, str, tuple[int, int] | None], list[list[Any]]]]


Mapper = Callable[[Callable[[list[list[bytes]]], Assembled], Iterable[list[list[bytes]]]], Iterable[Assembled]]
"""As `map`: in this process or in others, results in order."""


class TooManyBadRowsError(PermanentError):
    """More rows are bad than was allowed: it is the mapping, most likely. Nothing has been written."""


def document_of(mapping: ImportMapping) -> dict[str, Any]:
    """The mapping as JSON data, without what it does not say."""
    return mapping.model_dump(mode="json", exclude_defaults=True)


@dataclass(frozen=True, slots=True)
class ImportFiles:
    """Imports of one deployment.

    `spills` makes a spill of so many groups, gone when it is closed; `intake` is what is done to an event before the
    lake keeps it (regulars.application.intake); `each` does the work of the second pass.
    """

    log: EventLog
    notes: ImportNotes
    clock: Clock
    spills: Callable[[int], AbstractContextManager[Spill]]
    intake: Intaking
    each: Mapper = map
    events_per_object: int = EVENTS_PER_OBJECT

    def __call__(
        self,
        mapping: ImportMapping,
        files: Sequence[RowFile],
        *,
        max_bad: int = MAX_BAD,
        dry_run: bool = False,
        on_fault: Callable[[RowFault], None] = lambda _fault: None,
        progress: Progress = no_progress,
    ) -> ImportReport:
        """Import the rows of all files (a file that is there twice counts once).

        `dry_run` writes nothing. Raises TooManyBadRowsError (more than `max_bad`), BadInputError `bad_mapping` (a
        column is not there), PermanentError (a file cannot be read), TransientError (the lake does not answer: run it
        again, it goes on).
        """
        distinct = sorted({file.digest: file for file in files}.values(), key=lambda file: file.digest)
        report = self._begun(mapping, [file.digest for file in distinct], dry_run=dry_run)
        if report.already:
            return report
        run = _Run(Import(mapping, report.received_at, payload_hash), distinct, report, max_bad, on_fault, progress)
        groups = min(1 + sum(file.weight for file in distinct) // _BYTES_PER_GROUP, _MAX_GROUPS)
        with self.spills(groups) as rows, self.spills(groups) as events:
            run.read(rows)
            run.assemble(rows, events, self.intake, self.each)
            if not dry_run:
                self._write(run, events)
        return report

    def _begun(self, mapping: ImportMapping, digests: list[str], *, dry_run: bool) -> ImportReport:
        """The report to fill; where this import has been begun before, with its instant."""
        import_id = payload_hash([LAYOUT, document_of(mapping), digests])
        now = self.clock.now()
        if dry_run:
            return ImportReport(import_id, now)
        done = self.notes.note(import_id, _DONE)
        if done is not None:
            return ImportReport(
                import_id, from_millis(done["received_at"]), done["rows"], done["events"], done["bad_rows"],
                skipped=done["objects"], already=True,
            )  # fmt: skip
        begun = self.notes.keep_note(import_id, _BEGUN, {"received_at": to_millis(now)})
        return ImportReport(import_id, from_millis(begun["received_at"]))

    def _write(self, run: _Run, events: Spill) -> None:
        report = run.report
        there = self.notes.note_names(report.import_id)
        if run.bad:
            self.log.append_bad(run.bad)
        written = objects = 0
        for number, chunk in enumerate(_chunks(events, self.events_per_object)):
            objects += 1
            name = f"object-{number:06d}"
            if name in there:
                report.skipped += 1
            else:
                keys = self.log.append([event_from_doc(orjson.loads(line)) for line in chunk])
                self.notes.keep_note(report.import_id, name, {"keys": keys, "events": len(chunk)})
                report.keys += keys
                report.objects += 1
            written += len(chunk)
            run.progress("writing", written, report.events)
        done = {"rows": report.rows, "events": report.events, "bad_rows": report.bad_rows, "objects": objects}
        self.notes.keep_note(report.import_id, _DONE, {"received_at": to_millis(report.received_at), **done})


def _chunks(events: Spill, size: int) -> Iterator[list[bytes]]:
    """Whole customers, at least `size` events a chunk (the last one has the rest); the same ones each time."""
    chunk: list[bytes] = []
    for group in range(events.groups):
        customers = events.take(group)
        for node in sorted(customers):
            chunk += sorted(customers[node])
            if len(chunk) >= size:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


@dataclass(slots=True)
class _Run:
    """One run over the files: what is known so far."""

    given: Import
    files: Sequence[RowFile]
    report: ImportReport
    max_bad: int
    on_fault: Callable[[RowFault], None]
    progress: Progress
    bad: list[BadRow] = field(default_factory=list)

    def read(self, rows: Spill) -> None:
        """First pass: every row aside, by what it belongs to."""
        translator, columns = translator_of(self.given), self.given.columns
        total, before = sum(file.size for file in self.files), 0
        for number, file in enumerate(self.files):
            for batch in file.rows(columns):
                for unreadable in batch.unreadable:
                    self._unreadable(number, unreadable)
                if batch.rows:
                    self._put_aside(number, batch.rows, translator, rows)
                self.report.rows += len(batch.rows) + len(batch.unreadable)
                self.progress("reading", min(before + batch.position, total), total)
            before += file.size

    def _put_aside(self, file: int, batch: list[tuple[int, list[Any]]], translator: Translator, rows: Spill) -> None:
        """Rows that belong together and lie together are put aside together."""
        keyed: dict[str, list[list[Any]]] = {}
        alone: list[list[Any]] = []
        for (number, values), key in zip(batch, translator.keys([values for _, values in batch]), strict=True):
            row = [file, number, values]
            if key is None:
                alone.append(row)
            elif isinstance(key, str):
                keyed.setdefault(key, []).append(row)
            else:
                self._reject(key, [Row(file, number, values)])
        for key, members in keyed.items():
            try:
                rows.add(_name_of(key.encode()), orjson.dumps(members))
            except (TypeError, UnicodeEncodeError):
                for row in members:
                    self._put_one(row, key, rows)
        for row in alone:
            self._put_one(row, None, rows)

    def _put_one(self, row: list[Any], key: str | None, rows: Spill) -> None:
        file, number, values = row
        try:
            line = orjson.dumps([row])
            name = _name_of(orjson.dumps(values) if key is None else key.encode())
        except (TypeError, UnicodeEncodeError):  # a surrogate: bytes that are no text in the file's encoding
            text = str(values).encode("utf-8", "backslashreplace").decode()
            problem = "is not text in the encoding that the mapping says"
            self._unreadable(file, UnreadableRow(number, "bad_encoding", problem, text))
        else:
            rows.add(name, line)

    def assemble(self, rows: Spill, events: Spill, intake: Intaking, each: Mapper) -> None:
        """Second pass: each key's rows to events, aside by customer."""
        document = document_of(self.given.mapping)
        work = partial(assembled, document, self.given.received_at, intake)
        parts = (list(rows.take(group).values()) for group in range(rows.groups))
        for number, part in enumerate(each(work, parts), 1):
            for node, line in part.events:
                events.add(node, line)
            self.report.events += len(part.events)
            for fault, members in part.rejected:
                self._reject(RowError(*fault), [Row(*row) for row in members])
            self.progress("assembling", number, rows.groups)

    def _reject(self, error: RowError, rows: list[Row]) -> None:
        """All of these rows are not imported, because of one of them."""
        rows.sort(key=lambda row: row.place)
        guilty = error.place or rows[0].place
        for row in rows:
            alone = row.place == guilty
            code, problem = (error.code, error.detail) if alone else ("same_order", "another row of it is bad")
            self.on_fault(RowFault(self.files[row.file].name, row.number, code, error.field if alone else "", problem))
        ids = [f"{self.files[row.file].digest}:{row.number}" for row in rows]
        mapping = document_of(self.given.mapping)
        original = orjson.dumps({"v": 1, "mapping": mapping, "rows": [[row.number, row.values] for row in rows]})
        self._keep(error.code, error.detail, ids, original, count=len(rows))

    def _unreadable(self, number: int, row: UnreadableRow) -> None:
        file = self.files[number]
        self.on_fault(RowFault(file.name, row.number, row.code, "row", row.problem))
        original = orjson.dumps({"v": 1, "mapping": document_of(self.given.mapping), "text": row.text})
        self._keep(row.code, f"row: {row.problem}", [f"{file.digest}:{row.number}"], original, count=1)

    def _keep(self, code: str, detail: str, ids: list[str], original: bytes, *, count: int) -> None:
        self.report.bad_rows += count
        if self.report.bad_rows > self.max_bad:
            raise TooManyBadRowsError(f"more than {self.max_bad} rows are bad; nothing was imported")
        source = self.given.mapping.source
        self.bad.append(
            BadRow(
                row_id=payload_hash([STAGE, self.report.import_id, ids]),
                source=source,
                stage=f"{STAGE}/{self.given.mapping.kind}",
                code=code,
                detail=detail,
                received_at=self.given.received_at,
                original=original[:_MAX_ORIGINAL].decode(errors="ignore"),
            )
        )


def assembled(mapping: dict[str, Any], received_at: datetime, intake: Intaking, lines: list[list[bytes]]) -> Assembled:
    """The events of whole keys: for each its lines, each line some rows as JSON (file, number, values)."""
    given = Import(load_mapping(mapping), received_at, payload_hash)
    take_in = intake()
    groups = [[Row(*row) for line in together for row in orjson.loads(line)] for together in lines]
    result = Assembled([], [])
    for members, found in zip(groups, translator_of(given).translate(groups), strict=True):
        outcome = found if isinstance(found, RowError) else _taken_in(found, given, take_in)
        if isinstance(outcome, RowError):
            fault = (outcome.code, outcome.field, outcome.problem, outcome.place)
            result.rejected.append((fault, [[row.file, row.number, row.values] for row in members]))
            continue
        for node, event in outcome:
            result.events.append((node, orjson.dumps(event_to_doc(event))))
    return result


def _taken_in(
    events: list[Event], given: Import, take_in: Callable[[Event], Event]
) -> list[tuple[str, Event]] | RowError:
    """What the lake keeps of the events, each with the node that it is folded into (a product: with its own id)."""
    kept = []
    for one in events:
        try:
            if given.mapping.kind is Kind.EVENTS:
                checked(one.properties)  # limits of any event, and masks for addresses in its URLs
                checked(one.traits)
            event = take_in(one)
        except BadInputError as error:
            return RowError(error.code, "row", error.detail)
        nodes = nodes_of(event)
        if not nodes and event.type is not PRODUCT:
            return RowError("no_identifier", "fields", "names nobody: none of its identifiers stands for one person")
        kept.append((nodes[0] if nodes else event.event_id, event))
    return kept


def _name_of(key: bytes) -> str:
    """A short name for a key of any length, without spaces."""
    return hashlib.blake2b(key, digest_size=12).hexdigest()


def read_again(row: BadRow) -> list[Event]:
    """A bad row of this stage, translated again by the mapping that it came with. Raises BadInputError when still bad.

    A row that could not even be read stays as it is: mend the file and import it.
    """
    try:
        document = orjson.loads(row.original)
        rows = [Row(0, number, values) for number, values in document["rows"]]
        mapping = load_mapping(document["mapping"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError("bad_json", "the row could not be read; mend its file and import that") from error
    given = Import(mapping, row.received_at, payload_hash)
    (found,) = translator_of(given).translate([rows])
    kept = found if isinstance(found, RowError) else _taken_in(found, given, lambda event: event)
    if isinstance(kept, RowError):
        raise kept
    return [event for _, event in kept]
