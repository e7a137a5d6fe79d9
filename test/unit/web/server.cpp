// SPDX-License-Identifier: Apache-2.0
// The web server on this machine's loopback, with a loop that answers, does not, or cannot.
#include "agent/web/server.hpp"

#include "filter/descriptor.hpp"

#include <boost/test/unit_test.hpp>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace {

using agent::Document;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

filter::Descriptor make_socket() { return filter::Descriptor(socket(AF_INET, SOCK_STREAM, 0)); }

agent::Endpoint free_endpoint() {
    const filter::Descriptor probe = make_socket();
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    BOOST_TEST_REQUIRE(bind(probe.get(), reinterpret_cast<sockaddr *>(&address), size) == 0);
    getsockname(probe.get(), reinterpret_cast<sockaddr *>(&address), &size);
    return {*filter::parse_ip("127.0.0.1"), ntohs(address.sin_port)};
}

std::string ask(const agent::Endpoint &where, const std::string &request) {
    const filter::Descriptor client = make_socket();
    const sockaddr_in address = loopback(where.port);
    BOOST_TEST_REQUIRE(
        connect(client.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
    send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
    std::string answer(1 << 20, '\0');
    std::size_t size = 0;
    for (ssize_t got = 1; got > 0; size += static_cast<std::size_t>(std::max<ssize_t>(got, 0)))
        got = recv(client.get(), answer.data() + size, answer.size() - size, 0);
    answer.resize(size);
    return answer;
}

std::string get(const agent::Endpoint &where, const std::string &path) {
    return ask(where, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
}

bool has(const std::string &text, const std::string &part) { return text.find(part) != text.npos; }

// The agent's loop, as far as the server is concerned.
class Loop {
  public:
    Loop(agent::WebServer &server, std::function<std::string(Document)> make)
        : thread_([this, &server, make] {
              while (!stop_) {
                  pollfd waiting{server.descriptor(), POLLIN, 0};
                  poll(&waiting, 1, 5);
                  server.answer(make);
              }
          }) {}
    ~Loop() {
        stop_ = true;
        thread_.join();
    }

  private:
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(web_server)

BOOST_AUTO_TEST_CASE(documents_come_from_the_loop_and_the_page_from_nobody) {
    const agent::Endpoint where = free_endpoint();
    agent::WebServer server(where);
    BOOST_TEST(has(get(where, "/"), "<!doctype html>")); // before there is a loop
    const Loop loop(server, [](Document which) {
        return which == Document::metrics ? "x 1\n" : which == Document::status ? "{}" : "[]";
    });
    BOOST_TEST(has(get(where, "/status.json"), "\r\n\r\n{}"));
    BOOST_TEST(has(get(where, "/events.json"), "\r\n\r\n[]"));
    const std::string metrics = get(where, "/metrics");
    BOOST_TEST(has(metrics, "\r\n\r\nx 1\n"));
    BOOST_TEST(has(metrics, "nlbd_http_requests_total{code=\"200\"}"));
    BOOST_TEST(has(metrics, "process_resident_memory_bytes"));
}

BOOST_AUTO_TEST_CASE(a_loop_that_does_not_answer_is_told_as_such) {
    const agent::Endpoint where = free_endpoint();
    agent::WebServer server(where);
    const std::string answer = get(where, "/status.json");
    BOOST_TEST(answer.starts_with("HTTP/1.1 503 "));
    BOOST_TEST(has(answer, "Retry-After: 1"));
    const Loop loop(server, [](Document) -> std::string { throw std::runtime_error("no"); });
    BOOST_TEST(get(where, "/metrics").starts_with("HTTP/1.1 503 "));
}

BOOST_AUTO_TEST_CASE(one_document_is_made_once_for_many) {
    const agent::Endpoint where = free_endpoint();
    agent::WebServer server(where);
    std::atomic<int> made = 0;
    const Loop loop(server, [&](Document) { return std::to_string(++made); });
    std::string many;
    for (int i = 0; i < 200; ++i)
        many += "GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const std::string answer =
        ask(where, many + "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    BOOST_TEST(has(answer, "\r\n\r\n1HTTP/1.1 200 "));
    BOOST_TEST(made < 100);
}

BOOST_AUTO_TEST_CASE(a_page_from_elsewhere_reads_nothing) {
    const agent::Endpoint where = free_endpoint();
    agent::WebServer server(where, {"web1"});
    const auto page = [&](const std::string &host) {
        return ask(where, "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
    };
    BOOST_TEST(page("web1:9777").starts_with("HTTP/1.1 200 "));
    const std::string refused = page("elsewhere.example.net");
    BOOST_TEST(refused.starts_with("HTTP/1.1 421 "));
    BOOST_TEST(has(refused, "names in [metrics]"));
}

BOOST_AUTO_TEST_CASE(an_address_in_use_is_named) {
    const agent::Endpoint where = free_endpoint();
    const agent::WebServer server(where);
    try {
        const agent::WebServer second(where);
        BOOST_ERROR("two servers at one address");
    } catch (const std::runtime_error &error) {
        BOOST_TEST(error.what() == "listen on " + agent::to_string(where) +
                                       " for metrics: Address already in use");
    }
}

BOOST_AUTO_TEST_SUITE_END()
