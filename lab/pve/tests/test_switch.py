"""The switch, with guests that are the tests themselves."""

import asyncio
import os

import pytest

from frames import BROADCAST
from guests import A, B, ELSEWHERE, Guest, answers, config, requests, tcp_flags, two_guests
from labpve import port
from labpve.switch import Switch


async def test_guests_of_a_segment_reach_each_other_and_nobody_else() -> None:
    there = Switch()
    a, b = await two_guests(there)
    cables = await there.plug(3, {'net0': 'virtio=BC:24:11:00:00:30,bridge=vmbr0,tag=30'}, {})
    other = await Guest(ELSEWHERE, cables['net0']).open()
    a.ask(B)
    assert requests(await b.received()) == [B] and await other.received() == []
    b.arp(2, a.mac, a.mac, A)
    assert answers(await a.received()) == [(B, b.mac)]
    a.syn(b.mac, B, 22)
    assert tcp_flags(await b.received()) == [2] and await other.received() == []


async def test_frames_are_cut_right_wherever_the_stream_breaks() -> None:
    a, b = await two_guests(Switch())
    frame = b.mac + a.mac + b'\x08\x00' + os.urandom(1500)
    stream = (len(frame).to_bytes(4, 'big') + frame) * 3
    assert a._writer
    for start in range(0, len(stream), 701):
        a._writer.write(stream[start:start + 701])
        await asyncio.sleep(0.005)
    assert await b.received() == [frame] * 3


async def test_guest_that_does_not_read_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, 'BACKLOG', 20_000)
    there = Switch()
    a, b = await two_guests(there)
    for _ in range(2000):
        a.send(BROADCAST + a.mac + b'\x08\x00' + bytes(1000))
        await asyncio.sleep(0)
    a.send(b'short')  # no frame: no addresses
    await asyncio.sleep(0.2)
    assert 0 < len(await b.received()) < 2000
    a.ask(B)
    assert requests(await b.received()) == [B]


async def test_nonsense_pulls_the_cable() -> None:
    there = Switch()
    a, b = await two_guests(there)
    assert a._writer
    a._writer.write(b'\xff' * 8)
    assert await a.received() == []
    assert len(there.bridges['vmbr0'].nics) == 1
    b.ask(A)
    assert await b.received() == []


async def test_address_of_a_guest_that_left_is_nobodys() -> None:
    there = Switch()
    a, b = await two_guests(there)
    b.ask(A)
    await a.received()
    assert b._writer
    b._writer.close()
    await asyncio.sleep(0.05)
    again = await Guest(B, (await there.plug(1, config(B), {}))['net0']).open()
    a.syn(again.mac, B, 22)  # not learned yet: to everybody on the segment
    assert tcp_flags(await again.received()) == [2]
