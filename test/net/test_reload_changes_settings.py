# SPDX-License-Identifier: Apache-2.0
"""What is not a rule changes with a reload, too; what a node is started with waits for its restart, one node after another.

    client (also the witness) --- bridge --- web1, web2, web3 --- heartbeat bridge

What cannot change while agents run is refused with its reason.
"""

import flows
import netns
from harness import VIP4, Cluster, check, main

NOBODY, CLIENT = "192.0.2.250", "192.0.2.254"  # the addresses that a lone node asks: of no host, and of one


def reload_all(cluster, expected="in force", **changes):
    """The options stay as they are changed."""
    cluster.options.update(changes)
    cluster.write_config(cluster.config_file)
    told = cluster.nlbctl("reload", "all", node=1).stdout
    check(told.count(expected) == len(cluster.ids), f"reload all says: {told}")


def refuse(cluster, why, **changes):
    cluster.write_config(cluster.config_file, **changes)
    done = cluster.nlbctl("reload", node=1, check_exit=False)
    check(done.returncode == 1 and why in done.stderr, f"reload: exit {done.returncode}: {done.stderr}")


def problems(cluster, node):
    return {problem["name"] for problem in cluster.status(node)["problems"]}


def ports(cluster, node):
    lines = netns.run(cluster.namespace(node), "ss", "-Htnl").stdout.splitlines()
    return {line.split()[3].rsplit(":", 1)[1] for line in lines}


def log_level(cluster):
    reload_all(cluster, extra='\n[agent]\nlog_level = "error"\n')
    before = cluster.log(2)
    reload_all(cluster, extra='\n[agent]\nlog_level = "error"\ndrain_ms = 100\n')
    check(cluster.log(2) == before, "a reload is logged, though errors alone are to be")
    reload_all(cluster, extra="")
    check(cluster.log(2) != before, "nothing is logged, though everything is to be")


def control_port(cluster):
    reload_all(cluster, extra="\n[control]\nport = 7790\n")
    cluster.wait_until(lambda: all("7790" in ports(cluster, node) and "7778" not in ports(cluster, node)
                                   for node in cluster.ids), "the agents listen on the new port alone")
    cluster.nlbctl("weight", "web3", "50", node=1)
    cluster.nlbctl("weight", "web3", "default", node=2)


def heartbeat_interfaces(cluster):
    refuse(cluster, "heartbeat.interfaces: none of the new ones", heartbeat='interfaces = ["eth0"]')
    load = flows.Load(cluster.client, flows.many(500, VIP4, 7001, seed=3))
    load.start()
    reload_all(cluster, "in force; waits for a restart of nlbd here: heartbeat interfaces",
               heartbeat='interfaces = ["eth1", "eth0"]')
    for node in cluster.ids:
        check("restart_needed" in problems(cluster, node), f"web{node} does not say that it waits")
        cluster.terminate(node)
        cluster.start(node)
        cluster.wait_active(cluster.ids)
        check("restart_needed" not in problems(cluster, node), f"web{node} still waits")
    attempts = load.stop()
    failed = [attempt for attempt in attempts if attempt.answer is None]
    check(not failed, f"{len(failed)} of {len(attempts)} requests failed: {failed[:3]}")


def witness(cluster):
    """Asked by the last node that is left."""
    for address, serves in ((CLIENT, True), (NOBODY, False)):
        reload_all(cluster, heartbeat=f'interfaces = ["eth1", "eth0"]\nwitness = "{address}"')
        for node in (2, 3):
            cluster.kill(node)
        cluster.wait_until(lambda: cluster.status(1)["members"][1]["state"] == "dead", "web1 misses the others")
        cluster.wait_until(lambda: (cluster.status(1)["state"] == "active") == serves,  # pylint: disable=cell-var-from-loop
                           f"web1 serves alone: {serves}, with the witness {address}")
        if serves:
            check(set(flows.ask_tcp(cluster.client, flows.many(50, VIP4, 7001)).values()) == {"web1"}, "web1 alone")
        for node in (2, 3):
            cluster.start(node)
        cluster.wait_active(cluster.ids)


def test():
    with Cluster(nodes=3, heartbeat_network=True) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        log_level(cluster)
        control_port(cluster)
        beats = cluster.options["heartbeat"]
        refuse(cluster, "heartbeat.interval_ms (one node would declare another dead", heartbeat=beats + "\ninterval_ms = 60")
        refuse(cluster, "heartbeat.partition", heartbeat=beats + '\npartition = "quorum"')
        refuse(cluster, "cluster.name", name="other")
        heartbeat_interfaces(cluster)
        witness(cluster)


main(test)
