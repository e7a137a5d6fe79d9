# SPDX-License-Identifier: Apache-2.0
"""Virtual IPs come and go with a reload, under traffic to one that stays.

    client --- bridge --- web1, web2, web3

A new one is served by all nodes; one that has been removed is gone from every host, and no host answers for it. An agent that is
killed in the middle leaves nothing behind. The first one gives the cluster its MAC: a file by which it would change is refused.
"""

import connections
import flows
import netns
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp
from witness import Witness

NEW4, NEW6 = "192.0.2.101", "2001:db8::101"
ALL = (VIP4, VIP6, NEW4, NEW6)
MAC = "03:bf:c0:00:02:64"  # that follows from VIP4


def addresses(cluster, node):
    """The virtual IPs that a host has, on whatever device."""
    listed = netns.run(cluster.namespace(node), "ip", "-o", "address", "show").stdout.split()
    return {word.split("/")[0] for word in listed} & set(ALL)


def reload_all(cluster, *virtual_ips, pinned=""):
    cluster.write_config(cluster.config_file, virtual_ips=virtual_ips, cluster=pinned)
    told = cluster.nlbctl("reload", "all", node=1).stdout
    check(told.count("in force") == len(cluster.ids), f"reload all says: {told}")


def answers_for(cluster, address):
    """Whether a client that asks anew learns the cluster's MAC for an address."""
    netns.run(cluster.client, "ip", "neighbour", "flush", "to", address, "dev", "eth0")
    flows.ask_tcp(cluster.client, flows.many(1, address, 7001), timeout=2)
    return MAC in netns.run(cluster.client, "ip", "neighbour", "show", address).stdout


def test():
    with Cluster(nodes=3) as cluster:
        for node in cluster.ids:  # services listen on what comes before it comes
            cluster.kill_server(node)
        cluster.options["virtual_ips"] = ALL
        for node in cluster.ids:
            cluster.start_server(node)
        cluster.options["virtual_ips"] = (VIP4, VIP6)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        held = connections.Held(cluster.client, flows.many(60, VIP4, 7001) + flows.many(60, VIP6, 7002))
        load = flows.Load(cluster.client, flows.many(500, VIP4, 7001, seed=3) + flows.many(200, VIP6, 7003, seed=3))
        with Witness(cluster.switch) as seen, connections.Talking(held) as talking:
            load.start()
            reload_all(cluster, *ALL)
            check(all(addresses(cluster, node) == set(ALL) for node in cluster.ids), "a node lacks a new address")
            check_shares(check_tcp(cluster, flows.many(600, NEW4, 7001, seed=2)), nodes=3)
            check_tcp(cluster, flows.many(100, NEW6, 7002, seed=2))
            talking.goes_on(cluster)
            reload_all(cluster, VIP4, NEW6, VIP6)
            gone = set(ALL) - {NEW4}
            check(all(addresses(cluster, node) == gone for node in cluster.ids), "a removed address is still there")
            check(not answers_for(cluster, NEW4), f"somebody answers for {NEW4}, which was removed")
            check(answers_for(cluster, NEW6), f"nobody answers for {NEW6}")
            check_tcp(cluster, flows.many(100, NEW6, 7002, seed=4))
            talking.goes_on(cluster)
            reload_all(cluster, VIP4, VIP6)
            attempts = load.stop()
        failed = [attempt for attempt in attempts if attempt.answer is None]
        check(not failed, f"{len(failed)} of {len(attempts)} requests failed: {failed[:3]}")
        check(not held.broken, f"reload broke {len(held.broken)} connections: {list(held.broken.items())[:3]}")
        seen.check_one_answer()

        # The first one.
        cluster.write_config(cluster.config_file, virtual_ips=(NEW4, VIP4))
        done = cluster.nlbctl("reload", node=1, check_exit=False)
        check(done.returncode == 1 and f'mac = "{MAC}"' in done.stderr, f"another first one: {done.stdout}{done.stderr}")
        reload_all(cluster, NEW4, VIP4, VIP6, pinned=f'mac = "{MAC}"')
        check_shares(check_tcp(cluster, flows.many(600, NEW4, 7001, seed=5)), nodes=3)
        check_tcp(cluster, flows.many(100, VIP4, 7001, seed=5))
        reload_all(cluster, VIP4, VIP6)

        # What is another device's address already.
        netns.ip(cluster.namespace(2), f"address add {NEW4}/32 dev eth0")
        cluster.write_config(cluster.config_file, virtual_ips=ALL)
        cluster.wait_until(lambda: f"{NEW4}: is an address of eth0" in cluster.nlbctl(
            "reload", "web2", node=1, check_exit=False).stderr, "web2 names the address that its eth0 has")
        netns.ip(cluster.namespace(2), f"address delete {NEW4}/32 dev eth0")
        cluster.wait_until(lambda: "in force" in cluster.nlbctl("reload", "all", node=1, check_exit=False).stdout,
                           "the reload goes on when it is gone there")

        # Killed in the middle: between its own reload and the others'.
        cluster.write_config(cluster.config_file, virtual_ips=(VIP4, VIP6))
        cluster.nlbctl("reload", node=3)
        cluster.kill(3)
        cluster.start(3)
        cluster.wait_until(lambda: "in force" in cluster.nlbctl("reload", "all", node=1, check_exit=False).stdout,
                           "the other nodes change over")
        cluster.wait_active([1, 2, 3])
        check(all(addresses(cluster, node) == {VIP4, VIP6} for node in cluster.ids), "a killed agent has left an address")
        for node in cluster.ids:
            check(cluster.terminate(node) == 0, f"web{node} did not end well")
            check(not addresses(cluster, node), f"web{node} has left addresses")


main(test)
