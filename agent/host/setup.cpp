// SPDX-License-Identifier: Apache-2.0
#include "agent/host/setup.hpp"

#include "agent/host/interface.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <net/if.h>
#include <stdexcept>
#include <unistd.h>

namespace agent {
namespace {

using Kind = HostChange::Kind;

// How the interface gets to hear the cluster MAC.
HostChange mac_change(const HostSettings &wish, int index) {
    if (wish.cluster_group)
        return {
            Kind::membership, index, wish.interface, filter::to_string(*wish.cluster_group), 0, 0};
    const Kind kind = ((*wish.cluster_mac)[0] & 1) != 0 ? Kind::group : Kind::mac;
    return {kind, index, wish.interface, filter::to_string(*wish.cluster_mac), 0, 0};
}

bool has_ipv6(const HostSettings &wish) {
    return !std::ranges::all_of(wish.virtual_ips, &filter::IpAddress::is_v4);
}

// Of the whole host: an interface that has nothing to do with the cluster may be in the clients'
// segment, too, or become so. The kernel takes the larger of an interface's own value and this one.
void silence(std::vector<HostChange> &changes) {
    for (const auto &[name, value] : {std::pair("arp_ignore", 1), std::pair("arp_announce", 2),
                                      std::pair("drop_unicast_in_l2_multicast", 1)})
        changes.push_back({Kind::sysctl, kWholeHost, "all", name, 0, value});
}

// A host with a strict reverse path check would drop accepted packets whose way back to the client leads through
// another interface. As the kernel does, take the larger of the two values: 2 is loose.
void loosen(const HostSettings &wish, std::vector<HostChange> &changes) {
    const auto found = find_interface(wish.interface);
    if (found && std::max(HostState::read_sysctl("all", "rp_filter"),
                          HostState::read_sysctl(wish.interface, "rp_filter")) > 0)
        changes.push_back({Kind::sysctl, found->index, wish.interface, "rp_filter", 0, 2});
}

// IPv6 has no value for the whole host, only one that later interfaces start with. It never answers for an
// address of lo by another interface.
void silence_ipv6(const std::vector<std::string> &devices, std::vector<HostChange> &changes) {
    const std::string name = "ipv6/drop_unicast_in_l2_multicast";
    changes.push_back({Kind::sysctl, kWholeHost, "default", name, 0, 1});
    for (const auto &device : devices)
        if (const auto found = find_interface(device); found && HostState::has_ipv6(device))
            changes.push_back({Kind::sysctl, found->index, device, name, 0, 1});
}

// In the order in which they are made: silent first, then able to hear, then able to accept.
// devices: those that drop duplicates over IPv6.
std::vector<HostChange> wished_changes(const HostSettings &wish,
                                       const std::vector<std::string> &devices) {
    std::vector<HostChange> changes;
    silence(changes);
    loosen(wish, changes);
    if (has_ipv6(wish)) silence_ipv6(devices, changes);
    if (const auto found = find_interface(wish.interface); found && wish.cluster_mac)
        changes.push_back(mac_change(wish, found->index));
    for (const auto &device : {wish.home, wish.entrance})
        if (const auto found = find_interface(device))
            for (const auto &address : wish.virtual_ips)
                changes.push_back(
                    {Kind::address, found->index, device, filter::to_string(address), 0, 0});
    return changes;
}

// Runs every step whatever becomes of those before it, and remembers the first failure.
class FirstFailure {
  public:
    template <class Step>
    void run(Step step) {
        try {
            step();
        } catch (const std::exception &) {
            if (!first_) first_ = std::current_exception();
        }
    }
    void rethrow() const {
        if (first_) std::rethrow_exception(first_);
    }

