// SPDX-License-Identifier: Apache-2.0
// One window per event. The map stays small: when it grows, events that have been quiet for a window
// are forgotten.
#include "agent/base/rate_limit.hpp"

namespace agent {
namespace {

std::string more_like_it(unsigned count) {
    return " (and " + std::to_string(count) + " more like it)";
}

// Up to the first parenthesis; in it, a reason makes the event another one.
std::string event_of(const std::string &line) {
    const std::size_t open = line.find('(');
    if (open == std::string::npos || line.compare(open, 8, "(reason=") != 0)
        return line.substr(0, open);
    return line.substr(0, line.find_first_of(" )", open)) + ")";
}

} // namespace

std::optional<std::string> RateLimit::pass(const std::string &line, heartbeat::Time now) {
    constexpr std::size_t kRemembered = 256;
    const auto closed = [now](const Event &event) { return now - event.since >= kWindow; };
    if (events_.size() > kRemembered)
        std::erase_if(events_, [&](const auto &entry) { return closed(entry.second); });
    Event &event = events_[event_of(line)];
    std::string text = line;
    if (event.printed == 0 || closed(event)) {
        if (event.held_back) text += more_like_it(event.held_back);
        event = {now, 0, 0};
    }
    if (event.printed < kAtMost) {
        ++event.printed;
        return text;
    }
    ++event.held_back;
    return std::nullopt;
}

std::vector<std::string> RateLimit::over(heartbeat::Time now) {
    std::vector<std::string> lines;
    for (auto &[event, seen] : events_) {
        if (seen.held_back == 0 || now - seen.since < kWindow) continue;
        lines.push_back(event.substr(0, event.find_last_not_of(' ') + 1) + more_like_it(seen.held_back));
        seen = {};
    }
    return lines;
}

} // namespace agent
