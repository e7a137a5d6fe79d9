// SPDX-License-Identifier: Apache-2.0
#include "host.hpp"

#include "filter/bucket.hpp"
#include "filter/tables.hpp"
#include "filter/verdict/user_verdict.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace sim {
namespace {

// Both are 64-bit words, the lowest bit first (a std::bitset by libstdc++'s choice).
template <class Bits, std::size_t words>
Bits bits_of(const __u64 (&from)[words]) {
    static_assert(sizeof(Bits) == sizeof from);
    return std::bit_cast<Bits>(std::to_array(from));
}

constexpr std::array<std::uint8_t, 16> kHashKey{1, 2, 3};
constexpr unsigned kEthernet = 14, kSource = kEthernet + 12, kFlags = kEthernet + 20 + 13;

// From a client's port 40000 to port 80 of 192.0.2.100. The filter looks at no checksum.
std::array<std::uint8_t, 54> frame_of(const Packet &packet) {
    std::array<std::uint8_t, 54> frame{0x03, 0xbf, 192, 0, 2, 100, 2, 0, 0, 0, 0, 1, 0x08, 0,
                                       0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 0, 0, 0, 0, 192, 0, 2, 100,
                                       0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0, 0xff, 0xff, 0, 0, 0, 0};
    for (unsigned i = 0; i < 4; ++i)
        frame[kSource + i] = static_cast<std::uint8_t>(packet.client >> 8 * i);
    frame[kFlags] = packet.opens ? NLB_TCP_SYN : NLB_TCP_ACK;
    return frame;
}

struct Kernel : filter::VerdictHost {
    Kernel(const Host &host, Time now) : host_(host), now_(now) {}
    bool has_socket(const filter::TcpSegment &segment) override {
        return host_.sockets.contains(static_cast<std::uint32_t>(segment.source[0]));
    }
    std::uint64_t boot_ns() override { return static_cast<std::uint64_t>(now_.count()); }

  private:
    const Host &host_;
    Time now_;
};

// Making one costs more than a cluster's second.
const nlb_config &config_of(bool forward) {
    auto make = [](bool forwards) {
        auto config = std::make_unique<nlb_config>();
        filter::write_config(filter_settings(forwards), *config);
        return config;
    };
    static const std::unique_ptr<const nlb_config> kConfigs[] = {make(false), make(true)};
    return *kConfigs[forward];
}

unsigned bucket_of(std::uint32_t client) {
    static const filter::Buckets kBucketOf(kHashKey);
    filter::IpAddress address;
    for (unsigned i = 0; i < 4; ++i)
        address.bytes[i] = static_cast<std::uint8_t>(client >> 8 * i);
    return kBucketOf.of(filter::Affinity::single, address, 0);
}

} // namespace


filter::Settings filter_settings(bool forward) {
    filter::Settings settings;
    settings.virtual_ips = {*filter::parse_ip("192.0.2.100")};
    settings.rules = {{.tcp = true, .first_port = 80, .last_port = 80}};
    settings.hash_key = kHashKey;
    settings.forward = forward;
    return settings;
}

Judged Host::judge(const Packet &packet, Time local) {
    Judged judged;
    judged.bucket = bucket_of(packet.client);
    if (!tables) return judged;
    Kernel kernel(*this, local);
    const std::uint32_t reason = filter::reason_of(filter::decide(*tables, frame_of(packet), kernel));
    if (reason <= NLB_LAST_TAKEN)
        judged.fate = packet.opens || sockets.contains(packet.client) ? Fate::taken : Fate::reset;
    return judged;
}

Buckets Host::mine() const {
    return tables ? bits_of<Buckets>(tables->owners[tables->active_owners].mine[0]) : Buckets{};
}

Groups Host::guarded() const { return tables ? bits_of<Groups>(tables->guarded) : Groups{}; }

Groups Host::lingering() const { return tables ? bits_of<Groups>(tables->lingering) : Groups{}; }

std::vector<filter::BucketSet> Host::connections() const {
    std::vector<filter::BucketSet> buckets(2);
    for (const std::uint32_t client : sockets)
        buckets[0][bucket_of(client) / 64] |= std::uint64_t{1} << bucket_of(client) % 64;
    return buckets;
}

bool Host::holds(unsigned group) const {
    return std::ranges::any_of(sockets, [&](std::uint32_t client) { return group_of(bucket_of(client)) == group; });
}

bool Host::reaches(unsigned node, unsigned bucket, bool opens) const {
    if (numbers.empty() || paths.macs[node] == filter::MacAddress{}) return false;
    if (numbers[0][bucket] == node) return true;
    return !opens && (paths.lingering[group_of(bucket)] >> (node - 1) & 1);
}

Datapath::Datapath(Host &host, bool forward, Writing writing, HasWritten written)
    : StateDatapath(1), host_(host), adopted_(host.tables != nullptr), writing_(std::move(writing)),
      written_(std::move(written)) {
    if (adopted_) return;
    host.tables = std::make_unique<nlb_state>();
    host.tables->config[0] = config_of(forward);
}

void Datapath::install(const filter::Tables &tables) {
    if (!writing_()) return;
    StateDatapath::install(tables);
    written_(Written::tables);
}

void Datapath::set_lease(std::uint64_t deadline_ns) {
    if (!writing_()) return;
    StateDatapath::set_lease(deadline_ns);
    written_(Written::lease);
}

void Datapath::set_guarded(const filter::GroupSet &groups) {
    if (writing_()) StateDatapath::set_guarded(groups);
}

void Datapath::set_lingering(const filter::GroupSet &groups) {
    if (writing_()) StateDatapath::set_lingering(groups);
}

void Datapath::configure(const filter::Settings &settings, const filter::Tables &tables) {
    if (writing_()) StateDatapath::configure(settings, tables);
}

void Datapath::set_paths(const filter::Paths &paths) {
    if (writing_()) host_.paths = paths;
}

void Datapath::set_numbers(const filter::Numbers &numbers) {
    if (writing_()) host_.numbers = numbers;
}

void Datapath::set_note(const std::vector<std::uint8_t> &bytes) {
    if (!writing_()) return;
    StateDatapath::set_note(bytes);
    written_(Written::note);
}

} // namespace sim
