// SPDX-License-Identifier: Apache-2.0
//
// Commands are a table: name, arguments, function, help. Nouns read, verbs change. What reads asks
// the agent for its status and shows a part of it.
#include "agent/nlbctl.hpp"

#include "agent/config.hpp"
#include "agent/control.hpp"
#include "agent/control_client.hpp"
#include "agent/endpoint.hpp"
#include "agent/program.hpp"
#include "agent/render.hpp"
#include "agent/version.hpp"
#include "agent/watch.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <thread>

namespace agent {
namespace {

using namespace std::chrono_literals;

struct Call { // one invocation: what was asked for, and where the answer goes
    explicit Call(std::ostream &stream) : out(stream) {}

    std::string run_dir = kDefaultRunDir;
    bool json = false;
    std::vector<std::string> arguments; // of the command, those that were given
    bool wait = false;
    std::optional<int> timeout; // seconds
    std::string flags;          // of explain: syn, ack, or left out
    int interval = 1;           // of watch, in seconds
    std::chrono::milliseconds patience = 2s; // until the agent answers
    bool colour = false;
    std::ostream &out;
};

// The agent said no: it has to be in another state, or be another node's.
struct Refusal : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Usage : std::runtime_error {
    using std::runtime_error::runtime_error;
};

Json request(const Call &call, const std::string &command) {
    const Json question{{"command", command}, {"args", call.arguments}};
    const Json reply = Json::parse(
        ask(call.run_dir, question.dump(-1, ' ', false, Json::error_handler_t::replace),
            call.patience),
        nullptr, false);
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

void explain(const Call &call) {
    const auto &args = call.arguments;
    if ((args[0] != "tcp" && args[0] != "udp") || !parse_endpoint(args[1]) ||
        !parse_endpoint(args[2]))
        throw Usage("explain: expected tcp or udp and two of 192.0.2.1:80 or [fd00::1]:80");
    if (!call.flags.empty() && args[0] != "tcp") throw Usage("explain: --flags are TCP's");
    Call asked = call;
    if (!call.flags.empty()) asked.arguments.push_back(call.flags);
    const Json explanation = request(asked, "explain");
    call.out << (call.json ? explanation.dump(2) + "\n" : render_explanation(explanation));
}

void events(const Call &call) {
    const Json events = request(call, "events");
    call.out << (call.json ? events.dump(2) + "\n" : render_events(events, call.colour));
}

// Only the local agent is asked: of the others it tells what it knows, and that is not their rates.
void watch_live(const Call &call) {
    if (call.json) throw Usage("watch: is for people; programs ask for: nlbctl --json status");
    Call brief = call;
    brief.patience = 500ms; // q is not to wait for an agent that hangs
    const auto ask = [&brief](int &self) {
        const Json status = request(brief, "status");
        self = status["node"]["id"];
        return Samples{{self, Sample{status, std::chrono::steady_clock::now()}}};
    };
    watch(ask, std::chrono::seconds(call.interval), call.colour);
}

void start(const Call &call) { request(call, "start"); }

// Returns when the node is out: it is a matter of milliseconds, or of one lease when others are
// dead.
void stop(const Call &call) {
    constexpr auto kPatience = 5s;
    request(call, "stop");
    Call again = call;
    again.arguments.clear();
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (request(again, "status")["state"] != "stopped") {
        if (std::chrono::steady_clock::now() > deadline)
            throw std::runtime_error("stop: asked for, but not done after 5 s; see nlbctl status");
        std::this_thread::sleep_for(5ms);
    }
}

// Shows what is left whenever that has changed, until the node is out.
void wait_for_drain(const Call &call) {
    Call again = call;
    again.arguments.clear();
    for (std::string shown;; std::this_thread::sleep_for(50ms)) {
        const Json status = request(again, "status");
        const std::string now = status["state"];
        const std::string text = status["reason"].is_null() ? now : std::string(status["reason"]);
        if (text != shown) call.out << text << std::endl;
        shown = text;
        if (now == "stopped") return;
        if (now == "active") throw std::runtime_error("drain: cancelled by start");
    }
}

void drain(const Call &call) {
    Call asked = call;
    if (call.timeout) {
        asked.arguments.resize(1); // "": this node
        asked.arguments.push_back(std::to_string(*call.timeout));
    }
    request(asked, "drain");
    if (call.wait) wait_for_drain(call);
}

void keygen(const Call &call) {
    if (call.arguments.empty())
        call.out << generate_key() << "\n";
    else
        write_new_key(call.arguments[0]);
}

void check(const Call &call) { call.out << to_toml(load_config(call.arguments[0])); }

struct Command {
    const char *name;
    const char *argument; // its name; nullptr: takes none
    int least, most;      // how many
    void (*function)(const Call &);
    const char *help;
};

constexpr Command kCommands[] = {
    {"status", nullptr, 0, 0, status,
     "This node, all members, the rules and the packets at a glance"},
    {"members", nullptr, 0, 0, members, "Every configured node: state, weight, share, last heard"},
    {"rules", nullptr, 0, 0, rules,
     "The port rules, and how many buckets of each this node serves"},
    {"counters", nullptr, 0, 0, counters, "Packets, beats and commands by what became of them"},
    {"events", nullptr, 0, 0, events, "What has changed in the cluster, the newest first"},
    {"explain", "FLOW", 3, 3, explain, "Whose a flow is, and why"},
    {"watch", nullptr, 0, 0, watch_live, "Status and rates, live, on the whole terminal"},
    {"start", "NODE", 0, 1, start, "Take part in the cluster again"},
    {"stop", "NODE", 0, 1, stop, "Leave the cluster; the agent stays"},
    {"drain", "NODE", 0, 1, drain,
     "Take no new connections, let the old ones end, then stop; start cancels"},
    {"keygen", "FILE", 0, 1, keygen,
     "Print a new cluster key, or write it to a new file (mode 0600)"},
    {"check", "FILE", 1, 1, check, "Check a configuration file and print what it amounts to"},
};

const std::map<std::string, std::string> kArgumentHelp = {
    {"FLOW", "PROTO SRC:PORT VIP:PORT, as in: tcp 192.0.2.7:40000 192.0.2.100:80"},
    {"NODE", "Name or id; left out: the local node"},
    {"FILE", "A path"},
};

void add_drain_options(CLI::App &command, Call &call) {
    command.add_flag("--wait", call.wait, "Show what is left until the node is out");
    command.add_option("--timeout", call.timeout, "Stop after so many seconds, whatever is left")
        ->check(CLI::Range(0, 604800));
}

void add_explain_options(CLI::App &command, Call &call) {
    command
        .add_option("--flags", call.flags,
                    "Of a TCP packet: syn opens a connection (the default), ack belongs to one")
        ->check(CLI::IsMember({"syn", "ack"}));
}

void add_watch_options(CLI::App &command, Call &call) {
    command.add_option("--interval", call.interval, "Seconds between two looks")
        ->capture_default_str()
        ->check(CLI::Range(1, 3600));
}

int run(const Command &command, const Call &call, std::ostream &err) {
    const auto fail = [&](const std::string &error, ExitCode code) {
        err << error_line("nlbctl", error, call.arguments.empty() ? "" : call.arguments[0]);
        return code;
    };
    try {
        command.function(call);
        return kDone;
    } catch (const NoAgent &error) {
        return fail(error.what(), kNoAgent);
    } catch (const Refusal &error) {
        return fail(error.what(), kRefused);
    } catch (const Usage &error) {
        return fail(error.what(), kUsage);
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
        if (command.function == drain) add_drain_options(*sub, call);
        if (command.function == explain) add_explain_options(*sub, call);
        if (command.function == watch_live) add_watch_options(*sub, call);
        if (!command.argument) continue;
        sub->add_option(command.argument, call.arguments, kArgumentHelp.at(command.argument))
            ->expected(command.least, command.most)
            ->required(command.least > 0);
    }
    try {
        app.parse(std::vector<std::string>(args.rbegin(), args.rend())); // taken from the back
    } catch (const CLI::ParseError &error) {
        return app.exit(error, out, err) == 0 ? kDone : kUsage;
    }
    return run(*chosen.at(app.get_subcommands().front()), call, err);
}

} // namespace agent
