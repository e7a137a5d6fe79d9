// SPDX-License-Identifier: Apache-2.0
//
// The verdict again, written from filter/README.md and not for speed: byte strings that know their
// length, a loop over the rules, a set of datagrams. It shares no line with the headers that it
// checks but the hash, which has vectors of its own.
#pragma once

#include "scenarios.hpp"

#include "filter/bucket.hpp"
#include "filter/verdict/layout.h"

#include <compare>
#include <cstdint>
#include <functional>
#include <set>
#include <span>

namespace judges {

// What a look-up of a socket is about.
struct Flow {
    filter::IpAddress source, destination;
    std::uint16_t source_port = 0, destination_port = 0; // of the host's order
    std::uint8_t flags = 0;
    std::uint32_t acknowledged = 0;
};

struct Datagram {
    filter::IpAddress source, destination;
    std::uint32_t id = 0;
    std::uint8_t protocol = 0; // IPv6: 0
    auto operator<=>(const Datagram &) const = default;
};

class Plain {
  public:
    static constexpr std::size_t kEverything = ~std::size_t{0};

    using Asked = std::function<bool(const Flow &)>;

    Plain(const Scenario &scenario, Asked has_socket, Asked has_listener)
        : scenario_(scenario), buckets_(scenario.settings.hash_key),
          has_socket_(std::move(has_socket)), has_listener_(std::move(has_listener)) {}

    // Of the frame, only the first `readable` bytes can be read: what XDP gets of a large one.
    nlb_verdict judge(std::span<const std::uint8_t> frame, std::size_t readable = kEverything);
    void forget_fragments() { dropped_.clear(); }

  private:
    struct Packet;
    nlb_verdict judge_ip(Packet packet);
    nlb_verdict judge_table(const Packet &packet);
    bool is_served(const Packet &packet, std::size_t rule) const;
    nlb_reason judge_bucket(const Packet &packet, std::size_t table, unsigned bucket);
    int rule_of(const Packet &packet) const;
    int virtual_ip(const filter::IpAddress &address) const;

    const Scenario &scenario_;
    filter::Buckets buckets_;
    Asked has_socket_, has_listener_;
    std::set<Datagram> dropped_; // those whose first fragment was
};

// The two agree, but that the tables may have forgotten a fragment's mark for another's.
bool agree(const nlb_verdict &plain, const nlb_verdict &other);

} // namespace judges
