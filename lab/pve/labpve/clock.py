"""The node's clock: the machine's, moved by the seconds in a file, so that a test need not wait for a job's time."""

import logging
import time
from pathlib import Path

LOG = logging.getLogger('labpve')


class Clock:
    """Seconds since the epoch, plus the integer in `path`; without the file, plus nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._complaint = ''

    def time(self) -> int:
        """The node's time. The file is read anew each time."""
        return int(time.time()) + self._offset()

    def _offset(self) -> int:
        try:
            text = self.path.read_text(encoding='utf-8').strip()
            offset = int(text or 0)
        except FileNotFoundError:
            return 0
        except (OSError, ValueError) as error:
            if str(error) != self._complaint:
                LOG.error('%s: seconds to add to the clock expected: %s', self.path, error)
            self._complaint = str(error)
            return 0
        self._complaint = ''
        return offset


def local(epoch: int, form: str = '%Y-%m-%d %H:%M:%S') -> str:
    """A time as PVE's logs show it: local."""
    return time.strftime(form, time.localtime(epoch))


def utc(epoch: int) -> str:
    """A time as it stands in the name of a backup."""
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(epoch))
