# SPDX-License-Identifier: Apache-2.0
"""etc/examples/mail as it is written: both servers take letters over 587 and 465; one is drained, one dies with letters
in its queue, and every letter that was confirmed arrives, once.

    client (smtplib) --- bridge --- web1, web2 (Postfix, Dovecot) --- store (an SMTP server), on the same bridge
"""

import collections
import os
import re
import smtplib
import ssl
import threading

from guide import Guide  # first: it knows where the other modules are
import netns
from harness import check, main, skip

STORE = "/var/spool/store"


def no_verification():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def hand_in(number):
    """A letter with this number, from an address of its own; raises what a mail program would show."""
    source = (f"198.18.{number % 200}.25", 0)
    if number % 2:
        session = smtplib.SMTP_SSL("192.0.2.100", 465, timeout=30, context=no_verification(), source_address=source)
    else:
        session = smtplib.SMTP("192.0.2.100", 587, timeout=30, source_address=source)
        session.starttls(context=no_verification())
    with session:
        session.login("alice", "apples and pears")
        session.sendmail("alice@example.com", ["bob@example.com"], f"Subject: letter {number}\r\n\r\nHello.\r\n")


class Users(threading.Thread):
    """Letters, one after the other, until the block ends; confirmed and failed hold their numbers."""

    def __init__(self, cluster, first, count=None):
        super().__init__(daemon=True)
        self._client, self._next, self._count = cluster.client, first, count
        self._stopping = threading.Event()
        self.confirmed, self.failed = [], {}

    def run(self):
        with netns.inside(self._client):
            while not self._stopping.is_set() and self._count != len(self.confirmed) + len(self.failed):
                try:
                    hand_in(self._next)
                    self.confirmed.append(self._next)
                except (OSError, smtplib.SMTPException) as error:
                    self.failed[self._next] = error
                self._next += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self.join(60)


def send(cluster, first, count):
    """So many letters, all of which have to be confirmed; their numbers."""
    users = Users(cluster, first, count)
    users.start()
    users.join(120)
    check(not users.failed and len(users.confirmed) == count, f"not confirmed: {users.failed}")
    return users.confirmed


def arrived(cluster):
    """number -> the servers that took it, once for each time that it has arrived."""
    found, folder = collections.defaultdict(list), f"{cluster.machine['store'].root}{STORE}/new"
    for name in os.listdir(folder):
        with open(f"{folder}/{name}") as file:
            text = file.read()
        number = re.search(r"^Subject: letter (\d+)", text, re.MULTILINE)
        taken_by = re.search(r"\bby (\w+)\.example\.com", text)
        if number:
            found[int(number[1])].append(taken_by[1])
    return found


def wait_for(cluster, numbers):
    """Until they are all there, and none twice; how many each server took."""
    cluster.wait_until(lambda: set(numbers) <= set(arrived(cluster)), "every letter that was confirmed arrives", 60)
    found = arrived(cluster)
    twice = [number for number, servers in found.items() if len(servers) > 1]
    check(not twice, f"letters {twice} arrived more than once")
    return collections.Counter(found[number][0] for number in numbers)


def store(cluster):
    cluster.machine["store"].sh(f"""
        /usr/bin/python3 -m aiosmtpd -n -l 192.0.2.11:25 -c aiosmtpd.handlers.Mailbox {STORE} \\
            </dev/null >/run/log/store.log 2>&1 &
        echo $! > /run/store.pid""")
    cluster.wait_until(lambda: "192.0.2.11:25" in cluster.machine["store"].sh("ss -Htln"), "the store listens")


def set_up(guide, cluster):
    guide.follow(cluster, [1, 2], "On both servers, Postfix with")
    guide.follow(cluster, [1], "On web1, a certificate")
    guide.follow(cluster, [2], "On web2, since")
    guide.follow(cluster, [1, 2], "On both servers:")
    cluster.wait_active([1, 2])
    cluster.wait_until(lambda: all(rule["healthy"] for node in (1, 2) for rule in cluster.status(node)["rules"]),
                       "Postfix listens on both")


