// SPDX-License-Identifier: Apache-2.0
// Connections by rule and bucket: see the header.
#include "agent/node/census.hpp"

#include "filter/tables.hpp"

#include <algorithm>
#include <stdexcept>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Time;

constexpr Time kPauses[] = {10s, 1s, 100ms}; // between two passes, by Pace
constexpr int kRest = 4;                     // at least so many times as long as the pass took

} // namespace

std::optional<TableBucket> place_of(const Connection &connection, const filter::Settings &settings,
                              const filter::Buckets &buckets) {
    const auto &addresses = settings.virtual_ips;
    const auto local = std::ranges::find(addresses, connection.local);
    if (local == addresses.end() || std::ranges::count(addresses, connection.remote))
        return std::nullopt;
    const auto virtual_ip = static_cast<std::size_t>(local - addresses.begin());
    const auto rule = std::ranges::find_if(settings.rules, [&](const filter::Rule &candidate) {
        return filter::covers(candidate, virtual_ip, NLB_TCP, connection.local_port);
    });
    const auto affinity = rule == settings.rules.end() ? filter::Affinity::single : rule->affinity;
    return TableBucket{static_cast<std::size_t>(rule - settings.rules.begin()),
                 buckets.of(affinity, connection.remote, connection.remote_port)};
}

SocketCensus::SocketCensus(filter::Settings settings)
    : settings_(std::move(settings)), buckets_(settings_.hash_key) {}

bool SocketCensus::handle(Time now, Pace pace, const filter::Tables &served) {
    if (!dump_) {
        if (now < wake_at(pace)) return false;
        begin(now);
    }
    if (!read(served)) return false;
    ended_ = now;
    took_ = now - latest_->begun;
    return true;
}

Time SocketCensus::wake_at(Pace pace) const {
    if (dump_) return heartbeat::kNever; // its descriptor wakes the loop
    if (ended_ == Time{}) return Time{};
    return ended_ + std::max(kPauses[static_cast<int>(pace)], kRest * took_);
}

void SocketCensus::begin(Time now) {
    const std::size_t tables = settings_.rules.size() + 1;
    counting_ = {now, std::vector<std::uint64_t>(tables), std::vector<filter::BucketSet>(tables)};
    ended_ = now; // should it fail
    took_ = {};
    dump_.emplace(SocketDump::Of::connections);
}

bool SocketCensus::read(const filter::Tables &served) {
    std::vector<Connection> found;
    const Dump state = dump_->read([&found](auto datagram, auto request) {
        return parse_sockets(datagram, request, found);
    });
    for (const Connection &connection : found)
        take(connection, served);
    if (state == Dump::more) return false;
    dump_.reset();
    if (state == Dump::failed)
        throw std::runtime_error("list TCP sockets: malformed reply of the kernel (inet_diag)");
    latest_ = std::move(counting_);
    return true;
}

void SocketCensus::configure(filter::Settings settings) {
    settings_ = std::move(settings);
    buckets_ = filter::Buckets(settings_.hash_key);
    dump_.reset();
    latest_.reset();
    ended_ = took_ = {}; // due at once
}

void SocketCensus::take(const Connection &connection, const filter::Tables &served) {
    const auto place = place_of(connection, settings_, buckets_);
    if (!place) return;
    const bool rule = place->table < settings_.rules.size();
    if (rule && settings_.rules[place->table].disabled) return; // no packet of it gets in
    ++counting_.connections[place->table];
    if (counting_.some.size() < Census::kSome)
        counting_.some.push_back(connection);
    else
        counting_.some[counting_.total() % Census::kSome] = connection;
    const std::size_t word = place->bucket / 64;
    const std::uint64_t bit = std::uint64_t{1} << place->bucket % 64;
    counting_.buckets[place->table][word] |= bit;
    const bool lingers = place->table >= served.size() || !(served[place->table].mine[word] & bit);
    counting_.lingering += lingers;
}

} // namespace agent
