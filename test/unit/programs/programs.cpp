// SPDX-License-Identifier: Apache-2.0
// nlbctl in this process, against an agent that is a table of replies.
#include "test/unit/control/server.hpp"
#include "test/unit/nlbctl/example_status.hpp"

#include "agent/base/version.hpp"
#include "agent/nlbctl/nlbctl.hpp"
#include "agent/nlbd.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using agent::Json;
using agent_test::ControlServer;
using agent_test::example_status;
using agent_test::TemporaryDirectory;

struct Result {
    int code;
    std::string out, err;
};

template <class Program>
Result call(Program program, const std::vector<std::string> &args) {
    std::ostringstream out, err;
    const int code = program(args, out, err);
    return {code, out.str(), err.str()};
}

Result nlbctl(const std::vector<std::string> &args) {
    return call([](auto &a, auto &o, auto &e) { return agent::run_nlbctl(a, o, e); }, args);
}

Result nlbd(const std::vector<std::string> &args) { return call(agent::run_nlbd, args); }

std::string example_configuration() {
    return std::string(std::getenv("NLBD_SOURCE_DIR")) + "/etc/cluster.toml";
}

agent::Commands example_commands() {
    agent::Commands commands;
    auto stopped = std::make_shared<bool>(false);
    commands.add("status", [stopped](const auto &) {
        Json status = example_status();
        if (*stopped) status["state"] = "stopped";
        return status;
    });
    commands.add("events", [](const auto &) {
        return Json::parse(R"([{"at": "2026-11-24T13:27:32.125Z", "ago_ms": 5, "kind": "view",
            "text": "view 1.1: web1 added", "view": {"term": 1, "number": 1}, "took_ms": 8.25, "overtaken": false}])");
    });
    commands.add("explain", [](const auto &args) { return Json{{"asked", args}}; });
    for (const char *verb : {"start", "resume", "suspend", "enable", "disable", "drain-rule"})
        commands.add(verb, [stopped, verb = std::string(verb)](const auto &args) {
            if (verb == "start") *stopped = false;
            if (verb == "suspend") throw agent::Failed("write orders: No space left on device");
            return Json(args);
        });
    commands.add("weight", [](const auto &args) { return Json(args); });
    commands.add("drain", [stopped](const auto &args) {
        *stopped = args == std::vector<std::string>{"7"};
        return Json::object();
    });
    commands.add("stop", [stopped](const auto &) {
        *stopped = true;
        return Json::object();
    });
    commands.add("reload", [](const auto &) {
        return Json{{"in_force", false},
                    {"waiting_for", {"web2", "web3"}},
                    {"staged_another", Json::array()}};
    });
    commands.add("state", [stopped](const auto &) {
        return Json{{"state", *stopped ? "stopped" : "active"}, {"connections", 0}};
    });
    return commands;
}

// Nodes 1, here; 2, suspended; 3, dead.
agent::Commands::Result elsewhere(agent::Commands &here, const std::string &node,
                                  const std::string &command,
                                  const agent::Commands::Arguments &args) {
    Json nodes = Json::array();
    if (node.empty() || node == "web1" || node == "1" || node == "all") {
        Json entry{{"id", 1}, {"name", "web1"}};
        entry.update(here.run(command, args, "")().value());
        nodes.push_back(entry);
    }
    const auto other = [&](int id, const char *code, const char *error) {
        const std::string name = "web" + std::to_string(id);
        if (node == name || node == "all")
            nodes.push_back(
                {{"id", id}, {"name", name}, {"ok", false}, {"code", code}, {"error", error}});
    };
    other(2, "refused", "suspended: accepts nothing but resume");
    other(3, "no_answer", "does not answer within 1 s");
    if (nodes.empty()) throw agent::Denied(node + ": no such node in cluster web");
    return Json{{"nodes", nodes}};
}

agent::Commands example_agent() {
    agent::Commands commands = example_commands();
    commands.set_elsewhere([here = std::make_shared<agent::Commands>(commands)](
                               const auto &node, const auto &command, const auto &args, const auto &) {
        return elsewhere(*here, node, command, args);
    });
    return commands;
}

struct Agent {
    TemporaryDirectory dir;
    ControlServer server{dir.path, example_agent()};
    Result operator()(std::vector<std::string> args) const {
        args.insert(args.begin(), {"--run-dir", dir.path});
        return nlbctl(args);
    }
};

bool one_line(const std::string &text) {
    return !text.empty() && std::count(text.begin(), text.end(), '\n') == 1 && text.back() == '\n';
}

