# SPDX-License-Identifier: Apache-2.0
"""Everything that a switch learns: each notice of its forwarding table, from a socket opened before the first."""

import socket

import netns

_RTMGRP_NEIGH = 4
_SO_RCVBUFFORCE = 33


class FdbWatch:
    """with FdbWatch(switch) as learned: ...   then learned.mentions("02:00:00:00:00:01")"""

    def __init__(self, namespace):
        with netns.inside(namespace):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK,
                                         socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
        self._socket.bind((0, _RTMGRP_NEIGH))
        self._notices = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            while True:
                self._notices.append(self._socket.recv(1 << 16))
        except BlockingIOError:
            self._socket.close()

    def mentions(self, mac):
        return any(bytes.fromhex(mac.replace(":", "")) in notice for notice in self._notices)
