"""`RowFile` for CSV, JSON Lines and Parquet on the local disk, the first two also gzipped; read as a stream."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from regulars.domain.errors import BadInputError, PermanentError
from regulars.domain.importing.values import at_path
from regulars.ports.imports import RowBatch, UnreadableRow

if TYPE_CHECKING:
    from pathlib import Path

    from regulars.domain.importing.mapping import CsvDialect, ImportMapping
    from regulars.ports.imports import RowFile

_ROWS = 5_000
_GZIP = ".gz"
_UNPACKED = 8
"""How many times larger a gzipped file of rows is, about."""
_MAX_CELL = 1024 * 1024
_MAX_TEXT = 10_000


class _File(ABC):
    """What all formats have in common."""

    def __init__(self, path: Path, mapping: ImportMapping) -> None:
        self._path = path
        self._mapping = mapping

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self._path.name

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return self._path.stat().st_size

    @property
    def weight(self) -> int:
        """Bytes unpacked, about."""
        return self.size * (_UNPACKED if self._path.suffix == _GZIP else 1)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the contents, in hex."""
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @abstractmethod
    def rows(self, columns: Sequence[str]) -> Iterator[RowBatch]:
        """See RowFile.rows."""


class _TextFile(_File):
    """Rows that are read from a stream of bytes."""

    def rows(self, columns: Sequence[str]) -> Iterator[RowBatch]:
        """Batches of some thousand rows. Raises as RowFile.rows."""
        with self._path.open("rb") as raw:
            stream: Any = gzip.GzipFile(fileobj=raw) if self._path.suffix == _GZIP else raw
            try:
                yield from self._batches(stream, columns, raw.tell)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise PermanentError(f"{self.name}: damaged or cut off") from error

    @abstractmethod
    def _batches(self, stream: IO[bytes], columns: Sequence[str], tell: Callable[[], int]) -> Iterator[RowBatch]: ...


class CsvFile(_TextFile):
    """Comma-separated values (RFC 4180, or as the mapping's `csv` says) under a line of column names."""

    def _batches(self, stream: IO[bytes], columns: Sequence[str], tell: Callable[[], int]) -> Iterator[RowBatch]:
        dialect: CsvDialect = self._mapping.csv
        encoding = "utf-8-sig" if dialect.encoding.lower() in {"utf-8", "utf8"} else dialect.encoding
        try:
            # What is no text stays visible as surrogates, and makes one bad row, not a bad file.
            text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
        except LookupError as error:
            raise BadInputError("bad_mapping", "csv.encoding: unknown; use a name such as utf-8 or cp1252") from error
        csv.field_size_limit(_MAX_CELL)
        reader = csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quote)
        header = [name.strip() for name in next(reader, [])]
        places = _places(header, columns, self.name)
        for rows, unreadable in self._cells(reader, len(header), places):
            yield RowBatch(tell(), rows, unreadable)
        text.detach()  # the stream is closed by whoever opened it

    def _cells(
        self, reader: Any, width: int, places: list[int]
    ) -> Iterator[tuple[list[tuple[int, list[Any]]], list[UnreadableRow]]]:
        number = 0
        rows: list[tuple[int, list[Any]]] = []
        bad: list[UnreadableRow] = []
        going = True
        while going:
            try:
                for cells in reader:
                    if len(cells) == width:
                        number += 1
                        rows.append((number, [cells[place] for place in places]))
                        if not number % _ROWS:
                            yield rows, bad
                            rows, bad = [], []
                    elif cells:  # else an empty line
                        number += 1
                        problem = f"has {len(cells)} cells under {width} column names; is a quote or delimiter missing?"
                        bad.append(UnreadableRow(number, "bad_row", problem, _shown(cells)))
                going = False
            except csv.Error:
                number += 1
                bad.append(UnreadableRow(number, "bad_row", f"a cell has more than {_MAX_CELL} characters", ""))
        yield rows, bad


