"""QEMU's command line and the guests' network."""

import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakepve import TaskError

from conftest import settings_for
from labpve import command, network
from labpve.images import Images
from labpve.machine import kvm_usable
from labpve.settings import Settings

CONFIG: dict[str, Any] = {
    'cores': 6, 'sockets': 1, 'memory': '32768', 'balloon': 0, 'agent': 'enabled=1,type=virtio', 'serial0': 'socket',
    'scsihw': 'virtio-scsi-single', 'boot': 'order=scsi0', 'smbios1': 'uuid=11111111-2222-3333-4444-555555555555',
    'ide2': 'nvme-pool:vm-2019-cloudinit,media=cdrom', 'ide3': 'cdrom,media=cdrom',
    'scsi0': 'nvme-pool:vm-2019-disk-0,discard=on,iothread=1,ssd=1,cache=none,mbps_rd=100',
    'scsi1': 'nvme-pool:vm-2019-disk-1', 'net0': 'virtio=BC:24:11:AA:BB:CC,bridge=vmbr0,tag=20',
    'ipconfig0': 'gw=10.25.20.1,ip=10.25.20.24/24'}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


def line(settings: Settings, **changes: Any) -> str:
    return ' '.join(command.build(2019, 'proj-docker02', {**CONFIG, **changes}, settings,
                                  Images(settings.state_dir), False, {'net0': 7, 'user0': 8}))


def test_size_of_the_machine(settings: Settings) -> None:
    text = line(settings)
    assert '-smp 6,sockets=1,cores=6' in text and '-m 2048 ' in text and '-cpu qemu64,+aes,' in text
    third = replace(settings, cpu_factor=1 / 3)
    assert [line(third, cores=cores).split('-smp ')[1].split(',')[0] for cores in (1, 2, 6, 8)] == ['1', '2', '2', '3']
    assert '-m 512 ' in line(settings, memory='1024')  # the floor
    assert '-m 256 ' in line(settings, memory='256')  # but never more than declared


def test_disks_look_like_pve(settings: Settings) -> None:
    text = line(settings)
    assert 'scsi-hd,bus=virtioscsi0.0,channel=0,scsi-id=0,lun=0,device_id=drive-scsi0,rotation_rate=1' in text
    assert 'virtio-scsi-pci,id=virtioscsi0,bus=pci.0,iothread=iothread-virtioscsi0' in text
    assert 'discard=on,detect-zeroes=unmap,throttling.bps-read=104857600' in text
    assert 'device_id=drive-scsi1,drive=drive-scsi1' in text and 'id=scsi0,bootindex=100' in text
    assert 'ide-cd,bus=ide.1,unit=0,drive=drive-ide2' in text and 'drive-ide3' not in text


def test_q35_keeps_ports_for_later(settings: Settings) -> None:
    text = line(settings, machine='q35')
    assert '-machine q35,' in text and text.count('pcie-root-port') == command.SPARE_PORTS


def test_agent_and_console_only_if_configured(settings: Settings) -> None:
    assert 'org.qemu.guest_agent.0' in line(settings) and '2019.serial0,server=on,wait=off,logfile=' in line(settings)
    text = line(settings, agent='0', serial0='')
    assert 'guest_agent' not in text


def test_network_is_closed_but_for_what_is_declared(settings: Settings) -> None:
    netdev = network.user_netdev(settings.network, 2019, CONFIG)
    assert netdev.startswith('user,id=user0,ipv6=off,net=10.25.20.0/24,host=10.25.20.1,restrict=on,dns=10.25.20.3')
    assert ',hostfwd=tcp:127.0.0.1:18122-10.25.20.24:22,' in netdev
    assert 'guestfwd=tcp:10.25.20.250:80-cmd:' in netdev and netdev.endswith(' 127.0.0.1 9')
    assert 'hostfwd' not in network.user_netdev(settings.network, 100, CONFIG)


@pytest.mark.parametrize('options, told', [
    ('', ''), (',mtu=1', ''), (',mtu=1500', ''), (',mtu=576', ',host_mtu=576'), (',mtu=1400', ',host_mtu=1400')])
