// SPDX-License-Identifier: Apache-2.0
#include "clients.hpp"

namespace sim {

Clients::Clients(World &world, unsigned count) : world_(world), clients_(count) {}

void Clients::open_all() {
    for (Client &client : clients_)
        world_.at(world_.now() + world_.between(0ms, 1s), [this, &client] { act(client); });
}

void Clients::act(Client &client) {
    if (client.connection == 0)
        connect(client);
    else if (world_.now() >= client.until)
        close(client);
    else
        talk(client);
    world_.at(world_.now() + world_.between(20ms, 600ms), [this, &client] { act(client); });
}

// Every frame reaches every host.
void Clients::connect(Client &client) {
    const unsigned bucket = static_cast<unsigned>(world_.random()() % kSimBuckets);
    unsigned taken_by = 0;
    for (unsigned id = 1; id <= world_.options().nodes; ++id) {
        Node &node = world_.node(id);
        if (!node.host_up || !node.filter.accepts_syn(bucket, node.local(world_.now()))) continue;
        if (taken_by && !world_.excused()) throw Violation("P1: a SYN was accepted twice");
        taken_by = id;
    }
    if (!taken_by) {
        ++refused;
        return;
    }
    ++connected;
    client = {++next_, bucket, taken_by, world_.now() + world_.between(50ms, 20s)};
    world_.node(taken_by).filter.sockets[bucket].insert(client.connection);
}

void Clients::talk(Client &client) {
    ++packets;
    bool answered = false, reset = false;
    for (unsigned id = 1; id <= world_.options().nodes; ++id) {
        Node &node = world_.node(id);
        if (!node.host_up) continue;
        const Fate fate =
            node.filter.data(client.connection, client.bucket, node.local(world_.now()));
        answered |= fate == Fate::taken;
        reset |= fate == Fate::reset;
    }
    const Node &owner = world_.node(client.owner);
    const bool alive = owner.filter.sockets[client.bucket].contains(client.connection);
    const bool promised = alive && !world_.troubled(client.owner);
    if (promised && reset)
        throw Violation("P3: a connection of node " + std::to_string(client.owner) + " in bucket " +
                        std::to_string(client.bucket) + " was reset");
    if (promised && !answered)
        throw Violation("P3: a connection of node " + std::to_string(client.owner) + " in bucket " +
                        std::to_string(client.bucket) + " got no answer");
    if (!answered) ++unanswered;
    if (!reset) return;
    ++lost;
    close(client);
}

void Clients::check_none_hangs() const {
    for (const Client &client : clients_)
        if (client.connection &&
            !world_.node(client.owner).filter.sockets[client.bucket].contains(client.connection))
            throw Violation("P3: a connection of node " + std::to_string(client.owner) +
                            " in bucket " + std::to_string(client.bucket) +
                            ", which crashed, hangs without a reset");
}

void Clients::close(Client &client) {
    ++finished;
    world_.node(client.owner).filter.sockets[client.bucket].erase(client.connection);
    client = {};
}

} // namespace sim
