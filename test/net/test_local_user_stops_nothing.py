# SPDX-License-Identifier: Apache-2.0
"""A user of the host without any right takes what an agent wants to have: its ports, the name of its interface's lock, the
lock of its run directory. Each costs its function at most, is named, and is had again when it is free; except the port for beats the node serves meanwhile.

    client --- bridge --- web1 (and the user), web2
"""

import subprocess
import sys

import netns
import scrape
from harness import PORT, Cluster, check, main

PORTS = (7778, scrape.PORT)
NAMES = {"commands_not_heard", "metrics_not_served", "interface_not_locked"}
TAKE = """
import os, socket, sys
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
if sys.argv[1] == "beats":
    taken = [socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6)]
    taken[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    for one in taken:
        one.bind(("", %d))
    print("taken", flush=True)
    sys.stdin.read()
    sys.exit()
taken = [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) for port in (%s)]
taken.append(socket.socket(socket.AF_UNIX))
taken[-1].bind("\\0nlbd/eth0")
if sys.argv[1] == "listen":
    taken[-1].listen()
print("taken", flush=True)
sys.stdin.read()
""" % (PORT, ", ".join(map(str, PORTS)))


def take(cluster, how):
    stranger = subprocess.Popen(
        netns.command(cluster.namespace(1), [sys.executable, "-c", TAKE, how]), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, preexec_fn=netns.die_with_parent)
    check(stranger.stdout.readline() == "taken\n", "the stranger has not taken the ports")
    return stranger


def problems(cluster):
    status = cluster.status(1) or {"problems": []}  # it has not begun to answer
    return {problem["name"]: problem for problem in status["problems"]}


def serves_without(cluster, how):
    stranger = take(cluster, how)
    try:
        cluster.start(1)
        cluster.wait_active([1, 2])
        cluster.wait_until(lambda: NAMES <= set(problems(cluster)), f"all is named ({how})")
        for problem in problems(cluster).values():
            print(f"{how}: {problem['text']}; {problem['way_out']}")
            check(not problem["serious"], f"{problem['name']} is serious")
        there = cluster.nlbctl("stop", "web1", node=2, check_exit=False)
        check(there.returncode == 1, f"commands reach it by a stranger's port: {there}")
    finally:
        stranger.communicate()
    cluster.wait_until(lambda: set(problems(cluster)) == {"interface_not_locked"}, "what is free again is had again")
    cluster.nlbctl("stop", "web1", node=2)
    cluster.nlbctl("start", "web1", node=2)
    cluster.wait_active([1, 2])
    check(scrape.get(cluster, "192.0.2.1", "/metrics").code == 200, "no metrics")


def waits_for_beats(cluster):
    """Without that port a node cannot take part; it is named, and the node comes as soon as it can."""
    stranger = take(cluster, "beats")
    try:
        cluster.start(1)
        cluster.wait_until(lambda: "beats_not_sent" in problems(cluster), "it is named")
        text = problems(cluster)["beats_not_sent"]["text"]
        check("Address already in use" in text, f"it says {text}")
        cluster.wait_active([2])
    finally:
        stranger.communicate()
    cluster.wait_active([1, 2])
    check(not problems(cluster), f"afterwards: {problems(cluster)}")


def test():
    with Cluster(nodes=2, servers=False, extra=scrape.LISTEN) as cluster:
        cluster.start(2)
        for how in ("listen", "bind"):
            serves_without(cluster, how)
            said = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "flock", "--nonblock",
                                   f"{cluster.run_dir(1)}/lock", "true"], timeout=60, capture_output=True, text=True).stderr
            check("Permission denied" in said, f"the lock of the run directory: {said}")
            cluster.terminate(1)
        waits_for_beats(cluster)


main(test)
