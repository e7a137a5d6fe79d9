// SPDX-License-Identifier: Apache-2.0
// One view at a time waits to be served: the newest.
#include "agent/node/events.hpp"

#include "agent/base/clock.hpp"

#include <algorithm>

namespace agent {
namespace {

using Kind = heartbeat::Note::Kind;

double milliseconds(heartbeat::Duration duration) {
    return static_cast<double>(duration / std::chrono::microseconds(1)) / 1000;
}

Json view_number(const heartbeat::ViewNumber &view) {
    return {{"term", view.term}, {"number", view.number}};
}

} // namespace

std::string_view to_string(heartbeat::Note::Kind kind) {
    switch (kind) {
    case Kind::view:
        return "view";
    case Kind::leader:
        return "leader";
    case Kind::life:
        return "life";
    case Kind::refused:
        return "refused";
    case Kind::merge:
        return "merge";
    case Kind::fenced:
        return "fenced";
    case Kind::health:
        return "health";
    }
    return "";
}

NodeEvent *EventLog::waiting() {
    const auto newest = std::ranges::find_if(
        events_.rbegin(), events_.rend(),
        [](const NodeEvent &event) { return event.note.kind == Kind::view; });
    const bool waits = newest != events_.rend() && !newest->took && !newest->overtaken;
    return waits ? &*newest : nullptr;
}

void EventLog::add(heartbeat::Time now, const heartbeat::Note &note) {
    ++counts_[static_cast<std::size_t>(note.kind)];
    if (note.kind == Kind::view || note.kind == Kind::life)
        if (NodeEvent *event = waiting()) event->overtaken = true;
    events_.push_back({now, note, std::nullopt, false});
    if (events_.size() > kKept) events_.pop_front();
}

void EventLog::served(heartbeat::Time now, heartbeat::ViewNumber view) {
    NodeEvent *event = waiting();
    if (event && event->note.view == view) event->took = now - event->at;
}

Json events(const EventLog &log, heartbeat::Time now) {
    Json result = Json::array();
    for (auto at = log.events().rbegin(); at != log.events().rend(); ++at) {
        const NodeEvent &event = *at;
        const bool view = event.note.kind == Kind::view;
        result.push_back({{"at", wall_time(now - event.at)},
                          {"ago_ms", (now - event.at) / std::chrono::milliseconds(1)},
                          {"kind", to_string(event.note.kind)},
                          {"text", event.note.text},
                          {"view", view ? view_number(event.note.view) : Json()},
                          {"took_ms", event.took ? Json(milliseconds(*event.took)) : Json()},
                          {"overtaken", event.overtaken}});
    }
    return result;
}

} // namespace agent
