"""`ProgramStore` in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.definitions import Basis, DefinitionSet, InForce
from regulars.domain.parameters import ProgramParameters
from regulars.domain.program import Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.adapters.memory.definitions import MemoryDefinitionStore


class MemoryProgramStore:
    """One program and the newest parameters that were published to it; with `files` (what it was loaded from) and
    `definitions`, those that are in force there join it."""

    def __init__(
        self,
        program: Program,
        files: Mapping[str, object] | None = None,
        definitions: MemoryDefinitionStore | None = None,
    ) -> None:
        self._program = program
        self._files = files
        self._put = definitions
        self._definitions = DefinitionSet()
        self._files_hash = program.source

    def current(
        self,
        *,
        parameters_version: int = 0,  # noqa: ARG002 - nothing here is ever out of date
        definitions_version: int = 0,  # noqa: ARG002
    ) -> Program:
        """The program with the definitions in force, under the newest parameters."""
        if self._put is not None and (put := self._put.in_force()) != self._definitions:
            self._program = self.basis().program()
            self._definitions = put
        return self._program

    def in_force(self) -> InForce:
        """The program, and what it is made of."""
        program = self.current()
        return InForce(program, self._files_hash, self._definitions.changed_at)

    def basis(self) -> Basis:
        """What the program in force is made of. Raises ValueError where the store was not told of its files."""
        if self._files is None:
            raise ValueError("this store does not know its program's files")
        put = self._put.in_force() if self._put is not None else DefinitionSet()
        return Basis(self._files, put, self._program.parameters)

    def publish(self, parameters: ProgramParameters) -> bool:
        """Put newer parameters in force."""
        if parameters.version > self._program.parameters.version:
            self._program = self._program.with_parameters(parameters)
        return self._program.parameters == parameters
