// SPDX-License-Identifier: Apache-2.0
// Clients with connections: they connect, talk now and then, and finish. None may be reset without
// need (P3).
#pragma once

#include "world.hpp"

namespace sim {

class Clients {
  public:
    Clients(World &world, unsigned count);
    void open_all(); // starts them; call once
    // After a calm: what a crash took has been reset by the new owner.
    void check_none_hangs() const;

  private:
    struct Client {
        std::uint64_t connection = 0; // 0: none
        unsigned bucket = 0, owner = 0;
        Time until{};
    };
    bool reached(unsigned id) const;
    void act(Client &client);
    void connect(Client &client);
    void talk(Client &client);
    void close(Client &client);

    World &world_;
    std::vector<Client> clients_;
    std::uint64_t next_ = 0;
};

} // namespace sim
