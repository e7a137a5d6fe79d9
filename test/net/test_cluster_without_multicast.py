# SPDX-License-Identifier: Apache-2.0
"""A network that delivers no multicast at all: with `address` under each node a cluster forms, and everything that nodes tell each
other arrives. Without, the doctor says what to add.

    client (attacker) --- bridge0 (floods nothing, no multicast) --- web1, web2, web3
                          bridge1 (as eth1, in one of the tests) --- web1, web2, web3

- A crash is taken over in time; commands, a pushed file and the doctor reach all nodes.
- Beats to an address that were forged, replayed or routed are refused, each under its reason.
- An address that is not the node's, or that no interface leads to, is a problem of those that it concerns.
- Of two heartbeat interfaces either may go. Where frames are flooded, beats to addresses do not hide that groups are lost.
"""

import json
import os
import socket
import time

import flows
import netns
from beats import TTL, beat_frames, beats_on_the_wire
from doctor import consult, port
from harness import GROUP, PORT, VIP4, Cluster, check, main
from owners import check_shares, check_tcp, expected

NODES = [1, 2, 3]
ADDRESSES = {node: f'"192.0.2.{node}"' for node in NODES}
BOTH = {node: f'["192.0.2.{node}", "198.51.100.{node}"]' for node in NODES}
PROMISED = 0.6  # seconds: dead_after and 100 ms


def problems(cluster, node):
    return [problem["name"] for problem in cluster.status(node)["problems"]]


def wait_problems(cluster, node, expected_ones):
    cluster.wait_until(lambda: problems(cluster, node) == expected_ones, f"web{node} has the problems {expected_ones}")


def outage(attempts):
    """Seconds from the first request that was not answered at once to the last."""
    missed = [attempt.started for attempt in attempts if attempt.answer is None or attempt.took > 0.3]
    return max(missed) - min(missed) if missed else 0.0


def test_doctor_says_what_to_add():
    with Cluster(delivery="forward", multicast=False, virtual_ips=(VIP4,), heartbeat='partition = "quorum"') as cluster:
        cluster.start_all()
        cluster.wait_until(lambda: all(cluster.status(node) for node in NODES), "the agents run")
        said = consult(cluster, ["no_agent", "not_serving"])
        check(said.findings["no_agent"]["nodes"] == ["web2", "web3"], str(said))
        check('add address = "ADDRESS"' in said.findings["no_agent"]["way_out"], str(said))


def check_takeover(cluster):
    cluster.wait_until(lambda: time.monotonic() > cluster.formed + 1, "what was taken over is guarded no more")
    asked = flows.many(600, VIP4, 7002, seed=2)
    owners = {flow.source: owner for flow, owner in expected(cluster, "tcp", asked).items()}
    load = flows.Load(cluster.client, [flow for flow in asked if owners[flow.source] == "web3"])
    load.start()
    cluster.crash(3)
    cluster.wait_active([1, 2])
    took = outage(load.stop())
    print(f"takeover: {1000 * took:.0f} ms")
    check(0.2 < took < PROMISED, f"web3's clients were without service for {1000 * took:.0f} ms")
    cluster.revive(3)
    cluster.wait_active(NODES)


def check_commands(cluster):
    cluster.nlbctl("stop", "web3", node=1)
    check(cluster.status(3)["state"] == "stopped", "stop web3 at web1")
    cluster.nlbctl("start", "all", node=2)
    cluster.wait_active(NODES)
    next_one = cluster.write_config(f"{cluster.directory}/next.toml", extra="\n[agent]\ndrain_ms = 77\n")
    done = cluster.nlbctl("reload", "all", "--file", next_one, node=1)
    check(done.stdout.count("in force") == 3, f"the pushed file: {done.stdout}{done.stderr}")
    consult(cluster, [])


def binds(thief):
    try:
        thief.bind(("192.0.2.1", PORT))
        return True
    except OSError:
        return False


def check_hostile(cluster):
    """Sent to web1's address: each kind is counted, and nothing changes. Nor can a user of the host take them over."""
    with netns.inside(cluster.namespace(1)):
        thief = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    check(not binds(thief), "another socket takes web1's beats")
    thief.close()
    for destination, ttl in ((GROUP, 1), ("192.0.2.1", 255)):
        ttls = {frame[TTL] for frame in beat_frames(cluster, "web2", 0.5, destination)}
        check(ttls == {ttl}, f"beats to {destination} have the TTLs {ttls}")
    real = beats_on_the_wire(cluster, "web2", 1, "192.0.2.1")
    forged = [beat[:-1] + bytes([beat[-1] ^ 1]) for beat in real]
    for kind, datagrams, ttl, reason in (("forged", forged, 255, "bad_tag"), ("replayed", real, 255, "replayed"),
                                         ("routed", real, 254, "filtered"), ("garbage", [os.urandom(300)], 255, "filtered")):
        before = cluster.status(1)
        with netns.inside(cluster.client):
            attacker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        attacker.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        sent = [attacker.sendto((datagrams * 500)[number], ("192.0.2.1", PORT)) for number in range(500)]
        attacker.close()
        cluster.wait_until(lambda: cluster.status(1)["beats"][reason] - before["beats"][reason] >= len(sent),
                           f"500 that are {kind} are counted as {reason}")
        after = cluster.status(1)
        check(after["view"] == before["view"] and cluster.members(after) == NODES, f"{kind} beats have changed the view")


