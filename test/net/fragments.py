# SPDX-License-Identifier: Apache-2.0
"""UDP datagrams in fragments, as IP packets, so that a test can send them in any order."""

import socket
import struct

import netns
from witness import ETH_P_IP, ETH_P_IPV6


def _checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _udp(flow, payload):
    family = socket.AF_INET6 if ":" in flow.source else socket.AF_INET
    ends = socket.inet_pton(family, flow.source) + socket.inet_pton(family, flow.destination)
    header = struct.pack("!HHHH", flow.sport, flow.dport, 8 + len(payload), 0)
    pseudo = ends + struct.pack("!II", 8 + len(payload), socket.IPPROTO_UDP)
    return ends, header[:6] + struct.pack("!H", _checksum(pseudo + header + payload) or 0xffff) + payload


def fragments(flow, payload, number, size=1400):
    """The datagram's fragments in their order. number: the sender's, under which they are put together."""
    ends, datagram = _udp(flow, payload)
    size -= size % 8
    packets = []
    for start in range(0, len(datagram), size):
        piece, more = datagram[start:start + size], start + size < len(datagram)
        if ":" in flow.source:
            fragment = struct.pack("!BBHI", socket.IPPROTO_UDP, 0, start | more, number)
            header = struct.pack("!IHBB", 6 << 28, 8 + len(piece), socket.IPPROTO_FRAGMENT, 64) + ends + fragment
        else:
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), number, start // 8 | more << 13, 64,
                                 socket.IPPROTO_UDP, 0) + ends
            header = header[:10] + struct.pack("!H", _checksum(header)) + header[12:]
        packets.append(header + piece)
    return packets


class Sender:
    """Sends IP packets as they are, from one namespace's eth0 to one MAC address."""

    def __init__(self, namespace, mac):
        with netns.inside(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        self._mac = bytes.fromhex(mac.replace(":", ""))

    def send(self, packets):
        for packet in packets:
            kind = ETH_P_IP if packet[0] >> 4 == 4 else ETH_P_IPV6
            self._socket.sendto(packet, ("eth0", kind, 0, 0, self._mac))
