# SPDX-License-Identifier: Apache-2.0
"""etc/examples/services as it is written: each service is served by the servers that are made for it, in the shares that the
weights say; secure follows its priority when web2 dies and comes back; a reload gives it to all.

    client (curl) --- bridge --- web1, web2, web3 (nginx)
"""

import collections
import json

from guide import Guide  # first: it knows where the other modules are
import netns
from harness import check, main
from web_clients import Clients, addresses, answered_by, count_failed


def served_by(cluster, rule, virtual_ip, port, count=400):
    """node -> its part of this many connections, as the agents say: each comes from another address."""
    words = [f"198.18.{number // 250}.{number % 250 + 1}:40000" for number in range(count)]
    script = "\n".join(f"nlbctl --json explain tcp {source} {virtual_ip}:{port}" for source in words)
    told = json.loads("[" + cluster.machine[1].sh(script).replace("}\n{", "},{") + "]")
    owners = collections.Counter(one["owner_name"] for one in told if one["rule"] == rule)
    check(sum(owners.values()) == count, f"{rule}: {owners}")
    return {name: number / count for name, number in owners.items()}


def secure(cluster, count=12):
    """The servers that answer for it, to clients of different addresses."""
    pages = set()
    for number in range(count):
        done = netns.run(cluster.client, "curl", "-sk", "--max-time", 5, "--interface", f"198.18.{number}.9", "--resolve",
                         "secure.example.com:443:192.0.2.102", "https://secure.example.com/", check=False)
        pages.add(done.stdout.split()[-1].rstrip(".") if done.returncode == 0 else None)
    return pages


def set_up(guide, cluster):
    guide.follow(cluster, [1, 2, 3], "On all three servers, nginx")
    guide.follow(cluster, [1], "On web1, a certificate")
    guide.follow(cluster, [1, 2, 3], "On all three servers, the cluster's")
    cluster.wait_active([1, 2, 3])
    cluster.wait_until(lambda: all(rule["healthy"] for node in (1, 2, 3) for rule in cluster.status(node)["rules"]), "all healthy")


def look(guide, cluster):
    rules = guide.follow(cluster, [1], "On a server, the rules")[1]
    check(all(name in rules for name in ("www", "images", "secure")), f"rules:\n{rules}")
    pages = guide.ask(cluster, "From a client, a page of each").splitlines()
    check(len(pages) == 3 and all(page.startswith("This is web") for page in pages), f"pages: {pages}")


def shares(cluster):
    www, images = served_by(cluster, "www", "192.0.2.100", 80), served_by(cluster, "images", "192.0.2.101", 80)
    check(all(0.25 < www.get(name, 0) < 0.42 for name in ("web1", "web2", "web3")), f"www: {www}")
    check(0.72 < images["web3"] < 0.88 and images["web1"] > 0.04 and images["web2"] > 0.04, f"images: {images}")
    answered = answered_by(cluster, addresses(150))
    check(set(answered) == {"web1", "web2", "web3"}, f"www is answered by {answered}")
    check(secure(cluster) == {"web2"}, "secure is not web2's")
    print("www:", www, "images:", images, "secure: web2")


def web2_dies(cluster):
    cluster.crash(2)
    cluster.wait_until(lambda: cluster.agree([1, 3]), "web1 and web3 go on")
    check(secure(cluster) == {"web3"}, "secure is not web3's")
    check(set(answered_by(cluster, addresses(100))) == {"web1", "web3"}, "www without web2")
    cluster.revive(2, services="nginx")
    cluster.wait_active([1, 2, 3])
    cluster.wait_until(lambda: secure(cluster, 3) == {"web2"}, "secure is web2's again")


def grows(guide, cluster):
    with Clients(cluster, addresses(100), per_second=60) as clients:
        guide.follow(cluster, [1], "One server alone is enough")
        cluster.wait_until(lambda: secure(cluster) == {"web1", "web2", "web3"}, "secure is for all")
    check(count_failed(clients.requests) == 0, f"{count_failed(clients.requests)} requests failed meanwhile")
    print(f"secure went to all three: {len(clients.requests)} requests of www meanwhile, none failed")


def test():
    guide = Guide("services")
    with guide.machines(nodes=3, state=["/var/lib/nginx", "/var/log/nginx", "/var/www/html"]) as cluster:
        set_up(guide, cluster)
        look(guide, cluster)
        shares(cluster)
        web2_dies(cluster)
        grows(guide, cluster)


main(test)
