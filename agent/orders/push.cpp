// SPDX-License-Identifier: Apache-2.0
#include "agent/orders/push.hpp"

#include "agent/base/failure.hpp"
#include "agent/base/file.hpp"
#include "agent/config/pushed.hpp"
#include "agent/config/toml.hpp"
#include "filter/descriptor.hpp"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Time;

constexpr Time kDiskPatience = 7s;  // of the command
constexpr Time kRootPatience = 5s;  // with the service that has the right
constexpr auto kGlance = 20ms;

void hand_to_root(const std::string &file, const std::string &text, const std::string &state_dir, const Opener &open_file) {
    const std::string pushed = state_dir + "/pushed.toml", draft = pushed + ".new";
    const filter::Descriptor made(
        open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!made) fail("write " + draft);
    if (const int cause = replace_synced(pushed, draft, made.get(), text); cause != 0)
        fail("write " + pushed, cause);
    const auto until = std::chrono::steady_clock::now() + kRootPatience;
    while (read_toml(file, open_file) != text) {
        if (std::chrono::steady_clock::now() > until)
            throw std::runtime_error("write " + file + ": the agent's user may not, and nlbd-config.service has not "
                                     "taken it over; see systemctl status nlbd-config.path nlbd-config.service");
        std::this_thread::sleep_for(kGlance);
    }
}

// Runs in the background. Returns what the file held before.
std::string put(const std::string &file, const std::string &text, const std::string &state_dir, const Opener &open_file) {
    const std::string former = read_toml(file, open_file);
    if (former == text) return former;
    try {
        replace_config(file, text);
    } catch (const std::system_error &error) {
        const int cause = error.code().value();
        if (cause != EACCES && cause != EPERM && cause != EROFS) throw;
        hand_to_root(file, text, state_dir, open_file);
    }
    return former;
}

} // namespace

void Push::add_to(Commands &commands) {
    commands.add_order("push", [this](const auto &args) { return push(args); });
    commands.add("configuration", [this](const auto &) { return configuration(); });
}

Commands::Result Push::push(const Commands::Arguments &args) {
    parts_.execution.refuse_orders();
    const std::string step = args.empty() ? "" : args[0];
    if (step == "undo" && args.size() == 1) {
        if (!former_) throw Denied("no file has been pushed to this agent");
        return write(*former_);
    }
    if ((step != "check" && step != "write") || args.size() != 2)
        throw Failed("push: expected check TEXT, write TEXT or undo");
    check(args[1]);
    return step == "check" ? Commands::Result(Json::object()) : write(args[1]);
}

void Push::check(const std::string &text) const {
    const Config next = parse_pushed(parts_.in_force.config, text);
    if (const std::string why = parts_.reload.obstacle(next); !why.empty()) throw Failed(why);
}

// One file at a time. An outcome whose command has ended is dropped.
void Push::require_idle() {
    if (!writing_.busy()) return;
    if (!writer_.expired()) throw Denied("another file is being written");
    try {
        if (writing_.finished()) return;
    } catch (const std::exception &) { // it could not be written
        return;
    }
    throw Denied("another file is being written");
}

Commands::Result Push::write(const std::string &text) {
    require_idle();
    writing_.begin([file = parts_.in_force.config.file, text, state_dir = parts_.state_dir, open_file = parts_.open] {
        return put(file, text, state_dir, open_file);
    });
    const auto writer = std::make_shared<Time>(parts_.now() + kDiskPatience);
    writer_ = writer;
    return [this, writer]() -> std::optional<Json> {
        if (auto former = writing_.finished()) {
            former_ = std::move(former);
            return Json{{"file", parts_.in_force.config.file}};
        }
        if (parts_.now() >= *writer)
            throw Failed(parts_.in_force.config.file + ": its disk does not answer; see which file is there");
        return std::nullopt;
    };
}

Json Push::configuration() const {
    const Config &config = parts_.in_force.config;
    std::istringstream text(to_toml(config));
    Json lines = Json::array(); // nlbctl takes no text with control characters
    for (std::string line; std::getline(text, line);)
        lines.push_back(line);
    return {{"file", config.file}, {"effective", lines}};
}

} // namespace agent
