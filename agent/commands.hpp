// SPDX-License-Identifier: Apache-2.0
//
// Requests of the control plane: {"command": NAME, "args": [TEXT...]} in, {"ok": true, "result":
// ...} or
// {"ok": false, "code": CODE, "error": TEXT} out. Every request is counted, each refused one by its
// code.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace agent {

using Json = nlohmann::ordered_json;

// A command that is understood and not done: it names another node, or the state does not allow it.
struct Refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A command that was tried, or whose arguments make no sense.
struct Failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Commands {
  public:
    using Function =
        std::function<Json(const std::vector<std::string> &args)>; // may throw Refused and Failed

    void add(const std::string &name, Function function) { functions_[name] = std::move(function); }
    std::string answer(std::string_view request);
    Json counters() const;

    static constexpr std::size_t kLongest = 4096; // bytes of a request

  private:
    Json decide(std::string_view request);
    Json run(const std::string &name, const std::vector<std::string> &args);

    std::map<std::string, Function> functions_;
    std::uint64_t answered_ = 0;
    std::map<std::string, std::uint64_t> refused_{
        {"failed", 0}, {"malformed", 0}, {"refused", 0}, {"too_long", 0}, {"unknown_command", 0}};
};

} // namespace agent
