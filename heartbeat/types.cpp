// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/types.hpp"

#include <algorithm>

namespace heartbeat {

const Member *View::find(NodeId id) const {
    auto found = std::find_if(members.begin(), members.end(),
                              [id](const Member &member) { return member.id == id; });
    return found == members.end() ? nullptr : &*found;
}

bool View::holds(NodeId id, Life life) const {
    const Member *member = find(id);
    return member && member->life == life;
}

std::string_view to_string(NodeState state) {
    switch (state) {
    case NodeState::joining:
        return "joining";
    case NodeState::active:
        return "active";
    case NodeState::draining:
        return "draining";
    case NodeState::stopped:
        return "stopped";
    case NodeState::suspended:
        return "suspended";
    case NodeState::fenced:
        return "fenced";
    case NodeState::dead:
        return "dead";
    }
    return "unknown";
}

} // namespace heartbeat
