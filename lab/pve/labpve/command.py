"""QEMU's command line for a VM: what PVE::QemuServer::config_to_command makes, as far as a guest can tell.

Different on purpose: cores and memory are scaled, the network is QEMU's own, `cache=none` becomes `writeback` (the lab's directory
may lie on a file system without O_DIRECT), and there is always a virtio-rng so that first boots need not wait.
"""

import base64
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from fakepve import TaskError
from fakepve.qemu import natural, split_drive

from . import network
from .disks import drives
from .images import Images
from .machinetype import is_q35, root_bus
from .settings import Settings

OVMF = [('/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'),
        ('/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd')]
# PCI Express ports kept free for disks added while a q35 machine runs.
SPARE_PORTS = 4
# x86-64-v2-AES, what PVE gives a new VM, and what Go wants for AES-GCM besides. Everything QEMU can emulate ("max") makes
# boots and containers slower by some eighth.
EMULATED_CPU = 'qemu64,+aes,+pclmulqdq,+pni,+popcnt,+sse4.1,+sse4.2,+ssse3'


@dataclass(frozen=True)
class Paths:
    """The sockets and files of one VM's QEMU process."""

    run: Path
    state: Path
    vmid: int

    def socket(self, kind: str) -> Path:
        """A UNIX socket: qmp, qga or serialN (short paths: 108 bytes are the limit)."""
        return self.run / f'{self.vmid}.{kind}'

    @property
    def pidfile(self) -> Path:
        """Where QEMU writes its process id."""
        return self.run / f'{self.vmid}.pid'

    def log(self, name: str) -> Path:
        """A log in the VM's own directory."""
        return self.state / 'vm' / str(self.vmid) / f'{name}.log'

    def file(self, name: str) -> Path:
        """Another file in the VM's own directory."""
        return self.state / 'vm' / str(self.vmid) / name


def memory_mib(config: dict[str, Any], settings: Settings) -> int:
    """Declared memory times the lab's factor, not below the floor nor above what is declared."""
    declared = int(str(config.get('memory', 512)).split('=')[-1])
    return min(declared, max(settings.memory_floor, round(declared * settings.memory_factor)))


def cores_of(config: dict[str, Any], settings: Settings) -> int:
    """Declared cores of a socket times the lab's factor: emulated processors beyond the machine's only wait for each other,
    so that a loaded guest does not answer for a minute. Not below two, where one would hide what happens at once."""
    declared = int(config.get('cores', 1))
    return min(declared, max(2, round(declared * settings.cpu_factor)))


def agent_enabled(config: dict[str, Any]) -> bool:
    """parse_guest_agent: `1`, or `enabled=1`."""
    return re.search(r'(?:^|,)(?:enabled=)?(?:1|on|yes|true)(?:,|$)', str(config.get('agent', '0'))) is not None


def smbios(config: dict[str, Any]) -> list[str]:
    """-smbios type=1 from smbios1, whose texts may be base64."""
    _, props = split_drive('x,' + str(config.get('smbios1', '')))
    encoded = props.pop('base64', '0') == '1'
    parts = []
    for key in sorted(props):
        value = props[key]
        if encoded and key != 'uuid':
            value = base64.b64decode(value).decode(errors='replace')
        parts.append(f"{key}={value.replace(',', ',,')}")
    return ['-smbios', 'type=1,' + ','.join(parts)] if parts else []


def firmware(config: dict[str, Any], paths: Paths) -> list[str]:
    """SeaBIOS unless bios=ovmf; the variables are copied once and kept with the VM."""
    if config.get('bios') != 'ovmf':
        return []
    for code, variables in OVMF:
        if os.path.exists(code) and os.path.exists(variables):
            kept = paths.file('efivars.fd')
            if not kept.exists():
                shutil.copyfile(variables, kept)
            return ['-drive', f'if=pflash,unit=0,format=raw,readonly=on,file={code}',
                    '-drive', f'if=pflash,unit=1,format=raw,file={kept}']
    raise TaskError('EFI base image not found on the lab host: install the package ovmf')


def serials(config: dict[str, Any], paths: Paths) -> list[str]:
    """serialN=socket: a socket as PVE makes it, and all output in a log besides."""
    out: list[str] = []
    for key in sorted((k for k in config if re.fullmatch(r'serial\d', k)), key=natural):
        log = str(paths.log(key)).replace(',', ',,')
        out += ['-chardev', f'socket,id={key},path={paths.socket(key)},server=on,wait=off,logfile={log},logappend=on',
                '-device', f'isa-serial,chardev={key}']
    return out


def agent(config: dict[str, Any], paths: Paths) -> list[str]:
    """The guest agent's channel, when the configuration has it enabled."""
    if not agent_enabled(config):
        return []
    return ['-chardev', f"socket,path={paths.socket('qga')},server=on,wait=off,id=qga0",
            '-device', f'virtio-serial-pci,id=qga0,bus={root_bus(config)}',
            '-device', 'virtserialport,chardev=qga0,name=org.qemu.guest_agent.0']


def _platform(config: dict[str, Any], kvm: bool) -> list[str]:
    machine = str(config.get('machine', '')).split(',')[0]
    named = re.fullmatch(r'pc-(?:q35|i440fx)-[\d.]+(?:\+pve\d+)?', machine)
    kind = 'q35' if 'q35' in machine else 'pc' if not machine or named else machine
    out = ['-machine', f'{kind},usb=off', '-accel', 'kvm' if kvm else 'tcg,thread=multi',
           '-cpu', 'host' if kvm else EMULATED_CPU]
    if str(config.get('acpi', 1)) == '0':
        out.append('-no-acpi')
    if is_q35(config):
        for n in range(SPARE_PORTS):
            out += ['-device', f'pcie-root-port,id=spare{n},bus=pcie.0,chassis={n + 1}']
    return out


def build(vmid: int, name: str, config: dict[str, Any], settings: Settings, images: Images, kvm: bool,
          cables: Mapping[str, int]) -> list[str]:
    """The whole command line; `cables` are descriptors that the process inherits, by backend."""
    paths = Paths(settings.run_dir, settings.state_dir, vmid)
    sockets, cores = int(config.get('sockets', 1)), cores_of(config, settings)
    bus = root_bus(config)
    out = ['qemu-system-x86_64', '-name', name.replace(',', ',,'), '-nodefaults', '-no-user-config',
           '-display', 'none', '-vga', 'std', '-rtc', 'base=utc', '-pidfile', str(paths.pidfile),
           '-chardev', f"socket,id=qmp,path={paths.socket('qmp')},server=on,wait=off",
           '-mon', 'chardev=qmp,mode=control',
           *_platform(config, kvm),
           '-smp', f'{sockets * cores},sockets={sockets},cores={cores},maxcpus={sockets * cores}',
           '-m', str(memory_mib(config, settings)),
           '-object', 'rng-random,filename=/dev/urandom,id=rng0', '-device', f'virtio-rng-pci,rng=rng0,bus={bus}']
    if str(config.get('balloon', '')) != '0':
        out += ['-device', f'virtio-balloon-pci,id=balloon0,bus={bus}']
    return [*out, *smbios(config), *firmware(config, paths), *serials(config, paths), *agent(config, paths),
            *drives(config, images), *network.arguments(settings.network, vmid, config, bus, cables)]
