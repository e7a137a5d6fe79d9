# SPDX-License-Identifier: Apache-2.0
"""A killed agent's tables are of another layout version, of another size, or its note is damaged: the successor, started
within the lease, takes over the interface, begins a new life with tables of its own, and connections live on.

    client --- bridge --- web1, web2 (agent killed, what it left is damaged, agent started), web3
"""

import connections
import flows
import snapshot
from filter_memory import SIZE, change, set_word, word
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp

# See struct nlb_state in filter/verdict/layout.h.
LAYOUT, ACTIVE_NOTE, NOTES, NOTE_SIZE = 0, 204, 208, 4096


def spoil_note(memory):
    note = NOTES + NOTE_SIZE * (word(memory, ACTIVE_NOTE) % 2)
    check(word(memory, note) > 100, "there is no note where this test looks for it")
    set_word(memory, note, word(memory, note) - 1)  # cut short


DAMAGES = {
    "another layout version": lambda memory: set_word(memory, LAYOUT, word(memory, LAYOUT) + 1),
    "another size": lambda memory: set_word(memory, SIZE, word(memory, SIZE) + 8),
    "a note cut short": spoil_note,
    "a note of no length": lambda memory: [set_word(memory, NOTES + NOTE_SIZE * note, 0) for note in (0, 1)],
    "a note longer than itself": lambda memory: [set_word(memory, NOTES + NOTE_SIZE * note, 1 << 31) for note in (0, 1)],
}


def test():
    with Cluster(nodes=3, heartbeat="dead_after_ms = 3000", extra="\n[agent]\ndrain_ms = 0\n") as cluster:
        pristine = snapshot.take(cluster, 2)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        held = connections.Held(cluster.client, flows.many(150, VIP4, 7001) + flows.many(50, VIP6, 7002))
        cluster.kill(2)
        cluster.start(2)
        cluster.wait_active([1, 2, 3])
        check(cluster.log(2).count("agent: resumes") == 1, "an agent whose tables fit has not resumed")

        for what, damage in DAMAGES.items():
            started = cluster.log(2).count("agent: started")
            cluster.kill(2)
            change(cluster.run_dir(2), damage)
            cluster.start(2)
            cluster.wait_until(lambda: cluster.log(2).count("agent: started") == started + 1,
                               f"{what}: the successor begins a new life")
            cluster.wait_active([1, 2, 3])
            broken = held.talk()
            check(not broken, f"{what}: {len(broken)} of {len(held)} connections broke, {list(broken.items())[:3]}")
        check(cluster.log(2).count("agent: resumes") == 1, "an agent has resumed what was damaged")
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001, seed=2)), nodes=3)
        held.close()
        check(cluster.terminate(2) == 0, "SIGTERM did not end in exit code 0")
        snapshot.check_same(pristine, snapshot.take(cluster, 2))


main(test)
