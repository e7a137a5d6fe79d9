# SPDX-License-Identifier: Apache-2.0
"""etc/examples/docker as it is written: two hosts publish a container's port by DNAT, as Docker does. Both serve, with the
clients' own addresses; a container dies, a host dies, and a host is worked on without a failed request.

    client (curl) --- bridge --- web1, web2 (Docker's rules) --- docker0 --- a container each (nginx)
"""

import time

from guide import Guide  # first: it knows where the other modules are
import netns
from harness import check, main, skip
from web_clients import addresses, answered_by

LONG = 15  # seconds that a client waits; TCP sends again what is dropped in the first five after a change


def healthy(cluster, node):
    return cluster.status(node)["rules"][0]["healthy"]


def set_up(guide, cluster):
    guide.follow(cluster, [1, 2], "On both hosts, the container,")
    guide.follow(cluster, [1], "On web1, the cluster's key:")
    guide.follow(cluster, [1, 2], "On both hosts, the cluster's configuration")
    cluster.wait_active([1, 2])
    cluster.wait_until(lambda: healthy(cluster, 1) and healthy(cluster, 2), "both containers answer")


def look(guide, cluster):
    check(guide.follow(cluster, [1], "On a host, both have to be active")[1].count(" active ") >= 2, "status")
    check("This is web" in guide.ask(cluster, "From a client:"), "no page")
    answered = answered_by(cluster, addresses(100))
    check(set(answered) == {"web1", "web2"}, f"answers: {answered}")
    seen = cluster.machine[1].sh("cat /var/log/nginx/access.log") + cluster.machine[2].sh("cat /var/log/nginx/access.log")
    missing = [source for source in addresses(100) if source not in seen]
    check(not missing, f"the containers do not see the clients' addresses: {missing[:3]}")
    print("100 clients:", dict(answered))


def container_dies(cluster):
    cluster.machine[2].sh("kill -KILL $(cat /run/docker/pid)")
    cluster.wait_until(lambda: not cluster.status(2)["rules"][0]["buckets"], "web2 lets go of the rule")
    check(all_have_a_page(cluster) == {"web1"}, "web1 does not answer all")
    cluster.machine[2].sh("docker start site")
    cluster.wait_until(lambda: healthy(cluster, 2), "web2's container answers")
    check(all_have_a_page(cluster) == {"web1", "web2"}, "web2 has no clients")


def all_have_a_page(cluster, count=30):
    """The nodes that answer `count` clients, each of which waits as long as browsers do."""
    asking = "; ".join(f"curl -sfm {LONG} --interface 198.18.{number}.7 http://192.0.2.100/ >> answers || echo failed >> answers &"
                       for number in range(count)).replace("&;", "&")
    cluster.client_sh(f"cd {cluster.directory}; rm -f answers; {asking} wait")
    with open(f"{cluster.directory}/answers") as file:
        pages = file.read().splitlines()
    check(len(pages) == count and "failed" not in pages, f"{pages.count('failed')} of {count} have no page")
    return {page.split()[-1].rstrip(".") for page in pages}


def is_worked_on(guide, cluster):
    guide.follow(cluster, [2], "On the host that is to be worked on:")
    started = time.monotonic()
    check(all_have_a_page(cluster) == {"web1"}, "who answers while web2 is out")
    print(f"web2 is out: 30 clients have a page after {time.monotonic() - started:.1f} s at most")
    cluster.machine[2].sh("docker stop site")
    guide.follow(cluster, [2], "Now the container can be stopped")
    cluster.wait_active([1, 2])
    cluster.wait_until(lambda: healthy(cluster, 2), "web2's container answers")
    started = time.monotonic()
    check(all_have_a_page(cluster) == {"web1", "web2"}, "web2 is back, and has no clients")
    print(f"web2 is back: 30 clients have a page after {time.monotonic() - started:.1f} s at most")


def host_dies(cluster):
    cluster.crash(1)
    cluster.wait_until(lambda: cluster.agree([2]), "web2 serves alone")
    check(all_have_a_page(cluster) == {"web2"}, "web2 does not answer all")


def test():
    guide = Guide("docker")
    with guide.machines(nodes=2, state=["/var/lib/nginx", "/var/log/nginx"]) as cluster:
        if netns.run(cluster.client, "nft", "add table ip nat; add chain ip nat c { type nat hook output priority 0; }",
                     check=False).returncode != 0:
            skip("this kernel has no NAT for nftables")
        set_up(guide, cluster)
        look(guide, cluster)
        container_dies(cluster)
        is_worked_on(guide, cluster)
        host_dies(cluster)


main(test)