def check_wrong_addresses(cluster):
    """web3 has one that is not its own, and one in a network that no node is in."""
    wrong = {**ADDRESSES, 3: '["192.0.2.3", "192.0.2.33", "203.0.113.3"]'}
    cluster.write_config(cluster.config_file, addresses=wrong)
    cluster.nlbctl("reload", "all", node=1)
    wait_problems(cluster, 3, ["address_not_own"])
    text = cluster.status(3)["problems"][0]["text"]
    check("192.0.2.33 is none of the addresses of eth0, 203.0.113.3 is none" in text, f"it says: {text}")
    for node in (1, 2):
        wait_problems(cluster, node, ["address_not_reached"])
        text = cluster.status(node)["problems"][0]["text"]
        check("web3's 203.0.113.3" in text and "192.0.2.33" not in text, f"it says: {text}")
    netns.ip(cluster.namespace(3), "address add 192.0.2.33/24 dev eth0")
    cluster.wait_until(lambda: "192.0.2.33" not in cluster.status(3)["problems"][0]["text"], "the address is there")
    cluster.write_config(cluster.config_file, addresses={**ADDRESSES, 3: '"192.0.2.33"'})
    cluster.nlbctl("reload", "all", node=1)
    for node in NODES:
        wait_problems(cluster, node, [])
    cluster.write_config(cluster.config_file)
    done = cluster.nlbctl("reload", "all", node=1, check_exit=False)
    check('node "web3".address (' in done.stderr, f"an address without one in common: {done.stderr}")
    cluster.wait_active(NODES)


def test_with_addresses():
    with Cluster(delivery="forward", multicast=False, virtual_ips=(VIP4,), addresses=ADDRESSES) as cluster:
        cluster.start_all()
        cluster.wait_active(NODES)
        cluster.formed = time.monotonic()
        check(all(problems(cluster, node) == [] for node in NODES), "problems in a cluster by addresses")
        check_shares(check_tcp(cluster, flows.many(1000, VIP4, 7001)), nodes=3)
        check_takeover(cluster)
        check_commands(cluster)
        check_hostile(cluster)
        check_wrong_addresses(cluster)


def test_ipv6():
    """Neighbour discovery is multicast: where hosts are is entered by hand."""
    addresses = {node: f'"2001:db8::{node}"' for node in NODES}
    with Cluster(delivery="forward", multicast=False, virtual_ips=(VIP4,), addresses=addresses) as cluster:
        macs = {node: json.loads(netns.run(cluster.namespace(node), "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
                for node in NODES}
        for node in NODES:
            for other, mac in macs.items():
                netns.run(cluster.namespace(node), "ip", "neigh", "replace", f"2001:db8::{other}", "lladdr", mac, "dev", "eth0")
        cluster.start_all()
        cluster.wait_active(NODES)
        cluster.nlbctl("stop", "web3", node=1)
        check(cluster.status(3)["state"] == "stopped", "a command does not travel to an IPv6 address")


def test_two_interfaces():
    with Cluster(delivery="forward", multicast=False, virtual_ips=(VIP4,), heartbeat_network=True,
                 heartbeat='interfaces = ["eth0", "eth1"]', addresses=BOTH) as cluster:
        cluster.start_all()
        cluster.wait_active(NODES)
        view = cluster.status(1)["view"]
        netns.ip(cluster.switch, "link set hb2 down")
        cluster.wait_until(lambda: cluster.status(2)["members"][0]["last_heard_ms"] < 200, "web2 is heard on by eth0")
        started = time.monotonic()
        cluster.wait_until(lambda: time.monotonic() - started > 2, "two seconds are over")
        check(cluster.status(1)["view"] == view, "the loss of an interface has changed the view")
        netns.ip(cluster.switch, "link set hb2 up")
        port(cluster, 2, "state 0")  # it has its link, and hears by eth1
        cluster.wait_until(lambda: "clients_path_dead" in problems(cluster, 2), "web2 hears that its path is dead")
        cluster.wait_active([1, 3])
        port(cluster, 2, "state 3")
        cluster.wait_active(NODES)


def test_flooding_needs_groups():
    """Nothing but a problem where no node hears the group; but one that alone does not hear it does not get clients' frames."""
    with Cluster(delivery="flood", virtual_ips=(VIP4,), heartbeat_network=True, heartbeat='interfaces = ["eth0", "eth1"]',
                 addresses=BOTH) as cluster:
        cluster.start_all()
        cluster.wait_active(NODES)
        check(all(problems(cluster, node) == [] for node in NODES), "problems where groups are delivered")
        port(cluster, 3, "mcast_flood off")
        cluster.wait_until(lambda: {"clients_path_dead", "group_not_heard"} <= set(problems(cluster, 3)),
                           "web3 knows that clients do not reach it")
        cluster.wait_active([1, 2])
        for node in (1, 2):
            port(cluster, node, "mcast_flood off")
        for node in NODES:
            wait_problems(cluster, node, ["group_not_heard"])
        cluster.wait_active(NODES)


def test():
    test_doctor_says_what_to_add()
    test_with_addresses()
    test_ipv6()
    test_two_interfaces()
    test_flooding_needs_groups()


main(test)
