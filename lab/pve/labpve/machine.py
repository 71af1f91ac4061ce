"""One QEMU process: started, watched, asked, ended."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any, Callable, Optional

from fakepve import TaskError

from .command import Paths
from .process import die_with_parent
from .qmp import GuestAgent, Monitor, MonitorError

# Seconds a fresh process may take until its monitor answers.
MONITOR_TIMEOUT = 30.0


# Modules of KVM that run a guest on the processor. Another one, such as kvm_pvm in a virtual machine, sets up virtual CPUs and emulates
# part of what they do: it stops a guest at an instruction that it does not know, as in its kernel's unpacking ("KVM internal error").
KVM_MODULES = ('kvm_intel', 'kvm_amd')


async def kvm_usable(choice: str, modules: Path = Path('/sys/module')) -> bool:
    """Can QEMU run a guest under KVM here? The device may exist where virtual CPUs cannot be set up, so ask QEMU."""
    if choice != 'auto':
        return choice == 'kvm'
    if not any((modules / name).exists() for name in KVM_MODULES):
        return False
    try:
        probe = await asyncio.create_subprocess_exec(
            'qemu-system-x86_64', '-accel', 'kvm', '-cpu', 'host', '-m', '32', '-nodefaults', '-no-user-config',
            '-display', 'none', '-S', '-monitor', 'stdio', stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, preexec_fn=die_with_parent())
    except FileNotFoundError:
        return False
    try:
        await asyncio.wait_for(probe.communicate(b'quit\n'), 10)
    except asyncio.TimeoutError:
        probe.kill()
        await probe.wait()
    return probe.returncode == 0


class Machine:
    """A running VM. `ended` is called once, when the process is gone, whoever ended it."""

    def __init__(self, paths: Paths, ended: Callable[[], None]) -> None:
        self.paths = paths
        self._ended = ended
        self._process: Optional[asyncio.subprocess.Process] = None
        self._monitor: Optional[Monitor] = None
        self._watch: Optional[asyncio.Task[None]] = None
        self.started_at = 0.0
        self.version = ''
        self.argv: list[str] = []
        # Descriptors of its cables, which the process inherits, by the backend that the command line names.
        self.cables: dict[str, int] = {}
        self.agent = GuestAgent(paths.socket('qga'))

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Does the process run?"""
        return self._process is not None and self._process.returncode is None

    async def start(self, argv: list[str]) -> None:
        """Run QEMU until its monitor answers; a TaskError with what it printed if it ends before."""
        self._tidy()
        self.argv = argv
        log = self.paths.log('qemu')
        log.parent.mkdir(parents=True, exist_ok=True)
        self.paths.file('command').write_text('\n'.join(argv) + '\n', encoding='utf-8')
        with log.open('wb') as output:
            self._process = await asyncio.create_subprocess_exec(
                *argv, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=tuple(self.cables.values()), preexec_fn=die_with_parent())
        self._watch = asyncio.ensure_future(self._watch_exit())
        try:
            await self._connect(log)
        except MonitorError as error:
            await self.kill()
            raise TaskError(f"start failed: {log.read_text(errors='replace').strip() or error}") from error
        self.started_at = time.time()

    async def _connect(self, log: Path) -> None:
        deadline = time.monotonic() + MONITOR_TIMEOUT
        while self.alive:
            try:
                self._monitor = await Monitor.connect(self.paths.socket('qmp'))
                numbers = (await self._monitor.execute('query-version'))['qemu']
                self.version = '{major}.{minor}.{micro}'.format(**numbers)
                return
            except OSError:
                await asyncio.sleep(0.02)
            if time.monotonic() > deadline:
                raise MonitorError('monitor does not answer')
        await self.exited(5)
        printed = log.read_text(errors='replace').strip()
        code = self._process.returncode if self._process else None
        raise TaskError(f'start failed: QEMU exited with code {code}: {printed}')

    async def _watch_exit(self) -> None:
        assert self._process
        await self._process.wait()
        if self._monitor:
            self._monitor.close()
        self._tidy()
        self._ended()

    def _tidy(self) -> None:
        """Remove sockets of a process that is gone; QEMU killed outright leaves them."""
        for path in self.paths.run.glob(f'{self.paths.vmid}.*'):
            path.unlink(missing_ok=True)

    async def execute(self, command: str, timeout: float = 10, **arguments: Any) -> Any:
        """A QMP command; a TaskError in PVE's wording if QEMU refuses."""
        try:
            return await self.monitor.execute(command, timeout, **arguments)
        except MonitorError as error:
            raise TaskError(f"VM {self.paths.vmid} qmp command '{command}' failed - {error}") from error

    @property
    def monitor(self) -> Monitor:
        """The QMP connection of a started machine."""
        if self._monitor is None:
            raise TaskError(f'VM {self.paths.vmid} not running')
        return self._monitor

    async def exited(self, timeout: float) -> bool:
        """Is the process gone, and that noticed, within the timeout?"""
        if self._watch is None:
            return True
        done, _ = await asyncio.wait([self._watch], timeout=timeout)
        return bool(done)

    async def quit(self, grace: float = 10) -> None:
        """End the process: politely, then by force."""
        if self.alive and self._monitor:
            try:
                await self._monitor.execute('quit', 2)
            except MonitorError:
                pass
            if await self.exited(grace):
                return
        await self.kill()

    async def kill(self) -> None:
        """End the process by force."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
        await self.exited(10)
