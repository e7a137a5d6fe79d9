# SPDX-License-Identifier: Apache-2.0
"""ICMP echo: requests to a virtual IP, and who replied to them on the wire."""

import socket
import struct
import time

import netns
from harness import check_one_owner
from witness import Witness

_IPV6_FREEBIND = 78


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def _request(six, number):
    head = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 0x6e6c, number)
    if six:  # the kernel completes the checksum
        return head
    return head[:2] + struct.pack("!H", _checksum(head)) + head[4:]


def _reply(frame):
    """(destination, number) of an echo reply to one of our requests, else None."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0800 and frame[23] == socket.IPPROTO_ICMP and frame[34] == 0:
        client, head = socket.inet_ntop(socket.AF_INET, frame[30:34]), frame[34:42]
    elif kind == 0x86dd and frame[20] == socket.IPPROTO_ICMPV6 and frame[54] == 129:
        client, head = socket.inet_ntop(socket.AF_INET6, frame[38:54]), frame[54:62]
    else:
        return None
    _, _, _, identity, number = struct.unpack("!BBHHH", head)
    return (client, number) if identity == 0x6e6c else None


def ask(cluster, sources, destination, number, seconds=10.0):
    """source -> the ports of the bridge that its one echo request was answered from, as often as it was."""
    six = ":" in destination
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
    with Witness(cluster.switch) as seen:
        for source in sources:
            with netns.inside(cluster.client):
                made = socket.socket(family, socket.SOCK_RAW, protocol)
            with made:
                if six:
                    made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
                made.bind((source, 0))
                made.sendto(_request(six, number), (destination, 0))
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(_answers(seen, number)) < len(sources):
            time.sleep(0.05)
    answers = _answers(seen, number)  # and what has come in until the witness was stopped
    for source, ports in answers.items():
        check_one_owner(ports, f"the echo request {number} of {source}")
    return {source: answers.get(source, []) for source in sources}


def _answers(seen, number):
    found = {}
    for port, frame in list(seen.frames):
        reply = _reply(frame) if len(frame) >= 62 or (len(frame) >= 42 and frame[12:14] == b"\x08\x00") else None
        if reply is not None and reply[1] == number:
            found.setdefault(reply[0], []).append(port)
    return found
