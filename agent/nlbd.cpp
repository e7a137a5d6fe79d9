// SPDX-License-Identifier: Apache-2.0
// The command line of the agent, and the one place where a failed start becomes one line.
#include "agent/nlbd.hpp"

#include "agent/agent.hpp"
#include "agent/base/exit.hpp"
#include "agent/base/version.hpp"
#include "agent/config/key.hpp"
#include "agent/report/service_manager.hpp"

#include <CLI/CLI.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <stdexcept>

namespace agent {
namespace {

struct CommandLine {
    AgentOptions options;
    bool check = false;
    std::string file; // of --check FILE
};

void describe(CLI::App &app, CommandLine &line) {
    app.set_version_flag("--version", "nlbd " + std::string(kVersion));
    app.add_option("--config", line.options.config_file,
                   "The configuration, the same on every node")
        ->capture_default_str();
    app.add_option("--node", line.options.node, "Which node this is; default: the one with the host's name");
    app.add_option("--run-dir", line.options.run_dir, "Control socket and pinned tables")
        ->capture_default_str();
    app.add_option("--state-dir", line.options.state_dir,
                   "Orders that outlive a reboot; default: /var/lib/nlb, "
                   "or RUN_DIR/state with --run-dir");
    const std::map<std::string, log::Level> levels = {
        {"error", log::Level::error}, {"warning", log::Level::warning}, {"info", log::Level::info}};
    app.add_option_function<std::string>(
           "--log-level", [&line, levels](const auto &word) { line.options.log_level = levels.at(word); },
           "What is logged: error, warning and above, or all; default: as the configuration says")
        ->check(CLI::IsMember(levels));
    app.add_option("--user", line.options.user,
                   "Become this user once configuration and key are read");
    CLI::Option *check =
        app.add_flag("--check", line.check, "Check the configuration, print it, end");
    app.add_option("FILE", line.file, "The configuration to check")->needs(check);
}

// The usual limit, 1,024, is for programs that use select(). Here, connections that strangers make
// must not take the last descriptor from the agent itself (see control/port.hpp, which bounds
// them).
void raise_descriptor_limit() {
    constexpr rlim_t kEnough = 16384;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kEnough) return;
    limit.rlim_cur = std::min(limit.rlim_max, kEnough);
    setrlimit(RLIMIT_NOFILE, &limit);
}

// The cluster key is in the memory of the process.
void forbid_core_dumps() {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

} // namespace

int run_nlbd(const std::vector<std::string> &args, std::ostream &out, std::ostream &err) {
    CommandLine line;
    CLI::App app{"One node of a load-balancing cluster without a director", "nlbd"};
    describe(app, line);
    try {
        app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
    } catch (const CLI::ParseError &error) {
        return app.exit(error, out, err) == 0 ? kDone : kUsage;
    }
    std::string &file = line.options.config_file;
    if (!line.file.empty()) file = line.file;
    try {
        start_cryptography();
        if (line.check) {
            if (!(out << to_toml(load_config(file))).flush())
                throw std::runtime_error("write the output: it accepts no more data");
            return kDone;
        }
        raise_descriptor_limit();
        forbid_core_dumps();
        std::signal(SIGPIPE, SIG_IGN); // a reader of the log that went away
        Agent agent(line.options);
        agent.run();
        return kDone;
    } catch (const std::exception &error) {
        err << error_line("nlbd", error.what(), file) << std::flush;
        if (!line.check) wait_before_restart();
        return kFailed;
    }
}

} // namespace agent
