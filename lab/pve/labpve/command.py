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
from fakepve.qemu import drives_of, is_cdrom, natural, split_drive

from . import network
from .images import Images
from .settings import Settings

OVMF = [('/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'),
        ('/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd')]
# PCI Express ports kept free for disks added while a q35 machine runs.
SPARE_PORTS = 4
# x86-64-v2-AES, what PVE gives a new VM, and what Go wants for AES-GCM besides. Everything QEMU can emulate ("max") makes
# boots and containers slower by some eighth.
EMULATED_CPU = 'qemu64,+aes,+pclmulqdq,+pni,+popcnt,+sse4.1,+sse4.2,+ssse3'
THROTTLES = {'mbps': 'bps-total', 'mbps_rd': 'bps-read', 'mbps_wr': 'bps-write', 'mbps_max': 'bps-total-max',
             'mbps_rd_max': 'bps-read-max', 'mbps_wr_max': 'bps-write-max', 'iops': 'iops-total',
             'iops_rd': 'iops-read', 'iops_wr': 'iops-write', 'iops_max': 'iops-total-max',
             'iops_rd_max': 'iops-read-max', 'iops_wr_max': 'iops-write-max'}


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


def is_q35(config: dict[str, Any]) -> bool:
    """Does the machine type have PCI Express?"""
    return 'q35' in str(config.get('machine', ''))


def root_bus(config: dict[str, Any]) -> str:
    """The bus devices are put on."""
    return 'pcie.0' if is_q35(config) else 'pci.0'


def agent_enabled(config: dict[str, Any]) -> bool:
    """parse_guest_agent: `1`, or `enabled=1`."""
    return re.search(r'(?:^|,)(?:enabled=)?(?:1|on|yes|true)(?:,|$)', str(config.get('agent', '0'))) is not None


def drive_options(key: str, path: Path, props: dict[str, str], cdrom: bool) -> str:
    """The -drive value (print_drive_commandline_full)."""
    cache = props.get('cache', 'none')
    parts = [f'file={str(path).replace(",", ",,")}', 'if=none', f'id=drive-{key}', f'format={Images.format(path)}',
             f"cache={'writeback' if cache == 'none' else cache}", 'aio=threads']
    if cdrom:
        return ','.join([*parts, 'media=cdrom', 'readonly=on'])
    if props.get('discard') == 'on':
        parts += ['discard=on', 'detect-zeroes=unmap']
    for option, name in THROTTLES.items():
        if float(props.get(option, 0)) > 0:
            value = float(props[option]) * (1048576 if option.startswith('mbps') else 1)
            parts.append(f'throttling.{name}={int(value)}')
    return ','.join(parts)


def scsi_controller(index: int, props: dict[str, str], bus: str) -> tuple[list[str], str]:
    """virtio-scsi-single: a controller for each disk, with a thread of its own if asked; (objects, device)."""
    threaded = props.get('iothread') == '1'
    name = f'iothread-virtioscsi{index}'
    device = f'virtio-scsi-pci,id=virtioscsi{index},bus={bus}' + (f',iothread={name}' if threaded else '')
    return [f'iothread,id={name}'] if threaded else [], device


def disk_device(key: str, props: dict[str, str], cdrom: bool, config: dict[str, Any]) -> str:
    """The -device value of a drive (print_drivedevice_full)."""
    kind, index = re.fullmatch(r'(\D+)(\d+)', key).groups()  # type: ignore[union-attr]
    number = int(index)
    medium = 'cd' if cdrom else 'hd'
    if kind == 'scsi':
        value = f'scsi-{medium},bus=virtioscsi{index}.0,channel=0,scsi-id=0,lun={index},device_id=drive-{key}'
    elif kind == 'ide' and not is_q35(config):
        value = f'ide-{medium},bus=ide.{number // 2},unit={number % 2}'
    elif kind in ('ide', 'sata'):
        bus = f'ide.{number}' if kind == 'ide' else f'ahci0.{number}'
        value = f'ide-{medium},bus={bus}'
    else:
        value = f'virtio-blk-pci,bus={root_bus(config)}'
    if not cdrom and props.get('ssd') == '1' and kind != 'virtio':
        value += ',rotation_rate=1'
    if props.get('serial'):
        value += f",serial={props['serial']}"
    return f'{value},drive=drive-{key},id={key}'


def boot_indexes(config: dict[str, Any]) -> dict[str, int]:
    """get_boot_devices: `boot: order=a;b` gives a 100, b 101 and so on."""
    found = re.search(r'order=([^,]*)', str(config.get('boot', '')))
    return {key: 100 + n for n, key in enumerate(filter(None, found.group(1).split(';') if found else []))}


def drives(config: dict[str, Any], images: Images) -> list[str]:
    """Arguments for every drive, each with what it hangs on."""
    out: list[str] = []
    order = boot_indexes(config)
    if any(key.startswith('sata') for key, _, _ in drives_of(config)):
        out += ['-device', f'ahci,id=ahci0,bus={root_bus(config)}']
    for key, volume, props in drives_of(config):
        if key in ('efidisk0', 'tpmstate0') or volume in ('none', 'cdrom', ''):
            continue
        cdrom = is_cdrom(volume, props)
        if key.startswith('scsi'):
            objects, device = scsi_controller(int(key[4:]), props, root_bus(config))
            out += [arg for value in objects for arg in ('-object', value)] + ['-device', device]
        index = f',bootindex={order[key]}' if key in order else ''
        out += ['-drive', drive_options(key, images.of(volume), props, cdrom),
                '-device', disk_device(key, props, cdrom, config) + index]
    return out


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
