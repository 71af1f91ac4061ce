"""A guest's configuration as the text it is backed up as: PVE's /etc/pve/qemu-server/<vmid>.conf."""

import re
import urllib.parse
from dataclasses import dataclass
from typing import Any, Iterable

from fakepve import schema

# PVE::VZDump::QemuServer assemble leaves these out.
SKIPPED = re.compile(r'lock|parent|digest|description|unused\d+')
HINT = re.compile(r'#qmdump#map:(\S+):(\S+):(\S*):(\S*):')
UNSAFE = re.compile(r'[^\x20-\x24\x26-\x39\x3b-\x7e]')  # control and 8 bit characters, `%` and `:`


@dataclass(frozen=True)
class Hint:
    """A disk in the backup: the drive it is, its device in the archive, and where it was."""

    drive: str
    device: str
    storage: str
    format: str


def dump(config: dict[str, Any], hints: Iterable[Hint]) -> str:
    """The text: the description as comments, the options sorted, a `#qmdump#map` line for every disk."""
    description = str(config.get('description') or '')
    lines = ['#' + _encode(line) for line in description.split('\n')] if description else []
    lines += [f'{key}: {config[key]}' for key in sorted(config) if not SKIPPED.fullmatch(key)]
    lines += [f'#qmdump#map:{hint.drive}:{hint.device}:{hint.storage}:{hint.format}:' for hint in hints]
    return '\n'.join(lines) + '\n'


def parse(text: str) -> tuple[dict[str, Any], list[Hint]]:
    """Configuration and disks; values typed as the API's schema types them."""
    config: dict[str, Any] = {}
    hints: list[Hint] = []
    description: list[str] = []
    for line in text.splitlines():
        found = HINT.fullmatch(line)
        if found:
            hints.append(Hint(*found.groups()))
        elif line.startswith('#'):
            description.append(urllib.parse.unquote(line[1:]))
        elif ': ' in line:
            key, _, value = line.partition(': ')
            config[key] = value
    if description:
        config['description'] = '\n'.join(description)
    return _typed(config), hints


def _typed(config: dict[str, Any]) -> dict[str, Any]:
    values, _errors = schema.validate(
        {'properties': schema.load().paths['/nodes/{node}/qemu']['POST']['parameters']['properties']}, config)
    return {key: values.get(key, text) for key, text in config.items()}


def _encode(text: str) -> str:
    return UNSAFE.sub(lambda found: urllib.parse.quote(found.group(), safe=''), text)
