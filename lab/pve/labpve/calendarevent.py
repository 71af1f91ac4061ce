"""Calendar events: the part of systemd.time(7) the lab's jobs follow.

`[DAYS] HOURS:MINUTES`, all of them lists. DAYS are names (`mon`, `sunday`) and ranges (`mon..fri`); HOURS and MINUTES
are numbers, ranges (`8..18`), `*`, and repetitions (`*/2`, `0/15`). Times are local, as on PVE.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Callable

DAYS = ('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday')
ALLOWED = "the lab follows '[DAYS] HOURS:MINUTES' only, such as '03:30', 'sun 03:00', 'mon..fri 8..18:0/15'"


@dataclass(frozen=True)
class CalendarEvent:
    """Times that come round: days of the week (0 is Monday), hours and minutes."""

    days: tuple[int, ...]
    hours: tuple[int, ...]
    minutes: tuple[int, ...]

    def after(self, epoch: int) -> int:
        """The first time later than `epoch`."""
        day = datetime.fromtimestamp(epoch).date()
        while True:
            for hour, minute in ((h, m) for h in self.hours for m in self.minutes if day.weekday() in self.days):
                moment = int(datetime.combine(day, time(hour, minute)).timestamp())
                if moment > epoch:
                    return moment
            day += timedelta(days=1)


def parse(text: str) -> CalendarEvent:
    """The event a schedule describes; a ValueError naming what is allowed for anything else."""
    found = re.fullmatch(r'\s*(?:([a-z.,]+)\s+)?([\d*/.,]+):([\d*/.,]+)\s*', text.lower())
    try:
        if not found:
            raise ValueError('unknown form')
        days, hours, minutes = found.groups()
        return CalendarEvent(_list(days, 6, _day) if days else tuple(range(7)),
                             _list(hours, 23, _number), _list(minutes, 59, _number))
    except ValueError as error:
        raise ValueError(f"unable to parse calendar event '{text}' - {error}; {ALLOWED}") from None


def _list(text: str, highest: int, value: Callable[[str], int]) -> tuple[int, ...]:
    """The sorted members of a list."""
    out: set[int] = set()
    for item in text.split(','):
        base, slash, step = item.partition('/')
        first, dots, last = base.partition('..')
        start = 0 if base == '*' else value(first)
        end = highest if base == '*' or slash else value(last) if dots else start
        every = _number(step) if slash else 1
        if start > end or end > highest or every < 1 or (slash and dots):
            raise ValueError(f"'{item}' is out of range")
        out.update(range(start, end + 1, every))
    return tuple(sorted(out))


def _number(text: str) -> int:
    if not re.fullmatch(r'\d{1,2}', text):
        raise ValueError(f"'{text}' is no number")
    return int(text)


def _day(text: str) -> int:
    for number, name in enumerate(DAYS):
        if len(text) >= 3 and name.startswith(text):
            return number
    raise ValueError(f"'{text}' is no day of the week")
