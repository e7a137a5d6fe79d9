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

// Every frame reaches every host that is connected.
bool Clients::reached(unsigned id) const {
    const Node &node = world_.node(id);
    return node.host_up && node.hears && world_.now() >= node.paused_until;
}

void Clients::connect(Client &client) {
    const unsigned bucket = static_cast<unsigned>(world_.random()() % kSimBuckets);
    unsigned taken_by = 0;
    for (unsigned id = 1; id <= world_.options().nodes; ++id) {
        const Node &node = world_.node(id);
        if (!reached(id) || !node.filter.accepts_syn(bucket, node.local(world_.now()))) continue;
        if (taken_by && !world_.both_may_serve(taken_by, id)) throw Violation("P1: a SYN was accepted by node " + std::to_string(taken_by) + " and node " + std::to_string(id));
        taken_by = id;
    }
    if (!taken_by) return;
    client = {++next_, bucket, taken_by, world_.now() + world_.scaled_between(50ms, 20s)};
    world_.node(taken_by).filter.sockets[bucket].insert(client.connection);
}

void Clients::talk(Client &client) {
    bool answered = false, reset = false;
    for (unsigned id = 1; id <= world_.options().nodes; ++id) {
        if (!reached(id)) continue;
        const Node &node = world_.node(id);
        const Fate fate =
            node.filter.data(client.connection, client.bucket, node.local(world_.now()));
        answered |= fate == Fate::taken;
        reset |= fate == Fate::reset && !node.just_woken; // it may serve still, and does not know the connection
    }
    const Node &owner = world_.node(client.owner);
    const bool alive = owner.filter.sockets[client.bucket].contains(client.connection);
    const bool promised = alive && reached(client.owner) && owner.speaks && !world_.troubled(client.owner);
    if (promised && (reset || !answered))
        throw Violation("P3: a connection of node " + std::to_string(client.owner) + " in bucket " +
                        std::to_string(client.bucket) + (reset ? " was reset" : " got no answer"));
    if (reset) close(client);
}

// Unless another node goes on with a connection in the same bucket: it might be that one's.
void Clients::check_none_hangs() const {
    for (const Client &client : clients_) {
        if (!client.connection) continue;
        bool held = false;
        for (unsigned id = 1; id <= world_.options().nodes; ++id)
            held |= !world_.node(id).filter.sockets[client.bucket].empty();
        if (!held)
            throw Violation("P3: a connection of node " + std::to_string(client.owner) +
                            " in bucket " + std::to_string(client.bucket) +
                            ", which crashed, hangs without a reset");
    }
}

void Clients::close(Client &client) {
    world_.node(client.owner).filter.sockets[client.bucket].erase(client.connection);
    client = {};
}

} // namespace sim
