"""Joins standard input and output to a TCP port of this machine: what QEMU runs for each connection of a guest.

QEMU hands over one socket as standard input, output and error alike, so nothing may be printed here. A direction that
ends is closed without closing the other, and neither waits for the other.
"""

import socket
import sys
import threading

CHUNK = 1 << 18


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy one way until the source ends."""
    try:
        while data := source.recv(CHUNK):
            target.sendall(data)
    except OSError:
        pass
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def main() -> int:
    """pipe.py HOST PORT"""
    guest = socket.socket(fileno=0)
    try:
        service = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    except OSError:
        return 1
    upwards = threading.Thread(target=copy, args=(guest, service))
    upwards.start()
    copy(service, guest)
    upwards.join()
    return 0


if __name__ == '__main__':
    sys.exit(main())
