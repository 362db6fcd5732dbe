"""`ProgramStore` in memory."""

from __future__ import annotations

from regulars.domain.parameters import ProgramParameters
from regulars.domain.program import Program


class MemoryProgramStore:
    """One program and the newest parameters that were published to it."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def current(self, *, parameters_version: int = 0) -> Program:  # noqa: ARG002 - nothing here is ever out of date
        """The program under the newest parameters."""
        return self._program

    def publish(self, parameters: ProgramParameters) -> bool:
        """Put newer parameters in force."""
        if parameters.version > self._program.parameters.version:
            self._program = self._program.with_parameters(parameters)
        return self._program.parameters == parameters
