// SPDX-License-Identifier: Apache-2.0
#include "clients.hpp"

namespace sim {

Clients::Clients(World &world, unsigned count) : world_(world), clients_(count) {}

void Clients::open_all() {
    for (Client &client : clients_)
        world_.after(world_.scaled_between(0ms, 1s), [this, &client] { act(client); });
}

void Clients::act(Client &client) {
    if (client.connection == 0)
        connect(client);
    else if (world_.now() >= client.until)
        close(client);
    else
        talk(client);
    world_.after(world_.scaled_between(20ms, 600ms), [this, &client] { act(client); });
}

// With flooding every frame reaches every host that is connected.
bool Clients::reached(unsigned id) const {
    const Node &node = world_.node(id);
    return node.host_up && node.hears(kClientsPlane) && world_.now() >= node.paused_until;
}

// Any that serves by its own word: which one the client's ARP entry names depends on the past.
unsigned Clients::entrance() {
    std::vector<unsigned> able;
    for (unsigned id = 1; id <= world_.options().nodes; ++id)
        if (const Node &node = world_.node(id);
            reached(id) && node.speaks(kClientsPlane) && node.local(world_.now()) < node.host.lease())
            able.push_back(id);
    return able.empty() ? 0 : able[world_.random()() % able.size()];
}

bool Clients::comes_to(unsigned id, unsigned entrance, unsigned bucket, bool opens) const {
    if (!reached(id)) return false;
    if (!world_.options().forward || id == entrance) return true;
    if (entrance == 0) return false;
    const Node &at = world_.node(entrance);
    return at.host.reaches(id, bucket, opens);
}

void Clients::connect(Client &client) {
    const Packet syn{static_cast<std::uint32_t>(world_.random()() | 1), true};
    const unsigned at = world_.options().forward ? entrance() : 0;
    unsigned taken_by = 0;
    for (unsigned id = 1; id <= world_.options().nodes; ++id) {
        Node &node = world_.node(id);
        const Judged judged = node.host.judge(syn, node.local(world_.now()));
        if (!comes_to(id, at, judged.bucket, true) || judged.fate == Fate::dropped) continue;
        if (taken_by && !world_.both_may_serve(taken_by, id)) throw Violation("P1: a SYN was accepted by node " + std::to_string(taken_by) + " and node " + std::to_string(id));
        taken_by = id;
        client.bucket = judged.bucket;
    }
    if (!taken_by) return;
    client = {syn.client, client.bucket, taken_by, world_.now() + world_.scaled_between(50ms, 20s)};
    world_.node(taken_by).host.sockets.insert(client.connection);
}

void Clients::talk(Client &client) {
    bool answered = false, reset = false;
    const unsigned at = world_.options().forward ? entrance() : 0;
    for (unsigned id = 1; id <= world_.options().nodes; ++id) {
        if (!comes_to(id, at, client.bucket, false)) continue;
        Node &node = world_.node(id);
        const Fate fate = node.host.judge({client.connection}, node.local(world_.now())).fate;
        answered |= fate == Fate::taken;
        reset |= fate == Fate::reset && !node.just_woken; // it may serve still, and does not know the connection
    }
    const Node &owner = world_.node(client.owner);
    const bool alive = owner.host.sockets.contains(client.connection);
    const bool promised = alive && reached(client.owner) && owner.speaks(kClientsPlane) && !world_.troubled(client.owner);
    miss(client, promised && (at || !world_.options().forward), answered);
    if (promised && (reset || (!answered && !world_.options().forward)))
        throw Violation("P3: a connection of node " + std::to_string(client.owner) + " in bucket " +
                        std::to_string(client.bucket) + (reset ? " was reset" : " got no answer"));
    if (reset) close(client);
}

// A table that was not right yet costs packets, which TCP sends again; the next ones come by another entrance, or
// the same one knows better.
void Clients::miss(Client &client, bool promised, bool answered) {
    if (!promised || answered) return client.unanswered.reset();
    if (!client.unanswered) client.unanswered = world_.now();
    if (world_.options().forward && world_.now() - *client.unanswered > 3 * world_.options().dead_after)
        throw Violation("P3: a connection of node " + std::to_string(client.owner) + " in bucket " +
                        std::to_string(client.bucket) + " is sent on to others, and stalls");
}

// Unless another node has a connection in the same group of buckets, or had one until a moment ago: it might be that
// one's, and the group still lingers there.
void Clients::check_none_hangs() const {
    for (const Client &client : clients_) {
        if (!client.connection) continue;
        const unsigned group = group_of(client.bucket);
        bool held = ended_[group] && world_.now() - *ended_[group] <= kReleased;
        for (unsigned id = 1; id <= world_.options().nodes; ++id)
            held |= world_.node(id).host.holds(group);
        if (!held)
            throw Violation("P3: a connection of node " + std::to_string(client.owner) +
                            " in bucket " + std::to_string(client.bucket) +
                            ", which crashed, hangs without a reset");
    }
}

void Clients::close(Client &client) {
    if (world_.node(client.owner).host.sockets.erase(client.connection)) ended_[group_of(client.bucket)] = world_.now();
    client = {};
}

} // namespace sim
