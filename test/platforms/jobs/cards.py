# SPDX-License-Identifier: Apache-2.0
"""Three network cards as three nodes, in each MAC mode: every request is answered once, whatever a card's own address filter
thinks of the cluster MAC. With the argument "forward": that delivery, and the cards with native XDP send on what is another node's.

    client --- bridge --- virtio card ===cable=== virtio_net  web1, native XDP
                      --- virtio card ===cable=== vmxnet3     web2, native XDP from Linux 6.6
                      --- virtio card ===cable=== e1000e      web3, its driver has no XDP

The emulator makes the cables (machine.py). Each agent is also killed and started again: the card keeps its addresses.
"""

import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../net"))

import flows  # noqa: E402
import netns  # noqa: E402
from harness import VIP4, VIP6, Cluster, check, main  # noqa: E402
from owners import check_shares, check_tcp, check_udp  # noqa: E402

DRIVERS = ("virtio_net", "vmxnet3", "e1000e")  # of web1, web2, web3
KERNEL = tuple(map(int, os.uname().release.split(".")[:2]))
NATIVE = {"virtio_net": True, "vmxnet3": KERNEL >= (6, 6), "e1000e": False}
MAC_MODES = ("multicast", "unicast", "igmp")


def card(cable, end):
    """The name of the card at an end of a cable, where there is one."""
    for link in json.loads(netns.run(None, "ip", "-json", "link").stdout):
        if link["address"] == f"52:54:00:00:{cable:02x}:{end:02x}":
            return link["ifname"]
    return None


class Carded(Cluster):
    """Nodes are at the bridge through cards; everything else is as ever."""

    def _plug(self, host, interface, port, bridge):
        if not port.startswith("web"):
            super()._plug(host, interface, port, bridge)
            return
        cable = int(port[-1]) - 1
        at_node, at_bridge = (self.wait_until(lambda end=end: card(cable, end), f"the cards of {port} are there")
                              for end in (0, 1))  # a former cluster gives them back a little later
        netns.ip(None, f"""
            link set {at_node} down
            link set {at_node} netns {host} name {interface}
            link set {at_bridge} netns {self.switch} name {port}""")
        netns.ip(self.switch, f"""
            link set {port} master {bridge}
            link set {port} up""")
        if self.delivery == "forward":
            netns.ip(self.switch, f"link set {port} type bridge_slave flood off")
            netns.run(host, "ethtool", "-K", interface, "rxvlan", "off", check=False)  # or the agent leaves XDP alone


def check_served(cluster):
    for address in (VIP4, VIP6):
        asked = flows.many(300, address, 7001)
        check_shares(check_tcp(cluster, asked), nodes=3)
        check_shares(check_udp(cluster, asked), nodes=3)


def check_datapaths(cluster):
    for node, driver in zip(cluster.ids, DRIVERS):
        shown = cluster.status(node)["datapath"]
        print(f"{driver}: {shown['kind']} {shown['mode']}", flush=True)
        check(shown["kind"] in ("xdp", "tc"), f"{driver} filters with {shown}")
        check((shown["mode"] == "native") == NATIVE[driver], f"{driver} filters with {shown}")


def check_sent_on(cluster):
    """By web1 and web2, which receive; and where XDP is native, its program has sent: tc sends what goes to several."""
    by_node = {node: sum(each["packets"] for each in cluster.status(node)["sent_on"]) for node in cluster.ids}
    by_xdp = {}
    for node in cluster.ids:
        counted = netns.run(cluster.namespace(node), "ethtool", "-S", "eth0").stdout
        by_xdp[node] = sum(map(int, re.findall(r"(?:rx(?:_queue_)?\d+_xdp_tx| xdp tx): (\d+)", counted)))
    print(f"packets sent on: {by_node}, by XDP: {by_xdp}", flush=True)
    check(by_node[1] and by_node[2] and not by_node[3], f"web1 and web2 receive, and sent on are {by_node}")
    for node, driver in zip(cluster.ids, DRIVERS):
        check((by_xdp[node] > 0) == NATIVE[driver] and by_xdp[node] <= by_node[node],
              f"{driver}: XDP has sent on {by_xdp[node]} packets, of {by_node[node]}")


def try_cluster(**options):
    print(f"{options}:", flush=True)
    with Carded(nodes=3, may_step_down=True, **options) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        check_datapaths(cluster)
        check_served(cluster)
        for node in cluster.ids:
            cluster.kill(node)
            cluster.start(node)
        cluster.wait_active([1, 2, 3])
        check_served(cluster)
        if cluster.delivery == "forward":
            check_sent_on(cluster)
        for node in cluster.ids:
            check(cluster.terminate(node) == 0, f"web{node}: SIGTERM did not end in exit code 0")


def test():
    subprocess.run(["modprobe", "-a", *DRIVERS], check=True)
    if "forward" in sys.argv[1:]:
        try_cluster(delivery="forward", receivers={VIP4: "web1", VIP6: "web2"})
        return
    for mac_mode in MAC_MODES:
        try_cluster(cluster=f'mac_mode = "{mac_mode}"')


main(test)
