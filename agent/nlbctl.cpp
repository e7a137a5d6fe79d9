// SPDX-License-Identifier: Apache-2.0
//
// Commands are a table: name, arguments, function, help. Nouns read, verbs change. What reads asks
// the agent for its status and shows a part of it.
#include "agent/nlbctl.hpp"

#include "agent/config.hpp"
#include "agent/control_client.hpp"
#include "agent/program.hpp"
#include "agent/render.hpp"
#include "agent/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <thread>

namespace agent {
namespace {

using namespace std::chrono_literals;

struct Call { // one invocation: what was asked for, and where the answer goes
    explicit Call(std::ostream &stream) : out(stream) {}

    std::string run_dir = "/run/nlb";
    bool json = false;
    std::string argument; // empty: not given
    bool colour = false;
    std::ostream &out;
};

// The agent said no: it has to be in another state, or be another node's.
struct Refusal : std::runtime_error {
    using std::runtime_error::runtime_error;
};

Json request(const Call &call, const std::string &command) {
    Json question{{"command", command}, {"args", Json::array()}};
    if (!call.argument.empty()) question["args"].push_back(call.argument);
    const Json reply = Json::parse(
        ask(call.run_dir, question.dump(-1, ' ', false, Json::error_handler_t::replace)), nullptr,
        false);
    if (!reply.is_object() || !reply.contains("ok"))
        throw std::runtime_error("read the agent's reply: not what an agent of this version sends");
    if (reply["ok"]) return reply["result"];
    if (reply["code"] == "refused") throw Refusal(reply["error"]);
    throw std::runtime_error(reply["error"]);
}

using Render = std::string (*)(const Json &, bool);

void show(const Call &call, const char *part, Render render) {
    const Json status = request(call, "status");
    const Json &shown = part ? status[part] : status;
    call.out << (call.json ? shown.dump(2) + "\n" : render(status, call.colour));
}

void status(const Call &call) { show(call, nullptr, render_status); }
void members(const Call &call) { show(call, "members", render_members); }
void rules(const Call &call) { show(call, "rules", render_rules); }
void counters(const Call &call) { show(call, "counters", render_counters); }

void start(const Call &call) { request(call, "start"); }

// Returns when the node is out: it is a matter of milliseconds, or of one lease when others are
// dead.
void stop(const Call &call) {
    constexpr auto kPatience = 5s;
    request(call, "stop");
    Call again = call;
    again.argument.clear();
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (request(again, "status")["state"] != "stopped") {
        if (std::chrono::steady_clock::now() > deadline)
            throw std::runtime_error("stop: asked for, but not done after 5 s; see nlbctl status");
        std::this_thread::sleep_for(5ms);
    }
}

void keygen(const Call &call) {
    if (call.argument.empty())
        call.out << generate_key() << "\n";
    else
        write_new_key(call.argument);
}

void check(const Call &call) { call.out << to_toml(load_config(call.argument)); }

struct Command {
    const char *name;
    const char *argument; // its name in the help; nullptr: takes none
    bool required;
    void (*function)(const Call &);
    const char *help;
};

constexpr Command kCommands[] = {
    {"status", nullptr, false, status,
     "This node, all members, the rules and the packets at a glance"},
    {"members", nullptr, false, members, "Every configured node: state, weight, share, last heard"},
    {"rules", nullptr, false, rules,
     "The port rules, and how many buckets of each this node serves"},
    {"counters", nullptr, false, counters, "Packets, beats and commands by what became of them"},
    {"start", "NODE", false, start, "Take part in the cluster again"},
    {"stop", "NODE", false, stop, "Leave the cluster; the agent stays"},
    {"keygen", "FILE", false, keygen,
     "Print a new cluster key, or write it to a new file with mode 0600"},
    {"check", "FILE", true, check, "Check a configuration file and print what it amounts to"},
};

int run(const Command &command, const Call &call, std::ostream &err) {
    const auto fail = [&](const std::string &error, ExitCode code) {
        err << error_line("nlbctl", error, call.argument);
        return code;
    };
    try {
        command.function(call);
        return kDone;
    } catch (const NoAgent &error) {
        const bool usual = call.run_dir == Call(call.out).run_dir;
        return fail(std::string(error.what()) + "; start one with: nlbd --config FILE" +
                        (usual ? "" : " --run-dir " + call.run_dir),
                    kNoAgent);
    } catch (const Refusal &error) {
        return fail(error.what(), kRefused);
    } catch (const std::exception &error) {
        return fail(error.what(), kFailed);
    }
}

} // namespace

int run_nlbctl(const std::vector<std::string> &args, std::ostream &out, std::ostream &err,
               bool colour) {
    Call call{out};
    call.colour = colour;
    CLI::App app{"Looks at a node of an nlbd cluster and changes what it does", "nlbctl"};
    app.set_version_flag("--version", "nlbctl " + std::string(kVersion));
    app.add_option("--run-dir", call.run_dir, "The agent's run directory")->capture_default_str();
    app.add_flag("--json", call.json, "Print JSON where the command reads");
    app.require_subcommand(1);
    app.fallthrough(); // options before or after the command
    std::map<const CLI::App *, const Command *> chosen;
    for (const Command &command : kCommands) {
        CLI::App *sub = app.add_subcommand(command.name, command.help);
        chosen[sub] = &command;
        if (!command.argument) continue;
        CLI::Option *option = sub->add_option(command.argument, call.argument);
        if (command.required) option->required();
    }
    try {
        app.parse(std::vector<std::string>(args.rbegin(), args.rend())); // taken from the back
    } catch (const CLI::ParseError &error) {
        return app.exit(error, out, err) == 0 ? kDone : kUsage;
    }
    return run(*chosen.at(app.get_subcommands().front()), call, err);
}

} // namespace agent
