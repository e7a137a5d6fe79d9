// SPDX-License-Identifier: Apache-2.0
// `nlbctl events` for people: when, how long a view took, what happened.
#include "agent/nlbctl/render.hpp"

#include "agent/base/clock.hpp"
#include "agent/nlbctl/table.hpp"

#include <cstdio>

namespace agent {
namespace {

Colour colour_of(const std::string &kind) {
    if (kind == "view" || kind == "leader") return Colour::plain;
    return kind == "fenced" || kind == "merge" ? Colour::red : Colour::yellow;
}

std::string took(const Json &event) {
    if (event["kind"] != "view") return "";
    if (event["overtaken"]) return "overtaken";
    if (event["took_ms"].is_null()) return "not served";
    char text[32];
    std::snprintf(text, sizeof text, "%.1f ms", event["took_ms"].get<double>());
    return text;
}

} // namespace

std::string render_events(const Json &events, bool colour) {
    Table table({{"when", false}, {"served after", true}, {"what", false}});
    for (const Json &event : events)
        table.add({{local_time(std::chrono::milliseconds(event["ago_ms"].get<std::int64_t>()))},
                   {took(event)},
                   {event["text"], colour_of(event["kind"])}});
    return table.text(colour);
}

} // namespace agent
