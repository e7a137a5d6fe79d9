# SPDX-License-Identifier: Apache-2.0
"""etc/examples/shop as it is written: customers fill carts, and a web server, its agent, a heartbeat cable and a Tomcat die
one after the other; every cart is as it was. Each tier is worked on, and no request fails. What was ordered is in the database.

    client --- bridge0 --- web1, web2, web3 (httpd) --- app1, app2 (Tomcat) --- db (PostgreSQL), on the same bridge
                             |eth1   |       |
                           bridge1: heartbeats, the administrator
"""

import threading
import time

from guide import Guide  # first: it knows where the other modules are
import netns
from customers import Customer, Shopping, keepers, visit_all
from harness import check, main

CUSTOMERS = 24


def healthy(cluster, node):
    status = cluster.status(node)
    return status is not None and all(rule["healthy"] for rule in status["rules"])


def set_up(guide, cluster):
    started = time.monotonic()
    guide.follow(cluster, ["app1", "app2"], "On app1 and app2, Tomcat, the")
    guide.follow(cluster, ["db"], "On db, PostgreSQL,")
    guide.follow(cluster, [1, 2, 3], "On web1 to web3, httpd, the site")
    guide.follow(cluster, [1], "On web1, a certificate")
    guide.follow(cluster, [1, 2, 3], "On web1 to web3, the start:")
    cluster.wait_active([1, 2, 3])
    cluster.wait_until(lambda: all(healthy(cluster, node) for node in cluster.ids), "the shop is open", 90)
    print(f"the shop is open after {time.monotonic() - started:.0f} s")


def look(guide, cluster):
    check(guide.follow(cluster, [1], "On a web server: three active members")[1].count(" active ") >= 3, "status")
    seen = guide.ask(cluster, "A customer, with a file for the cookies", directory=cluster.directory)
    for wanted in ("In the cart: apples, pears", "Client: 192.0.2.254", "JSESSIONID", "Ordered: apples, pears",
                   "https://shop.example.com/shop/"):
        check(wanted in seen, f"a customer does not see \"{wanted}\":\n{seen}")
    check(guide.follow(cluster, ["db"], "The cart has both,")["db"] == "apples, pears\n", "the order is not in the database")
    check("web" in guide.follow(cluster, [1], "On a web server, which of the three")[1], "explain")
    manager = guide.commands("From the administrator's network, what one balancer does;")
    check("app1" in cluster.machine[1].sh(manager), "balancer-manager")
    for address in ("192.0.2.100", "192.0.2.1"):
        refused = cluster.client_sh(f"curl -sk -o /dev/null -w '%{{http_code}}' https://{address}/balancer-manager")
        check(refused == "403", f"a customer gets {refused} from balancer-manager")


def fill(customers):
    for what in ("apples", "pears"):
        for customer in customers:
            customer.add(what)
    check(set(keepers(customers)) == {"app1", "app2"}, f"carts are kept by {keepers(customers)}")
    print("carts:", dict(keepers(customers)))


def web_server_dies(cluster, customers):
    kept = {customer: customer.keeper for customer in customers}
    with Shopping(cluster, customers) as shopping:
        cluster.crash(3)
        cluster.wait_until(lambda: cluster.agree([1, 2]), "web1 and web2 serve alone")
        alone = time.monotonic()
        time.sleep(1)
    check(not [who for when, who, _ in shopping.failed if when > alone], f"requests fail after the takeover: {shopping.failed}")
    visit_all(customers)
    check({customer: customer.keeper for customer in customers} == kept, "carts have moved to another Tomcat")
    print(f"web3 died: {shopping.requests} requests, {len(shopping.failed)} failed until the takeover, no cart lost")
    cluster.revive(3, services="apache2")
    cluster.wait_active([1, 2, 3])
    cluster.wait_until(lambda: healthy(cluster, 3), "web3 serves again", 60)
    visit_all(customers)


def agent_dies(cluster, customers):
    with Shopping(cluster, customers) as shopping:
        cluster.machine[1].sh("kill -KILL $(cat /run/log/nlbd.pid); rm /run/log/nlbd.pid")
        cluster.wait_until(lambda: cluster.agree([2, 3]), "web2 and web3 serve without web1's agent")
        alone = time.monotonic()
        time.sleep(0.5)
    check(not [who for when, who, _ in shopping.failed if when > alone], f"requests fail after the takeover: {shopping.failed}")
    visit_all(customers)
    print(f"web1's agent died: {shopping.requests} requests, {len(shopping.failed)} failed until the takeover, no cart lost")
    cluster.machine[1].sh("systemctl start nlbd")
    cluster.wait_active([1, 2, 3])


def cable_dies(cluster, customers):
    before = cluster.status(1)["view"]
    with Shopping(cluster, customers) as shopping:
        netns.ip(cluster.switch, "link set hb2 down")
        time.sleep(1.5)
        netns.ip(cluster.switch, "link set hb2 up")
        time.sleep(0.5)
    shopping.check_none_failed("web2's heartbeat cable was pulled")
    check(cluster.status(1)["view"] == before, "the view has changed")


def addresses_change(customers):
    for customer in customers:
        customer.address = f"198.19.{customer.number}.99"
    check(visit_all(customers) == 0, "a customer at another address has no page at once")
    print("customers went to a café: no cart lost")


