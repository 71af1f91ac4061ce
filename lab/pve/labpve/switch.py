"""The switch between the guests: a VLAN-aware bridge as on a PVE host, with the firewall of each NIC in front of its port.

QEMU's user-mode network (slirp) is one for each guest, and each claims the gateway and the lab's services for itself;
it also answers for connections that are none of its business. So it is not on the bridge but stands for the network before
its own guest's port: what it sends goes to that guest only, and it is sent nothing but what is addressed to it, and
broadcasts for its ARP. The firewall is between the two.
"""

import asyncio
import re
import socket
from typing import Any, Callable, Mapping, Optional

from . import reject
from .connections import Connections
from .port import Port
from .rules import Filter, Gate, Verdict
from .seed import mac_of
from .vlans import TAGGED, net_options, vlans_of

# slirp's addresses are 52:55 and the IPv4 address they stand for (libslirp, special_ethaddr).
SLIRP = b'\x52\x55'


class Nic:
    """A guest's port on a bridge, with the user-mode network before it if it has one."""

    def __init__(self, switch: 'Switch', bridge: 'Bridge', net: str, filtered: Optional[Filter]) -> None:
        self._switch, self.bridge = switch, bridge
        self.vlans, self.filter = vlans_of(net), filtered
        self.port = Port(self._receive, self._unplug)
        self.user: Optional[Port] = None
        bridge.nics.append(self)

    def add_user(self) -> Port:
        """The port for the guest's own user-mode network, which is on the VLAN of untagged frames."""
        self.user = Port(self._receive_from_user, lambda: None)
        return self.user

    def change(self, bridge: 'Bridge', net: str, filtered: Optional[Filter]) -> None:
        """Another configuration, while the guest runs."""
        vlans = vlans_of(net)
        if bridge is not self.bridge or vlans != self.vlans:
            self.bridge.remove(self)
            bridge.nics.append(self)
        self.bridge, self.vlans, self.filter = bridge, vlans, filtered

    def _unplug(self) -> None:
        self.bridge.remove(self)
        self._switch.nics = {key: nic for key, nic in self._switch.nics.items() if nic is not self}

    def _receive(self, frame: bytes) -> None:
        """From the guest. The rules are not for frames with a tag (net.bridge.bridge-nf-filter-vlan-tagged = 0)."""
        if len(frame) < 14:
            return
        entered = self.vlans.enter(frame)
        if entered is None:
            return
        if self.filter:
            if self.filter.mac not in (None, frame[6:12]):
                return
            tagged = frame[12:14] == TAGGED
            if not tagged and not self._passes(self.filter.outward, frame, self.port.send):
                return
        self.bridge.forward(self, *entered)

    def _receive_from_user(self, frame: bytes) -> None:
        if self.user and len(frame) >= 14:
            self.deliver(self.vlans.native, frame, self.user.send)

    def deliver(self, vlan: int, frame: bytes, answer: Callable[[bytes], None]) -> None:
        """A frame of a VLAN to the guest, if its firewall lets it; `answer` takes what a refusal sends back."""
        if self.filter and vlan == self.vlans.native and not self._passes(self.filter.inward, frame, answer):
            return
        self.port.send(self.vlans.leave(vlan, frame))

    def _passes(self, gate: Gate, frame: bytes, answer: Callable[[bytes], None]) -> bool:
        verdict = self._switch.connections.judge(gate, frame)
        refusal = reject.answer(frame) if verdict is Verdict.REJECT else None
        if refusal:
            answer(refusal)
        return verdict is Verdict.ACCEPT


class Bridge:
    """The guests of one bridge, and who has which address in which VLAN."""

    def __init__(self) -> None:
        self.nics: list[Nic] = []
        self._owners: dict[int, dict[bytes, Nic]] = {}

    def forward(self, source: Nic, vlan: int, frame: bytes) -> None:
        """To the one guest that has the address; to all of the VLAN for a broadcast or an address nobody has used yet."""
        target, owners = frame[:6], self._owners.setdefault(vlan, {})
        owners[frame[6:12]] = source
        group, outside = bool(target[0] & 1), target.startswith(SLIRP)
        if source.user and vlan == source.vlans.native and (group or outside):
            source.user.send(frame)
        if outside:
            return
        owner = None if group else owners.get(target)
        for nic in [owner] if owner else self.nics:
            if nic is not source and nic.vlans.carry(vlan):
                nic.deliver(vlan, frame, lambda refusal: source.deliver(vlan, refusal, lambda _: None))

    def remove(self, nic: Nic) -> None:
        """A guest has gone, and its addresses with it."""
        self.nics.remove(nic)
        self._owners = {vlan: {mac: owner for mac, owner in owners.items() if owner is not nic}
                        for vlan, owners in self._owners.items()}


def nics(config: dict[str, Any]) -> dict[int, str]:
    """The NICs of a VM that are plugged in, by number."""
    keys = sorted((key for key in config if re.fullmatch(r'net\d+', key)), key=lambda key: int(key[3:]))
    return {int(key[3:]): str(config[key]) for key in keys
            if mac_of(config[key]) and 'link_down=1' not in str(config[key]).split(',')}


class Switch:
    """All bridges of the node, and the NICs on them by VM and number."""

    def __init__(self) -> None:
        self.bridges: dict[str, Bridge] = {}
        self.nics: dict[tuple[int, int], Nic] = {}
        self.connections = Connections()

    def _bridge(self, net: str) -> Bridge:
        return self.bridges.setdefault(net_options(net).get('bridge', ''), Bridge())

    async def plug(self, vmid: int, config: dict[str, Any],
                   filters: Mapping[int, Optional[Filter]]) -> dict[str, socket.socket]:
        """QEMU's ends of a VM's cables by the name of the backend: `net0`, `net1` ..., and `user0` of the first NIC.

        The caller closes them once QEMU has them; a cable is out when QEMU has ended. `filters` are the NICs' firewalls.
        """
        cables: dict[str, socket.socket] = {}
        for index, value in nics(config).items():
            nic = self.nics[vmid, index] = Nic(self, self._bridge(value), value, filters.get(index))
            cables[f'net{index}'] = await _cable(nic.port)
            if index == 0:
                cables['user0'] = await _cable(nic.add_user())
        return cables

    def change(self, vmid: int, config: dict[str, Any], filters: Mapping[int, Optional[Filter]]) -> None:
        """Another bridge, VLAN or firewall of the NICs of a running VM."""
        for index, value in nics(config).items():
            nic = self.nics.get((vmid, index))
            if nic:
                nic.change(self._bridge(value), value, filters.get(index))


async def _cable(port: Port) -> socket.socket:
    """Plug one end into a port; the other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    await asyncio.get_running_loop().create_unix_connection(lambda: port, sock=ours)
    return theirs
