"""The table of connections (nf_conntrack): a packet of a known connection passes, the NIC's gate decides about any other."""

import time
from typing import Optional

from .packet import ACK, FIN, RST, SYN, TCP, UDP, Kind, Malformed, Packet, read
from .rules import Gate, Verdict

# For how many seconds an idle connection is remembered, before and after it was answered (nf_conntrack_*_timeout*).
UNANSWERED = {TCP: 120, UDP: 30}
ANSWERED = {TCP: 432_000, UDP: 120}
OTHER = 30
RESET, CLOSED = 10, 120
# How many connections, and how many fragmented datagrams, are remembered at the same time.
LARGEST = 65_536
DATAGRAMS = 256
IPV4, IPV6 = b'\x08\x00', b'\x86\xdd'


class Connection:
    """A connection, by the key of its first packet; `gates` are those that let it through."""

    __slots__ = ('key', 'reverse', 'protocol', 'gates', 'answered', 'ended', 'over', 'limit', 'seen')

    def __init__(self, packet: Packet, now: float) -> None:
        self.key, self.reverse, self.protocol = packet.key, packet.reverse, packet.header.protocol
        self.gates: set[Gate] = set()
        self.answered = self.over = False
        self.ended = 0
        self.limit: float = UNANSWERED.get(self.protocol, OTHER)
        self.seen = now

    def note(self, packet: Packet, now: float) -> None:
        """Keep up with a packet that passes."""
        self.seen = now
        back = packet.key != self.key
        if back and not self.answered:
            self.answered, self.limit = True, ANSWERED.get(self.protocol, OTHER)
        self.ended |= (2 if back else 1) if packet.flags & FIN else 0
        if packet.flags & RST or self.ended == 3:
            self.over, self.limit = True, RESET if packet.flags & RST else CLOSED


class Connections:
    """All connections of the node."""

    def __init__(self) -> None:
        self._known: dict[int, dict[bytes, Connection]] = {}
        self._fragments: dict[tuple[Gate, bytes], Verdict] = {}
        self._established: dict[int, dict[bytes, Connection]] = {TCP: {}, UDP: {}}

    def judge(self, gate: Gate, frame: bytes) -> Verdict:
        """The verdict on an untagged frame at a gate. A frame that is not IP passes, since no rule is about it."""
        if self._is_established(frame):
            return Verdict.ACCEPT
        if frame[12:14] not in (IPV4, IPV6):
            return Verdict.ACCEPT
        try:
            return self._judge(gate, read(frame[14:]))
        except Malformed:
            return Verdict.DROP

    def _is_established(self, frame: bytes) -> bool:
        """The fast path for most frames: unfragmented, in the middle of an answered connection of TCP or UDP."""
        if len(frame) < 54:
            return False
        if frame[14] == 0x45 and frame[12:14] == IPV4 and not (frame[20] & 0x3f or frame[21]):
            protocol, key, flags = frame[23], frame[26:38], frame[47]
        elif frame[12:14] == IPV6 and len(frame) >= 74:
            protocol, key, flags = frame[20], frame[22:58], frame[67]
        else:
            return False
        connection = self._established.get(protocol, {}).get(key)
        if connection is None or protocol == TCP and flags & (FIN | SYN | RST):
            return False
        now = time.monotonic()
        if now - connection.seen > connection.limit:
            return False
        connection.seen = now
        return True

    def _judge(self, gate: Gate, packet: Packet) -> Verdict:
        ident = packet.header.ident
        if packet.kind is Kind.FRAGMENT:
            return self._fragments.get((gate, ident), Verdict.DROP)
        verdict = self._judge_whole(gate, packet, time.monotonic())
        if ident:
            if len(self._fragments) >= DATAGRAMS:
                del self._fragments[next(iter(self._fragments))]
            self._fragments[gate, ident] = verdict
        return verdict

    def _judge_whole(self, gate: Gate, packet: Packet, now: float) -> Verdict:
        if packet.kind is Kind.UNTRACKED:
            return gate.judge(packet)
        if packet.kind is Kind.ERROR:
            return Verdict.ACCEPT if packet.about and self._find(packet.about, now) else Verdict.DROP
        connection = self._find(packet, now)
        if connection is None:
            return self._open(gate, packet, now)
        if packet.key == connection.key and not connection.answered and gate not in connection.gates:
            verdict = gate.judge(packet)
            if verdict is not Verdict.ACCEPT:
                return verdict
            connection.gates.add(gate)
        self._note(connection, packet, now)
        return Verdict.ACCEPT

    def _find(self, packet: Packet, now: float) -> Optional[Connection]:
        """The connection of a packet, unless it has timed out, or is over and the packet is a new SYN."""
        connection = self._known.get(packet.header.protocol, {}).get(packet.key)
        if connection is None:
            return None
        anew = connection.over and packet.flags & (SYN | ACK) == SYN
        if now - connection.seen <= connection.limit and not anew:
            return connection
        self._forget(connection)
        return None

    def _open(self, gate: Gate, packet: Packet, now: float) -> Verdict:
        if packet.kind is not Kind.OPENING:
            return Verdict.DROP
        verdict = gate.judge(packet)
        if verdict is not Verdict.ACCEPT:
            return verdict
        known = self._known.setdefault(packet.header.protocol, {})
        if len(known) >= 2 * LARGEST:
            self._sweep(known, now)
        if len(known) >= 2 * LARGEST:
            return Verdict.DROP
        connection = Connection(packet, now)
        connection.gates.add(gate)
        known[packet.key] = known[packet.reverse] = connection
        return Verdict.ACCEPT

    def _note(self, connection: Connection, packet: Packet, now: float) -> None:
        connection.note(packet, now)
        short = self._established.get(connection.protocol)
        if short is None:
            return
        for key in (connection.key, connection.reverse):
            if connection.over:
                short.pop(key, None)
            elif connection.answered:
                short[key] = connection

    def _forget(self, connection: Connection) -> None:
        for table in (self._known, self._established):
            for key in (connection.key, connection.reverse):
                table.get(connection.protocol, {}).pop(key, None)

    def _sweep(self, known: dict[bytes, Connection], now: float) -> None:
        """Forget connections that have timed out."""
        for connection in set(known.values()):
            if now - connection.seen > connection.limit:
                self._forget(connection)