// nlohmann's operator== on ordered objects compares the order as well.
Json parsed(const std::string &text) { return Json::parse(text); }

} // namespace

BOOST_AUTO_TEST_SUITE(control_nlbctl)

BOOST_AUTO_TEST_CASE(nouns_read) {
    const Agent nlb;
    for (const char *noun : {"status", "members", "rules", "counters"}) {
        const Result result = nlb({noun});
        BOOST_TEST(result.code == 0, noun);
        BOOST_TEST(!result.out.empty(), noun);
        BOOST_TEST(result.err.empty(), noun);
    }
    BOOST_TEST(nlb({"status"}).out.find("cluster web") == 0u);
}

BOOST_AUTO_TEST_CASE(json_is_the_contract_with_its_keys_in_order) {
    const Agent nlb;
    BOOST_TEST(parsed(nlb({"--json", "status"}).out) == example_status());
    BOOST_TEST(parsed(nlb({"--json", "members"}).out) == example_status()["members"]);
    BOOST_TEST(parsed(nlb({"rules", "--json"}).out) == example_status()["rules"]);
    BOOST_TEST(parsed(nlb({"counters", "--json"}).out) == example_status()["counters"]);
    BOOST_TEST(nlb({"--json", "status"}).out == nlb({"status", "--json"}).out);
}

BOOST_AUTO_TEST_CASE(options_may_follow_the_command) {
    const Agent nlb;
    const Result result = nlbctl({"status", "--json", "--run-dir", nlb.dir.path});
    BOOST_TEST(result.code == 0);
    BOOST_TEST(parsed(result.out)["cluster"] == "web");
}

BOOST_AUTO_TEST_CASE(events_are_a_table_and_the_agents_own_json) {
    const Agent nlb;
    BOOST_TEST(nlb({"events"}).out.find("8.2 ms  view 1.1: web1 added\n") != std::string::npos);
    BOOST_TEST(parsed(nlb({"events", "--json"}).out)[0]["took_ms"] == 8.25);
}

BOOST_AUTO_TEST_CASE(explain_passes_on_the_flags_of_tcp) {
    const Agent nlb;
    const std::vector<std::string> flow{"1.2.3.4:5", "192.0.2.100:80"};
    const auto asked = [&](std::vector<std::string> args) {
        args.insert(args.begin(), {"explain", "--json"});
        return parsed(nlb(args).out)["asked"];
    };
    BOOST_TEST(asked({"tcp", flow[0], flow[1]}) == Json({"tcp", flow[0], flow[1]}));
    BOOST_TEST(asked({"tcp", flow[0], flow[1], "--flags", "ack"}) ==
               Json({"tcp", flow[0], flow[1], "ack"}));
    BOOST_TEST(asked({"--flags", "syn", "tcp", flow[0], flow[1]}) ==
               Json({"tcp", flow[0], flow[1], "syn"}));
}

BOOST_AUTO_TEST_CASE(watch_needs_a_terminal) {
    const Agent nlb;
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) return; // it would go on for ever
    const Result result = nlb({"watch"});
    BOOST_TEST(result.code == 1);
    BOOST_TEST(result.err == "nlbctl: watch: needs a terminal; without one use: nlbctl status\n");
}

BOOST_AUTO_TEST_CASE(verbs_change) {
    const Agent nlb;
    BOOST_TEST(nlb({"stop"}).code == 0);
    BOOST_TEST(parsed(nlb({"status", "--json"}).out)["state"] == "stopped");
    BOOST_TEST(nlb({"start"}).code == 0);
    BOOST_TEST(parsed(nlb({"status", "--json"}).out)["state"] == "active");
    BOOST_TEST(nlb({"stop", "web1"}).code == 0);
}

BOOST_AUTO_TEST_CASE(a_drain_that_is_waited_for_shows_what_is_left_and_fails_when_it_is_cancelled) {
    const Agent nlb;
    BOOST_TEST(nlb({"drain"}).code == 0);
    BOOST_TEST(nlb({"drain"}).out.empty());
    const Result cancelled = nlb({"drain", "--wait"}); // the agent is still active
    BOOST_TEST(cancelled.code == 1);
    BOOST_TEST(one_line(cancelled.err), cancelled.err);
    const Result timed = nlb({"drain", "--timeout", "7", "--wait"});
    BOOST_TEST(timed.code == 0);
    BOOST_TEST(timed.out == "stopped\n");
    const Result named = nlb({"drain", "web1", "--timeout", "7", "--wait"});
    BOOST_TEST(named.out == "web1: stopped\n");
    BOOST_TEST(nlb({"drain", "web2", "--timeout", "7"}).code == 4);
}

