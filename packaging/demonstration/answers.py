# SPDX-License-Identifier: Apache-2.0
"""A witness at a switch: which node answered which request, so that it is seen when two of them answered one.

    answers = Answers(namespace)     # from here on
    count, twice = answers.finish()

Clients cannot tell: their own TCP drops the second answer. Only SYN-ACKs come up here, by a filter in the kernel. A SYN
is known by the client, what its answer acknowledges, and the time stamp that this echoes: a node whose link was down
repeats later what it has once accepted, when another one has long accepted the client's next SYN.
"""

import contextlib
import ctypes
import socket
import struct
import threading

from clients import inside

_ETH_P_ALL, _SOL_PACKET, _PACKET_IGNORE_OUTGOING, _SO_ATTACH_FILTER = 3, 263, 23, 26
_SIZE = 128
# Classic BPF: (code, jump if true, jump if false, number). TCP over IPv4 or IPv6, with SYN and ACK.
_SYN_ACKS = ((0x28, 0, 0, 12), (0x15, 0, 4, 0x0800), (0x30, 0, 0, 23), (0x15, 0, 9, 6), (0x30, 0, 0, 47), (0x05, 0, 0, 4),
             (0x15, 0, 6, 0x86dd), (0x30, 0, 0, 20), (0x15, 0, 4, 6), (0x30, 0, 0, 67),
             (0x54, 0, 0, 0x12), (0x15, 0, 1, 0x12), (0x06, 0, 0, _SIZE), (0x06, 0, 0, 0))


class Answers(threading.Thread):
    def __init__(self, namespace):
        super().__init__(daemon=True)
        self._answers = {}  # the SYN -> the ports of the switch by which an answer came in
        self._stopping = threading.Event()
        with inside(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        program = b"".join(struct.pack("HBBI", *step) for step in _SYN_ACKS)
        steps = ctypes.create_string_buffer(program, len(program))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER,
                                struct.pack("HL", len(_SYN_ACKS), ctypes.addressof(steps)))
        with contextlib.suppress(BlockingIOError):  # what came before the filter: beats, of which all nodes send the like
            while True:
                self._socket.recv(_SIZE, socket.MSG_DONTWAIT)
        self._socket.settimeout(0.1)
        self.start()

    def run(self):
        while not self._stopping.is_set():
            try:
                frame, address = self._socket.recvfrom(_SIZE)
            except TimeoutError:
                continue
            if not address[0].startswith(("bridge", "switch")):  # what is flooded also goes up to the bridge itself
                self._answers.setdefault(_syn_of(frame), set()).add(address[0])

    def finish(self):
        """Ends it. How many SYNs were answered, and those that two nodes answered, as (client, port, nodes)."""
        self._stopping.set()
        self.join()
        self._socket.close()
        return len(self._answers), [(client, port, sorted(nodes)) for (client, port, *_), nodes in
                                    self._answers.items() if len(nodes) > 1]


def _syn_of(frame):
    """Client, port, acknowledged number, echoed time stamp (0 without one) of a SYN-ACK."""
    six = frame[12:14] == b"\x86\xdd"
    address, tcp = (frame[38:54], 54) if six else (frame[30:34], 34)
    port, acknowledged = struct.unpack_from("!H4xI", frame, tcp + 2)
    at, end, echoed = tcp + 20, tcp + (frame[tcp + 12] >> 4) * 4, 0
    while at + 1 < min(end, len(frame)) and frame[at] != 0:
        if frame[at] == 8:
            echoed = struct.unpack_from("!I", frame, at + 6)[0]
        at += 1 if frame[at] == 1 else max(frame[at + 1], 2)
    return socket.inet_ntop(socket.AF_INET6 if six else socket.AF_INET, address), port, acknowledged, echoed
