# SPDX-License-Identifier: Apache-2.0
"""The service of one node: says the node's name to every TCP connection and every UDP datagram.

    echo_server.py NAME ADDRESS,ADDRESS,... PORT,PORT,...

Sockets are bound to the virtual IPs (before those exist: IP_FREEBIND), so UDP answers come from them. A datagram is
answered with the name and its own text. A TCP client gets the name at once, then everything it sends back; the
client closes first. Says "ready" on standard output, and runs until it is killed. SIGUSR1: takes no new connection,
goes on with the open ones.
"""

import select
import signal
import socket
import sys

IP_FREEBIND = 15
IPV6_FREEBIND = 78


def bound(address, port, kind):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    else:
        made.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    made.bind((address, port))
    return made


def main():
    name = sys.argv[1].encode()
    poll = select.epoll()
    handlers, listeners = {}, []

    def watch(watched, handler):
        handlers[watched.fileno()] = handler
        poll.register(watched.fileno(), select.EPOLLIN)

    def serve_datagrams(server):
        while True:
            try:
                text, client = server.recvfrom(65536)
                server.sendto(name + b" " + text, client)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error about an earlier answer

    def serve_connection(connection):
        try:
            data = connection.recv(65536)
            if data:
                connection.sendall(data)
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        handlers.pop(connection.fileno(), None)
        connection.close()

    def accept(listener):
        while True:
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            try:
                connection.send(name + b"\n")
                watch(connection, lambda connection=connection: serve_connection(connection))
            except OSError:
                connection.close()

    for address in sys.argv[2].split(","):
        for port in map(int, sys.argv[3].split(",")):
            listener = bound(address, port, socket.SOCK_STREAM)
            listener.listen(4096)
            listeners.append(listener)
            watch(listener, lambda listener=listener: accept(listener))
            server = bound(address, port, socket.SOCK_DGRAM)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            watch(server, lambda server=server: serve_datagrams(server))

    def close_listeners(*_):
        for listener in listeners:
            handlers.pop(listener.fileno(), None)
            listener.close()

    signal.signal(signal.SIGUSR1, close_listeners)
    print("ready", flush=True)
    while True:
        for descriptor, _ in poll.poll():
            handler = handlers.get(descriptor)
            if handler is not None:
                handler()


main()
