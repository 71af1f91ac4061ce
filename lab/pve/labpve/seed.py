"""The cloud-init seed: what PVE::QemuServer::Cloudinit writes for the `nocloud` datasource.

Same keys, order and indentation as PVE, because cloud-init decides by the instance id, a hash over the texts, whether a
boot is a first boot.
"""

import hashlib
import ipaddress
import re
import shutil
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

from fakepve import TaskError

from .process import run

Config = dict[str, Any]


def _hostname(config: Config, vmid: int) -> tuple[str, str | None]:
    """get_hostname_fqdn: the short name, and the full one if a domain is known."""
    name = str(config.get('name') or f'VM{vmid}')
    if '.' in name:
        return name.split('.', 1)[0], name
    domain = config.get('searchdomain')
    return name, f'{name}.{domain}' if domain else None


def user_data(config: Config, vmid: int) -> str:
    """cloudinit_userdata."""
    hostname, fqdn = _hostname(config, vmid)
    user, password = config.get('ciuser'), config.get('cipassword')
    lines = ['#cloud-config', f'hostname: {hostname}', 'manage_etc_hosts: true']
    lines += [f'fqdn: {fqdn}'] if fqdn else []
    lines += [f'user: {user}'] if user else []
    lines += ['disable_root: False'] if user == 'root' else []
    lines += [f'password: {password}'] if password else []
    keys = [key for key in urllib.parse.unquote(str(config.get('sshkeys', ''))).splitlines() if key.strip()]
    lines += ['ssh_authorized_keys:', *(f'  - {key}' for key in keys)] if keys else []
    lines += ['chpasswd:', '  expire: False']
    lines += ['users:', '  - default'] if user != 'root' else []
    lines += ['package_upgrade: true'] if str(config.get('ciupgrade', 1)) in ('1', 'True', 'true') else []
    return '\n'.join(lines) + '\n'


def _properties(text: Any) -> dict[str, str]:
    return dict(part.split('=', 1) for part in str(text).split(',') if '=' in part)


def _subnets(ipconfig: dict[str, str]) -> list[str]:
    """The subnets of one interface, version 1 syntax."""
    lines = []
    ip, ip6 = ipconfig.get('ip'), ipconfig.get('ip6')
    if ip == 'dhcp':
        lines.append('      - type: dhcp4')
    elif ip:
        address = ipaddress.IPv4Interface(ip)
        lines += ['      - type: static', f"        address: '{address.ip}'", f"        netmask: '{address.netmask}'"]
        lines += [f"        gateway: '{ipconfig['gw']}'"] if ipconfig.get('gw') else []
    if ip6 == 'auto':
        lines.append('      - type: ipv6_slaac')
    elif ip6 == 'dhcp':
        lines.append('      - type: dhcp6')
    elif ip6:
        lines += ['      - type: static6', f"        address: '{ip6}'"]
        lines += [f"        gateway: '{ipconfig['gw6']}'"] if ipconfig.get('gw6') else []
    return lines


def mac_of(net: Any) -> str:
    """The hardware address in a netN value, lower case as cloud-init compares it."""
    found = re.search(r'(?:^|[=,])([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5})(?:,|$)', str(net))
    return found.group(1).lower() if found else ''


def network_config(config: Config) -> str:
    """nocloud_network: one physical interface a NIC that has an ipconfig, then the name servers."""
    lines = ['version: 1', 'config:']
    for key in sorted(k for k in config if re.fullmatch(r'net\d+', k)):
        number = key[3:]
        ipconfig = _properties(config.get('ipconfig' + number, ''))
        if not ipconfig:
            continue
        lines += ['    - type: physical', f'      name: eth{number}',
                  f"      mac_address: '{mac_of(config[key])}'", '      subnets:', *_subnets(ipconfig)]
    servers, domains = (str(config.get(key, '')).split() for key in ('nameserver', 'searchdomain'))
    if servers or domains:
        lines.append('    - type: nameserver')
        lines += ['      address:', *(f"      - '{server}'" for server in servers)] if servers else []
        lines += ['      search:', *(f"      - '{domain}'" for domain in domains)] if domains else []
    return '\n'.join(lines) + '\n'


def meta_data(user: str, network: str) -> str:
    """nocloud_gen_metadata: the instance is new when its user or network data are."""
    return f'instance-id: {hashlib.sha1((user + network).encode()).hexdigest()}\n'


def files(config: Config, vmid: int) -> dict[str, str]:
    """The seed's files by name."""
    user, network = user_data(config, vmid), network_config(config)
    return {'user-data': user, 'network-config': network, 'meta-data': meta_data(user, network)}


def _iso_command() -> list[str]:
    for program in (['genisoimage'], ['xorriso', '-as', 'mkisofs'], ['mkisofs']):
        if shutil.which(program[0]):
            return program
    raise TaskError('no genisoimage or xorriso on the lab host: the cloud-init drive cannot be written')


async def write_iso(config: Config, vmid: int, target: Path) -> None:
    """generate_cloudinit... for the drive at `target`: an ISO 9660 image labelled cidata."""
    with tempfile.TemporaryDirectory(prefix='labpve-seed-') as directory:
        for name, text in files(config, vmid).items():
            (Path(directory) / name).write_text(text, encoding='utf-8')
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix('.new')
        await run(*_iso_command(), '-quiet', '-iso-level', '3', '-R', '-V', 'cidata', '-o', str(fresh), directory)
        fresh.chmod(0o600)  # it may hold a password hash
        fresh.replace(target)
