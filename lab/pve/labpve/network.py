"""The guests' network: a switch between them, and behind each a user-mode network with declared openings only.

`restrict=on` lets no packet of a guest out of QEMU. What remains are the forwards (loopback ports of this machine to
ports of a guest) and the services (addresses in the guests' network, each connection piped to one loopback port).
"""

import ipaddress
import re
import shlex
import sys
from pathlib import Path
from typing import Any, Mapping

from fakepve import TaskError

from .seed import mac_of
from .settings import Network, Service
from .vlans import net_options

PIPE = Path(__file__).with_name('pipe.py')
# QEMU 7.2 forgets a virtio NIC's VLANs when it loads a guest's memory, and drops their frames from then on: a saved lab would have
# no macvlan networks. Without the filter all of them pass; what may pass is the switch's to say.
VIRTIO = 'virtio-net-pci,ctrl_vlan=off'
# The bridge's, which no NIC on it may exceed.
BRIDGE_MTU = 1500
MODELS = {'virtio': VIRTIO, 'e1000': 'e1000', 'e1000e': 'e1000e', 'vmxnet3': 'vmxnet3', 'rtl8139': 'rtl8139'}


def _escape(text: str) -> str:
    """A value inside QEMU's comma separated options."""
    return text.replace(',', ',,')


def guest_address(config: dict[str, Any], index: int = 0) -> str | None:
    """The static address of a NIC in the cloud-init configuration, without its prefix length."""
    found = re.search(r'(?:^|,)ip=([0-9.]+)/', str(config.get(f'ipconfig{index}', '')))
    return found.group(1) if found else None


def _service(service: Service) -> str:
    host, port = service.target_address
    command = shlex.join([sys.executable, '-I', '-S', str(PIPE), host, str(port)])
    return 'guestfwd=' + _escape(f'tcp:{service.address}:{service.port}-cmd:{command}')


def user_netdev(network: Network, vmid: int, config: dict[str, Any]) -> str:
    """The -netdev value of the closed network behind a guest's first NIC."""
    parts = ['user', 'id=user0', 'ipv6=off', f'net={network.cidr}', f'host={network.host}', 'restrict=on']
    dns = network.dns or str(ipaddress.ip_address(network.host) + 2)
    parts.append(f'dns={dns}')
    address = guest_address(config)
    for forward in network.forwards.get(vmid, ()) if address else ():
        parts.append(f'hostfwd=tcp:127.0.0.1:{forward.host_port}-{address}:{forward.guest_port}')
    parts += [_service(service) for service in network.services]
    return ','.join(parts)


def user_network(network: Network, vmid: int, config: dict[str, Any], fd: int) -> list[str]:
    """QEMU's arguments for the user-mode network and its cable to the switch: two backends, joined by a hub of their own."""
    backends = [user_netdev(network, vmid, config), f'socket,id=cable0,fd={fd}',
                'hubport,id=hub-user0,hubid=100,netdev=user0', 'hubport,id=hub-cable0,hubid=100,netdev=cable0']
    return [arg for backend in backends for arg in ('-netdev', backend)]


def host_mtu(net: str, key: str) -> str:
    """print_netdevice_full: QEMU tells the guest an MTU that is not the usual one. Without one, and with 1, it is the bridge's."""
    options = net_options(net)
    mtu = int(options.get('mtu', 1))
    if 'virtio' not in options or mtu == 1:
        return ''
    if mtu < 576:
        raise TaskError(f"netdev {key}: MTU '{mtu}' is smaller than the IP minimum MTU '576'")
    if mtu > BRIDGE_MTU:
        raise TaskError(f"netdev {key}: MTU '{mtu}' is bigger than the bridge MTU '{BRIDGE_MTU}'")
    return f',host_mtu={mtu}' if mtu != BRIDGE_MTU else ''


def arguments(network: Network, vmid: int, config: dict[str, Any], root_bus: str, cables: Mapping[str, int]) -> list[str]:
    """QEMU's arguments for every netN; slots 18 and up, so that guests see ens18 as on PVE (print_pci_addr).

    `cables` are the descriptors of `Switch.plug`; a NIC without one is not connected.
    """
    out = user_network(network, vmid, config, cables['user0']) if 'user0' in cables else []
    for key in sorted((k for k in config if re.fullmatch(r'net\d+', k)), key=lambda k: int(k[3:])):
        index, value = int(key[3:]), str(config[key])
        netdev = f'socket,id={key},fd={cables[key]}' if key in cables else f'hubport,id={key},hubid={index}'
        model = MODELS.get(re.split('[=,]', value)[0], VIRTIO)
        place = f'bus={root_bus},addr={0x12 + index:#x}'
        device = f'{model},mac={mac_of(value)},netdev={key},{place},id={key}{host_mtu(value, key)},romfile='
        out += ['-netdev', netdev, '-device', device]
    return out
