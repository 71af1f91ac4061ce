"""python -m labpve settings.json: serve the node until SIGTERM or SIGINT, then power its guests off."""

import asyncio
import hashlib
import json
import logging
import os
import shutil
import signal
import ssl
import sys
import time
from pathlib import Path

from fakepve.certs import make_cert

from .files import write_atomically
from .machine import kvm_usable
from .node import LabNode
from .settings import Settings, load
from .state import StateFile

SAVE_INTERVAL = 0.5


def certificate(settings: Settings) -> tuple[str, str]:
    """A self-signed certificate kept over restarts for a day less than fakepve makes it valid for."""
    directory = settings.state_dir / 'tls'
    directory.mkdir(exist_ok=True)
    cert, key = directory / 'pve.crt', directory / 'pve.key'
    fresh = cert.exists() and key.exists() and cert.stat().st_mtime > time.time() - 29 * 86400
    if not fresh:
        make_cert(str(directory), name='pve', hosts=(settings.host,))
    return str(cert), str(key)


def announce(settings: Settings, node: LabNode, cert: str) -> None:
    """pve.json says that the node is ready, and how to reach and verify it."""
    der = ssl.PEM_cert_to_DER_cert(Path(cert).read_text(encoding='ascii'))
    digest = hashlib.sha256(der).hexdigest().upper()
    write_atomically(settings.state_dir / 'pve.json', json.dumps({
        'endpoint': node.url, 'pid': os.getpid(), 'certificate': cert, 'node': settings.node,
        'fingerprint': ':'.join(digest[n:n + 2] for n in range(0, len(digest), 2)),
        'accelerator': 'kvm' if node.kvm else 'tcg'}, indent=1) + '\n')


async def serve(settings: Settings) -> None:
    """Run the node."""
    for directory in (settings.state_dir, settings.run_dir):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (settings.state_dir / 'pve.json').unlink(missing_ok=True)  # of a node that was killed
    shutil.rmtree(settings.state_dir / 'vzdump', ignore_errors=True)  # copies of its backups
    node = LabNode(settings, await kvm_usable(settings.accelerator))
    state = StateFile(settings.state_dir / 'state.json')
    state.restore(node)
    cert, key = certificate(settings)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await node.start(cert, key)
    announce(settings, node, cert)
    logging.info('serving %s on %s', settings.node, node.url)
    while not ended.is_set():
        state.save(node)
        try:
            await asyncio.wait_for(ended.wait(), SAVE_INTERVAL)
        except asyncio.TimeoutError:
            continue
    await shut_down(settings, node, state)


async def shut_down(settings: Settings, node: LabNode, state: StateFile) -> None:
    """Answer no more, end the guests, leave the state."""
    (settings.state_dir / 'pve.json').unlink(missing_ok=True)
    state.save(node)
    await node.power_off_all()
    await node.stop()


def main() -> None:
    """The command line."""
    if len(sys.argv) != 2:
        sys.exit('usage: python -m labpve settings.json')
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(levelname)s %(name)s: %(message)s')
    logging.getLogger('aiohttp.access').setLevel(logging.WARNING)
    asyncio.run(serve(load(sys.argv[1])))


if __name__ == '__main__':
    main()
