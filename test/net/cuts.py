# SPDX-License-Identifier: Apache-2.0
"""Beats that get lost in one direction: nftables rules on a bridge of the switch."""

import netns
from harness import PORT


def cut(cluster, incoming, outgoing):
    """Drops beats that come in at one of these ports of the bridge and would leave at one of those."""
    def names(ports):
        return "{ " + ", ".join(f'"{port}"' for port in ports) + " }"

    netns.run(cluster.switch, "nft", f"""
        add table bridge cut
        add chain bridge cut beats {{ type filter hook forward priority 0; }}
        add rule bridge cut beats iifname {names(incoming)} oifname {names(outgoing)} udp dport {PORT} drop""")


def mend(cluster):
    netns.run(cluster.switch, "nft", "delete table bridge cut")
