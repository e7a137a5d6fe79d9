# SPDX-License-Identifier: Apache-2.0
"""A witness at the switch: which server answered which request, so that it is seen when two of them answered one.

The clients could not tell: their own TCP drops the second answer. Only SYN-ACKs come up here, by a filter in the kernel.
"""

import ctypes
import socket
import struct
import threading

from clients import inside

_ETH_P_ALL, _SOL_PACKET, _PACKET_IGNORE_OUTGOING, _SO_ATTACH_FILTER = 3, 263, 23, 26
# Classic BPF: (code, jump if true, jump if false, number). IPv4; TCP; SYN and ACK; the first 64 bytes of these.
_SYN_ACKS = ((0x28, 0, 0, 12), (0x15, 0, 6, 0x0800), (0x30, 0, 0, 23), (0x15, 0, 4, 6), (0x30, 0, 0, 47),
             (0x54, 0, 0, 0x12), (0x15, 0, 1, 0x12), (0x06, 0, 0, 64), (0x06, 0, 0, 0))


class Witness(threading.Thread):
    def __init__(self, namespace):
        super().__init__(daemon=True)
        self._answers = {}  # (client, port, what is acknowledged) -> the ports of the switch that it came in by
        self._stopping = threading.Event()
        with inside(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        program = b"".join(struct.pack("HBBI", *step) for step in _SYN_ACKS)
        steps = ctypes.create_string_buffer(program, len(program))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER,
                                struct.pack("HL", len(_SYN_ACKS), ctypes.addressof(steps)))
        self._socket.settimeout(0.1)

    def run(self):
        while not self._stopping.is_set():
            try:
                frame, address = self._socket.recvfrom(64)
            except TimeoutError:
                continue
            if address[0] != "switch":  # what is flooded also goes up to the bridge itself
                request = (socket.inet_ntoa(frame[30:34]), *struct.unpack_from("!H4xI", frame, 36))
                self._answers.setdefault(request, set()).add(address[0])

    def finish(self):
        """How many requests were answered, and those that two servers answered, as (client, port, servers)."""
        self._stopping.set()
        self.join()
        self._socket.close()
        return len(self._answers), [(client, port, sorted(servers)) for (client, port, _), servers in
                                    self._answers.items() if len(servers) > 1]
