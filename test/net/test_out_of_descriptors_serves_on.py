# SPDX-License-Identifier: Apache-2.0
"""An agent without a free file descriptor goes on serving; what needs one says so or waits, and works when there are.

    client --- bridge --- web1 (the default host), web2, web3: without descriptors, in turn
      (also the witness)  In the end web1 is alone, and asks the witness without a descriptor.
"""

import os
import resource

import netns
import services
from configuration import RULES
from harness import VIP4, Cluster, check, main
from watched import Watched

CHECKED = {"tcp": 'type = "tcp"', "exec": 'type = "exec", command = ["/bin/true"]'}
PORTS = {"tcp": 7020, "exec": 7021}
TIMES = "interval_ms = 1000, timeout_ms = 1000, fall = 1"


def limit(agent, most):
    hard = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (most, hard))


def leave(agent, spare):
    """So many descriptors are free, those not counted that are open for a moment."""
    looks = [set(map(int, os.listdir(f"/proc/{agent.pid}/fd"))) for _ in range(20)]
    free = [number for number in range(1000) if number not in set.intersection(*looks)]
    limit(agent, free[spare])


def ask_for_the_mac(cluster):
    """The client asks by ARP who the virtual IP is. The kernel calls it unreachable to connections that wait while their
    entry is deleted, so the entry stays: it is in doubt."""
    netns.ip(cluster.client, f"neighbour change {VIP4} dev eth0 nud probe")


def check_commands_go_on(cluster, node):
    """The monitor runs them, with descriptors of its own."""
    check("rule exec: not checked (" not in cluster.log(node), cluster.log(node))


def starve(cluster, node):
    """With ever fewer descriptors, everything is tried that needs some, and none of it ends the agent."""
    agent = cluster.agents[node]
    enough = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)[0]
    for spare in (0, 1, 2, 3, 5, 8):
        leave(agent, spare)
        ask_for_the_mac(cluster)
        if spare == 0:
            cluster.wait_until(lambda: "rule tcp: not checked (" in cluster.log(node),
                               "a health check that cannot be made says so")
            check_commands_go_on(cluster, node)
        for _ in range(3):
            cluster.nlbctl("status", node=node, check_exit=False)
            cluster.nlbctl("stop", "web9", node=node, check_exit=False)
            cluster.nlbctl("weight", "all", "default", node=node, check_exit=False)
            cluster.nlbctl("weight", f"web{node}", "default", node=node % 3 + 1, check_exit=False)
        cluster.nlbctl("capture", "--seconds", "1", "--count", "1", node=node, check_exit=False)
        cluster.nlbctl("reload", node=node, check_exit=False)
        check(agent.poll() is None, f"the agent has ended with {spare} free descriptors: {cluster.log(node)}")
        limit(agent, enough)
        cluster.wait_until(lambda: cluster.status(node), "commands are answered again")
    done = cluster.nlbctl("weight", "all", "default", node=node)
    check(done.returncode == 0, done.stderr)


def checked_rules():
    return "".join(services.rule(f"health = {{ {how}, {TIMES} }}", PORTS[name], name) for name, how in CHECKED.items())


def check_health(cluster, node):
    """The services have worked all the time: no check has failed for want of a descriptor."""
    for name in CHECKED:
        cluster.wait_until(lambda: services.shown(cluster, node, name)["health"]["not_checked"] is None,
                           f"rule {name} is checked again")
        shown = services.shown(cluster, node, name)
        check(shown["healthy"] and shown["health"]["failures"] == 0, f"a working service is called unhealthy: {shown}")


def ask_the_witness(cluster):
    """Only web1 is left, without a descriptor: it serves as long as the witness answers."""
    agent = cluster.agents[1]
    enough = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)[0]
    leave(agent, 0)
    for node in (2, 3):
        cluster.crash(node)
    cluster.wait_until(lambda: services.answering(cluster, 7001) == {"web1"}, "web1 has taken everything over")
    check(agent.poll() is None, f"the agent has ended: {cluster.log(1)}")
    limit(agent, enough)
    cluster.wait_active([1])
    counters = cluster.status(1)["witness"]
    check(counters["answered"] > 0 and counters["send_errors"] == 0, f"the witness was not asked: {counters}")


def test():
    with Cluster(nodes=3, rules=RULES + checked_rules(), heartbeat='witness = "192.0.2.254"') as cluster:
        services.Services(cluster, port=PORTS["tcp"])
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for node in cluster.ids:
            for name in CHECKED:
                services.wait_healthy(cluster, node, True, name)
        view = cluster.status(1)["view"]
        for node in (1, 2):
            with Watched(cluster) as watch:
                starve(cluster, node)
            watch.check_one_owner(changes=0)
            watch.check_served()
            check_health(cluster, node)
            check(cluster.status(1)["view"] == view, f"the view has changed: {cluster.log(node)}")
        ask_the_witness(cluster)


main(test)
