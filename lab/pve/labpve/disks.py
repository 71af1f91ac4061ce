"""QEMU's arguments for the disks of a VM (PVE::QemuServer::Drive)."""

import re
from pathlib import Path
from typing import Any

from fakepve.qemu import drives_of, is_cdrom

from .images import Images
from .machinetype import is_q35, root_bus

THROTTLES = {'mbps': 'bps-total', 'mbps_rd': 'bps-read', 'mbps_wr': 'bps-write', 'mbps_max': 'bps-total-max',
             'mbps_rd_max': 'bps-read-max', 'mbps_wr_max': 'bps-write-max', 'iops': 'iops-total',
             'iops_rd': 'iops-read', 'iops_wr': 'iops-write', 'iops_max': 'iops-total-max',
             'iops_rd_max': 'iops-read-max', 'iops_wr_max': 'iops-write-max'}


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
