// SPDX-License-Identifier: Apache-2.0
#include "agent/upkeep.hpp"

#include "agent/base/log.hpp"

#include <stdexcept>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Time;

constexpr Time kEvery = 1s;
constexpr unsigned kToLook = 8; // descriptors

} // namespace

Upkeep::Upkeep(Kept parts, const HostInterface &interface)
    : parts_(parts), seen_(interface), index_(interface.index),
      bridges_("bridges: not told", "bridges: told (interface=" + parts.interface + ")") {}

void Upkeep::wait(Poll &poll) const {
    links_.wait(poll);
    poll.at(next_);
}

bool Upkeep::handle(Time now) {
    const bool link_changed = links_.drain();
    if (!link_changed && now < next_) return false;
    next_ = now + kEvery;
    if (!filter::descriptors_left(kToLook))
        log::warn("agent: no file descriptors are left, what needs one waits");
    else if (failure_.empty())
        look_after_all(now, link_changed);
    return true;
}

void Upkeep::look_after_all(Time now, bool link_changed) {
    look_after_bridges(now, link_changed);
    look_after_interface();
    if (!failure_.empty()) return;
    look_after_filter();
    look_after_host();
}

void Upkeep::look_after_bridges(Time now, bool link_changed) {
    if (!parts_.multicast_router) return;
    bridges_.attempt([&] {
        parts_.multicast_router->advertise(now, link_changed);
        return true;
    });
}

// Without a descriptor to ask the kernel with, what it said last.
const HostInterface &Upkeep::look_at_interface() {
    try {
        seen_ = find_interface(parts_.interface).value_or(HostInterface{});
    } catch (const std::exception &error) {
        log::warn(std::string("interface: not looked at (") + error.what() + ")");
    }
    return seen_;
}

// The filter went with the interface: a new one of the same name must not get the virtual IPs
// without it.
void Upkeep::look_after_interface() {
    if (look_at_interface().index != index_)
        failure_ = "serve on " + parts_.interface +
                   ": the interface was removed; start nlbd again when it is back";
}

// A kernel that does not say leaves it as it was.
void Upkeep::look_after_filter() {
    if (!failure_.empty() || !filter::descriptors_left(kToLook)) return;
    const std::string obstacle = heal_filter();
    try {
        flaw_ = parts_.datapath.flaw();
    } catch (const std::exception &error) {
        log::warn(std::string("datapath: not looked at (") + error.what() + ")");
    }
    parts_.problems.set(ProblemKind::filter_not_proven, flaw_, obstacle);
    parts_.execution.set_able(!flaw_);
}

// Why something cannot be put back; empty: everything is in its place.
std::string Upkeep::heal_filter() {
    try {
        for (const std::string &line : parts_.datapath.heal())
            log::warn("datapath: put back (" + line + ")");
        return "";
    } catch (const std::exception &error) {
        log::warn(std::string("datapath: not as it should be (") + error.what() + ")");
        return error.what();
    }
}

void Upkeep::look_after_host() {
    const std::string where = " (interface=" + parts_.interface + ")";
    try {
        for (const std::string &line : parts_.host.heal())
            log::warn("host: put back (" + line + ")");
        if (parts_.neighbours.heal()) log::info("neighbours: listening" + where);
        if (parts_.witness && parts_.witness->heal()) log::info("witness: can be asked" + where);
    } catch (const std::exception &error) {
        log::warn(std::string("host: not as it should be (") + error.what() + ")");
    }
}

} // namespace agent
