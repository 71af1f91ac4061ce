"""Files that are read while they are written."""

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Readers see the old file or the new one, and only the owner sees it at all."""
    fresh = path.with_name(path.name + '.new')
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='utf-8') as output:
        output.write(text)
    fresh.replace(path)