  private:
    std::exception_ptr first_;
};

bool contains(const std::vector<HostChange> &changes, const HostChange &change) {
    return std::ranges::any_of(changes, [&](const auto &other) { return other.same_thing(change); });
}

// With its device, which may have had many: each TAP device has an index of its own.
bool is_gone(const HostChange &change) {
    char name[IF_NAMESIZE];
    return change.index != kWholeHost &&
           if_indextoname(static_cast<unsigned>(change.index), name) == nullptr && errno == ENXIO;
}

void refuse_impossible(const HostSettings &wish, const HostState &state) {
    filter::require_interface(wish.interface);
    for (const auto &found : {find_obstacle(wish), find_misplaced(wish, state)})
        if (found) throw std::runtime_error(found->what + "; " + found->way_out);
}

} // namespace

HostSetup::HostSetup(const HostSettings &wish, const std::string &record_file)
    : wish_(wish), record_file_(record_file), record_(load_record(record_file)) {
    try {
        state_.set_seen(look_at_host());
        refuse_impossible(wish_, state_);
        const auto wished = wished_changes(wish_, filter::interface_names());
        settle(wished); // first, so that nothing is open in between
        undo_unwanted(wished);
    } catch (const std::exception &cause) {
        try {
            restore();
        } catch (const std::exception &also) {
            throw std::runtime_error(std::string(cause.what()) + " (then also: " + also.what() +
                                     ")");
        }
        throw;
    }
}

HostSetup::~HostSetup() {
    try {
        if (active_) restore();
    } catch (const std::exception &) {
        // The record has stayed, so the next start tries again. Call restore() to learn of failures.
    }
}

std::vector<std::string> HostSetup::heal(HostSeen seen) {
    state_.set_seen(std::move(seen));
    const auto made = settle(wished_changes(wish_, {wish_.interface}));
    remove_unwished_addresses();
    return made;
}

void HostSetup::withdraw(const std::vector<filter::IpAddress> &kept) noexcept {
    std::erase_if(wish_.virtual_ips, [&](const auto &one) { return !std::ranges::count(kept, one); });
    try {
        remove_unwished_addresses();
    } catch (const std::exception &) {
        // As the header says.
    }
}

void HostSetup::configure(const HostSettings &wish) {
    wish_ = wish;
    state_.set_seen(look_at_host());
    const auto wished = wished_changes(wish_, filter::interface_names());
    settle(wished);
    undo_unwanted(wished);
}

std::optional<Obstacle> HostSetup::obstacle_to(const HostSettings &wish) const {
    if (auto found = find_obstacle(wish)) return found;
    return find_misplaced(wish, state_);
}

void HostSetup::restore() {
    active_ = false;
    FirstFailure failure;
    for (auto change = record_.changes.rbegin(); change != record_.changes.rend(); ++change)
        failure.run([&] { state_.undo(*change); });
    failure.rethrow();
    record_.changes.clear();
    unlink(record_file_.c_str());
}

// What was changed for another configuration, by an earlier agent or by this one.
void HostSetup::undo_unwanted(const std::vector<HostChange> &wished) {
    for (std::size_t i = record_.changes.size(); i-- > 0;)
        if (!contains(wished, record_.changes[i])) undo_recorded(i);
}

void HostSetup::undo_recorded(std::size_t place) {
    const auto change = record_.changes[place];
    state_.undo(change);
    record_.changes.erase(record_.changes.begin() + static_cast<std::ptrdiff_t>(place));
    save_record(record_, record_file_);
}

// Each is tried, whatever becomes of the others.
void HostSetup::remove_unwished_addresses() {
    const auto is_wished = [this](const HostChange &change) {
        return std::ranges::any_of(wish_.virtual_ips, [&](const auto &address) {
            return filter::to_string(address) == change.what;
        });
    };
    FirstFailure failure;
    for (std::size_t i = record_.changes.size(); i-- > 0;)
        if (const HostChange &change = record_.changes[i];
            change.kind == Kind::address && !is_wished(change))
            failure.run([&] { undo_recorded(i); });
    failure.rethrow();
}

// What cannot be written down is not taken for recorded, and so not changed, now or later.
void HostSetup::write_down(const std::vector<HostChange> &changes) {
    HostRecord next = record_;
    std::erase_if(next.changes, is_gone);
    next.changes.insert(next.changes.end(), changes.begin(), changes.end());
    save_record(next, record_file_);
    record_ = std::move(next);
}

std::vector<std::string> HostSetup::settle(const std::vector<HostChange> &wished) {
    std::vector<HostChange> missing, unrecorded;
    for (auto change : wished) {
        if (is_gone(change) || state_.in_place(change)) continue;
        if (!contains(record_.changes, change)) {
            if (change.kind == Kind::sysctl)
                change.before = HostState::read_sysctl(change.device, change.what);
            unrecorded.push_back(change);
        }
        missing.push_back(change);
    }
    if (!unrecorded.empty()) write_down(unrecorded);
    std::vector<std::string> made;
    FirstFailure failure;
    for (const auto &change : missing)
        failure.run([&] {
            state_.make(change);
            made.push_back(change.what + " on " + change.device);
        });
    failure.rethrow();
    return made;
}

} // namespace agent
