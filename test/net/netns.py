# SPDX-License-Identifier: Apache-2.0
"""Network namespaces from Python.

A socket belongs for life to the namespace it was made in, so a test enters a namespace only to make its sockets
(`with inside(name):`) and then uses them from anywhere. Programs are started through nsenter and not `ip netns exec`:
that one gives them a mount namespace of their own, in which a bpffs would die with its last process.
"""

import array
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


def _setns(descriptor):
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "setns")


@contextlib.contextmanager
def inside(name):
    """The calling thread is in the namespace meanwhile."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def command(name, arguments):
    """The arguments that run a program in a namespace; name None: in this process's own."""
    prefix = [] if name is None else ["nsenter", f"--net=/run/netns/{name}"]
    return prefix + [str(argument) for argument in arguments]


def run(name, *arguments, check=True):
    """Runs a program in a namespace to its end; its standard output and error as text in the result."""
    done = subprocess.run(command(name, arguments), capture_output=True, text=True, timeout=120)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.strip()}")
    return done


def ip(name, script):
    """Runs the lines of script as `ip` commands in a namespace."""
    lines = "\n".join(line.strip() for line in script.strip().splitlines())
    prefix = ["ip"] if name is None else ["ip", "-n", name]
    done = subprocess.run(prefix + ["-batch", "-"], input=lines, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"ip -batch in {name}: {done.stderr.strip()}")
    return done.stdout


def die_with_parent():
    """For Popen's preexec_fn: a test that is killed takes its programs with it."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def sysctl(name, key, value):
    with inside(name), open("/proc/sys/" + key.replace(".", "/"), "w") as file:
        file.write(str(value))


def create(name):
    """A namespace with loopback up, and no waiting for duplicate address detection."""
    ip(None, f"netns add {name}")
    for key in ("all", "default"):
        sysctl(name, f"net.ipv6.conf.{key}.accept_dad", 0)
        sysctl(name, f"net.ipv6.conf.{key}.router_solicitations", 0)
        sysctl(name, f"net.ipv4.conf.{key}.rp_filter", 0)
    ip(name, "link set lo up")


_SIOCETHTOOL, _SET_CHECKSUMS, _SET_GRO, _GET_FLAGS, _SET_FLAGS = 0x8946, 0x17, 0x2C, 0x25, 0x26
_TAGS_OF_SENT, _TAGS_OF_RECEIVED = 1 << 7, 1 << 8


def _ask_driver(name, interface, command, value=0):
    word = array.array("I", [command, value])
    with inside(name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, struct.pack("16sP16x", interface.encode(), word.buffer_info()[0]))
    return word[1]


def turn_on_gro(name, interface):
    """A veth takes in what XDP at its other end sends, and raw frames, only so or with a native XDP program of its own."""
    _ask_driver(name, interface, _SET_GRO, 1)


def finish_frames(name, interface):
    """A veth hands over frames as on a wire: VLAN tags and checksums are in the frame, not beside it."""
    flags = _ask_driver(name, interface, _GET_FLAGS)
    _ask_driver(name, interface, _SET_FLAGS, flags & ~(_TAGS_OF_SENT | _TAGS_OF_RECEIVED))
    _ask_driver(name, interface, _SET_CHECKSUMS, 0)


def exists(name):
    return os.path.exists(f"/run/netns/{name}")


def delete(name):
    if exists(name):
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=60)


def with_prefix(prefix):
    try:
        return sorted(name for name in os.listdir("/run/netns") if name.startswith(prefix))
    except FileNotFoundError:
        return []


def mac_of(name, interface="eth0"):
    """The interface's own MAC address, as text."""
    return json.loads(run(name, "ip", "-j", "link", "show", interface).stdout)[0]["address"]
