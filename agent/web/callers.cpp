// SPDX-License-Identifier: Apache-2.0
#include "agent/web/callers.hpp"

#include <map>
#include <tuple>

namespace agent {

WebCaller *WebCallers::opened(std::string address, int socket) {
    callers_.push_back({std::move(address), socket, ++now_, false, false});
    return &callers_.back();
}

void WebCallers::answered(WebCaller &caller) {
    caller.answered = true;
    caller.touched = ++now_;
}

void WebCallers::closed(WebCaller *caller) {
    ++(caller->pushed_out ? ended_.pushed_out : caller->answered ? ended_.answered : ended_.silent);
    callers_.remove_if([caller](const WebCaller &each) { return &each == caller; });
}

WebCaller *WebCallers::evict() {
    std::map<std::string, std::size_t> held;
    std::size_t staying = 0;
    for (const WebCaller &caller : callers_)
        if (!caller.pushed_out) {
            ++held[caller.address];
            ++staying;
        }
    if (staying <= kMost) return nullptr;
    WebCaller *victim = nullptr;
    const auto worse = [&](const WebCaller &one, const WebCaller &other) {
        return std::tuple(held[one.address], other.touched) >
               std::tuple(held[other.address], one.touched);
    };
    for (WebCaller &caller : callers_)
        if (!caller.pushed_out && (!victim || worse(caller, *victim))) victim = &caller;
    victim->pushed_out = true;
    return victim;
}

} // namespace agent
