"""The options of a backup: what PVE::API2::VZDump and PVE::VZDump make of a request, before anything is done."""

import re
import shlex
from dataclasses import dataclass
from typing import Any, Optional

from fakepve import PveError
from fakepve.routing import param_error, split_list

# Options that would change what is done, and that the lab does not do.
REFUSED = ('dumpdir', 'tmpdir', 'script', 'exclude-path', 'stop')
ROOT_ONLY = ('tmpdir', 'dumpdir', 'script', 'job-id')
KEEP = ('keep-all', 'keep-last', 'keep-hourly', 'keep-daily', 'keep-weekly', 'keep-monthly', 'keep-yearly')
NOTE_VARIABLES = ('cluster', 'guestname', 'node', 'vmid')


@dataclass(frozen=True)
class DumpOptions:
    """One backup of some guests. `keep` is None where the request leaves retention to the storage."""

    storage: str
    mode: str
    notes: str
    keep: Optional[dict[str, int]]
    remove: bool
    protected: bool
    every: bool
    lock_wait: int
    stop_wait: int
    command_line: str


def parse(v: dict[str, Any]) -> DumpOptions:
    """The options of a request, or PVE's error on the first that is wrong."""
    for key in REFUSED:
        if v.get(key):
            raise PveError(501, f"the lab does not model vzdump's '{key}'")
    if v.get('stdout'):
        raise param_error(stdout='option is only allowed on the command line interface.')
    selection(v)
    if not v.get('storage'):
        raise PveError(501, "the lab backs up to storages of type pbs only: 'storage' is missing")
    notes = str(v.get('notes-template') or '')
    check_notes(notes)
    fleecing(v.get('fleecing'))
    return DumpOptions(
        storage=v['storage'], mode=v.get('mode', 'snapshot'), notes=notes, keep=retention(v.get('prune-backups')),
        remove=bool(v.get('remove', 1)), protected=bool(v.get('protected')), every=bool(v.get('all')),
        lock_wait=int(v.get('lockwait', 180)), stop_wait=int(v.get('stopwait', 10)), command_line=command_line(v))


def selection(v: dict[str, Any]) -> None:
    """verify_vzdump_parameters: guests are named in one way."""
    for key in ('all', 'exclude', 'pool'):
        if v.get(key) and v.get('vmid'):
            raise param_error(**{key: "option conflicts with option 'vmid'"})
    if not (v.get('all') or v.get('exclude') or v.get('pool') or v.get('vmid')):
        raise param_error(vmid='property is missing')


def retention(text: Any) -> Optional[dict[str, int]]:
    """A prune-backups property string."""
    if text is None:
        return None
    out: dict[str, int] = {}
    for part in split_list(text):
        key, _, number = part.partition('=')
        if key not in KEEP or not number.isdigit():
            raise param_error(**{'prune-backups': f"invalid format - '{part}': a number for one of {', '.join(KEEP)}"})
        out[key] = int(number)
    if out.get('keep-all') and len(out) > 1:
        raise param_error(**{'prune-backups': "keep-all cannot be set together with other options."})
    return out


def fleecing(text: Any) -> Optional[str]:
    """The storage of a fleecing property string, if enabled."""
    options = dict(part.split('=', 1) if '=' in part else ('enabled', part) for part in split_list(text))
    if options.get('enabled', '0') not in ('1', 'on', 'yes', 'true'):
        return None
    if not options.get('storage'):
        raise param_error(fleecing="invalid format - 'storage' parameter is required when 'enabled' is set")
    return str(options['storage'])


def check_notes(template: str) -> None:
    """$verify_notes_template."""
    unknown = [f"escape sequence '\\{found.group(1)}' at char {found.start()}"
               for found in re.finditer(r'\\(.)', template) if found.group(1) not in 'n\\']
    unknown += [f"variable '{found.group(1)}' at char {found.start(1)}"
                for found in re.finditer(r'\{\{([^\s{}]+)\}\}', template) if found.group(1) not in NOTE_VARIABLES]
    if '\n' in template:
        raise param_error(**{'notes-template': 'contains a line feed'})
    if unknown:
        raise param_error(**{'notes-template': 'found unknown: ' + ', '.join(unknown)})


def notes_from(template: str, values: dict[str, str]) -> str:
    """$generate_notes."""
    text = re.sub(r'\\(.)', lambda found: '\n' if found.group(1) == 'n' else '\\', template)
    return re.sub(r'\{\{(\w+)\}\}', lambda found: values[found.group(1)], text)


def command_line(v: dict[str, Any]) -> str:
    """PVE::VZDump::Common::command_line: the request as it would be typed."""
    words = ['vzdump', *split_list(v.get('vmid'))]
    left_out = ('id', 'vmid', 'starttime', 'dow', 'stdout', 'enabled', 'job-id')
    for key in sorted(v):
        if key not in left_out and v[key] not in (None, ''):
            words += [f'--{key}', shlex.quote(str(v[key]))]
    return ' '.join(words)
