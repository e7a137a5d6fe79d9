// SPDX-License-Identifier: Apache-2.0
// The web server without the network: what may be asked, who has to go, how the loop is asked, and
// that the page and its policy belong together.
#include "agent/web/callers.hpp"
#include "agent/web/documents.hpp"
#include "agent/web/hosts.hpp"
#include "agent/web/mailbox.hpp"
#include "agent/web/server.hpp"

#include <boost/test/unit_test.hpp>

#include <netinet/in.h>
#include <poll.h>

#include <atomic>
#include <memory>
#include <thread>

namespace {

using namespace std::chrono_literals;
using agent::Document;

std::size_t occurrences(std::string_view text, std::string_view word) {
    std::size_t count = 0;
    for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1))
        ++count;
    return count;
}

std::string network(const char *text) {
    const agent::Endpoint endpoint = *agent::parse_endpoint("[" + std::string(text) + "]:1");
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    std::copy(endpoint.address.bytes.begin(), endpoint.address.bytes.end(),
              address.sin6_addr.s6_addr);
    return agent::network_of(reinterpret_cast<const sockaddr *>(&address));
}

} // namespace

BOOST_AUTO_TEST_SUITE(web)

BOOST_AUTO_TEST_CASE(four_documents_and_nothing_else) {
    const struct {
        const char *method, *path;
        bool body;
        unsigned code;
    } table[] = {
        {"GET", "/", false, 200},
        {"HEAD", "/", false, 200},
        {"GET", "/metrics", false, 200},
        {"GET", "/status.json", false, 200},
        {"GET", "/events.json", false, 200},
        {"GET", "/metrics/", false, 404},
        {"GET", "", false, 404},
        {"GET", "//", false, 404},
        {"GET", "/../etc/passwd", false, 404},
        {"GET", "/favicon.ico", false, 404},
        {"POST", "/", true, 405},
        {"DELETE", "/metrics", false, 405},
        {"get", "/", false, 405},
        {"OPTIONS", "/status.json", false, 405},
        {"POST", "/nothing", true, 404},
        {"GET", "/metrics", true, 413},
    };
    for (const auto &[method, path, body, code] : table) {
        const agent::Route found = agent::route({method, path, body});
        BOOST_TEST(found.code == code, method << " " << path);
        BOOST_TEST(found.document.has_value() == (code == 200), method << " " << path);
    }
    BOOST_TEST((agent::route({"GET", "/events.json"}).document == Document::events));
    BOOST_TEST(agent::media_type(Document::metrics).starts_with("text/plain; version=0.0.4"));
}

BOOST_AUTO_TEST_CASE(only_addresses_and_own_names_are_answered_for) {
    const std::vector<std::string> names{"web1", "status.example.net"};
    for (const char *host : {"192.0.2.1", "192.0.2.1:9777", "[fd00::1]:9777", "[fd00::1]", "localhost", "LOCALHOST:80",
                             "web1", "WEB1:9777", "status.example.net", "status.example.net.", "web1:"})
        BOOST_TEST(agent::may_ask_as(host, names), host);
    for (const char *host : {"", ":", ":80", "example.net", "web1.example.net", "web11", "web", "localhost.example.net",
                             "192.0.2.1.example.net", "[web2]", "web1:80:80", "web1:x", "..", "[", "]", "[]"})
        BOOST_TEST(!agent::may_ask_as(host, names), host);
    BOOST_TEST(agent::route({"GET", "/", false, false}).code == 421u);
}

BOOST_AUTO_TEST_CASE(who_holds_the_most_makes_room_and_of_those_who_was_silent_longest) {
    agent::WebCallers callers;
    agent::WebCaller *only = callers.opened("a", 1);
    std::vector<agent::WebCaller *> many;
    for (int i = 0; i < 31; ++i)
        many.push_back(callers.opened("b", 100 + i));
    BOOST_TEST(!callers.evict());
    callers.answered(*many[0]);
    callers.opened("c", 2);
    const agent::WebCaller *victim = callers.evict();
    BOOST_TEST_REQUIRE(victim);
    BOOST_TEST(victim->socket == 101);
    BOOST_TEST(!callers.evict()); // once for each
    callers.closed(many[1]);
    callers.closed(many[0]);
    callers.closed(only);
    BOOST_TEST(callers.ended().pushed_out == 1u);
    BOOST_TEST(callers.ended().answered == 1u);
    BOOST_TEST(callers.ended().silent == 1u);
    BOOST_TEST(callers.open() == 30u);
}

BOOST_AUTO_TEST_CASE(callers_are_counted_by_network) {
    BOOST_TEST(network("2001:db8:1::1") == network("2001:db8:1::ffff"));
    BOOST_TEST(network("2001:db8:1::1") != network("2001:db8:2::1"));
    BOOST_TEST(network("::ffff:192.0.2.1") != network("::ffff:192.0.2.2"));
    BOOST_TEST(network("::ffff:192.0.2.1").size() == 4u);
}

BOOST_AUTO_TEST_CASE(a_question_gets_its_own_answer_however_late_the_former_came) {
    agent::Mailbox questions;
    BOOST_TEST(!questions.ask('a', 1ms)); // no reader
    questions.answer([](char what) { return std::string(1, what); }); // too late
    std::atomic<bool> stop = false;
    std::thread answering([&] {
        while (!stop) {
            pollfd waiting{questions.descriptor(), POLLIN, 0};
            poll(&waiting, 1, 5);
            questions.answer([](char what) { return std::string(100'000, what); });
        }
    });
    for (const char what : {'b', 'c', 'd'}) {
        const auto text = questions.ask(what, 10s);
        BOOST_TEST_REQUIRE(text.has_value());
        BOOST_TEST((*text == std::string(100'000, what)));
    }
    stop = true;
    answering.join();
    for (int i = 0; i < 20'000; ++i) // more than a pipe holds: none of them waits
        questions.ask('e', 0ms);
    BOOST_TEST(!questions.ask('f', 0ms));
}

BOOST_AUTO_TEST_CASE(who_waits_is_told_that_nobody_will_answer) {
    agent::Mailbox questions;
    const auto began = std::chrono::steady_clock::now();
    std::thread asking([&] {
        BOOST_TEST(!questions.ask('a', 1h));
        BOOST_TEST(!questions.ask('b', 1h));
    });
    questions.stop();
    asking.join();
    BOOST_TEST((std::chrono::steady_clock::now() - began < 1h));
}

BOOST_AUTO_TEST_CASE(the_page_is_whole_and_its_policy_lets_nothing_else_in) {
    const std::string_view page = agent::status_page();
    BOOST_TEST(page.starts_with("<!doctype html>"));
    BOOST_TEST(page.ends_with("</html>\n"));
    BOOST_TEST(page.size() < 35'000u);
    for (const char *element : {"<style>", "</style>", "<script>", "</script>"})
        BOOST_TEST(occurrences(page, element) == 1u, element);
    for (const char *never : {"style=", "onclick", "innerHTML", "src=", "@import", "url(", "eval("})
        BOOST_TEST(occurrences(page, never) == 0u, never);
    const std::string policy = agent::content_security_policy();
    BOOST_TEST(policy.starts_with("default-src 'none'; connect-src 'self'; "));
    BOOST_TEST(occurrences(policy, "'sha256-") == 2u);
    BOOST_TEST(occurrences(policy, "unsafe") == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
