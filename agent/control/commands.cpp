// SPDX-License-Identifier: Apache-2.0
// The ladder that a request has to climb: length, JSON, shape, a known command, and the command's
// own consent.
#include "agent/control/commands.hpp"

#include "agent/base/log.hpp"
#include "agent/base/printable.hpp"
#include "agent/control/longest.hpp"

namespace agent {
namespace {

constexpr std::size_t kMostOfName = 100; // bytes of the name of whose order it is
constexpr std::size_t kMostLogged = 200; // bytes of an argument

Json refusal(const std::string &code, const std::string &error) {
    return {{"ok", false}, {"code", code}, {"error", error}};
}

Commands::Later known(Json reply) {
    return [reply = std::move(reply)] { return std::optional(reply); };
}

bool well_formed(const Json &request) {
    if (!request.is_object() || !request.contains("command") || !request["command"].is_string())
        return false;
    for (const char *key : {"node", "by"})
        if (request.contains(key) && !request[key].is_string()) return false;
    if (!request.contains("args")) return true;
    const Json &args = request["args"];
    return args.is_array() &&
           std::all_of(args.begin(), args.end(), [](const Json &arg) { return arg.is_string(); });
}

void log_order(const std::string &name, const Commands::Arguments &args, const std::string &by,
               const Json &reply) {
    std::string line = "order: " + name + (reply["ok"] ? " done" : " " + std::string(reply["code"]));
    line += " (by=" + by;
    for (const std::string &arg : args)
        line += " argument=" + printable(arg, kMostLogged);
    log::info(line + ")");
}

// A command from its call to its result.
class Running {
  public:
    Running(const Commands::Function &function, const Commands::Arguments &args)
        : function_(function), args_(args) {}

    std::optional<Json> ask() {
        try {
            if (!begun_) begin();
            if (auto result = later_()) return Json{{"ok", true}, {"result", *result}};
            return std::nullopt;
        } catch (const Denied &reason) {
            return refusal("refused", reason.what());
        } catch (const std::exception &reason) { // a kernel that refuses ends no agent either
            return refusal("failed", reason.what());
        }
    }

  private:
    void begin() {
        begun_ = true;
        Commands::Result result = function_(args_);
        if (auto *json = std::get_if<Json>(&result))
            later_ = known(std::move(*json));
        else
            later_ = std::move(std::get<Commands::Later>(result));
    }

    Commands::Function function_;
    Commands::Arguments args_;
    Commands::Later later_;
    bool begun_ = false;
};

} // namespace

Commands::Reply Commands::begin(std::string_view request) {
    return [this, work = decide(request)]() -> std::optional<std::string> {
        const std::optional<Json> reply = work();
        if (!reply) return std::nullopt;
        count(*reply);
        return reply->dump(-1, ' ', false, Json::error_handler_t::replace);
    };
}

Commands::Later Commands::decide(std::string_view request) {
    const bool can_be_read = request.size() <= kLongestWithFile;
    const Json parsed = can_be_read ? Json::parse(request, nullptr, false) : Json();
    const bool makes_sense = !parsed.is_discarded() && well_formed(parsed);
    if (request.size() > kLongest && !(makes_sense && parsed["command"] == "push"))
        return known(
            refusal("too_long", "a request has at most " + std::to_string(kLongest) + " bytes"));
    if (!makes_sense)
        return known(
            refusal("malformed", R"(a request is {"command": NAME, "args": [TEXT, ...]})"));
    const std::string name = parsed["command"];
    const auto args = parsed.value("args", Arguments{});
    const std::string by = printable(parsed.value("by", "unknown"), kMostOfName);
    if (!parsed.contains("node") || !elsewhere_ || !functions_.contains(name))
        return run(name, args, by);
    const auto there = [this, node = std::string(parsed["node"]), name, by](const Arguments &given) {
        return elsewhere_(node, name, given, by);
    };
    return [running = std::make_shared<Running>(there, args)] { return running->ask(); };
}

Commands::Later Commands::run(const std::string &name, const Arguments &args,
                              const std::string &by) {
    const auto function = functions_.find(name);
    if (function == functions_.end())
        return known(refusal("unknown_command", "no such command: " + name));
    const auto running = std::make_shared<Running>(function->second.function, args);
    if (!function->second.is_order) return [running] { return running->ask(); };
    return [running, name, args, by] {
        const std::optional<Json> reply = running->ask();
        if (reply) log_order(name, args, by, *reply);
        return reply;
    };
}

void Commands::count(const Json &reply) {
    if (reply["ok"])
        ++answered_;
    else
        ++refused_[reply["code"]];
}

Json Commands::counters() const {
    Json counters{{"answered", answered_}};
    for (const auto &[code, count] : refused_)
        counters[code] = count;
    return counters;
}

} // namespace agent
