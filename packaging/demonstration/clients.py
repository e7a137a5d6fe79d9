# SPDX-License-Identifier: Apache-2.0
"""Web clients: many addresses, one new connection a request, and a note of when each was answered and by whom."""

import collections
import contextlib
import ctypes
import os
import select
import socket
import threading
import time

from cluster import VIRTUAL_IP

REQUEST = f"GET / HTTP/1.0\r\nHost: {VIRTUAL_IP}\r\n\r\n".encode()
# A first packet that nobody takes is sent again by the client's own TCP, one second later. Whoever is answered
# sooner was served at once.
AT_ONCE = 0.9
PATIENCE = 8.0

Request = collections.namedtuple("Request", "started source answer took")  # answer: a server's name, or None


@contextlib.contextmanager
def inside(namespace):
    """The calling thread is in the namespace meanwhile; sockets made there stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{namespace}") as there:
        if libc.setns(there.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            libc.setns(home.fileno(), 0)


def address(number):
    return f"198.18.{number // 250}.{number % 250 + 1}"


class Clients(threading.Thread):
    """Sends requests in the background: one each gap seconds, from the sources in turn, `count` or until stop()."""

    def __init__(self, namespace, sources, gap, count=None):
        super().__init__(daemon=True)
        self.requests = []
        self.error = None
        self._namespace, self._sources, self._gap, self._count = namespace, sources, gap, count
        self._stopping = threading.Event()

    def run(self):
        try:
            with inside(self._namespace):
                self._run()
        except Exception as error:  # raised again by finish()
            self.error = error

    def _run(self):
        poll, waiting = select.epoll(), {}
        sent, due = 0, time.monotonic()
        while True:
            more = sent != self._count and not self._stopping.is_set()
            if not more and not waiting:
                return
            if more and time.monotonic() >= due:
                self._send(poll, waiting, self._sources[sent % len(self._sources)])
                sent, due = sent + 1, due + self._gap
            pause = max(0.0, due - time.monotonic()) if more else 0.02
            for descriptor, events in poll.poll(min(pause, 0.02)):
                self._go_on(poll, waiting, descriptor, events)
            now = time.monotonic()
            for descriptor in [key for key, (_, _, started) in waiting.items() if now - started > PATIENCE]:
                self._note(poll, waiting, descriptor, None)

    def _send(self, poll, waiting, source):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        made.bind((source, 0))
        started = time.monotonic()
        made.connect_ex((VIRTUAL_IP, 80))
        waiting[made.fileno()] = (made, source, started)
        poll.register(made.fileno(), select.EPOLLOUT)

    def _go_on(self, poll, waiting, descriptor, events):
        """Connected: ask. Answered, or refused: note it."""
        made = waiting[descriptor][0]
        try:
            if events & select.EPOLLOUT and not events & select.EPOLLERR:
                made.send(REQUEST)
                poll.modify(descriptor, select.EPOLLIN)
                return
            page = made.recv(4096).decode()
        except OSError:
            page = ""
        name = page.rsplit(" ", 1)[-1].strip(".\n") if " 200 OK" in page else None
        self._note(poll, waiting, descriptor, name)

    def _note(self, poll, waiting, descriptor, answer):
        made, source, started = waiting.pop(descriptor)
        # Not left to close(): while another thread forks, a copy of the socket lives on and would go on reporting.
        poll.unregister(descriptor)
        made.close()
        self.requests.append(Request(started, source, answer, time.monotonic() - started))

    def finish(self, stop=True):
        """Waits for the last answer; the requests in the order in which they were sent."""
        if stop:
            self._stopping.set()
        self.join()
        if self.error:
            raise self.error
        return sorted(self.requests)


def served_at_once(request):
    return request.answer is not None and request.took < AT_ONCE


def outage(requests, gap):
    """Seconds between the first and the last request that were not served at once; 0 when all were."""
    missed = [request.started for request in requests if not served_at_once(request)]
    return max(missed) - min(missed) + gap if missed else 0.0
