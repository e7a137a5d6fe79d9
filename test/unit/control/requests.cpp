// SPDX-License-Identifier: Apache-2.0
// The control plane: requests of every kind, on the real socket in a temporary directory.
#include "agent/control/client.hpp"
#include "agent/control/commands.hpp"
#include "agent/control/local.hpp"

#include "test/unit/control/server.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

using agent::Json;
using agent_test::ControlServer;
using agent_test::TemporaryDirectory;
using namespace std::chrono_literals;

agent::Commands echo() {
    agent::Commands commands;
    commands.add("echo", [](const auto &args) { return Json(args); });
    commands.add("slow", [](const auto &) -> agent::Commands::Result {
        return agent::Commands::Later{[left = 20]() mutable -> std::optional<Json> {
            return left-- > 0 ? std::nullopt : std::optional(Json("at last"));
        }};
    });
    commands.add("throw", [](const auto &) -> Json { throw std::runtime_error("a kernel's no"); });
    commands.add("refuse", [](const auto &) -> Json { throw agent::Denied("not now"); });
    return commands;
}

std::string answer(agent::Commands &commands, std::string_view request) {
    return commands.begin(request)().value(); // at once
}

std::string code(agent::Commands &commands, std::string_view request) {
    return Json::parse(answer(commands, request)).value("code", "ok");
}

} // namespace

BOOST_AUTO_TEST_SUITE(control_requests)

BOOST_AUTO_TEST_CASE(every_bad_request_gets_its_reason_and_is_counted) {
    agent::Commands commands = echo();
    const std::string deep(4000, '[');
    for (std::string_view malformed :
         {"", "\0", "{", "[]", "7", "null", "\"status\"", "{}", R"({"command":7})", "\xff\xfe\xfd",
          R"({"command":"echo","args":"x"})", R"({"command":"echo","args":[1]})",
          R"({"command":"echo","node":1})", R"({"args":[]})"})
        BOOST_TEST(code(commands, malformed) == "malformed", malformed);
    BOOST_TEST(code(commands, deep) == "malformed");
    BOOST_TEST(code(commands, std::string(agent::Commands::kLongest + 1, ' ')) == "too_long");
    BOOST_TEST(code(commands, R"({"command":"reboot"})") == "unknown_command");
    BOOST_TEST(code(commands, R"({"command":"refuse"})") == "refused");
    BOOST_TEST(code(commands, R"({"command":"throw"})") == "failed");
    BOOST_TEST(code(commands, R"({"command":"echo","args":["a"]})") == "ok");
    const Json counters = commands.counters();
    BOOST_TEST(counters["malformed"] == 15);
    BOOST_TEST(counters["too_long"] == 1);
    BOOST_TEST(counters["unknown_command"] == 1);
    BOOST_TEST(counters["refused"] == 1);
    BOOST_TEST(counters["answered"] == 1);
}

BOOST_AUTO_TEST_CASE(a_reply_is_valid_text_even_when_the_request_was_not) {
    agent::Commands commands = echo();
    const std::string reply = answer(commands, "{\"command\":\"\xc3\x28\"}");
    BOOST_TEST(!Json::parse(reply, nullptr, false).is_discarded());
}

BOOST_AUTO_TEST_CASE(a_command_that_takes_its_time_is_asked_until_it_is_done_and_counted_once) {
    agent::Commands commands = echo();
    const auto reply = commands.begin(R"({"command":"slow"})");
    for (int turn = 0; turn < 20; ++turn)
        BOOST_TEST(!reply());
    BOOST_TEST(commands.counters()["answered"] == 0);
    BOOST_TEST(Json::parse(reply().value())["result"] == "at last");
    BOOST_TEST(commands.counters()["answered"] == 1);
}

