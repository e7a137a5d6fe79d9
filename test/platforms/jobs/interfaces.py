# SPDX-License-Identifier: Apache-2.0
"""A node's interface as servers have them, and what it is refused for, in each MAC mode that clients' networks use.

    client --- bridge --- web1, web2, web3

    vlan            eth0.10; the bridge tags, the client knows nothing of it
    bond            bond0 over eth0 and eth1, active-backup; web2's first link is lost
    lacp            bond0 over eth0 and eth1, 802.3ad with the switch; web2's first link is lost
    bond_vlan       bond0.10 over that
    bridge          br0 with eth0 as its port, as on a host of virtual machines
    macvlan         mv0 over eth0, which has the same frames and is told to leave them alone

Usage: interfaces.py KIND
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../net"))

import flows  # noqa: E402
import netns  # noqa: E402
from harness import VIP4, VIP6, Cluster, check, main  # noqa: E402
from owners import check_shares, check_udp, expected  # noqa: E402

INTERFACES = {"vlan": "eth0.10", "bond": "bond0", "lacp": "bond0", "bond_vlan": "bond0.10", "bridge": "br0",
              "macvlan": "mv0"}
MAC_MODES = ("multicast", "unicast")
REFUSED = {(kind, "unicast"): 'choose mac_mode = "multicast"' for kind in ("bridge", "macvlan")}  # what the refusal says, among other things


class Shaped(Cluster):
    """Each node's addresses are on an interface of one kind, made over links named eth0 and eth1."""

    def __init__(self, kind, **options):
        self.kind = kind
        super().__init__(interface=INTERFACES[kind], **options)

    def add_bridge(self, name):
        super().add_bridge(name)
        if INTERFACES[self.kind].endswith(".10"):
            netns.ip(self.switch, f"link set {name} type bridge vlan_filtering 1")

    def add_interface(self, who, number):
        if not isinstance(who, int):
            super().add_interface(who, number)
            self._vlan(self.label(who), tagged=False)
            return
        host = self.namespace(who)
        for link in ("eth0", "eth1")[:1 + self._has_two_links()]:
            self._plug(host, link, self.port(who, link), "bridge0")
            self._vlan(self.port(who, link), tagged=True)
        if self.kind == "lacp":  # named so that witnesses count what comes in by its links, and not also by it
            self._aggregate(self.switch, f"switch-web{who}", [self.port(who, link) for link in ("eth0", "eth1")], "802.3ad")
            netns.ip(self.switch, f"link set switch-web{who} master bridge0")
        netns.ip(host, self._made(host))
        name = INTERFACES[self.kind]
        netns.ip(host, f"""
            link set {name} up
            address add 192.0.2.{number}/24 dev {name}
            address add 2001:db8::{number:x}/64 dev {name} nodad
            route add 198.18.0.0/15 via 192.0.2.254
            route add 2001:db8:77::/48 via 2001:db8::fe""")

    def port(self, who, link):
        return f"web{who}" if link == "eth0" else f"web{who}b"

    def lose_a_link(self, who):
        netns.ip(self.switch, f"link set {self.port(who, 'eth0')} down")

    def _has_two_links(self):
        return self.kind in ("bond", "lacp", "bond_vlan")

    def _vlan(self, port, tagged):
        if INTERFACES[self.kind].endswith(".10"):
            netns.run(self.switch, "bridge", "vlan", "del", "dev", port, "vid", 1)
            netns.run(self.switch, "bridge", "vlan", "add", "dev", port, "vid", 10, *([] if tagged else ["pvid", "untagged"]))

    @staticmethod
    def _aggregate(namespace, name, links, mode):
        netns.ip(namespace, f"link add {name} type bond mode {mode} miimon 100" + (" lacp_rate fast" if mode == "802.3ad" else ""))
        for link in links:
            netns.ip(namespace, f"""
                link set {link} nomaster
                link set {link} down
                link set {link} master {name}""")
        netns.ip(namespace, f"link set {name} up")

    def _made(self, host):
        """The `ip` commands that make the node's interface over its links; bonds are made at once."""
        if self._has_two_links():
            self._aggregate(host, "bond0", ("eth0", "eth1"), "802.3ad" if self.kind == "lacp" else "active-backup")
        return {"vlan": """link set eth0 up
                           link add link eth0 name eth0.10 type vlan id 10""",
                "bond": "", "lacp": "", "bond_vlan": "link add link bond0 name bond0.10 type vlan id 10",
                "bridge": """link add br0 type bridge forward_delay 0 mcast_snooping 0
                             link set eth0 master br0
                             link set eth0 up""",
                "macvlan": """link set eth0 up
                              link add link eth0 name mv0 type macvlan mode bridge"""}[self.kind] or "link set lo up"


def check_served(cluster, when):
    """Every flow is answered by its owner; no datagram twice."""
    for address in (VIP4, VIP6):
        asked = flows.many(300, address, 7001)
        wanted, got = expected(cluster, "tcp", asked), flows.ask_tcp(cluster.client, asked)
        wrong = {flow: (got[flow], wanted[flow]) for flow in asked if got[flow] != wanted[flow]}
        check(not wrong, f"{when}: {len(wrong)} of {len(asked)} TCP flows not answered by their owner: "
                         f"{list(wrong.items())[:3]}")
        check_shares(got, nodes=3)
        check_udp(cluster, asked)


def try_mode(kind, mac_mode):
    with Shaped(kind, nodes=3, cluster=f'mac_mode = "{mac_mode}"') as cluster:
        if refusal := REFUSED.get((kind, mac_mode)):
            done = cluster.run_agent(1, "--config", cluster.config_file, "--node", "web1")
            check(done.returncode == 1 and refusal in done.stderr, f"not refused: exit {done.returncode}, {done.stderr}")
            print(f"{kind}, {mac_mode}: refused: {done.stderr.strip()}", flush=True)
            return
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        datapath = cluster.status(1)["datapath"]
        check(datapath["kind"] in ("xdp", "tc"), f"{datapath}")
        check_served(cluster, "all links up")
        if cluster.kind in ("bond", "lacp", "bond_vlan"):
            cluster.lose_a_link(2)
            slaves = "/proc/net/bonding/bond0"
            cluster.wait_until(lambda: "MII Status: down" in netns.run(cluster.namespace(2), "cat", slaves).stdout,
                               "the bond notices the loss")
            cluster.wait_active([1, 2, 3])
            check_served(cluster, "web2 has lost a link")
        print(f"{kind}, {mac_mode}: {datapath}", flush=True)


def test():
    kind = sys.argv[1]
    for mac_mode in MAC_MODES:
        try_mode(kind, mac_mode)


main(test)
