"""`ProgramStore` of files that are packaged with the function, with definitions and parameters in S3 objects.

The files cannot change under a running container, so they are read once. Definitions and parameters are read again
after `max_age`, and at once when a caller knows of newer ones.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from regulars.adapters.aws.definitions import S3DefinitionStore
from regulars.adapters.aws.documents import S3Documents
from regulars.adapters.program_files import program_files
from regulars.domain.definitions import Basis, DefinitionSet, InForce
from regulars.domain.errors import PermanentError, TransientError
from regulars.domain.loading import load_program
from regulars.domain.parameters import ProgramParameters, parameters_from_doc, parameters_to_doc

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from regulars.domain.program import Program
    from regulars.ports import Clock

PARAMETERS_KEY = "program/parameters.json"
MAX_AGE = timedelta(seconds=60)
_PUBLISH_TRIES = 5


class S3ProgramStore:
    """The program in `folder` with the definitions of `bucket`, under its parameters. `client` is a boto3 S3 client
    with its own retries.

    Raises BadInputError `bad_program` at construction when the files are wrong: no request can be served then.
    """

    def __init__(self, client: Any, bucket: str, folder: Path, *, clock: Clock, max_age: timedelta = MAX_AGE) -> None:
        self._documents = S3Documents(client, bucket, what="the parameters")
        self._put = S3DefinitionStore(client, bucket)
        self._clock = clock
        self._max_age = max_age
        self._files = program_files(folder)
        self._program = load_program(self._files)
        self._files_hash = self._program.source
        self._definitions = DefinitionSet()
        self._noted: str | None = None
        self._read_at: datetime | None = None

    def current(self, *, parameters_version: int = 0, definitions_version: int = 0) -> Program:
        """The program under definitions and parameters at most `max_age` old, or newer where a version says there are.

        Raises BadInputError where definitions in force do not fit the files: `name_taken`, `bad_program`.
        """
        if (
            self._is_stale()
            or self._program.parameters.version < parameters_version
            or self._definitions.version < definitions_version
        ):
            self._follow(self.basis())
        return self._program

    def in_force(self) -> InForce:
        """The program under definitions and parameters as they are in S3 now. Raises as `current`."""
        basis = self.basis()
        return InForce(self._follow(basis), self._files_hash, basis.definitions.changed_at)

    def _follow(self, basis: Basis) -> Program:
        if basis.definitions != self._definitions:
            self._program = basis.program()
            self._definitions = basis.definitions
        self._program = self._program.with_parameters(basis.parameters)
        self._read_at = self._clock.now()
        return self._program

    def basis(self) -> Basis:
        """What the program in force is made of, as it is in S3 now."""
        parameters, _ = self._read()
        return Basis(self._files, self._put.in_force(), parameters)

    def publish(self, parameters: ProgramParameters) -> bool:
        """Whether these are in force now; where another's version is as high or higher, nothing changes. What the rules
        are is kept beside, so that history can say which decided what.

        Each try replaces exactly what it read (If-Match), so of two refreshes the newer wins whoever writes last, and a
        try whose answer was lost finds its own version in force. Raises TransientError when others keep winning.
        """
        self._note_rules()
        body = json.dumps(parameters_to_doc(parameters)).encode()
        for _ in range(_PUBLISH_TRIES):
            stored, etag = self._read()
            if stored.version >= parameters.version or self._documents.put(PARAMETERS_KEY, body, replaces=etag):
                self._read_at = None
                return stored.version < parameters.version or stored == parameters
        raise TransientError("other writers keep replacing the parameters")

    def _note_rules(self) -> None:
        if self._noted != self._program.rules_version:
            basis = Basis(self._files, self._definitions, self._program.parameters)
            self._put.note_rules(self._program.rules_version, basis.segments())
            self._noted = self._program.rules_version

    def _is_stale(self) -> bool:
        # A clock that was moved back counts as time gone by: better one read too many.
        return self._read_at is None or abs(self._clock.now() - self._read_at) >= self._max_age

    def _read(self) -> tuple[ProgramParameters, str | None]:
        """The stored parameters and their ETag; version 0 and None where nobody has published any."""
        found = self._documents.read(PARAMETERS_KEY)
        if found is None:
            return ProgramParameters(), None
        try:
            return parameters_from_doc(json.loads(found.body)), found.etag
        except (ValueError, KeyError, TypeError) as error:
            raise PermanentError(f"{PARAMETERS_KEY} does not hold parameters") from error
