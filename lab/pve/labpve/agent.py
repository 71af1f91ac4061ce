"""Guest agent: the API's agent/* calls, relayed to the agent in the guest (PVE::API2::Qemu::Agent)."""

import asyncio
import base64
from typing import Any

from fakepve import FakeVm, PveError
from fakepve.routing import die

from .command import agent_enabled
from .power import PowerApi
from .qmp import GuestAgent, MonitorError

NOT_RUNNING = 'QEMU guest agent is not running'
# What PVE itself reads of a file at most (Agent.pm $MAX_READ_SIZE).
READ_LIMIT = 16 * 1024 * 1024


class AgentApi(PowerApi):
    """Mixin before FakePve."""

    async def _agent_call(self, match: Any, values: dict[str, Any]) -> Any:
        """One agent command, once the schema's checks and permissions passed."""
        vm = self.find(values['node'], values['vmid'])
        name = match.template.rsplit('/', 1)[1]
        if name == 'agent':
            name = values['command']
        agent = self._available(vm)
        try:
            await agent.ask('guest-ping', 3)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, MonitorError, ValueError):
            raise die(NOT_RUNNING) from None
        try:
            return await self._relay(agent, name, values)
        except MonitorError as error:
            raise die(f'Agent error: {error}') from None
        except asyncio.TimeoutError:
            raise die(f"VM {vm.vmid} qga command 'guest-{name}' failed - got timeout") from None

    def _available(self, vm: FakeVm) -> GuestAgent:
        """assert_agent_available's checks that need no answer from the guest."""
        if not agent_enabled(vm.config):
            raise die('No QEMU guest agent configured')
        if vm.status != 'running':
            raise die(f'VM {vm.vmid} is not running')
        machine = self.machines[vm.vmid]
        if not machine.paths.socket('qga').exists():  # enabled since the start
            raise die(NOT_RUNNING)
        return machine.agent

    async def _relay(self, agent: GuestAgent, name: str, values: dict[str, Any]) -> Any:
        if name == 'exec':
            argv = [str(word) for word in values['command']]
            extra: dict[str, Any] = {'input-data': _encode(values['input-data'])} if values.get('input-data') else {}
            return await agent.ask('guest-exec', path=argv[0], arg=argv[1:], **{'capture-output': True}, **extra)
        if name == 'exec-status':
            return _decoded(await agent.ask('guest-exec-status', pid=int(values['pid'])))
        if name == 'file-read':
            return await self._read_file(agent, values['file'])
        if name == 'shutdown':
            raise PveError(501, "the lab does not relay 'shutdown': use status/shutdown")
        if set(values) - {'node', 'vmid', 'command'}:
            raise PveError(501, f"the lab does not relay '{name}'")
        return {'result': await agent.ask(f'guest-{name}')}

    @staticmethod
    async def _read_file(agent: GuestAgent, path: str) -> dict[str, Any]:
        handle = await agent.ask('guest-file-open', path=path, mode='rb')
        content, ended = b'', False
        try:
            while not ended and len(content) < READ_LIMIT:
                part = await agent.ask('guest-file-read', handle=handle, count=1024 * 1024)
                content += base64.b64decode(part['buf-b64'])
                ended = part['eof']
        finally:
            await agent.ask('guest-file-close', handle=handle)
        out: dict[str, Any] = {'content': content.decode('latin-1'), 'bytes-read': len(content)}
        return out if ended else dict(out, truncated=1)


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(status: dict[str, Any]) -> dict[str, Any]:
    """exec-status: PVE decodes the output and turns booleans into numbers."""
    out: dict[str, Any] = {key: int(value) if isinstance(value, bool) else value for key, value in status.items()}
    for key in ('out-data', 'err-data'):
        if key in out:
            out[key] = base64.b64decode(out[key]).decode(errors='replace')
    return out
