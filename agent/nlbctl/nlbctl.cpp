// SPDX-License-Identifier: Apache-2.0
//
// Commands are a table: name, arguments, function, help. Nouns read, verbs change. What reads asks
// the agent for its status and shows a part of it.
#include "agent/nlbctl/nlbctl.hpp"

#include "agent/base/endpoint.hpp"
#include "agent/base/exit.hpp"
#include "agent/base/random.hpp"
#include "agent/base/version.hpp"
#include "agent/config/config.hpp"
#include "agent/config/key.hpp"
#include "agent/config/pushed.hpp"
#include "agent/control/arguments.hpp"
#include "agent/control/client.hpp"
#include "agent/control/local.hpp"
#include "agent/host/privileges.hpp"
#include "agent/nlbctl/capture.hpp"
#include "agent/nlbctl/doctor.hpp"
#include "agent/nlbctl/nodes.hpp"
#include "agent/nlbctl/push.hpp"
#include "agent/nlbctl/render.hpp"
#include "agent/nlbctl/watch.hpp"
#include "agent/nlbctl/words.hpp"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

namespace agent {
namespace {

using namespace std::chrono_literals;

struct Call { // one invocation: what was asked for, and where the answer goes
    Call(std::ostream &stream, std::ostream &errors) : out(stream), err(errors) {}

