"""Calendar events (systemd.time(7), Proxmox's proxmox-time): when they come, and what is refused."""

from datetime import datetime

import pytest

from labpve.calendarevent import parse
from labpve.clock import Clock


@pytest.mark.parametrize('text, after, expected', [
    ('03:30', '2026-11-24 03:29', '2026-11-24 03:30'),
    ('03:30', '2026-11-24 03:30', '2026-11-25 03:30'),
    ('3:30', '2026-12-31 23:59', '2027-01-01 03:30'),
    ('sun 03:00', '2026-11-24 12:00', '2026-11-29 03:00'),
    ('Sunday 03:00', '2026-11-29 03:00', '2026-12-06 03:00'),
    ('mon,wed..fri 01:00', '2026-11-23 01:00', '2026-11-25 01:00'),
    ('*:0/15', '2026-11-24 10:46', '2026-11-24 11:00'),
    ('8..18/2:00', '2026-11-24 10:00', None),
    ('*/6:30', '2026-11-24 06:30', '2026-11-24 12:30'),
    ('8..10:05,35', '2026-11-24 10:35', '2026-11-25 08:05')])
def test_next_time(text: str, after: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match='out of range'):
            parse(text)
        return
    found = parse(text).after(int(datetime.fromisoformat(after).timestamp()))
    assert datetime.fromtimestamp(found) == datetime.fromisoformat(expected)


@pytest.mark.parametrize('text', ['daily', '', '25:00', '03:60', '2026-11-24 03:30', 'su 03:00', 'son 03:00',
                                  '03:30:15', 'fri..mon 01:00', '*/0:00', '03', 'mon'])
def test_what_is_not_followed_is_refused(text: str) -> None:
    """A schedule PVE would follow and the lab would not must not look as if it did."""
    with pytest.raises(ValueError, match=r"unable to parse calendar event '.*the lab follows '\[DAYS\] HOURS:MINUTES'"):
        parse(text)


def test_clock_is_moved_by_its_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    clock = Clock(tmp_path / 'clock')
    start = clock.time()
    clock.path.write_text('86400\n', encoding='utf-8')
    assert 86400 <= clock.time() - start < 86410
    clock.path.write_text('tomorrow', encoding='utf-8')
    assert clock.time() - start < 10
