# SPDX-License-Identifier: Apache-2.0
"""`nlbctl doctor` with hosts and neighbours that are ill, each in one way: it names that and nothing else.

    client (the gateway) --- bridge0 --- web1, web2, web3, other
                             bridge1 --- their eth1, in one part

- Firewalls that drop beats, before the nodes have ever heard each other, or commands.
- A strict rp_filter; a gateway with no ARP entry, and with a wrong one; another machine, or a second interface of a node,
  that answers for a virtual IP; a service behind the host's own NAT.
- A clock that is ahead; another configuration; another key.
"""

import os

import netns
from configuration import DATAPATH, RULES
from doctor import consult, nft
from harness import VIP4, Cluster, check, main

WITNESS = 'witness = "192.0.2.254"'
FAKETIME = next((path for path in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
                                   "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1") if os.path.exists(path)), None)


def drop(cluster, node, what):
    """In the host's firewall."""
    nft(cluster.namespace(node), "add table inet ill; add chain inet ill in { type filter hook input priority 0; }; "
                                 f"add rule inet ill in {what} drop")


def heal(cluster, node, family="inet"):
    nft(cluster.namespace(node), f"delete table {family} ill")


def test_firewalls():
    with Cluster(heartbeat=WITNESS) as cluster:
        for node in (1, 2):
            drop(cluster, node, "udp dport 7777")
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        said = consult(cluster, ["beats_filtered"])
        check(said.code == 1, str(said))
        for node in (1, 2):
            heal(cluster, node)
        consult(cluster, [])
        drop(cluster, 3, "tcp dport 7778")
        said = consult(cluster, ["commands_not_answered"])
        check(said.findings["commands_not_answered"]["nodes"] == ["web3"], str(said))
        check(said.heard(1, 3) == "unknown", str(said))
        heal(cluster, 3)
        consult(cluster, [])


def test_reverse_path():
    with Cluster(heartbeat_network=True) as cluster:
        for node in cluster.ids:
            netns.sysctl(cluster.namespace(node), "net.ipv6.conf.eth1.disable_ipv6", 1)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        netns.sysctl(cluster.namespace(2), "net.ipv4.conf.eth1.rp_filter", 1)
        netns.ip(cluster.namespace(2), "route add 198.51.100.1/32 via 192.0.2.254\nroute add 198.51.100.3/32 via 192.0.2.254")
        said = consult(cluster, ["rp_filter", "beats_filtered", "commands_not_answered"], node=2)
        check("eth1" in said.findings["rp_filter"]["way_out"], str(said))


def gateway_forgets(cluster):
    netns.run(cluster.client, "ip", "neighbour", "flush", "dev", "eth0", "nud", "all")


def test_gateway():
    with Cluster(heartbeat=WITNESS) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        consult(cluster, [])
        nft(cluster.client, f"add table arp ill; add chain arp ill in {{ type filter hook input priority 0; }}; "
                            f"add rule arp ill in arp saddr ip {VIP4} drop")
        gateway_forgets(cluster)
        consult(cluster, ["gateway_without_entry"], also=["neighbour_keeps_asking"])
        nft(cluster.client, "delete table arp ill")
        gateway_forgets(cluster)
        consult(cluster, [])
        mac = netns.mac_of(cluster.namespace(2))
        netns.ip(cluster.client, f"neighbour replace {VIP4} lladdr {mac} dev eth0 nud permanent")
        consult(cluster, ["gateway_without_entry" if DATAPATH == "xdp" else "gateway_wrong_entry"])
        netns.ip(cluster.client, f"neighbour delete {VIP4} dev eth0")
        consult(cluster, [])


def test_other_holders():
    with Cluster() as cluster:
        cluster.add_host("other")
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        consult(cluster, [])
        other = cluster.namespace("other")
        netns.ip(other, f"address add {VIP4}/32 dev eth0")
        said = consult(cluster, ["virtual_ip_answered"], also=["virtual_ip_claimed"])
        check(netns.mac_of(other) in said.findings["virtual_ip_answered"]["text"], str(said))
        netns.ip(other, f"address delete {VIP4}/32 dev eth0")
        consult(cluster, [])
        cluster._plug(cluster.namespace(2), "eth2", "second", "bridge0")
        netns.ip(cluster.namespace(2), f"link set eth2 up\naddress add {VIP4}/32 dev eth2")
        said = consult(cluster, ["virtual_ip_answered", "virtual_ip_elsewhere"], also=["virtual_ip_claimed"])
        check("web2 (eth2" in said.findings["virtual_ip_answered"]["text"], str(said))


def test_translation():
    with Cluster() as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        nft(cluster.namespace(2), "add table ip ill; add chain ip ill in { type nat hook prerouting priority -100; }; "
                                  "add rule ip ill in tcp dport 7001 dnat to 172.17.0.2:80")
        said = consult(cluster, ["service_translated"])
        check(said.findings["service_translated"]["nodes"] == ["web2"], str(said))
        check(said.code == 1, str(said))


def test_nodes_that_differ():
    with Cluster() as cluster:
        faked = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+90s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"} if FAKETIME else {}
        cluster.start(1)
        cluster.start(2, environment=faked)
        cluster.start(3, config=cluster.write_config(f"{cluster.directory}/other.toml",
                                                     rules=RULES.replace('affinity = "none"', 'affinity = "single"')))
        cluster.wait_active([1, 2])
        said = consult(cluster, ["configuration_differs", "not_serving"] + ["clock_differs"] * bool(FAKETIME))
        check(said.findings["configuration_differs"]["nodes"] == ["web3"], str(said))
        cluster.terminate(3)
        key = f"{cluster.directory}/other.key"
        cluster.nlbctl("keygen", key)
        cluster.start(3, config=cluster.write_config(f"{cluster.directory}/other.toml", key_file=key))
        said = consult(cluster, ["beats_refused", "no_agent"] + ["clock_differs"] * bool(FAKETIME))
        check("192.0.2.3" in said.findings["beats_refused"]["text"], str(said))


def test():
    test_firewalls()
    test_reverse_path()
    test_gateway()
    test_other_holders()
    test_translation()
    test_nodes_that_differ()


main(test)
