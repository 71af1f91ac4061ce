"""Commands of the documents that Proxmox VE turns into calls of its API: option by option, they become parameters."""

import json
import re
import shlex
from pathlib import Path

import pytest

from conftest import ApiError, Client, Lab, STORAGE

GUIDES = Path(__file__).parents[3] / 'docs' / 'how-to'
KEY = json.dumps({'kdf': None, 'data': 'AAAA', 'fingerprint': '11:22:33:44'})
# What a reader fills in, here for the lab. The key is given because the lab makes none.
FILLED_IN = {'server': STORAGE['server'], 'fingerprint': STORAGE['fingerprint'], 'password': 'geheim', 'encryption-key': KEY}


def commands(start: str) -> list[tuple[list[str], dict[str, str]]]:
    """All commands of the guides that begin so: the words after that, and the options."""
    text = '\n'.join(path.read_text(encoding='utf-8') for path in sorted(GUIDES.glob('*.md')))
    found = []
    for line in re.findall(rf'(?:^ *|`)({start} [^`\n]+)', text, re.MULTILINE):
        words = shlex.split(re.sub(r'<[^<>]+>', '2019', line.removeprefix(start)))
        first = next(index for index, word in enumerate(words) if word.startswith('--'))
        options: dict[str, str] = {}
        for word in words[first:]:
            if word.startswith('--'):
                name = word.removeprefix('--')
                options[name] = ''
            else:
                options[name] = word
        found.append((words[:first], options))
    return found


async def test_pvesm_add_makes_the_storage(lab: Lab, client: Client) -> None:
    """`pvesm add <type> <storage>` is POST /storage (PVE::CLI::pvesm)."""
    [((kind, storage), options)] = commands('pvesm add')
    assert options['password'] == ''  # pvesm asks for it
    await lab.call('POST', '/storage', type=kind, storage=storage, **{**options, **FILLED_IN})
    shown = await lab.call('GET', f'/storage/{storage}')
    assert (shown['type'], shown['username'], shown['encryption-key']) == ('pbs', options['username'], '11:22:33:44')
    assert len(client.calls('status')) == 1
    await lab.call('DELETE', f'/storage/{storage}')
    with pytest.raises(ApiError, match='property is not defined in schema'):
        await lab.call('POST', '/storage', type=kind, storage=storage, **{**options, **FILLED_IN, 'fingerprnt': 'AB'})


async def test_qm_set_changes_the_vm(lab: Lab) -> None:
    """`qm set <vmid>` is PUT /nodes/<node>/qemu/<vmid>/config by root (PVE::CLI::qm)."""
    asked = commands('qm set')
    assert sorted(name for _, options in asked for name in options) == ['ciupgrade', 'protection']
    await lab.create(protection=1)
    lab.become_root()
    for [vmid], options in asked:
        await lab.call('PUT', f'~/qemu/{vmid}/config', **options)
    config = await lab.config()
    assert (config['ciupgrade'], config.get('protection', 0)) == (0, 0)
    with pytest.raises(ApiError, match='property is not defined in schema'):
        await lab.call('PUT', '~/qemu/2019/config', protectoin=0)
