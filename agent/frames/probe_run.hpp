// SPDX-License-Identifier: Apache-2.0
//
// One run of the doctor at this node: it listens on the clients' and the heartbeat interfaces,
// sends its own probes when it is its turn, and keeps what it heard: probes, beats, claims to
// the virtual IPs in ARP and neighbour discovery, and the gateway's echo replies.
//
// It sees frames where the wire ends: before the host's firewall and the kernel's checks of
// addresses. So a beat that is on the wire and not among those that the agent has taken is one that
// this host drops.
//
// A turn is bounded: three of each kind of probe within 50 ms, six kinds on the clients' interface
// and three on each heartbeat interface, one question for each virtual IP, and four pings at most.
// Nothing listens outside a run.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/frames/message.hpp"
#include "agent/frames/probe.hpp"
#include "agent/frames/sender.hpp"
#include "agent/host/state.hpp"
#include "filter/address.hpp"
#include "filter/pcap/ring.hpp"
#include "heartbeat/codec.hpp"
#include "heartbeat/types.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace agent {

struct ProbeSettings {
    std::uint64_t run = 0;
    std::uint8_t self = 0;
    std::vector<std::uint8_t> nodes{}; // all configured ids
    std::string interface {};          // the clients'
    std::vector<std::string> heartbeat_interfaces{};
    filter::MacAddress cluster_mac{};
    bool floods = true; // false: no node takes frames to the cluster MAC, and none are sent
    std::vector<filter::IpAddress> virtual_ips{};
    filter::IpAddress group{}, group6{}; // of the beats
    std::uint16_t port = 0;              // as above
    ProbeKey key{};
    heartbeat::Envelope envelope{};
    std::optional<filter::IpAddress> gateway{}; // whose echo replies are heard; IPv4
};

struct ProbesHeard {
    using Numbers = std::array<std::uint8_t, kProbeKinds>;          // bit n: number n of this kind
    std::map<std::pair<std::string, std::uint8_t>, Numbers> probes; // by interface and sender
    std::array<std::uint64_t, kProbeRefusals> refused{};
    std::set<std::uint8_t> beats; // senders of authentic ones, other nodes
    std::map<filter::IpAddress, heartbeat::Refusal> refused_beats;
    std::vector<Claim> claims; // that virtual IPs are there
    std::map<std::pair<filter::IpAddress, filter::IpAddress>, unsigned>
        questions;       // by asker and virtual IP
    unsigned echoes = 0; // to this node's own address
    std::vector<filter::MacAddress>
        cluster_echoes; // to a virtual IP: the MAC addresses that they were sent to
};

class ProbeRun {
  public:
    // Listens. Takes as long as the kernel needs to list its addresses: not for the loop. Throws std::runtime_error.
    explicit ProbeRun(ProbeSettings settings);

    std::uint64_t id() const { return settings_.run; }
    void wait(Poll &poll) const;
    // Reads a bounded number of the frames that wait, and sends what is due.
    void handle(heartbeat::Time now);

    // Its turn begins, once. asks_gateway: with pings from this node's own address and from the
    // first IPv4 virtual IP.
    void send(heartbeat::Time now, bool asks_gateway);
    bool has_begun() const { return begun_; }
    bool has_sent() const { return begun_ && rounds_ == 0; }
    unsigned sent() const { return sent_; }
    unsigned send_errors() const { return send_errors_; }

    const ProbesHeard &heard() const { return heard_; }
    bool is_open(const std::string &interface) const; // listens there

    static constexpr unsigned kRounds = 3;
    static constexpr heartbeat::Duration kApart = std::chrono::milliseconds(20); // two rounds

  private:
    struct Line {
        std::string interface;
        bool clients, beats; // what comes there
        filter::pcap::Ring ring;
        FrameSender sender;
        filter::IpAddress source4, source6; // its own; unspecified: it has none
        std::size_t mtu;
    };
    std::string capture_filter_of(bool clients, bool beats) const;
    void add_line(const std::string &interface, bool clients, bool beats, const HostSeen &host);
    void hear(const Line &line, std::span<const std::uint8_t> frame);
    void hear_probe(const Line &line, std::span<const std::uint8_t> frame);
    void hear_beat(const Datagram &datagram);
    void hear_neighbours(std::span<const std::uint8_t> frame);
    void hear_echo(std::span<const std::uint8_t> frame);
    void send_round();
    void send_probe(Line &line, ProbeKind kind);
    void ask_for_virtual_ips(Line &line);
    void ping_gateway();
    std::optional<ProbeRoute> route(const Line &line, ProbeKind kind) const;

    ProbeSettings settings_;
    std::vector<Line> lines_;
    ProbesHeard heard_;
    bool begun_ = false, asks_gateway_ = false;
    unsigned rounds_ = 0; // that are left
    heartbeat::Time next_{};
    unsigned sent_ = 0, send_errors_ = 0;
};

} // namespace agent
