# SPDX-License-Identifier: Apache-2.0
"""Everything of a host that an agent might leave behind, as text, so that two moments can be compared."""

import os

import netns
from harness import check

_COMMANDS = {
    "addresses": ("ip", "address"),
    "links": ("ip", "link"),
    "memberships": ("ip", "maddress"),
    "routes": ("ip", "route", "show", "table", "all"),
    "routes6": ("ip", "-6", "route", "show", "table", "all"),
    "rules": ("ip", "rule"),
    "qdiscs": ("tc", "qdisc"),
    "ingress": ("tc", "filter", "show", "dev", "eth0", "ingress"),
    "egress": ("tc", "filter", "show", "dev", "eth0", "egress"),
    "static fdb": ("bridge", "fdb"),
    "nftables": ("nft", "list", "ruleset"),
}
_SYSCTLS = ("/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf")


def take(cluster, who):
    """what -> lines."""
    name = cluster.namespace(who)
    found = {what: netns.run(name, *words, check=False).stdout.splitlines() for what, words in _COMMANDS.items()}
    # Routes that the kernel makes and drops by itself while traffic flows
    found["routes6"] = [line for line in found["routes6"] if "cache" not in line]
    found["sysctls"] = []
    with netns.inside(name):
        for top in _SYSCTLS:
            for folder, _, files in sorted(os.walk(top)):
                for file in sorted(files):
                    found["sysctls"].append(f"{folder}/{file} = {_read(os.path.join(folder, file))}")
    with open("/proc/self/mounts") as mounts:
        found["mounts"] = [line for line in mounts if line.split()[1].startswith(cluster.run_dir(who))]
    found["files"] = [os.path.join(folder, file) for folder, _, files in os.walk(cluster.run_dir(who))
                      for file in [""] + files]
    return found


def _read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError as error:
        return error.strerror


def difference(before, after):
    """Lines that came (+) and went (-), empty when nothing did."""
    changes = []
    for what in before:
        changes += [f"- {what}: {line.strip()}" for line in before[what] if line not in after[what]]
        changes += [f"+ {what}: {line.strip()}" for line in after[what] if line not in before[what]]
    return changes


def check_same(before, after):
    changes = difference(before, after)
    check(not changes, "something is left behind:\n" + "\n".join(changes))
