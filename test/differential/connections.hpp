// SPDX-License-Identifier: Apache-2.0
//
// Real connections of this host to its virtual IPs, so that there is something to find: open ones,
// ones that the other end has closed, and ones that are half open. A judge in user space gets a
// list of them.
#pragma once

#include "host.hpp"

#include "test/judges/plain.hpp"

#include <map>
#include <set>
#include <tuple>
#include <vector>

namespace differential {

class Connections {
  public:
    // Precondition: a datapath to which everything belongs is attached.
    Connections();
    Connections(const Connections &) = delete;
    ~Connections();

    // Half-open ones are acknowledged by a packet of `acknowledged` + 1.
    const std::vector<judges::Flow> &flows() const { return flows_; }
    bool has_socket(const judges::Flow &packet) const;
    bool has_listener(const judges::Flow &packet) const; // or a socket of the same ends

  private:
    struct Known {
        bool half_open;
        std::uint32_t server_isn;
    };
    using Ends = std::tuple<filter::IpAddress, std::uint16_t, filter::IpAddress, std::uint16_t>;

    int listen_on(const std::string &address, std::uint16_t port);
    void open(const std::string &from, const std::string &to, std::uint16_t port, bool close_it);
    void half_open(const Wire &wire, bool v4, std::uint16_t source_port);
    void add(const judges::Flow &flow, bool half_open);

    std::vector<int> sockets_;
    std::vector<judges::Flow> flows_;
    std::map<Ends, Known> known_;
    std::set<std::pair<filter::IpAddress, std::uint16_t>> listeners_;
};

} // namespace differential
