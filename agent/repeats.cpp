// SPDX-License-Identifier: Apache-2.0
// A window an event. The map stays small: what has been quiet for a window is forgotten when it
// grows.
#include "agent/repeats.hpp"

namespace agent {

std::optional<std::string> Repeats::pass(const std::string &line, heartbeat::Time now) {
    constexpr std::size_t kRemembered = 256;
    const auto over = [now](const Event &event) { return now - event.since >= kWindow; };
    if (events_.size() > kRemembered)
        std::erase_if(events_, [&](const auto &entry) { return over(entry.second); });
    Event &event = events_[line.substr(0, line.find('('))];
    std::string text = line;
    if (event.printed == 0 || over(event)) {
        if (event.held_back) text += " (and " + std::to_string(event.held_back) + " more like it)";
        event = {now, 0, 0};
    }
    if (event.printed < kAtMost) {
        ++event.printed;
        return text;
    }
    ++event.held_back;
    return std::nullopt;
}

} // namespace agent
