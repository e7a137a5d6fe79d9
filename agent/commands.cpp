// SPDX-License-Identifier: Apache-2.0
// The ladder that a request has to climb: length, JSON, shape, a known command, and the command's
// own consent.
#include "agent/commands.hpp"

namespace agent {
namespace {

Json refusal(const std::string &code, const std::string &error) {
    return {{"ok", false}, {"code", code}, {"error", error}};
}

bool well_formed(const Json &request) {
    if (!request.is_object() || !request.contains("command") || !request["command"].is_string())
        return false;
    if (!request.contains("args")) return true;
    const Json &args = request["args"];
    return args.is_array() &&
           std::all_of(args.begin(), args.end(), [](const Json &arg) { return arg.is_string(); });
}

} // namespace

std::string Commands::answer(std::string_view request) {
    const Json reply = decide(request);
    if (reply["ok"])
        ++answered_;
    else
        ++refused_[reply["code"]];
    return reply.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json Commands::decide(std::string_view request) {
    if (request.size() > kLongest)
        return refusal("too_long", "a request has at most " + std::to_string(kLongest) + " bytes");
    const Json parsed = Json::parse(request, nullptr, false);
    if (parsed.is_discarded() || !well_formed(parsed))
        return refusal("malformed", R"(a request is {"command": NAME, "args": [TEXT, ...]})");
    return run(parsed["command"], parsed.value("args", std::vector<std::string>{}));
}

Json Commands::run(const std::string &name, const std::vector<std::string> &args) {
    const auto function = functions_.find(name);
    if (function == functions_.end()) return refusal("unknown_command", "no such command: " + name);
    try {
        return {{"ok", true}, {"result", function->second(args)}};
    } catch (const Refused &reason) {
        return refusal("refused", reason.what());
    } catch (const Failed &reason) {
        return refusal("failed", reason.what());
    }
}

Json Commands::counters() const {
    Json counters{{"answered", answered_}};
    for (const auto &[code, count] : refused_)
        counters[code] = count;
    return counters;
}

} // namespace agent
