"""Child processes: helpers that run to their end, and children that must not outlive this process."""

import asyncio
import ctypes
import os
import signal
from typing import Callable

from fakepve import TaskError

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> Callable[[], None]:
    """A preexec_fn: the child is killed when this process ends, even by SIGKILL (prctl(2), PR_SET_PDEATHSIG)."""
    parent = os.getpid()

    def prepare() -> None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            os._exit(1)
    return prepare


async def run(*argv: str) -> str:
    """Run a helper and return what it prints; a TaskError with its message if it fails or is missing."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, preexec_fn=die_with_parent())
    except FileNotFoundError:
        raise TaskError(f'{argv[0]}: command not found on the lab host') from None
    out, err = await process.communicate()
    if process.returncode:
        lines = err.decode(errors='replace').strip().splitlines() or ['no message']
        raise TaskError(f'{argv[0]} failed with exit code {process.returncode}: {lines[-1]}')
    return out.decode()
