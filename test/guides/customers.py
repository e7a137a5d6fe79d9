# SPDX-License-Identifier: Apache-2.0
"""Customers of the shop, each with an address and a cookie, who know what they have put into their carts.

    customers = [Customer(number) for number in range(24)]
    customers[0].add("apples")                # as a person would: an error page is followed by another try
    with Shopping(cluster, customers) as shopping: ...          # they look into their carts all the time
    shopping.failed                           # requests without a page: (when, customer, why)

Whatever page they see, the cart on it has to be the one that they filled: anything else raises Failed.
"""

import collections
import http.client
import re
import ssl
import threading
import time

import netns
from harness import Failed, check

VIRTUAL_IP, PATIENCE = "192.0.2.100", 20
_tls = ssl._create_unverified_context()


class Customer:
    def __init__(self, cluster, number):
        self._cluster, self.number = cluster, number
        self.address = f"198.18.{number}.77"
        self.cookie = self.keeper = None
        self.cart = []

    def ask(self, query="", patience=PATIENCE):
        """One request over a connection of its own; the lines of the page. Raises OSError or HTTPException without one."""
        connection = http.client.HTTPSConnection(VIRTUAL_IP, timeout=patience, context=_tls,
                                                 source_address=(self.address, 0))
        try:
            connection.request("GET", f"/shop/{query}", headers={"Cookie": self.cookie} if self.cookie else {})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise http.client.HTTPException(f"status {answer.status}")
        if cookie := re.match(r"JSESSIONID=[\w.-]+", answer.getheader("Set-Cookie", "")):
            self.cookie = cookie[0]
        return dict(line.split(": ", 1) for line in text.strip().splitlines())

    def look(self, query=""):
        """What `ask` says, when it is as this customer expects it."""
        page = self.ask(query)
        cart = page.get("In the cart", "")
        check(cart == (", ".join(self.cart) or "nothing"),
              f"customer {self.number} has \"{cart}\" in the cart, not {self.cart}: {page}")
        check(page["Client"] == self.address, f"the shop takes {self.address} for {page['Client']}")
        self.keeper = page["Kept by"]
        return page

    def visit(self):
        """Looks, again and again until there is a page; how often there was none."""
        for failed in range(20):
            try:
                with netns.inside(self._cluster.client):
                    self.look()
                return failed
            except (OSError, http.client.HTTPException) as error:
                why = error
                time.sleep(0.2)
        raise Failed(f"customer {self.number} has no page: {why}")

    def add(self, what):
        self.cart.append(what)
        with netns.inside(self._cluster.client):
            self.look(f"?add={what}")

    def order(self):
        """The number of the order."""
        with netns.inside(self._cluster.client):
            page = self.ask("?order", patience=60)  # the page itself waits for the database, 15 s
        told = re.fullmatch(r"(.*) \((.*)\)", page.get("Ordered", ""))
        check(told and told[1] == ", ".join(self.cart), f"customer {self.number} ordered {self.cart}: {page}")
        self.cart = []
        return told[2]


def keepers(customers):
    """Tomcat -> how many carts it has answered for."""
    return collections.Counter(customer.keeper for customer in customers)


def visit_all(customers):
    """Each looks into the cart; how many had to try again."""
    return sum(customer.visit() > 0 for customer in customers)


class Shopping:
    """Threads that look into every cart in turn while the block lasts."""

    def __init__(self, cluster, customers, threads=4, gap=0.05):
        self._customers, self._stopping, self._gap = customers, threading.Event(), gap
        self.requests, self.failed, self._wrong = 0, [], []
        self._threads = [threading.Thread(target=self._run, args=(cluster, customers[part::threads]), daemon=True)
                         for part in range(threads)]

    @property
    def customers(self):
        """Them, as long as no cart is wrong."""
        if self._wrong:
            raise self._wrong[0]
        return self._customers

    def _run(self, cluster, customers):
        with netns.inside(cluster.client):
            while not self._stopping.is_set():
                for customer in customers:
                    self._one(customer)
                    if self._stopping.wait(self._gap):
                        break

    def _one(self, customer):
        started = time.monotonic()
        self.requests += 1
        try:
            customer.look()
        except (OSError, http.client.HTTPException) as error:
            self.failed.append((started, customer, f"{type(error).__name__}: {error}"))
        except Failed as wrong:
            self._wrong.append(wrong)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE + 10)
        if kind is None and self._wrong:
            raise self._wrong[0]

    def check_none_failed(self, what):
        check(self.requests > 20 and not self.failed,
              f"{what}: {len(self.failed)} of {self.requests} requests failed: "
              f"{[(customer.address, why) for _, customer, why in self.failed[:3]]}")
        print(f"{what}: {self.requests} requests, none failed, no cart lost")
