"""proxmox-backup-client, run for a storage of type pbs as PVE::Storage::PBSPlugin does (do_raw_client_cmd).

The server is named by its address in the guests' network; it is reached by the loopback port behind that service of
the lab, and by nothing else. What PVE keeps in /etc/pve/priv/storage is in `<stateDir>/priv/storage`.
"""

import asyncio
import ipaddress
import json
import os
from pathlib import Path
from typing import Any, Callable, Optional

from fakepve import TaskError

from .files import write_atomically
from .process import die_with_parent
from .settings import Settings

DEFAULT_PORT = 8007
Store = dict[str, Any]
Lines = Callable[[str], None]


class BackupClient:
    """The client program, with a storage's server, credentials and key."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._private = settings.state_dir / 'priv' / 'storage'

    # -------------------------------------------------------------- secrets

    def password_file(self, sid: str) -> Path:
        """pbs_password_file_name: the password or token secret."""
        return self._private / f'{sid}.pw'

    def key_file(self, sid: str) -> Path:
        """pbs_encryption_key_file_name."""
        return self._private / f'{sid}.enc'

    def keep(self, path: Path, secret: Optional[str]) -> None:
        """Keep a secret for this user only, or forget it."""
        if secret is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, secret + '\n')

    # ---------------------------------------------------------------- where

    def address(self, store: Store) -> tuple[str, int]:
        """Host and port to dial for a storage's server; a TaskError for one outside the lab."""
        server, port = str(store['server']), int(store.get('port') or DEFAULT_PORT)
        for service in self._settings.network.services:
            if (server, port) == (service.address, service.port):
                return service.target_address
        try:
            loopback = server == 'localhost' or ipaddress.ip_address(server).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise TaskError(f"server '{server}:{port}' is outside the lab: only loopback and its services are asked")
        return server, port

    def repository(self, store: Store) -> str:
        """PVE::PBSClient get_repository, with the address that is really dialled."""
        host, port = self.address(store)
        return f"{store.get('username', 'root@pam')}@{host}:{port}:{store['datastore']}"

    # ------------------------------------------------------------------ run

    def _crypto(self, sid: str, store: Store) -> list[str]:
        key = self.key_file(sid)
        if key.exists():
            return ['--crypt-mode', 'encrypt', '--keyfile', str(key)]
        if store.get('encryption-key'):
            raise TaskError(f"encryption configured ('{store['encryption-key']}') but no encryption key file found!")
        return ['--crypt-mode', 'none']

    def _environment(self, sid: str, store: Store) -> dict[str, str]:
        password = self.password_file(sid)
        if not password.exists():
            raise TaskError(f"no password is kept for storage '{sid}'")
        out = {key: value for key, value in os.environ.items() if not key.startswith('PBS_')}
        out.update(PBS_PASSWORD=password.read_text(encoding='utf-8').rstrip('\n'),
                   PROXMOX_OUTPUT_NO_BORDER='1', PROXMOX_OUTPUT_NO_HEADER='1')
        if store.get('fingerprint'):
            out['PBS_FINGERPRINT'] = str(store['fingerprint'])
        return out

    async def run(self, sid: str, store: Store, command: str, *arguments: str, log: Optional[Lines] = None) -> str:
        """Run a command of the client and return what it prints; each line also goes to `log`."""
        argv = [self._settings.backup_client, *command.split()]
        if command == 'backup':
            argv += self._crypto(sid, store)
        elif command == 'restore' and self.key_file(sid).exists():
            argv += ['--keyfile', str(self.key_file(sid))]
        argv += [*arguments, '--repository', self.repository(store)]
        if command != 'status' and store.get('namespace'):
            argv += ['--ns', str(store['namespace'])]
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE, env=self._environment(sid, store), limit=2 ** 24,
                preexec_fn=die_with_parent())
        except FileNotFoundError:
            raise TaskError(f"executable not found '{argv[0]}'! Proxmox backup client not installed?") from None
        try:
            out, err = await asyncio.gather(_lines(process.stdout, log), _lines(process.stderr, log))
        except BaseException:
            process.kill()
            raise
        if await process.wait():
            said = [line for line in err if line.startswith('Error:')] or err or out or ['no message']
            raise TaskError(f'proxmox-backup-client failed: {said[-1]}')
        return '\n'.join(out)

    async def json(self, sid: str, store: Store, command: str, *arguments: str) -> Any:
        """Run a command and decode its answer (run_client_cmd)."""
        text = await self.run(sid, store, command, *arguments, '--output-format', 'json')
        try:
            return json.loads(text)
        except ValueError:
            raise TaskError(f"proxmox-backup-client {command}: no JSON in the answer '{text[:200]}'") from None


async def _lines(stream: Optional[asyncio.StreamReader], log: Optional[Lines]) -> list[str]:
    out: list[str] = []
    assert stream
    async for raw in stream:
        line = raw.decode(errors='replace').rstrip()
        if line:
            out.append(line)
            if log:
                log(line)
    return out
