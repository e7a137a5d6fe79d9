# SPDX-License-Identifier: Apache-2.0
"""etc/examples/mod_jk as it is written: carts over AJP on three Tomcats that find each other without multicast. One is taken
out and comes back without a failed request, one dies with its machine: no cart is lost.

    client --- bridge0 --- web1, web2, web3 (httpd, mod_jk) --- app1, app2, app3 (Tomcat), on the same bridge
"""

import time

from guide import Guide  # first: it knows where the other modules are
from customers import Customer, Shopping, keepers, visit_all
from harness import check, main

APPS = {"app1": 11, "app2": 12, "app3": 14}


def set_up(guide, shop, cluster):
    guide.follow(cluster, list(APPS), "The commands are for root, in this directory. On app1 to app3,")
    cluster.wait_until(lambda: all("up" in cluster.machine[app].sh("ss -Hltn sport = :8009 | grep -q . && echo up", ok=False)
                                   for app in APPS), "the Tomcats are up", 90)
    guide.follow(cluster, [1, 2, 3], "On web1 to web3, httpd, the site")
    shop.follow(cluster, [1], "On web1, a certificate")
    shop.follow(cluster, [1, 2, 3], "On web1 to web3, the start:")
    cluster.wait_active([1, 2, 3])
    cluster.wait_until(lambda: all(rule["healthy"] for node in cluster.ids for rule in cluster.status(node)["rules"]),
                       "the shop is open", 120)


def look(guide, cluster):
    seen = guide.ask(cluster, "A customer, with a file for the cookies:", directory=cluster.directory)
    check("In the cart: apples, pears" in seen and "Client: 192.0.2.254" in seen and "JSESSIONID" in seen, f"seen:\n{seen}")
    check("app3" in guide.follow(cluster, [1], "The cart has both, and")[1], "the balancer's page")
    refused = cluster.client_sh("curl -sk -o /dev/null -w '%{http_code}' https://192.0.2.100/jk-manager")
    check(refused == "403", f"a customer gets {refused} from jk-manager")


def is_worked_on(guide, cluster, customers):
    with Shopping(cluster, customers) as shopping:
        guide.follow(cluster, [1], "A Tomcat, app1 here, is stopped")
        cluster.wait_until(lambda: "app1" not in keepers(shopping.customers), "customers have left app1")
        time.sleep(1)
        guide.follow(cluster, [1], "And back, from there:")
        time.sleep(1)
    shopping.check_none_failed("app1 was taken out")
    newcomers = [Customer(cluster, 100 + number) for number in range(12)]
    visit_all(newcomers)
    check("app1" in keepers(newcomers), f"app1 is back, and new sessions are with {keepers(newcomers)}")


def dies(cluster, customers):
    counts = keepers(customers)
    with Shopping(cluster, customers) as shopping:
        cluster.crash("app2")
        died = time.monotonic()
        cluster.wait_until(lambda: "app2" not in keepers(shopping.customers), "carts have left app2", 60)
    check(not [who for when, who, _ in shopping.failed if when > died], f"requests fail after app2's death: {shopping.failed}")
    visit_all(customers)
    check(counts["app2"] > 0, "app2 had no cart: this shows nothing")
    print(f"app2 died with {counts['app2']} carts: {shopping.requests} requests, {len(shopping.failed)} failed, no cart lost")


def test():
    guide, shop = Guide("mod_jk"), Guide("shop")
    web = ["/var/lib/apache2", "/var/log/apache2", "/var/cache/apache2", "/var/www/html"]
    app = ["/var/lib/tomcat10", "/var/log/tomcat10", "/var/cache/tomcat10"]
    state = {**{node: web for node in (1, 2, 3)}, **{name: app for name in APPS}}
    with shop.machines(nodes=3, state=state, others=APPS, heartbeat_network=True) as cluster:
        customers = [Customer(cluster, number) for number in range(24)]
        set_up(guide, shop, cluster)
        look(guide, cluster)
        visit_all([Customer(cluster, 100 + number) for number in range(8)])  # each Tomcat compiles the page once
        for what in ("apples", "plums"):
            for customer in customers:
                customer.add(what)
        check(set(keepers(customers)) == set(APPS), f"carts are kept by {keepers(customers)}")
        is_worked_on(guide, cluster, customers)
        dies(cluster, customers)


main(test)