def test_the_guest_is_told_its_mtu(settings: Settings, options: str, told: str) -> None:
    """qemu-server print_netdevice_full: nothing where it is the bridge's."""
    text = line(settings, net0='virtio=BC:24:11:AA:BB:CC,bridge=vmbr0' + options)
    assert f',id=net0{told},romfile=' in text


@pytest.mark.parametrize('mtu, why', [(575, "is smaller than the IP minimum MTU '576'"),
                                      (1501, "is bigger than the bridge MTU '1500'")])
def test_an_mtu_that_the_bridge_does_not_take(settings: Settings, mtu: int, why: str) -> None:
    with pytest.raises(TaskError, match=f"netdev net0: MTU '{mtu}' {why}"):
        line(settings, net0=f'virtio=BC:24:11:AA:BB:CC,bridge=vmbr0,mtu={mtu}')


def test_another_model_has_no_mtu(settings: Settings) -> None:
    assert 'host_mtu' not in line(settings, net0='e1000=BC:24:11:AA:BB:CC,bridge=vmbr0,mtu=9000')


def test_nics_are_cabled_to_the_switch(settings: Settings) -> None:
    text = line(settings, net1='virtio=BC:24:11:AA:BB:CD,bridge=vmbr0')
    assert '-netdev socket,id=net0,fd=7 -device virtio-net-pci,ctrl_vlan=off,mac=bc:24:11:aa:bb:cc,netdev=net0,' in text
    assert 'socket,id=cable0,fd=8' in text and text.count('hubid=100,') == 2  # the user-mode network and its cable
    assert 'hubport,id=net1,hubid=1 ' in text  # plugged in nowhere


def test_a_further_nic_has_a_cable_and_a_slot_of_its_own(settings: Settings) -> None:
    net1 = {'net1': 'virtio=BC:24:11:AA:BB:CD,bridge=vmbr0,tag=30,mtu=1400'}
    parts = network.arguments(settings.network, 2019, {**CONFIG, **net1}, 'pcie.0', {'net0': 7, 'user0': 8, 'net1': 9})
    text = ' '.join(parts)
    assert 'socket,id=net1,fd=9' in text and text.count('hubid=100,') == 2  # nothing but the switch is behind the second
    assert 'mac=bc:24:11:aa:bb:cd,netdev=net1,bus=pcie.0,addr=0x13,id=net1,host_mtu=1400,' in text


def test_pipe_copies_both_ways_and_half_closes() -> None:
    """8 MB up and down at once, as a registry push and pull do."""
    server = socket.create_server(('127.0.0.1', 0))
    blob = bytes(range(256)) * 32768

    def echo() -> None:
        peer, _ = server.accept()
        with peer:
            while data := peer.recv(65536):
                peer.sendall(data)
    threading.Thread(target=echo, daemon=True).start()
    ours, theirs = socket.socketpair()
    port = str(server.getsockname()[1])
    child = subprocess.Popen([sys.executable, '-I', '-S', str(network.PIPE), '127.0.0.1', port], stdin=theirs)
    theirs.close()

    def send() -> None:
        ours.sendall(blob)
        ours.shutdown(socket.SHUT_WR)
    threading.Thread(target=send, daemon=True).start()
    received = b''
    while data := ours.recv(1 << 20):
        received += data
    assert received == blob and child.wait(10) == 0


def test_pipe_to_nowhere_ends_quietly() -> None:
    ours, theirs = socket.socketpair()
    child = subprocess.Popen([sys.executable, '-I', '-S', str(network.PIPE), '127.0.0.1', '1'], stdin=theirs)
    theirs.close()
    assert child.wait(10) == 1 and ours.recv(10) == b''


async def test_kvm_is_used_only_where_the_processor_runs_guests(tmp_path: Path) -> None:
    (tmp_path / 'kvm_pvm').mkdir()
    assert not await kvm_usable('auto', tmp_path)
    assert await kvm_usable('kvm', tmp_path)
    assert not await kvm_usable('tcg', tmp_path)
