"""VLANs of a port on a VLAN-aware bridge, as PVE sets them (PVE/Network.pm, $bridge_add_interface)."""

from dataclasses import dataclass
from typing import Iterator, Optional

from .seed import mac_of

TAGGED = b'\x81\x00'
# The node's bridge, which is VLAN-aware.
BRIDGE = 'vmbr0'
# The VLAN of a port without a tag.
NATIVE = 1


def net_options(net: str) -> dict[str, str]:
    """The options of a netN value."""
    return {key: value for key, _, value in (part.partition('=') for part in net.split(','))}


def raw_mac(net: str) -> bytes:
    """The hardware address of a netN value."""
    return bytes.fromhex(mac_of(net).replace(':', ''))


@dataclass(frozen=True)
class Vlans:
    """`native` is the VLAN of untagged frames; the others pass with their tag. `others` None: all of them."""

    native: int
    others: Optional[frozenset[int]]

    def carry(self, vlan: int) -> bool:
        """Is the port in a VLAN?"""
        return vlan == self.native or self.others is None or vlan in self.others

    def enter(self, frame: bytes) -> Optional[tuple[int, bytes]]:
        """The VLAN of a frame from the guest, and the frame without its tag; None if the bridge drops it."""
        if frame[12:14] != TAGGED:
            return self.native, frame
        vlan = int.from_bytes(frame[14:16], 'big') & 0xfff or self.native
        return (vlan, frame[:12] + frame[16:]) if self.carry(vlan) else None

    def leave(self, vlan: int, frame: bytes) -> bytes:
        """The frame as the guest receives it."""
        return frame if vlan == self.native else frame[:12] + TAGGED + vlan.to_bytes(2, 'big') + frame[12:]


def vlans_of(net: str) -> Vlans:
    """The VLANs of a netN value: `tag` makes an access port, `trunks` lets those through; with neither, all pass."""
    options = net_options(net)
    tag, trunks = options.get('tag'), options.get('trunks')
    return Vlans(int(tag or NATIVE), frozenset(_listed(trunks or '')) if tag or trunks else None)


def _listed(trunks: str) -> Iterator[int]:
    for first, _, last in (part.partition('-') for part in trunks.split(';') if part):
        yield from range(int(first), int(last or first) + 1)
