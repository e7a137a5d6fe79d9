// SPDX-License-Identifier: Apache-2.0
//
// Requests of the control plane: {"command": NAME, "args": [TEXT...]} in, {"ok": true, "result":
// ...} or {"ok": false, "code": CODE, "error": TEXT} out. Every request is counted, each refused
// one by its code. With "node": NAME, ID or "all", it is for other nodes, which the Relay asks; ""
// means this one, answered in the same form. "by" says whose order it is, for the log: "user 0 on web1".
// It is a claim of a client that may give orders anyway, and grants nothing.
//
// Some commands take time: a disk has to write, other members have to release buckets, other nodes
// have to answer. The agent's loop never blocks, so such a command returns a continuation that is
// polled on every turn, until it has a result.
#pragma once

#include "agent/base/json.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace agent {

// A command that is understood and not done: it names no node, or the state does not allow it.
struct Denied : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A command that was tried, or whose arguments make no sense.
struct Failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Commands {
  public:
    using Arguments = std::vector<std::string>;
    // Nothing: ask again on the next turn. May throw Denied and Failed.
    using Later = std::function<std::optional<Json>()>;
    using Result = std::variant<Json, Later>;
    using Function = std::function<Result(const Arguments &)>; // may throw Denied and Failed

    // What becomes of a request that names a node.
    using Elsewhere = std::function<Result(const std::string &node, const std::string &command,
                                           const Arguments &args, const std::string &by)>;

    void add(const std::string &name, Function function) {
        functions_[name] = {std::move(function), false};
    }
    // An order changes something: the log has one line of it, with what became of it and whose it was.
    void add_order(const std::string &name, Function function) {
        functions_[name] = {std::move(function), true};
    }
    void set_elsewhere(Elsewhere elsewhere) { elsewhere_ = std::move(elsewhere); }

    // One request on its way: nothing, or once its reply. Whatever was asked, it never throws.
    using Reply = std::function<std::optional<std::string>()>;
    Reply begin(std::string_view request);
    // The same for a command from within: {"ok": ...} as above, and not counted.
    Later run(const std::string &name, const Arguments &args, const std::string &by);

    Json counters() const;

    static constexpr std::size_t kLongest = 4096; // bytes of a request

  private:
    Later decide(std::string_view request);
    void count(const Json &reply);

    struct Known {
        Function function;
        bool is_order = false;
    };
    std::map<std::string, Known> functions_;
    Elsewhere elsewhere_;
    std::uint64_t answered_ = 0;
    std::map<std::string, std::uint64_t> refused_{
        {"failed", 0}, {"malformed", 0}, {"refused", 0}, {"too_long", 0}, {"unknown_command", 0}};
};

} // namespace agent