def tomcat_dies(cluster, customers):
    count = keepers(customers)["app1"]
    with Shopping(cluster, customers) as shopping:
        cluster.crash("app1")
        died = time.monotonic()
        cluster.wait_until(lambda: set(keepers(shopping.customers)) == {"app2"}, "all carts are with app2", 60)
    check(not [who for when, who, _ in shopping.failed if when > died], f"requests fail after app1's death: {shopping.failed}")
    visit_all(customers)
    print(f"app1 died with {count} carts: {shopping.requests} requests, {len(shopping.failed)} failed that it was answering, "
          "no cart lost")
    cluster.revive("app1", services="tomcat10")
    wait_for_tomcat(cluster, "app1")


def wait_for_tomcat(cluster, who):
    cluster.wait_until(lambda: "up" in cluster.machine[who].sh("curl -sm 5 http://localhost:8080/shop/up.txt", ok=False),
                       f"{who} is back", 90)


def tomcat_is_worked_on(guide, cluster, customers, carts_are_on="app2"):
    """The one that has the carts, so that the other one, which came back, has to have copies; the guide speaks of app1."""
    out, back = (guide.commands(words).replace("192.0.2.11", "192.0.2.12")
                 for words in ("Then it, app1 here,", "Now app1 can be worked on,"))
    check(set(keepers(customers)) == {carts_are_on}, f"carts are kept by {keepers(customers)}")
    both = guide.commands("For a Tomcat, look first")
    cluster.wait_until(lambda: cluster.machine[1].sh(both, ok=False).split() == ["2"] * 3, "the balancers have both", 60, every=0.5)
    with Shopping(cluster, customers) as shopping:
        cluster.machine[1].sh(out, guide.directory)
        cluster.wait_until(lambda: set(keepers(shopping.customers)) == {"app1"}, "customers are with app1")
        cluster.machine[carts_are_on].sh("systemctl restart tomcat10")
        wait_for_tomcat(cluster, carts_are_on)
        cluster.machine[1].sh(back, guide.directory)
        cluster.wait_until(lambda: newcomer(cluster).keeper == carts_are_on, f"new sessions are with {carts_are_on}", 60, every=0.2)
    shopping.check_none_failed(f"{carts_are_on} was worked on")


def newcomer(cluster):
    """Httpd counts what each Tomcat has answered, customers with sessions included, and gives a new one to whichever had less."""
    customer = Customer(cluster, 100)
    customer.visit()
    return customer


def web_server_is_worked_on(guide, cluster, customers):
    with Shopping(cluster, customers) as shopping:
        guide.follow(cluster, [2], "On a web server that is to be worked on;")
        cluster.wait_until(lambda: cluster.status(2)["state"] == "stopped", "web2 is out of the cluster")
        cluster.machine[2].sh("systemctl restart apache2")
        cluster.wait_until(lambda: "up" in cluster.machine[2].sh("curl -skm 5 https://localhost/shop/up.txt", ok=False), "httpd")
        cluster.nlbctl("start", node=2)
        cluster.wait_active([1, 2, 3])
        time.sleep(0.5)
    shopping.check_none_failed("web2 was worked on")


def database_is_worked_on(guide, cluster, customers):
    """Half of the customers order while it is restarted, and one when it has been killed."""
    numbers, wrong = {}, []

    def order(some):
        for customer in some:
            items = ", ".join(customer.cart)
            try:
                numbers[customer.order()] = items
            except Exception as error:  # said by the test's own thread
                wrong.append(f"{customer.number}: {error!r}")

    ordering = [threading.Thread(target=order, args=(customers[part:12:3],)) for part in range(3)]
    for thread in ordering:
        thread.start()
    guide.follow(cluster, ["db"], "PostgreSQL may be restarted at any time:")
    for thread in ordering:
        thread.join()
    cluster.machine["db"].power_off()
    late = threading.Thread(target=order, args=(customers[12:13],))
    late.start()
    visit_all(customers[13:])
    cluster.machine["db"].power_on()
    cluster.machine["db"].sh("systemctl start postgresql")
    late.join()
    check(not wrong, f"orders failed: {wrong[:3]}")
    written = cluster.machine["db"].sh("runuser -u postgres -- psql -At -F = shop -c 'SELECT * FROM orders'").splitlines()
    written = [tuple(line.split("=", 1)) for line in written]
    check(set(numbers.items()) <= set(written) and len(written) == len(numbers) + 1, f"ordered {numbers}, written {written}")
    visit_all(customers)
    print(f"the database was restarted, and killed: {len(numbers)} orders, each written once")


def test():
    guide = Guide("shop")
    web = ["/var/lib/apache2", "/var/log/apache2", "/var/cache/apache2", "/var/www/html"]
    app = ["/var/lib/tomcat10", "/var/log/tomcat10", "/var/cache/tomcat10"]
    state = {1: web, 2: web, 3: web, "app1": app, "app2": app, "db": ["/var/lib/postgresql", "/var/log/postgresql"]}
    with guide.machines(nodes=3, state=state, others={"app1": 11, "app2": 12, "db": 13}, heartbeat_network=True) as cluster:
        customers = [Customer(cluster, number) for number in range(CUSTOMERS)]
        set_up(guide, cluster)
        look(guide, cluster)
        visit_all([Customer(cluster, 100 + number) for number in range(8)])  # each Tomcat compiles the page once
        fill(customers)
        web_server_dies(cluster, customers)
        agent_dies(cluster, customers)
        cable_dies(cluster, customers)
        addresses_change(customers)
        tomcat_dies(cluster, customers)
        tomcat_is_worked_on(guide, cluster, customers)
        web_server_is_worked_on(guide, cluster, customers)
        database_is_worked_on(guide, cluster, customers)


main(test)
