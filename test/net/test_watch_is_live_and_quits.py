# SPDX-License-Identifier: Apache-2.0
"""`nlbctl watch` in a real terminal: what it shows, large and small, without its agent, and every way to leave it.

    client --- bridge --- web1 (watched), web2, web3
"""

import os
import re
import signal

import flows
from harness import NLBCTL, VIP4, Cluster, check, main
from terminal import Terminal


def watch(cluster, columns=80, rows=24, options=()):
    return Terminal(cluster.directory, [NLBCTL, "--run-dir", cluster.run_dir(1), "watch", *options], columns, rows)


def number_in(text, line, column):
    """The word in this column of the line that begins so, or None."""
    found = re.search(rf"^  {line} .*$", text, re.MULTILINE)
    words = found[0].split() if found else []
    return words[column] if len(words) > column else None


def check_page(cluster):
    load = flows.Load(cluster.client, flows.many(200, VIP4, 7001), per_second=100)
    load.start()
    with watch(cluster) as terminal:
        text = terminal.wait(lambda text: all(f"web{node}" in text for node in cluster.ids), "all members")
        check(text.startswith("web1 active   cluster web   view "), f"the title: {text}")
        for word in ("none", "single", "network", "uncovered", "packets/s", "this node", "q quit"):
            check(word in text, f"{word} is missing: {text}")

        def counted(text):
            rates = [number_in(text, "web1", 4), number_in(text, "none", 2), number_in(text, "none", 3)]
            return all(rate and re.fullmatch(r"\d+(\.\d)?", rate) and float(rate) > 10 for rate in rates)

        text = terminal.wait(counted, "rates of web1 and of the rule that is asked")
        print(text)
        check(number_in(text, "web2", 4) == "-", "the rate of a node that was not asked is made up")
        check(max(map(len, text.split("\n"))) <= 80, "a line is too long")
    load.stop()


def check_small(cluster):
    with watch(cluster, columns=40, rows=10) as terminal:
        text = terminal.wait(lambda text: "web3" in text, "all members")
        print(text)
        check("more" in text and "packets/s" not in text, f"ten lines hold no more, and say so: {text}")
        terminal.type("End")
        terminal.wait(lambda text: "packets/s" in text and text.startswith("web1 active"), "the end of the page")
        terminal.type("Home")
        terminal.wait(lambda text: "member" in text, "its beginning")
        for _ in range(3):
            terminal.type("Down")
        terminal.wait(lambda text: "member" not in text and "web3" in text, "three lines further")
        for columns, rows in ((80, 24), (12, 3), (200, 60), (40, 10)):
            terminal.resize(columns, rows)
            terminal.wait(lambda text: text.startswith("web1 active"[:columns]) and len(text.split("\n")) <= rows + 1
                          and ("packets/s" in text) == (rows >= 24), f"a page of {columns}x{rows}")
        terminal.type("q")
        terminal.wait_end()


def check_ways_out(cluster):
    for leave in (lambda terminal: terminal.type("q"), lambda terminal: terminal.type("C-c"),
                  lambda terminal: os.kill(terminal.pid(), signal.SIGTERM),
                  lambda terminal: os.kill(terminal.pid(), signal.SIGHUP)):
        with watch(cluster) as terminal:
            terminal.wait(lambda text: "web3" in text, "all members")
            leave(terminal)
            terminal.wait_end()
            check("web3" not in "\n".join(terminal.screen()), "the screen was left as it was while watching")


def check_lost_agent(cluster):
    with watch(cluster) as terminal:
        terminal.wait(lambda text: "web3" in text, "all members")
        cluster.kill(1)
        text = terminal.wait(lambda text: text.startswith("web1 no answer"), "that the agent is gone")
        check(re.search(r"\n  no answer since \d\d:\d\d:\d\d, trying again", text) and "web3" in text, f"not said: {text}")
        cluster.start(1)
        terminal.wait(lambda text: text.startswith("web1 active") and "trying" not in text, "the new agent")
        os.kill(cluster.agents[1].pid, signal.SIGSTOP)
        terminal.wait(lambda text: text.startswith("web1 no answer"), "that the agent hangs")
        terminal.type("q")
        terminal.wait_end()
        os.kill(cluster.agents[1].pid, signal.SIGCONT)
    cluster.wait_active([1, 2, 3])


def check_impossible(cluster):
    with Terminal(cluster.directory, [NLBCTL, "--run-dir", "/nonexistent", "watch"]) as terminal:
        terminal.wait_end(code=3)
    with Terminal(cluster.directory, ["env", "TERM=nonsense", NLBCTL, "--run-dir", cluster.run_dir(1), "watch"]) as terminal:
        terminal.wait_end(code=1)
        check('type "nonsense"' in "\n".join(terminal.screen()), "the terminal's type is not blamed")
    with Terminal(cluster.directory, ["env", "LANG=C", "LC_ALL=C", NLBCTL, "--run-dir", cluster.run_dir(1), "watch"]) as terminal:
        terminal.wait(lambda text: "web3" in text, "a page without a UTF-8 locale")


def test():
    check(not Terminal.missing(), "tmux is not installed")
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        check_page(cluster)
        check_small(cluster)
        check_ways_out(cluster)
        check_lost_agent(cluster)
        check_impossible(cluster)


main(test)
