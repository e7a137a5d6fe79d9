# SPDX-License-Identifier: Apache-2.0
"""Beats as a switch sees them."""

import socket
import time

from harness import PORT, check
from witness import ETH_P_IP, watcher

TTL = 22  # where it is in a frame


def beat_frames(cluster, host, seconds=1.5, destination=None):
    """Ethernet frames that a host sends over IPv4 to the heartbeat port, of that destination alone when one is named."""
    wire, found = watcher(cluster.switch, host), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            frame = wire.recv(2048)
        except TimeoutError:
            continue
        if frame[12:14] == ETH_P_IP.to_bytes(2, "big") and frame[23] == socket.IPPROTO_UDP \
                and int.from_bytes(frame[36:38], "big") == PORT \
                and (destination is None or frame[30:34] == socket.inet_aton(destination)):
            found.append(frame)
    wire.close()
    check(found, f"no beat from {host} to {destination or 'the port'} on the wire")
    return found


def beats_on_the_wire(cluster, host, seconds=1.5, destination=None):
    """Their UDP payloads."""
    return [frame[42:14 + int.from_bytes(frame[16:18], "big")] for frame in beat_frames(cluster, host, seconds, destination)]