BOOST_AUTO_TEST_CASE(each_node_that_has_not_done_it_is_named_and_the_exit_code_says_so) {
    const Agent nlb;
    const Result refused = nlb({"stop", "web2"});
    BOOST_TEST(refused.code == 4);
    BOOST_TEST(refused.out.empty());
    BOOST_TEST(refused.err == "nlbctl: stop: web2: suspended: accepts nothing but resume\n");
    const Result dead = nlb({"stop", "web3"});
    BOOST_TEST(dead.code == 1);
    BOOST_TEST(dead.err == "nlbctl: stop: web3: does not answer within 1 s\n");
    const Result all = nlb({"start", "all"});
    BOOST_TEST(all.code == 1);
    BOOST_TEST(all.err == refused.err.substr(0, 8) + "start" + refused.err.substr(12) +
                              "nlbctl: start: web3: does not answer within 1 s\n");
    const Result full = nlb({"suspend"});
    BOOST_TEST(full.code == 1);
    BOOST_TEST(full.err == "nlbctl: suspend: write orders: No space left on device\n");
    const Result nobody = nlb({"stop", "web9"});
    BOOST_TEST(nobody.code == 4);
    BOOST_TEST(nobody.err == "nlbctl: web9: no such node in cluster web\n");
}

BOOST_AUTO_TEST_CASE(reload_says_for_each_node_what_holds_there_and_who_is_missing) {
    const Agent nlb;
    BOOST_TEST(nlb({"reload"}).out == "web1: staged; waits for web2, web3\n");
    const Result all = nlb({"reload", "all"});
    BOOST_TEST(all.code == 1);
    BOOST_TEST(all.out == "web1: staged; waits for web2, web3\n");
    BOOST_TEST(all.err == "nlbctl: reload: web2: suspended: accepts nothing but resume\n"
                          "nlbctl: reload: web3: does not answer within 1 s\n");
    BOOST_TEST(parsed(nlb({"reload", "--json"}).out)["nodes"][0]["result"] == Json::parse(R"(
        {"in_force": false, "waiting_for": ["web2", "web3"], "staged_another": []})"));
}

BOOST_AUTO_TEST_CASE(json_of_a_verb_says_for_each_node_what_became_of_it) {
    const Agent nlb;
    BOOST_TEST(parsed(nlb({"stop", "--json"}).out) == Json::parse(R"(
        {"command": "stop", "nodes": [{"id": 1, "name": "web1", "code": "done", "error": null}]})"));
    const Result all = nlb({"--json", "weight", "all", "30"});
    BOOST_TEST(all.code == 1);
    BOOST_TEST(parsed(all.out) == Json::parse(R"(
        {"command": "weight", "nodes": [
            {"id": 1, "name": "web1", "code": "done", "error": null},
            {"id": 2, "name": "web2", "code": "refused", "error": "suspended: accepts nothing but resume"},
            {"id": 3, "name": "web3", "code": "no_answer", "error": "does not answer within 1 s"}]})"));
    BOOST_TEST(parsed(nlb({"--json", "drain", "--wait", "--timeout", "7"}).out)["command"] == "drain");
}

BOOST_AUTO_TEST_CASE(rules_and_weights_are_for_this_node_or_others) {
    const Agent nlb;
    for (const char *verb : {"enable", "disable", "drain-rule"}) {
        BOOST_TEST(nlb({verb, "http"}).code == 0, verb);
        BOOST_TEST(nlb({verb, "http", "web1"}).code == 0, verb);
        BOOST_TEST(nlb({verb, "192.0.2.100:80", "web2"}).code == 4, verb);
    }
    BOOST_TEST(nlb({"weight", "web1", "0"}).code == 0);
    BOOST_TEST(nlb({"weight", "1", "default"}).code == 0);
}

BOOST_AUTO_TEST_CASE(without_an_agent_it_ends_with_three_and_one_line) {
    const TemporaryDirectory dir;
    for (const char *command :
         {"status", "members", "rules", "counters", "events", "watch", "start", "stop", "drain",
          "suspend", "resume"}) {
        const Result result = nlbctl({"--run-dir", dir.path, command});
        BOOST_TEST(result.code == 3, command);
        BOOST_TEST(result.out.empty());
        BOOST_TEST(one_line(result.err), result.err);
        BOOST_TEST(result.err.find("nlbctl: no agent answers in " + dir.path +
                                   "; start one with: nlbd ") == 0u);
    }
}

BOOST_AUTO_TEST_CASE(a_run_dir_too_long_for_a_socket_fails_with_one_and_its_name) {
    const Result result = nlbctl({"--run-dir", "/tmp/" + std::string(200, 'y'), "status"});
    BOOST_TEST(result.code == 1);
    BOOST_TEST(one_line(result.err), result.err);
    BOOST_TEST(result.err.find("--run-dir") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(wrong_usage_ends_with_two) {
    for (const std::vector<std::string> &args : {std::vector<std::string>{},
                                                 {"reboot"},
                                                 {"stop", ""},
                                                 {"weight", "", "5"},
                                                 {"keygen", ""},
                                                 {"--run-dir", "", "status"},
                                                 {"capture", "--count", "0"},
                                                 {"status", "extra"},
                                                 {"--nonsense", "status"},
                                                 {"check"},
                                                 {"status", "members"},
                                                 {"stop", "a", "b"},
                                                 {"suspend", "a", "b"},
                                                 {"enable"},
                                                 {"disable", "a", "b", "c"},
                                                 {"weight", "web1"},
                                                 {"weight", "web1", "101"},
                                                 {"weight", "web1", "ten"},
                                                 {"drain", "--timeout"},
                                                 {"drain", "--timeout", "-1"},
                                                 {"drain", "--timeout", "soon"},
                                                 {"drain", "--timeout", "604801"},
                                                 {"stop", "--wait"},
                                                 {"--run-dir"},
                                                 {"watch", "--interval", "0"},
                                                 {"watch", "--json"},
                                                 {"explain", "tcp", "1.2.3.4:1", "1.2.3.4:1", "--flags", "fin"},
                                                 {"explain", "udp", "1.2.3.4:1", "1.2.3.4:1", "--flags", "ack"},
                                                 {"explain"},
                                                 {"explain", "tcp", "1.2.3.4:1"},
                                                 {"explain", "icmp", "1.2.3.4:1", "1.2.3.4:1"},
                                                 {"explain", "tcp", "1.2.3.4", "1.2.3.4:1"}}) {
        const Result result = nlbctl(args);
        BOOST_TEST(result.code == 2);
        BOOST_TEST(!result.err.empty());
        BOOST_TEST(result.out.empty());
    }
    BOOST_TEST(nlbd({"--nonsense"}).code == 2);
    BOOST_TEST(nlbd({"file.toml"}).code == 2); // only --check takes one
}

BOOST_AUTO_TEST_CASE(a_word_that_is_no_command_is_named) {
    BOOST_TEST(nlbctl({"reboot"}).err == "nlbctl: reboot: no such command; see nlbctl --help\n");
    BOOST_TEST(nlbctl({"capture", "--count", "0"}).err.size() < 200u);
    BOOST_TEST(nlbctl({"stop", ""}).err.find("a variable not set") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(output_that_is_not_taken_is_a_failure) {
    for (const char *command : {"keygen", "status"}) {
        const Agent nlb;
        std::ofstream full("/dev/full");
        std::ostringstream err;
        BOOST_TEST(agent::run_nlbctl({"--run-dir", nlb.dir.path, command}, full, err) == 1, command);
        BOOST_TEST(err.str() == "nlbctl: write the output: it accepts no more data\n");
    }
    std::ofstream full("/dev/full");
    std::ostringstream err;
    BOOST_TEST(agent::run_nlbd({"--check", example_configuration()}, full, err) == 1);
    BOOST_TEST(err.str() == "nlbd: write the output: it accepts no more data\n");
}

BOOST_AUTO_TEST_CASE(a_request_that_is_too_long_is_refused_here) {
    const Result result = Agent()({"disable", std::string(9000, 'x')});
    BOOST_TEST(result.code == 1);
    BOOST_TEST(result.err.find("at most 4096 bytes") != std::string::npos, result.err);
}

BOOST_AUTO_TEST_CASE(control_characters_do_not_reach_the_terminal) {
    const Result result = nlbctl({"\033[31mstop\177"});
    BOOST_TEST(result.err == "nlbctl: ?[31mstop?: no such command; see nlbctl --help\n");
}

BOOST_AUTO_TEST_CASE(help_and_version_are_the_same_twice) {
    for (const char *flag : {"--help", "--version"}) {
        BOOST_TEST(nlbctl({flag}).code == 0);
        BOOST_TEST(nlbctl({flag}).out == nlbctl({flag}).out);
        BOOST_TEST(nlbd({flag}).code == 0);
        BOOST_TEST(nlbd({flag}).out == nlbd({flag}).out);
    }
    BOOST_TEST(nlbctl({"--version"}).out == "nlbctl " + std::string(agent::kVersion) + "\n");
    BOOST_TEST(nlbd({"--version"}).out == "nlbd " + std::string(agent::kVersion) + "\n");
    for (const char *command :
         {"status", "members", "rules", "counters", "start", "stop", "drain", "suspend", "resume",
          "enable", "disable", "drain-rule", "weight", "keygen", "check"})
        BOOST_TEST(nlbctl({"--help"}).out.find(command) != std::string::npos, command);
}

BOOST_AUTO_TEST_CASE(help_of_a_command_names_each_of_its_arguments) {
    const auto usage = [](const std::string &command) {
        const std::string help = nlbctl({command, "--help"}).out;
        const std::size_t begin = help.find("Usage: ");
        return help.substr(begin, help.find('\n', begin) - begin);
    };
    BOOST_TEST(usage("stop") == "Usage: nlbctl stop [OPTIONS] [NODE]");
    BOOST_TEST(usage("disable") == "Usage: nlbctl disable [OPTIONS] RULE [NODE]");
    BOOST_TEST(usage("weight") == "Usage: nlbctl weight [OPTIONS] NODE N|default");
    BOOST_TEST(usage("explain") == "Usage: nlbctl explain [OPTIONS] PROTO SRC VIP");
}

BOOST_AUTO_TEST_CASE(json_of_keygen_and_check) {
    BOOST_TEST(parsed(nlbctl({"keygen", "--json"}).out)["key"].get<std::string>().size() == 64u);
    const TemporaryDirectory dir;
    const std::string file = dir.path + "/cluster.key";
    BOOST_TEST(parsed(nlbctl({"keygen", "--json", file}).out) == (Json{{"file", file}}));
    const std::string example = std::string(std::getenv("NLBD_SOURCE_DIR")) + "/etc/cluster.toml";
    BOOST_TEST(parsed(nlbctl({"--json", "check", example}).out)["effective"] ==
               nlbctl({"check", example}).out);
}

BOOST_AUTO_TEST_CASE(keygen_prints_one_line_or_writes_a_file_that_is_never_overwritten) {
    const Result first = nlbctl({"keygen"}), second = nlbctl({"keygen"});
    BOOST_TEST(first.code == 0);
    BOOST_TEST(one_line(first.out));
    BOOST_TEST(first.out != second.out);
    const TemporaryDirectory dir;
    const std::string file = dir.path + "/cluster.key";
    BOOST_TEST(nlbctl({"keygen", file}).code == 0);
    struct stat about {};
    BOOST_REQUIRE(stat(file.c_str(), &about) == 0);
    BOOST_TEST((about.st_mode & 07777) == 0600u);
    const Result again = nlbctl({"keygen", file});
    BOOST_TEST(again.code == 1);
    BOOST_TEST(one_line(again.err), again.err);
}

BOOST_AUTO_TEST_CASE(check_prints_what_checks_again_and_nlbd_says_the_same) {
    const std::string example = example_configuration();
    const Result result = nlbctl({"check", example});
    BOOST_TEST(result.code == 0, result.err);
    const TemporaryDirectory dir;
    std::ofstream(dir.path + "/again.toml") << result.out;
    BOOST_TEST(nlbctl({"check", dir.path + "/again.toml"}).out == result.out);
    BOOST_TEST(nlbd({"--check", example}).out == result.out);
    BOOST_TEST(nlbd({"--check", "--config", example}).out == result.out);
    BOOST_TEST(nlbd({"--config", example, "--check"}).out == result.out);
}

BOOST_AUTO_TEST_CASE(a_bad_configuration_fails_with_one_line_that_begins_with_its_place) {
    const TemporaryDirectory dir;
    const std::string file = dir.path + "/bad.toml";
    std::ofstream(file) << "[cluster]\nnaem = \"web\"\n";
    for (const Result &result :
         {nlbctl({"check", file}), nlbd({"--check", file}), nlbd({"--config", file})}) {
        BOOST_TEST(result.code == 1);
        BOOST_TEST(one_line(result.err), result.err);
        BOOST_TEST(result.err.find(file + ":2:1: ") == 0u, result.err);
    }
    for (const Result &result :
         {nlbctl({"check", dir.path + "/none"}), nlbd({"--config", dir.path + "/none"})}) {
        BOOST_TEST(result.code == 1);
        BOOST_TEST(one_line(result.err), result.err);
    }
}

BOOST_AUTO_TEST_SUITE_END()