BOOST_AUTO_TEST_CASE(a_request_that_names_a_node_goes_elsewhere_if_there_is_such_a_command) {
    agent::Commands commands = echo();
    commands.set_elsewhere([](const auto &node, const auto &command, const auto &args, const auto &) {
        if (node == "web9") throw agent::Denied("no such node");
        return Json{node, command, args};
    });
    BOOST_TEST(Json::parse(
                   answer(commands, R"({"command":"echo","args":["a"],"node":"all"})"))["result"] ==
               Json::parse(R"(["all","echo",["a"]])"));
    BOOST_TEST(code(commands, R"({"command":"echo","node":"web9"})") == "refused");
    BOOST_TEST(code(commands, R"({"command":"reboot","node":"all"})") == "unknown_command");
}

BOOST_AUTO_TEST_CASE(a_slow_command_holds_up_nobody_on_the_socket) {
    TemporaryDirectory dir;
    const ControlServer server(dir.path, echo());
    std::thread slow([&] {
        BOOST_TEST(Json::parse(agent::ask(dir.path, R"({"command":"slow"})", 30s))["ok"] == true);
    });
    for (int i = 0; i < 5; ++i)
        BOOST_TEST(Json::parse(agent::ask(dir.path, R"({"command":"echo"})", 30s))["ok"] == true);
    slow.join();
}

BOOST_AUTO_TEST_CASE(a_request_over_the_socket_is_answered) {
    TemporaryDirectory dir;
    const ControlServer server(dir.path, echo());
    const Json reply = Json::parse(agent::ask(dir.path, R"({"command":"echo","args":["a","b"]})"));
    BOOST_TEST(reply["result"] == Json({"a", "b"}));
}

BOOST_AUTO_TEST_CASE(the_socket_is_roots_alone_and_is_gone_afterwards) {
    TemporaryDirectory dir;
    const std::string path = agent::control_path(dir.path);
    {
        agent::Control control(dir.path);
        struct stat about {};
        BOOST_REQUIRE(stat(path.c_str(), &about) == 0);
        BOOST_TEST((about.st_mode & 0777) == 0600u);
    }
    BOOST_TEST(access(path.c_str(), F_OK) != 0);
}

BOOST_AUTO_TEST_CASE(garbage_bytes_and_clients_that_vanish_hold_up_nobody) {
    TemporaryDirectory dir;
    const ControlServer server(dir.path, echo());
    const std::string path = agent::control_path(dir.path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    for (int i = 0; i < 50; ++i) {
        const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        BOOST_REQUIRE(connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
        const std::string garbage(1000, static_cast<char>(i * 5));
        send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL);
        close(fd);
    }
    for (int i = 0; i < 20; ++i)
        try {
            agent::ask(dir.path, R"({"command":"echo"})", 0ms); // and does not wait for the answer
        } catch (const agent::NoAgent &) {
        }
    BOOST_TEST(Json::parse(agent::ask(dir.path, R"({"command":"echo"})", 10s))["ok"] == true);
}

BOOST_AUTO_TEST_CASE(a_run_dir_too_long_for_a_socket_is_named) {
    const std::string dir = "/tmp/" + std::string(120, 'x');
    BOOST_CHECK_EXCEPTION(agent::Control{dir}, std::runtime_error, [&](const auto &error) {
        const std::string text = error.what();
        return text.find(dir) != text.npos && text.find("--run-dir") != text.npos;
    });
}

BOOST_AUTO_TEST_CASE(a_run_dir_that_is_not_there_is_named) {
    BOOST_CHECK_EXCEPTION(
        agent::Control{"/nonexistent/nlb"}, std::runtime_error, [](const auto &error) {
            return std::string(error.what()).find("/nonexistent/nlb/control") != std::string::npos;
        });
}

BOOST_AUTO_TEST_CASE(nobody_listening_and_nobody_answering_are_both_told_in_time) {
    TemporaryDirectory dir;
    BOOST_CHECK_THROW(agent::ask(dir.path, "{}"), agent::NoAgent);
    agent::Control control(dir.path); // listens, and is never served
    BOOST_CHECK_THROW(agent::ask(dir.path, "{}", 100ms), agent::NoAgent);
}

BOOST_AUTO_TEST_SUITE_END()