def look(guide, cluster):
    check(guide.follow(cluster, [1], "On a server, both have to be active")[1].count(" active ") >= 2, "status")
    guide.ask(cluster, "From a client, a letter over each port:", directory=cluster.directory)
    counts = wait_for(cluster, send(cluster, 0, 60))
    check(set(counts) == {"web1", "web2"}, f"taken by {counts}")
    check("empty" in guide.follow(cluster, [1], "The first `Received:` line")[1], "something is still queued")
    print("60 letters:", dict(counts))
    try:
        with netns.inside(cluster.client), smtplib.SMTP("192.0.2.100", 587, timeout=30) as session:
            session.starttls(context=no_verification())
            session.sendmail("mallory@example.com", ["bob@example.com"], "Subject: spam\r\n\r\n")
        check(False, "a letter without a password was taken")
    except smtplib.SMTPException:
        pass


def maintenance(guide, cluster):
    with Users(cluster, 1000) as users:
        cluster.wait_until(lambda: len(users.confirmed) > 10, "letters are handed in")
        guide.follow(cluster, [2], "On the server that is to be worked on.")
        cluster.wait_until(lambda: cluster.status(2)["state"] == "stopped", "web2 is out of the cluster")
        guide.follow(cluster, [2], "Then what it still has")
        out = len(users.confirmed)
        cluster.wait_until(lambda: len(users.confirmed) > out + 10, "letters are handed in")
        back = len(users.confirmed)
        guide.follow(cluster, [2], "It stays out,")
        cluster.wait_active([1, 2])
        cluster.wait_until(lambda: len(users.confirmed) > back + 10, "letters are handed in")
    check(not users.failed, f"not confirmed during the maintenance: {users.failed}")
    wait_for(cluster, users.confirmed)
    while_out = wait_for(cluster, users.confirmed[out + 1:back])
    check(set(while_out) == {"web1"}, f"while web2 was out, letters were taken by {while_out}")
    print(f"maintenance: {len(users.confirmed)} letters, all confirmed, all arrived")


def dies(cluster):
    """The store is away, so letters wait in both queues; web2 dies with its own and comes back."""
    cluster.machine["store"].sh("kill $(cat /run/store.pid)")
    before = send(cluster, 2000, 40)
    cluster.crash(2)
    cluster.wait_until(lambda: cluster.agree([1]), "web1 serves alone")
    after = send(cluster, 3000, 40)
    store(cluster)
    cluster.machine[1].sh("postqueue -f")
    check(set(wait_for(cluster, after)) == {"web1"}, "who took what was handed in after the crash")
    missing = set(before) - set(arrived(cluster))
    check(missing, "web2 died with an empty queue: this shows nothing")
    cluster.revive(2, services="dovecot postfix")
    cluster.wait_active([1, 2])
    cluster.wait_until(lambda: "up" in cluster.machine[2].sh("postqueue -f && echo up", ok=False), "Postfix of web2 is back")
    counts = wait_for(cluster, before)
    print(f"a crash: {len(missing)} letters waited on the dead server's disk; all {len(before) + len(after)} arrived; "
          f"of the first 40: {dict(counts)}")


def test():
    guide = Guide("mail")
    if netns.run(None, "/usr/bin/python3", "-c", "import aiosmtpd", check=False).returncode != 0:
        skip("the Debian package python3-aiosmtpd is not installed (packaging/install-dependencies guides)")
    state = ["/var/spool/postfix", "/var/lib/postfix", "/var/lib/dovecot"]
    with guide.machines(nodes=2, state=state, others={"store": 11}) as cluster:
        store(cluster)
        set_up(guide, cluster)
        look(guide, cluster)
        maintenance(guide, cluster)
        dies(cluster)


main(test)
