// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/probe_run.hpp"

#include "agent/frames/echo.hpp"
#include "agent/frames/line.hpp"
#include "agent/frames/reply.hpp"
#include "agent/frames/witness.hpp"
#include "filter/interface.hpp"

#include <algorithm>

namespace agent {
namespace {

using Bytes = std::span<const std::uint8_t>;
using filter::IpAddress;
using filter::MacAddress;
using heartbeat::Time;

constexpr filter::pcap::Ring::Size kRing{2048,
                                         1 << 20}; // a whole beat; of a large probe its beginning
constexpr std::size_t kMostKept = 64;              // of what others may say, of each kind
constexpr std::size_t kLargest = 16000;            // bytes of a large probe, whatever the MTU

constexpr std::array kToClients = {ProbeKind::ipv4,   ProbeKind::ipv6,  ProbeKind::large4,
                                   ProbeKind::large6, ProbeKind::plain, ProbeKind::broadcast};
constexpr std::array kToNodes = {ProbeKind::group4, ProbeKind::group6};

MacAddress group_mac(const IpAddress &group) { // RFC 1112, section 6.4; RFC 2464, section 7
    const auto &b = group.bytes;
    if (!group.is_v4()) return {0x33, 0x33, b[12], b[13], b[14], b[15]};
    return {0x01, 0x00, 0x5e, static_cast<std::uint8_t>(b[1] & 0x7f), b[2], b[3]};
}

bool has_family(const std::vector<IpAddress> &addresses, bool v4) {
    return std::ranges::any_of(addresses, [v4](const IpAddress &one) { return one.is_v4() == v4; });
}

IpAddress source_of(const std::vector<OwnAddress> &own, IpAddress::Family family,
                    const std::vector<IpAddress> &virtual_ips) {
    for (const OwnAddress &one : own)
        if (one.address.family == family && !std::ranges::count(virtual_ips, one.address))
            return one.address;
    return {family, {}};
}

std::uint16_t echo_id(std::uint64_t run) { return static_cast<std::uint16_t>(run); }

} // namespace

ProbeRun::ProbeRun(ProbeSettings settings) : settings_(std::move(settings)) {
    const HostSeen host = look_at_host();
    const auto &beats = settings_.heartbeat_interfaces;
    add_line(settings_.interface, true, std::ranges::count(beats, settings_.interface) > 0, host);
    for (const std::string &name : beats)
        if (name != settings_.interface) add_line(name, false, true, host);
}

// An interface that is not there, or down, is passed over.
void ProbeRun::add_line(const std::string &interface, bool clients, bool beats, const HostSeen &host) {
    const auto found = filter::find_interface(interface);
    if (!found || !found->up) return;
    filter::pcap::Ring ring(interface, filter::pcap::Way::in, capture_filter_of(clients, beats), kRing);
    if (!ring.is_open()) return;
    const auto own = own_addresses(host, found->index);
    using Family = IpAddress::Family;
    lines_.push_back({interface, clients, beats, std::move(ring), FrameSender(interface),
                      source_of(own, Family::v4, settings_.virtual_ips),
                      source_of(own, Family::v6, settings_.virtual_ips), filter::mtu_of(interface)});
}

std::string ProbeRun::capture_filter_of(bool clients, bool beats) const {
    std::string text = "(ether proto 0x88b5) or (udp dst port 9)";
    if (beats) text += " or (udp dst port " + std::to_string(settings_.port) + ")";
    if (clients) text += " or (" + capture_filter(settings_.virtual_ips) + ")";
    if (clients && settings_.gateway)
        text += " or (icmp[icmptype] = icmp-echoreply and src host " +
                filter::to_string(*settings_.gateway) + ")";
    return text;
}

bool ProbeRun::is_open(const std::string &interface) const {
    return std::ranges::any_of(lines_,
                               [&](const Line &line) { return line.interface == interface; });
}

void ProbeRun::wait(Poll &poll) const {
    for (const Line &line : lines_)
        poll.read(line.ring.descriptor());
    if (rounds_ > 0) poll.at(next_);
}

void ProbeRun::handle(Time now) {
    constexpr int batch = 64; // a flood must not keep the loop from its beats
    for (Line &line : lines_)
        for (int i = 0; i < batch && line.ring.is_open(); ++i) {
            const auto captured = line.ring.next();
            if (!captured) break;
            hear(line, captured->frame);
        }
    if (rounds_ == 0 || now < next_) return;
    send_round();
    --rounds_;
    next_ = now + kApart;
}

void ProbeRun::hear(const Line &line, Bytes frame) {
    if (is_meant_as_probe(frame)) return hear_probe(line, frame);
    const auto datagram = parse_datagram(frame);
    if (datagram && line.beats && datagram->port == settings_.port)
        return hear_beat(*datagram);
    if (!line.clients) return;
    hear_neighbours(frame);
    hear_echo(frame);
}

void ProbeRun::hear_probe(const Line &line, Bytes frame) {
    const auto opened = open_probe(frame, settings_.key);
    const auto refuse = [this](ProbeRefusal why) {
        ++heard_.refused[static_cast<std::size_t>(why)];
    };
    if (const auto *why = std::get_if<ProbeRefusal>(&opened)) return refuse(*why);
    const Probe &probe = std::get<Probe>(opened);
    if (probe.run != settings_.run) return refuse(ProbeRefusal::other_run);
    if (!std::ranges::count(settings_.nodes, probe.sender) || probe.number >= kRounds)
        return refuse(ProbeRefusal::unknown_node);
    if (probe.sender == settings_.self) return; // its own, by another of its interfaces
    auto &numbers =
        heard_.probes[{line.interface, probe.sender}][static_cast<std::size_t>(probe.kind)];
    const auto bit = static_cast<std::uint8_t>(1u << probe.number);
    if (numbers & bit) refuse(ProbeRefusal::repeated);
    numbers |= bit;
}

void ProbeRun::hear_beat(const Datagram &datagram) {
    const auto opened = heartbeat::open(datagram.bytes, settings_.envelope);
    if (const auto *beat = std::get_if<heartbeat::Beat>(&opened)) {
        const auto id = static_cast<std::uint8_t>(heartbeat::index(beat->sender));
        if (id != settings_.self)
            heard_.beats.insert(id);
    } else if (heard_.refused_beats.size() < kMostKept) {
        heard_.refused_beats.insert_or_assign(datagram.source,
                                              std::get<heartbeat::Refusal>(opened));
    }
}

void ProbeRun::hear_neighbours(Bytes frame) {
    const auto &virtual_ips = settings_.virtual_ips;
    if (const auto claim = parse_claim(frame);
        claim && std::ranges::count(virtual_ips, claim->address) &&
        !std::ranges::count(heard_.claims, *claim) && heard_.claims.size() < kMostKept)
        heard_.claims.push_back(*claim);
    const auto question = parse_solicitation(frame);
    if (!question || question->is_probe() || !std::ranges::count(virtual_ips, question->target) ||
        question->asker == question->target)
        return;
    const std::pair key{question->asker, question->target};
    if (heard_.questions.contains(key) || heard_.questions.size() < kMostKept)
        ++heard_.questions[key];
}

void ProbeRun::hear_echo(Bytes frame) {
    const auto reply = parse_echo_reply(frame);
    if (!reply || reply->id != echo_id(settings_.run) || reply->source != settings_.gateway) return;
    if (!std::ranges::count(settings_.virtual_ips, reply->destination))
        ++heard_.echoes;
    else if (!std::ranges::count(heard_.cluster_echoes, reply->to_mac) &&
             heard_.cluster_echoes.size() < kMostKept)
        heard_.cluster_echoes.push_back(reply->to_mac);
}

void ProbeRun::send(Time now, bool asks_gateway) {
    begun_ = true;
    asks_gateway_ = asks_gateway && settings_.gateway;
    rounds_ = kRounds;
    next_ = now;
}

void ProbeRun::send_round() {
    for (Line &line : lines_) {
        if (line.clients)
            for (const ProbeKind kind : kToClients)
                send_probe(line, kind);
        else
            send_probe(line, ProbeKind::broadcast);
        if (line.beats)
            for (const ProbeKind kind : kToNodes)
                send_probe(line, kind);
        if (line.clients && rounds_ == kRounds) ask_for_virtual_ips(line);
    }
    if (asks_gateway_ && rounds_ > 1) ping_gateway();
}

// Nothing: this interface or cluster has no use for it.
std::optional<ProbeRoute> ProbeRun::route(const Line &line, ProbeKind kind) const {
    using Family = IpAddress::Family;
    const auto mac = line.sender.mac();
    if (!mac || *mac == settings_.cluster_mac)
        return std::nullopt; // never the cluster MAC as a source
    const bool is_v6 =
        kind == ProbeKind::ipv6 || kind == ProbeKind::large6 || kind == ProbeKind::group6;
    const Family family = is_v6 ? Family::v6 : Family::v4;
    const bool as_clients = kind != ProbeKind::broadcast && kind != ProbeKind::plain &&
                            kind != ProbeKind::group4 && kind != ProbeKind::group6;
    if (as_clients && !has_family(settings_.virtual_ips, !is_v6)) return std::nullopt;
    if ((as_clients || kind == ProbeKind::plain) && !settings_.floods) return std::nullopt;
    ProbeRoute route{settings_.cluster_mac, *mac,
                     is_v6 ? line.source6 : line.source4, nowhere(family)};
    if (kind == ProbeKind::plain) route.source = route.destination = std::nullopt;
    if (kind == ProbeKind::broadcast) route.to = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (kind == ProbeKind::group4 || kind == ProbeKind::group6) {
        route.destination = is_v6 ? settings_.group6 : settings_.group;
        route.to = group_mac(*route.destination);
    }
    return route;
}

void ProbeRun::send_probe(Line &line, ProbeKind kind) {
    const auto way = route(line, kind);
    if (!way) return;
    const bool large = kind == ProbeKind::large4 || kind == ProbeKind::large6;
    const std::size_t size = large ? std::min(line.mtu, kLargest) : 0;
    const auto number = static_cast<std::uint8_t>(kRounds - rounds_);
    const Probe probe{settings_.run, settings_.self, kind, number};
    ++(line.sender.send(build_probe(probe, *way, settings_.key, size)) ? sent_ : send_errors_);
}

// As one that has no address yet (RFC 5227): so that no host learns this node's MAC address.
void ProbeRun::ask_for_virtual_ips(Line &line) {
    const auto mac = line.sender.mac();
    if (!mac) return;
    for (const IpAddress &address : settings_.virtual_ips)
        ++(line.sender.send(build_question(address, {address.family, {}}, *mac)) ? sent_
                                                                                 : send_errors_);
}

void ProbeRun::ping_gateway() {
    const auto virtual_ip = std::ranges::find_if(settings_.virtual_ips, &IpAddress::is_v4);
    const std::uint16_t id = echo_id(settings_.run);
    ++(send_echo(settings_.interface, *settings_.gateway, std::nullopt, id) ? sent_ : send_errors_);
    if (virtual_ip != settings_.virtual_ips.end())
        ++(send_echo(settings_.interface, *settings_.gateway, *virtual_ip, id) ? sent_
                                                                               : send_errors_);
}

} // namespace agent
