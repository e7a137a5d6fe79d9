# SPDX-License-Identifier: Apache-2.0
"""A witness on the wire: sees every frame that enters the bridge, and through which port, that is, who sent it.

One AF_PACKET socket on all interfaces of the bridge's namespace. Frames that leave a port again are ignored, so each
frame is seen once, at the port where it came in.
"""

import socket
import struct
import threading

import netns
from harness import TwoOwners, check

ETH_P_ALL = 3
ETH_P_IP, ETH_P_IPV6, ETH_P_ARP = 0x0800, 0x86DD, 0x0806
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
SO_RCVBUFFORCE = 33
SYN, RST, ACK = 2, 4, 16


def watcher(namespace, interface=None):
    """A socket that receives every frame entering the namespace's interfaces (or the one named)."""
    with netns.inside(namespace):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        if interface is not None:
            made.bind((interface, ETH_P_ALL))
    made.settimeout(0.1)
    return made


def tcp_of(frame):
    """((source, sport, destination, dport), flags) of an untagged TCP frame without IP options, else None."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == ETH_P_IP and frame[23] == socket.IPPROTO_TCP:
        family, addresses, size, start = socket.AF_INET, 26, 4, 34
    elif kind == ETH_P_IPV6 and frame[20] == socket.IPPROTO_TCP:
        family, addresses, size, start = socket.AF_INET6, 22, 16, 54
    else:
        return None
    source = socket.inet_ntop(family, frame[addresses:addresses + size])
    destination = socket.inet_ntop(family, frame[addresses + size:addresses + 2 * size])
    sport, dport = struct.unpack_from("!HH", frame, start)
    return (source, sport, destination, dport), frame[start + 13]


class Witness:
    """with Witness(switch) as seen: ...   then seen.frames: [(port, frame), ...], cut to 128 bytes."""

    def __init__(self, namespace):
        self._socket = watcher(namespace)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.frames = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join(30)
        self._socket.close()

    def _run(self):
        buffer = bytearray(128)
        while True:
            try:
                size, address = self._socket.recvfrom_into(buffer, 128)
                if not address[0].startswith("bridge"):  # what is flooded also goes up to the bridge itself
                    self.frames.append((address[0], bytes(buffer[:size])))
            except TimeoutError:
                pass
            except BlockingIOError:  # stopping, and everything up to now is taken in
                return
            if self._stopping.is_set():
                self._socket.setblocking(False)

    def tcp_answers(self, mask, wanted):
        """(source, sport, destination, dport) of every TCP packet with these flags -> the ports it came from."""
        found = {}
        for port, frame in self.frames:
            packet = tcp_of(frame) if len(frame) >= 54 else None
            if packet is not None and packet[1] & mask == wanted:
                found.setdefault(packet[0], set()).add(port)
        return found

    def check_undisturbed(self, owners):
        """owners: flow -> node. Every packet to these clients came from its own node, and none was a reset."""
        answers, resets = self.tcp_answers(0, 0), self.tcp_answers(RST, RST)
        for flow, owner in owners.items():
            back = (flow.destination, flow.dport, flow.source, flow.sport)
            check(answers.get(back, set()) <= {owner}, f"{flow} of {owner} was answered by {sorted(answers.get(back, ()))}")
            check(back not in resets, f"{flow} of {owner} was reset by {sorted(resets.get(back, ()))}")

    def check_one_answer(self):
        """No connection was accepted by two nodes."""
        doubles = [flow for flow, ports in self.tcp_answers(SYN | ACK, SYN | ACK).items() if len(ports) > 1]
        if doubles:
            raise TwoOwners(f"{len(doubles)} flows were answered by two nodes: {doubles[:3]}")

    def sources(self):
        """Every Ethernet source address seen -> the ports it came from."""
        found = {}
        for port, frame in self.frames:
            found.setdefault(frame[6:12].hex(":"), set()).add(port)
        return found
