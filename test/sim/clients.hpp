// SPDX-License-Identifier: Apache-2.0
// Clients with connections: they connect, talk now and then, and finish. None may be reset without
// need (P3). With forwarding a packet comes to one member, whichever: a client may know any of them as the receiver. What
// is sent on reaches a part of the nodes that flooding would reach, so P1 holds all the more; and an open connection
// may lose packets, but not for long.
#pragma once

#include "world.hpp"

#include <array>
#include <optional>

namespace sim {

// At most this long after the last connection in a group, the group lingers, and others guard it.
inline constexpr Duration kReleased = agent::kLingerAtLeast + std::chrono::seconds(1);

class Clients {
  public:
    Clients(World &world, unsigned count);
    void open_all(); // starts them; call once
    // After a calm of kReleased: what a crash took has been reset by the new owner.
    void check_none_hangs() const;

  private:
    struct Client {
        std::uint32_t connection = 0; // its address; 0: none
        unsigned bucket = 0, owner = 0;
        Time until{};
        std::optional<Time> unanswered{}; // with forwarding: since then, no node has answered
    };
    bool reached(unsigned id) const;
    unsigned entrance(); // 0: none
    bool comes_to(unsigned id, unsigned entrance, unsigned bucket, bool opens) const;
    void miss(Client &client, bool promised, bool answered);
    void act(Client &client);
    void connect(Client &client);
    void talk(Client &client);
    void close(Client &client);

    World &world_;
    std::vector<Client> clients_;
    std::array<std::optional<Time>, filter::kGroups> ended_{}; // when a node's last connection in the group ended
};

} // namespace sim
