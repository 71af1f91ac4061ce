"""The lines of a task's log, written while the task runs."""

from typing import Any


class TaskLog:
    """Lines with their kind in front, as PVE::VZDump::Plugin debugmsg writes them."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def bind(self, record: dict[str, Any]) -> None:
        """Write into a task's own log from now on."""
        record['log'].extend(self._lines)
        self._lines = record['log']

    def plain(self, text: str) -> None:
        """Lines as they are."""
        self._lines.extend(text.rstrip().split('\n'))

    def _write(self, kind: str, text: str) -> None:
        self._lines.extend(f'{kind}: {line}' for line in text.strip().split('\n'))

    def info(self, text: str) -> None:
        """What happens."""
        self._write('INFO', text)

    def warn(self, text: str) -> None:
        """What went wrong without harm."""
        self._write('WARN', text)

    def error(self, text: str) -> None:
        """What failed."""
        self._write('ERROR', text)
