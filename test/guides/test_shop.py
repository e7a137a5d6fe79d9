# SPDX-License-Identifier: Apache-2.0
"""etc/examples/shop as it is written: customers fill carts, the web server of a third of them dies, and every cart is
as it was, kept by the same Tomcat. A Tomcat dies, and the other one's carts are as they were.

    client (curl) --- bridge --- web1, web2, web3 (httpd) --- app1, app2 (Tomcat), on the same bridge
"""

import collections
import json

from guide import Guide  # first: it knows where the other modules are
import netns
from harness import check, main

CUSTOMERS = 24
Page = collections.namedtuple("Page", "cart keeper client")


def address(customer):
    return f"198.18.{customer}.77"


def visit(cluster, customer, add=""):
    """What the shop shows; None: no page. Cookies are kept in a file for each customer."""
    jar = f"{cluster.directory}/jar{customer}"
    done = netns.run(cluster.client, "curl", "-sf", "--max-time", 20, "--interface", address(customer),
                     "-b", jar, "-c", jar, f"http://192.0.2.100/shop/?add={add}", check=False)
    if done.returncode != 0:
        return None
    return Page(*(line.split(": ", 1)[1] for line in done.stdout.strip().splitlines()))


def visit_all(cluster, add="", customers=range(CUSTOMERS)):
    return {customer: visit(cluster, customer, add) for customer in customers}


def web_server(cluster, customer, node=1):
    told = cluster.nlbctl("--json", "explain", "tcp", f"{address(customer)}:40000", "192.0.2.100:80", node=node).stdout
    return json.loads(told)["owner"]


def healthy(cluster, node):
    return cluster.status(node)["rules"][0]["healthy"]


def set_up(guide, cluster):
    guide.follow(cluster, ["app1", "app2"], "On app1 and app2, Tomcat and the shop;")
    guide.follow(cluster, [1, 2, 3], "On web1 to web3, httpd and")
    guide.follow(cluster, [1], "On web1, the cluster's key:")
    guide.follow(cluster, [1, 2, 3], "On web1 to web3, the start:")
    cluster.wait_active([1, 2, 3])
    cluster.wait_until(lambda: all(healthy(cluster, node) for node in cluster.ids), "the shop is open", 90)


def look(guide, cluster):
    check(guide.follow(cluster, [1], "On a web server: three active members")[1].count(" active ") >= 3, "status")
    seen = guide.ask(cluster, "A customer, with a file for the cookies:", directory=cluster.directory)
    for wanted in ("In the cart: apples, pears", "Client: 192.0.2.254", "JSESSIONID"):
        check(wanted in seen, f"a customer does not see \"{wanted}\":\n{seen}")
    told = guide.follow(cluster, [1], "The cart has both,")[1]
    check("web" in told, f"explain:\n{told}")


def check_carts(carts, keepers, wanted):
    for customer, page in carts.items():
        check(page is not None, f"customer {customer} has no page")
        check(page.cart == wanted, f"customer {customer} has \"{page.cart}\" in the cart, not \"{wanted}\"")
        kept = keepers[customer]
        check(page.keeper == kept, f"customer {customer}'s cart was with {kept}, is with {page.keeper}")
        check(page.client == address(customer), f"the shop takes customer {customer} for {page.client}")


def fill(cluster):
    keepers = {customer: page.keeper for customer, page in visit_all(cluster, "apples").items()}
    check(set(keepers.values()) == {"app1", "app2"}, f"carts are kept by {set(keepers.values())}")
    check_carts(visit_all(cluster, "pears"), keepers, "apples, pears")
    return keepers


def web_server_dies(cluster, keepers):
    servers = {customer: web_server(cluster, customer) for customer in keepers}
    print("customers by web server:", dict(collections.Counter(servers.values())), "by Tomcat:",
          dict(collections.Counter(keepers.values())))
    died = collections.Counter(servers.values()).most_common(1)[0][0]
    cluster.crash(died)
    concerned = [customer for customer, server in servers.items() if server == died]
    check_carts(visit_all(cluster, "plums", concerned), keepers, "apples, pears, plums")
    living = next(node for node in cluster.ids if node != died)
    later = {web_server(cluster, customer, living) for customer in concerned}
    check(died not in later, "customers are sent to the dead server")
    check_carts(visit_all(cluster, customers=sorted(set(keepers) - set(concerned))), keepers, "apples, pears")
    print(f"web{died} died: the carts of its {len(concerned)} customers are as they were, with the same Tomcats")
    cluster.revive(died, services="apache2")
    cluster.wait_active([1, 2, 3])
    cluster.wait_until(lambda: healthy(cluster, died), f"web{died} serves again", 60)
    check_carts(visit_all(cluster, customers=concerned), keepers, "apples, pears, plums")


def maintenance(guide, cluster, keepers):
    before = visit_all(cluster)
    guide.follow(cluster, [3], "On a web server that is to be worked on;")
    check(visit_all(cluster) == before, "a drained web server costs carts")
    cluster.nlbctl("start", node=3)
    cluster.wait_active([1, 2, 3])


def tomcat_dies(cluster, keepers):
    before = visit_all(cluster)
    cluster.machine["app1"].power_off()
    for customer in keepers:
        page = visit(cluster, customer) or visit(cluster, customer)  # over a connection that was kept
        if keepers[customer] == "app2":
            check(page == before[customer], f"customer {customer} of app2 has {page}")
        else:
            check(page and (page.cart, page.keeper) == ("nothing", "app2"), f"customer {customer} of app1 has {page}")


def test():
    guide = Guide("shop")
    state = ["/var/lib/apache2", "/var/log/apache2", "/var/cache/apache2", "/var/lib/tomcat10", "/var/log/tomcat10",
             "/var/cache/tomcat10", "/var/www/html"]
    with guide.machines(nodes=3, state=state, others={"app1": 11, "app2": 12}) as cluster:
        set_up(guide, cluster)
        look(guide, cluster)
        keepers = fill(cluster)
        web_server_dies(cluster, keepers)
        maintenance(guide, cluster, keepers)
        tomcat_dies(cluster, keepers)


main(test)