class JsonLinesFile(_TextFile):
    """One JSON object a line, in UTF-8; a column is a path with dots."""

    def _batches(self, stream: IO[bytes], columns: Sequence[str], tell: Callable[[], int]) -> Iterator[RowBatch]:
        flat = not any("." in column for column in columns)
        batch = RowBatch(0, [], [])
        for number, line in enumerate(stream, 1):
            if line.isspace():
                continue
            try:
                document = orjson.loads(line)
            except orjson.JSONDecodeError:
                document = None
            if not isinstance(document, dict):
                text = line[:_MAX_TEXT].decode("utf-8", "backslashreplace")
                batch.unreadable.append(UnreadableRow(number, "bad_json", "must be one JSON object in UTF-8", text))
            elif flat:
                batch.rows.append((number, [document.get(column) for column in columns]))
            else:
                batch.rows.append((number, [at_path(document, column) for column in columns]))
            if not number % _ROWS:
                yield batch._replace(position=tell())
                batch = RowBatch(0, [], [])
        yield batch._replace(position=tell())


class ParquetRows(_File):
    """A Parquet file; a column is a path with dots. Instants become ISO 8601 texts, decimals texts."""

    @property
    def weight(self) -> int:
        """Bytes unpacked: as texts, values take about as much."""
        metadata = self._opened().metadata
        return 2 * int(sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)))

    def rows(self, columns: Sequence[str]) -> Iterator[RowBatch]:
        """Batches of some thousand rows. Raises as RowFile.rows."""
        file = self._opened()
        total, number = max(file.metadata.num_rows, 1), 0
        heads = _heads(columns, file.schema_arrow.names, self.name)
        try:
            for batch in file.iter_batches(_ROWS, columns=sorted(set(heads)), use_threads=False):
                found = {name: _values(batch.column(name)) for name in batch.schema.names}
                lists = [
                    found[head] if head == column else [at_path({head: value}, column) for value in found[head]]
                    for head, column in zip(heads, columns, strict=True)
                ]
                rows = list(enumerate(map(list, zip(*lists, strict=True)), number + 1))
                number += batch.num_rows
                yield RowBatch(self.size * number // total, rows, [])
        except pa.ArrowException as error:
            raise PermanentError(f"{self.name}: damaged or cut off") from error

    def _opened(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self._path)
        except pa.ArrowException as error:
            raise PermanentError(f"{self.name}: not a Parquet file") from error


def _values(column: pa.Array) -> list[Any]:
    """A column as JSON values."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("ms", "UTC" if kind.tz else None), safe=False)
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return list(column.cast(pa.string()).to_pylist())
    values = list(column.to_pylist())
    return [_json(value) for value in values] if pa.types.is_nested(kind) or pa.types.is_binary(kind) else values


def _json(value: Any) -> Any:
    """Nested values as JSON has them."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        return {str(name): _json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _places(header: list[str], columns: Sequence[str], file: str) -> list[int]:
    """Where each column is. Raises BadInputError `bad_mapping`."""
    for column in columns:
        _known(column, header, file)
        if header.count(column) > 1:
            raise BadInputError("bad_mapping", f"{file} has two columns {column}; rename one")
    return [header.index(column) for column in columns]


def _heads(columns: Sequence[str], names: Sequence[str], file: str) -> list[str]:
    """The top-level column of each path. Raises BadInputError `bad_mapping`."""
    return [column if column in names else _known(column.partition(".")[0], names, file, column) for column in columns]


def _known(name: str, names: Sequence[str], file: str, path: str | None = None) -> str:
    if name in names:
        return name
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(list(names)[:20])}"
    raise BadInputError("bad_mapping", f"{file} has no column {path or name}; {hint}")


def _shown(cells: list[str]) -> str:
    return "\x1f".join(cells)[:_MAX_TEXT].encode("utf-8", "backslashreplace").decode()


_FORMATS: Mapping[str, type[_File]] = {"csv": CsvFile, "jsonl": JsonLinesFile, "parquet": ParquetRows}
_ENDINGS: Mapping[str, str] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet",
}  # fmt: skip


def row_file(path: Path, mapping: ImportMapping) -> RowFile:
    """The file of rows at `path`, by the mapping's format or else the name's ending.

    Raises BadInputError `bad_mapping` when neither says what it is.
    """
    ending = path.with_suffix("").suffix if path.suffix == _GZIP else path.suffix
    kind = mapping.format or _ENDINGS.get(ending.lower())
    if kind is None:
        raise BadInputError("bad_mapping", f"format: say csv, jsonl or parquet; {path.name} does not tell")
    return _FORMATS[kind](path, mapping)
