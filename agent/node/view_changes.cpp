// SPDX-License-Identifier: Apache-2.0
#include "agent/node/view_changes.hpp"

namespace agent {

std::string_view to_string(ViewCause cause) {
    constexpr std::string_view names[] = {"join",   "leave",       "death",         "restart",
                                          "weight", "eligibility", "configuration", "leader"};
    return names[static_cast<std::size_t>(cause)];
}

bool ViewChanges::add(ViewCause cause) {
    bool &counted = counted_[static_cast<std::size_t>(cause)];
    if (!counted) ++counts_[static_cast<std::size_t>(cause)];
    return counted = true;
}

// One member, as it was and as it is; null: it is not there.
bool ViewChanges::compare(const heartbeat::Member *before, const heartbeat::Member *after) {
    if (!before && !after) return false;
    if (!before) return add(ViewCause::join);
    if (!after) return add(before->weight > 0 ? ViewCause::death : ViewCause::leave);
    if (before->life != after->life) return add(ViewCause::restart);
    bool changed = false;
    if (before->weight != after->weight) changed = add(ViewCause::weight);
    if (before->eligible != after->eligible) changed = add(ViewCause::eligibility);
    return changed;
}

bool ViewChanges::compare_members(const heartbeat::View &view) {
    bool changed = false;
    for (unsigned id = 1; id <= heartbeat::kMaxNodes; ++id)
        changed |= compare(last_.find(heartbeat::NodeId(id)), view.find(heartbeat::NodeId(id)));
    return changed;
}

void ViewChanges::applied(const heartbeat::View &view) {
    counted_ = {};
    bool changed = compare_members(view);
    if (!last_.members.empty() && last_.config != view.config)
        changed = add(ViewCause::configuration);
    if (!changed && last_.number.leader != view.number.leader) add(ViewCause::leader);
    last_ = view;
}

} // namespace agent