    std::string command;
    std::string run_dir = kDefaultRunDir;
    bool json = false;
    std::vector<std::string> arguments; // of the command, those that were given
    bool wait = false;
    std::optional<int> timeout;              // seconds
    std::string flags;                       // of explain: syn, ack, or left out
    int interval = 1;                        // of watch, in seconds
    std::chrono::milliseconds patience = 2s; // until the agent answers
    bool colour = false;
    bool foreign = false, accepted = false; // of capture, as the four that follow
    std::string file;
    std::optional<std::string> node; // of doctor
    std::optional<std::uint64_t> count;
    std::optional<int> seconds;
    void (*key_step)(const std::string &file) = write_new_key; // of keygen
    std::ostream &out, &err;
};

// Nodes that have not done it, a line each; what --json prints has been printed.
struct NotDone : std::runtime_error {
    NotDone(ExitCode why, std::vector<std::string> each)
        : std::runtime_error("not done on every node"), code(why), lines(std::move(each)) {}
    ExitCode code;
    std::vector<std::string> lines;
};

struct Usage : std::runtime_error {
    using std::runtime_error::runtime_error;
};

Json request(const Call &call, const std::string &command) {
    return ask_agent(call.run_dir, {{"command", command}, {"args", call.arguments}}, call.patience);
}

using Render = std::string (*)(const Json &, bool);

void show(const Call &call, const char *part, Render render) {
    const Json status = request(call, "status");
    const Json &shown = part ? status.at(part) : status;
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

// Asks only the local agent, which does not know the other nodes' rates.
void watch_live(const Call &call) {
    if (call.json) throw Usage("watch: is for people; programs ask for: nlbctl --json status");
    Call brief = call;
    brief.patience = 500ms; // q is not to wait for an agent that hangs
    const auto ask = [&brief] {
        const Json status = request(brief, "status");
        return Sample{status, std::chrono::steady_clock::now()};
    };
    watch(ask, std::chrono::seconds(call.interval), call.colour);
}

void capture_packets(const Call &call) {
    if (call.foreign && call.accepted)
        throw Usage("capture: --foreign or --accepted, not both; without either, all packets");
    CaptureOrder order;
    order.run_dir = call.run_dir;
    order.file = call.file;
    order.count = call.count;
    order.seconds = call.seconds;
    order.json = call.json;
    Call brief = call;
    brief.patience = 200ms; // packets come in meanwhile
    const char *what = call.foreign ? "foreign" : call.accepted ? "accepted" : "everything";
    const std::string who = std::to_string(getpid()) + "/" + std::to_string(random_bits());
    const auto ask = [&](bool looking) {
        brief.arguments = {looking ? what : "nothing", who};
        return request(brief, "capture");
    };
    capture(order, ask, call.out, call.err);
}

// What became of a command. Throws NotDone, with a line for each node that has not done it.
void report(const Call &call, const NodeCommand &command, const Json &given) {
    if (call.json) call.out << given.dump(2) << "\n";
    if (const ExitCode code = exit_code(given)) throw NotDone(code, complaints(given, command));
}

void give_to(const Call &call, Commands::Arguments args, const std::string &node) {
    const NodeCommand command{call.command, std::move(args), node};
    report(call, command, give(call.run_dir, command));
}

std::string argument(const Call &call, std::size_t place) {
    return place < call.arguments.size() ? call.arguments[place] : "";
}

// [NODE]. What takes a node out of the cluster returns when it is out.
void order(const Call &call) { give_to(call, {}, argument(call, 0)); }

void show_reloaded(const Call &call, const Json &given) {
    for (const Json &node : given.at("nodes")) {
        if (call.json || node.at("code") != "done") continue;
        const Json &result = node.at("result");
        call.out << std::string(node.at("name")) << ": "
                 << (result.at("in_force") ? in_force_text(result) : waiting_text(result)) << "\n";
    }
}

// What --file came to: see push.hpp.
void push_file(const Call &call) {
    const std::string text = read_to_push(call.file); // as the calling user
    become_owner_of(control_path(call.run_dir), {});
    const Json given =
        push({call.run_dir, call.file, argument(call, 0), call.json}, text, call.out);
    const std::string step = given.at("command");
    if (step == "reload") show_reloaded(call, given);
    for (const Json &name : given.at("restored"))
        call.err << "nlbctl: " << std::string(name) << ": has its former file again\n";
    for (const Json &name : given.at("passed_over"))
        call.err << "nlbctl: " << std::string(name) << ": is dead; when it is back: nlbctl reload "
                 << std::string(name) << " --file " << call.file << "\n";
    report(call, {step, {}, argument(call, 0)}, given);
    if (!given.at("passed_over").empty()) throw NotDone(kFailed, {});
}

// [NODE]
void reload(const Call &call) {
    if (!call.file.empty()) return push_file(call);
    become_owner_of(control_path(call.run_dir), {});
    const NodeCommand command{call.command, {}, argument(call, 0)};
    const Json given = give(call.run_dir, command);
    show_reloaded(call, given);
    report(call, command, given);
}

// RULE [NODE]
void order_rule(const Call &call) { give_to(call, {argument(call, 0)}, argument(call, 1)); }

// NODE N|default
void weight(const Call &call) {
    try {
        parse_weight({argument(call, 1)});
    } catch (const Failed &error) {
        throw Usage(error.what());
    }
    give_to(call, {argument(call, 1)}, argument(call, 0));
}

void drain(const Call &call) {
    Commands::Arguments args;
    if (call.timeout) args.push_back(std::to_string(*call.timeout));
    give_to(call, args, argument(call, 0));
    std::ostringstream unseen; // with --json the one object is all there is
    if (call.wait) wait_for_drain(call.run_dir, argument(call, 0), call.json ? unseen : call.out);
}

void keygen(const Call &call) {
    if (call.key_step != write_new_key && call.arguments.empty())
        throw Usage("keygen: name the file, as in: nlbctl keygen --next /etc/nlb/cluster.key");
    if (!call.arguments.empty()) {
        call.key_step(call.arguments[0]);
        if (call.json) call.out << Json{{"file", call.arguments[0]}}.dump(2) << "\n";
        return;
    }
    const std::string key = generate_key();
    call.out << (call.json ? Json{{"key", key}}.dump(2) : key) << "\n";
}

void check(const Call &call) {
    const std::string toml = to_toml(load_config(call.arguments[0]));
    if (!call.json)
        call.out << toml;
    else
        call.out << Json{{"file", call.arguments[0]}, {"effective", toml}}.dump(2) << "\n";
}

void see_doctor(const Call &call) {
    const std::string config = call.file.empty() ? "/etc/nlb/cluster.toml" : call.file;
    const DoctorOrder order{call.run_dir, config, call.node, call.json, call.colour};
    if (const ExitCode code = doctor(order, call.out)) throw NotDone(code, {});
}

void accept(const Call &call) {
    accept_config(call.arguments[0], call.arguments[1]);
    if (call.json) call.out << Json{{"file", call.arguments[1]}}.dump(2) << "\n";
}

const std::map<std::string, std::string> kArgumentHelp = {
    {"FILE", "A path"},
    {"PUSHED", "What the agent has been sent: pushed.toml in its state directory"},
    {"N|default", "0 to 100, or what the configuration says"},
    {"NODE", "Name, id or all; default, where there is one: the local node"},
    {"PROTO", "tcp or udp"},
    {"RULE", "Its name, or VIP:PORT of a rule of this virtual IP alone"},
    {"SRC", "SRC:PORT, such as 192.0.2.7:40000 or [2001:db8::7]:40000"},
    {"VIP", "VIP:PORT, such as 192.0.2.100:80"},
};

void add_drain_options(CLI::App &command, Call &call) {
    command.add_flag("--wait", call.wait, "Show what is left until the node is out");
    command.add_option("--timeout", call.timeout, "Stop after this many seconds, whatever is left")
        ->check(CLI::Range(0, 604800));
}

void add_explain_options(CLI::App &command, Call &call) {
    command
        .add_option("--flags", call.flags,
                    "Of a TCP packet: syn opens a connection (the default), ack belongs to one")
        ->check(CLI::IsMember({"syn", "ack"}));
}

void add_capture_options(CLI::App &command, Call &call) {
    command.add_flag("--foreign", call.foreign,
                     "Only what is dropped because another node serves it");
    command.add_flag("--accepted", call.accepted, "Only what is let in");
    command.add_option("-w,--write", call.file,
                       "To this new file, as Wireshark reads it; -: to standard output");
    command.add_option("--count", call.count, "End after this many packets")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000'000}));
    command.add_option("--seconds", call.seconds, "End after this many seconds")
        ->check(CLI::Range(1, 604800));
}

void add_reload_options(CLI::App &command, Call &call) {
    command.add_option("--file", call.file,
                       "First this file takes the place of the configuration, on each of these nodes or on none");
}

void add_keygen_options(CLI::App &command, Call &call) {
    const auto add = [&](const char *name, void (*step)(const std::string &), const char *help) {
        const auto take = [&call, step] { call.key_step = step; };
        return command.add_flag_callback(name, take, help);
    };
    CLI::Option *next =
        add("--next", add_next_key, "Add a second key, which is accepted from the next reload on");
    CLI::Option *use = add("--use", use_next_key, "Use that one from the next reload on");
    add("--drop", drop_other_key, "Keep the key in use alone")->excludes(next, use);
    use->excludes(next);
}

void add_doctor_options(CLI::App &command, Call &call) {
    command.add_option("--config", call.file, "Where no agent runs: the configuration that it would read");
    command.add_option("--node", call.node, "Likewise: which node this host is; default: by its name");
}

void add_watch_options(CLI::App &command, Call &call) {
    command.add_option("--interval", call.interval, "Seconds between two looks")
        ->capture_default_str()
        ->check(CLI::Range(1, 3600));
}

// Whose words a command reads. nlbctl reads or writes a file as the calling user; capture begins
// with a file, and then becomes the agent's user itself.
enum class Reads { agent, file, file_then_agent };

struct Command {
    const char *name;
    const char *arguments; // their names
    int least;             // how many of them are required
    void (*function)(const Call &);
    const char *help;
    void (*add_options)(CLI::App &command, Call &call) = nullptr;
    Reads reads = Reads::agent;
};

constexpr Command kCommands[] = {
    {"doctor", "", 0, see_doctor, "What is wrong with the cluster and its network, and what to do", add_doctor_options,
     Reads::file_then_agent},
    {"status", "", 0, status, "This node, all members, the rules and the packets at a glance"},
    {"members", "", 0, members, "Every configured node: state, weight, share, last heard"},
    {"rules", "", 0, rules, "The port rules, and how many buckets of each this node serves"},
    {"counters", "", 0, counters, "Packets, beats and commands by what became of them"},
    {"events", "", 0, events, "What has changed in the cluster, the newest first"},
    {"explain", "PROTO SRC VIP", 3, explain, "Which node owns a flow, and why", add_explain_options},
    {"watch", "", 0, watch_live, "Status and rates, live, on the whole terminal", add_watch_options},
    {"capture", "", 0, capture_packets,
     "The packets that come to this node, each with its verdict, to a file or as lines", add_capture_options,
     Reads::file_then_agent},
    {"start", "NODE", 0, order, "Take part in the cluster again"},
    {"stop", "NODE", 0, order, "Leave the cluster until start; the agent stays"},
    {"drain", "NODE", 0, drain,
     "Take no new connections, let the old ones end, then stop; start cancels", add_drain_options},
    {"suspend", "NODE", 0, order, "Leave the cluster and accept nothing but resume"},
    {"resume", "NODE", 0, order, "Undo suspend: return to the state before it"},
    {"enable", "RULE NODE", 1, order_rule, "Serve a rule again, after disable or drain-rule"},
    {"disable", "RULE NODE", 1, order_rule,
     "Drop everything of a rule at once, open connections too"},
    {"drain-rule", "RULE NODE", 1, order_rule,
     "Take no new connections of a rule, let the old ones go on"},
    {"reload", "NODE", 0, reload,
     "Read the configuration again; in force when every member has the same", add_reload_options,
     Reads::file_then_agent},
    {"weight", "NODE N|default", 2, weight, "Change a node's share of the clients"},
    {"keygen", "FILE", 0, keygen,
     "Print a new cluster key, or write it to a new file (mode 0600), or change the key in a file", add_keygen_options,
     Reads::file},
    {"check", "FILE", 1, check, "Check a configuration file and print what it amounts to",
     nullptr, Reads::file},
    {"accept", "PUSHED FILE", 2, accept,
     "For nlbd-config.service: put a file that was sent to the agent in the place of the configuration", nullptr,
     Reads::file},
};

void add_arguments(CLI::App &sub, const Command &command, Call &call) {
    std::istringstream names(command.arguments);
    const auto take = [&call](const std::string &given) { call.arguments.push_back(given); };
    std::string name;
    for (int place = 0; names >> name; ++place)
        sub.add_option_function<std::string>(name, take, kArgumentHelp.at(name))
            ->required(place < command.least);
}

// Rather than take the variable of a script that is not set for "the local node".
void refuse_empty(const Call &call) {
    if (call.run_dir.empty()) throw Usage("--run-dir: is empty");
    if (std::ranges::count(call.arguments, ""))
        throw Usage(call.command + ": an argument is empty; is a variable not set?");
}

int run(const Command &command, const Call &call, std::ostream &err) {
    const auto fail = [&](const std::string &error, int code) {
        err << error_line("nlbctl", error, call.arguments.empty() ? "" : call.arguments[0]);
        return code;
    };
    try {
        start_cryptography();
        refuse_empty(call);
        if (command.reads == Reads::agent) become_owner_of(control_path(call.run_dir), {});
        command.function(call);
        if (!call.out.flush()) throw std::runtime_error("write the output: it accepts no more data");
        return kDone;
    } catch (const NoAgent &error) {
        return fail(error.what(), kNoAgent);
    } catch (const Denied &error) {
        return fail(error.what(), kRefused);
    } catch (const NotDone &error) {
        for (const std::string &line : error.lines)
            fail(line, error.code);
        return error.code;
    } catch (const Usage &error) {
        return fail(error.what(), kUsage);
    } catch (const Json::exception &) { // a key is missing, or of another kind
        return fail(UnknownReply().what(), kFailed);
    } catch (const std::exception &error) {
        return fail(error.what(), kFailed);
    }
}

} // namespace

int run_nlbctl(const std::vector<std::string> &args, std::ostream &out, std::ostream &err,
               bool colour) {
    Call call{out, err};
    call.colour = colour;
    CLI::App app{"Looks at a node of an nlbd cluster and changes what it does", "nlbctl"};
    app.set_version_flag("--version", "nlbctl " + std::string(kVersion));
    app.add_option("--run-dir", call.run_dir, "The agent's run directory")->capture_default_str();
    app.add_flag("--json", call.json, "Print JSON, whatever the command but watch");
    app.require_subcommand(1);
    app.fallthrough(); // options before or after the command
    std::map<const CLI::App *, const Command *> chosen;
    for (const Command &command : kCommands) {
        CLI::App *sub = app.add_subcommand(command.name, command.help);
        chosen[sub] = &command;
        if (command.add_options) command.add_options(*sub, call);
        add_arguments(*sub, command, call);
    }
    try {
        app.parse(std::vector<std::string>(args.rbegin(), args.rend())); // taken from the back
    } catch (const CLI::ParseError &error) {
        if (const auto unknown = app.remaining();
            app.get_subcommands().empty() && !unknown.empty() && !unknown[0].starts_with("-")) {
            err << error_line("nlbctl", unknown[0] + ": no such command; see nlbctl --help", "");
            return kUsage;
        }
        return app.exit(error, out, err) == 0 ? kDone : kUsage;
    }
    const Command &command = *chosen.at(app.get_subcommands().front());
    call.command = command.name;
    return run(command, call, err);
}

} // namespace agent
