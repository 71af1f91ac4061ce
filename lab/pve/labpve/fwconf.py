"""A guest's firewall as the text it is backed up as: PVE's /etc/pve/firewall/<vmid>.fw (PVE::Firewall)."""

import re
from typing import Any

from fakepve import schema

OPTIONS = '/nodes/{node}/qemu/{vmid}/firewall/options'
# A rule's options in the text, in the order PVE writes them.
FLAGS = {'iface': '-i', 'source': '-source', 'dest': '-dest', 'proto': '-p', 'dport': '-dport', 'sport': '-sport',
         'log': '-log', 'icmp-type': '-icmp-type'}
RULE = re.compile(r'(\|?)(IN|OUT|GROUP)\s+(?:([\w.-]+)\((\w+)\)|([\w-]+))\s*(.*)', re.I)


def dump(conf: dict[str, Any]) -> str:
    """The text; '' for a guest without any firewall settings."""
    out = _section('OPTIONS', [f'{key}: {value}' for key, value in sorted(conf['options'].items())])
    out += _section('ALIASES', [_commented(f"{alias['name']} {alias['cidr']}", alias)
                                for _, alias in sorted(conf['aliases'].items())])
    for name, entries in sorted(conf['ipset'].items()):
        comment = {'comment': conf['ipset_comments'].get(name)}
        out += _commented(f'[IPSET {name}]', comment) + '\n\n'
        out += ''.join(_commented(('!' if entry.get('nomatch') else '') + entry['cidr'], entry) + '\n'
                       for entry in entries) + '\n'
    return out + _section('RULES', [_rule(rule) for rule in conf['rules']])


def _section(name: str, lines: list[str]) -> str:
    return f'[{name}]\n\n' + '\n'.join(lines) + '\n\n' if lines else ''


def _commented(text: str, item: dict[str, Any]) -> str:
    return f"{text} # {item['comment']}" if item.get('comment') else text


def _rule(rule: dict[str, Any]) -> str:
    action = f"{rule['macro']}({rule['action']})" if rule.get('macro') else rule['action']
    flags = [f'{flag} {rule[key]}' for key, flag in FLAGS.items() if rule.get(key)]
    line = ' '.join([('' if rule.get('enable') else '|') + rule['type'].upper(), action, *flags])
    return _commented(line, rule)


def parse(text: str) -> dict[str, Any]:
    """What `dump` wrote, as fakepve keeps it; a ValueError names a line that is none of it."""
    conf: dict[str, Any] = {'options': {}, 'rules': [], 'aliases': {}, 'ipset': {}, 'ipset_comments': {},
                            'groups': {}, 'group_comments': {}}
    section, name = '', ''
    for line in text.splitlines():
        content, _, comment = (part.strip() for part in line.partition('#'))
        note = {'comment': comment} if comment else {}
        header = re.fullmatch(r'\[(OPTIONS|ALIASES|RULES|IPSET (\S+))\]', content)
        if header:
            section, name = header.group(1).split()[0], header.group(2) or ''
            if name:
                conf['ipset'][name] = []
                conf['ipset_comments'].update({name: comment} if comment else {})
        elif content:
            _entry(conf, section, name, content, note)
    return conf


def _entry(conf: dict[str, Any], section: str, name: str, content: str, note: dict[str, str]) -> None:
    words = content.split()
    if section == 'OPTIONS':
        key, _, value = content.partition(': ')
        conf['options'].update(_typed({key: value}))
    elif section == 'ALIASES' and len(words) == 2:
        version = 6 if ':' in words[1] else 4
        conf['aliases'][words[0].lower()] = {'name': words[0], 'cidr': words[1], 'ipversion': version, **note}
    elif section == 'IPSET':
        negated = {'nomatch': 1} if content.startswith('!') else {}
        conf['ipset'][name].append({'cidr': content.lstrip('!'), **negated, **note})
    elif section == 'RULES':
        conf['rules'].append({**_parsed_rule(content), **note})
    else:
        raise ValueError(f"unable to parse firewall line '{content}'")


def _typed(options: dict[str, Any]) -> dict[str, Any]:
    values, errors = schema.validate(
        {'properties': {key: schema.load().paths[OPTIONS]['PUT']['parameters']['properties'].get(key, {})
                        for key in options}}, options)
    if errors:
        raise ValueError(f'unable to parse firewall option: {errors}')
    return dict(values)


def _parsed_rule(text: str) -> dict[str, Any]:
    found = RULE.fullmatch(text)
    if not found:
        raise ValueError(f"unable to parse firewall rule '{text}'")
    disabled, kind, macro, macro_action, action, rest = found.groups()
    rule: dict[str, Any] = {'type': kind.lower(), 'action': macro_action or action, 'enable': 0 if disabled else 1}
    rule.update({'macro': macro} if macro else {})
    words, keys = rest.split(), {flag: key for key, flag in FLAGS.items()}
    if len(words) % 2 or not set(words[::2]) <= set(keys):
        raise ValueError(f"unable to parse firewall rule '{text}'")
    rule.update({keys[flag]: value for flag, value in zip(words[::2], words[1::2])})
    return rule
