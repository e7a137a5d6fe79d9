// SPDX-License-Identifier: Apache-2.0
// Only this file uses libmicrohttpd. Everything except Questions belongs to its
// thread.
#include "agent/web/server.hpp"

#include "agent/base/endpoint.hpp"
#include "agent/base/failure.hpp"
#include "agent/web/callers.hpp"
#include "agent/web/documents.hpp"
#include "agent/web/hosts.hpp"
#include "agent/web/mailbox.hpp"
#include "agent/web/prometheus.hpp"

#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <map>
#include <stdexcept>

namespace agent {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Response = std::unique_ptr<MHD_Response, decltype(&MHD_destroy_response)>;

constexpr auto kFresh = 200ms;
constexpr auto kPatience = 1000ms; // a loop that takes longer is as good as none
constexpr unsigned kIdleSeconds = 10;
constexpr std::size_t kMemory = 16384; // for a request's line and headers
constexpr std::size_t kStack = 256 << 10;

Response make_response(std::string_view text, std::string_view type) {
    Response response(MHD_create_response_from_buffer(text.size(), const_cast<char *>(text.data()),
                                                      MHD_RESPMEM_MUST_COPY),
                      MHD_destroy_response);
    const auto add = [&](const char *name, const std::string &value) {
        MHD_add_response_header(response.get(), name, value.c_str());
    };
    add("Content-Type", std::string(type));
    add("Cache-Control", "no-store");
    add("X-Content-Type-Options", "nosniff");
    add("Referrer-Policy", "no-referrer");
    add("Cross-Origin-Resource-Policy", "same-origin");
    add("Content-Security-Policy",
        type.starts_with("text/html") ? content_security_policy() : "default-src 'none'");
    return response;
}

std::string_view explanation(unsigned code) {
    switch (code) {
    case 404:
        return "not found: there are /, /metrics, /status.json and /events.json\n";
    case 405:
        return "not allowed: everything here can be read and nothing be changed\n";
    case 413:
        return "too large: a request has no body\n";
    case 421:
        return "misdirected: ask by an address of this host, or add this name to names in [metrics]\n";
    default:
        return "unavailable: the agent does not answer now\n";
    }
}

// No path has escapes, and one with an escaped end of text would be cut there.
std::size_t leave_escaped(void *, MHD_Connection *, char *text) { return std::strlen(text); }

// A request without a Host does not come from a browser.
bool names_this_host(MHD_Connection *connection, const std::vector<std::string> &names) {
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    return !host || may_ask_as(host, names);
}

bool has_body(MHD_Connection *connection) {
    const auto header = [&](const char *name) {
        return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    };
    const char *length = header("Content-Length");
    return header("Transfer-Encoding") || (length && std::string_view(length) != "0");
}

constexpr int kWaiting = 32; // connections that have not been accepted yet

[[noreturn]] void cannot_listen(const Endpoint &endpoint) {
    fail("listen on " + to_string(endpoint) + " for metrics");
}

} // namespace

struct WebServer::Server {
    Server(const Endpoint &listen, std::vector<std::string> names);
    ~Server();

    static MHD_Result on_request(void *server, MHD_Connection *connection, const char *path,
                                 const char *method, const char *version, const char *upload,
                                 std::size_t *upload_size, void **seen);
    static void on_connection(void *server, MHD_Connection *connection, void **caller,
                              MHD_ConnectionNotificationCode what);

    MHD_Result answer(MHD_Connection *connection, const char *path, const char *method);
    MHD_Response *document(Document which); // null: the agent does not answer
    MHD_Response *failure(unsigned code);
    std::string own_metrics() const;
    void opened(MHD_Connection *connection, void **caller);

    struct Cached {
        Response response{nullptr, MHD_destroy_response}; // null: there was no answer
        Clock::time_point at{};                           // long ago
    };
    const std::vector<std::string> names;
    Mailbox questions;
    WebCallers callers;
    std::array<Cached, 4> documents;
    std::map<unsigned, Response> failures;
    std::map<unsigned, std::uint64_t> answered{{200, 0}, {404, 0}, {405, 0}, {413, 0}, {421, 0}, {503, 0}};
    MHD_Daemon *daemon = nullptr;
};

// The first call is for the headers: an answer given then ends the connection, so it is given only
// to a request whose body is not wanted.
MHD_Result WebServer::Server::on_request(void *server, MHD_Connection *connection, const char *path,
                                         const char *method, const char *, const char *,
                                         std::size_t *, void **seen) {
    const bool first = *seen == nullptr;
    *seen = server;
    if (first && !has_body(connection)) return MHD_YES;
    return static_cast<Server *>(server)->answer(connection, path, method);
}

void WebServer::Server::on_connection(void *server, MHD_Connection *connection, void **caller,
                                      MHD_ConnectionNotificationCode what) {
    auto &self = *static_cast<Server *>(server);
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        self.opened(connection, caller);
    else if (*caller)
        self.callers.closed(static_cast<WebCaller *>(*caller));
}

WebServer::Server::Server(const Endpoint &listen, std::vector<std::string> own_names) : names(std::move(own_names)) {
    const filter::Descriptor socket = listen_for_web(listen);
    const int copy = fcntl(socket.get(), F_DUPFD_CLOEXEC, 0); // is closed with the daemon
    daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, listen.port, nullptr, nullptr, on_request, this,
        MHD_OPTION_LISTEN_SOCKET, copy, MHD_OPTION_NOTIFY_CONNECTION, on_connection, this,
        MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(2 * WebCallers::kMost),
        MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMemory,
        MHD_OPTION_THREAD_STACK_SIZE, kStack, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, nullptr,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!daemon) throw std::runtime_error("serve " + to_string(listen) + ": no thread for it");
}

// The loop has ended: its thread is not to wait for an answer of it.
WebServer::Server::~Server() {
    questions.stop();
    MHD_stop_daemon(daemon);
}

void WebServer::Server::opened(MHD_Connection *connection, void **caller) {
    const auto *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    const int socket =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    *caller = callers.opened(network_of(address), socket);
    if (const WebCaller *victim = callers.evict())
        shutdown(victim->socket, SHUT_RDWR); // libmicrohttpd finds it ended
}

MHD_Result WebServer::Server::answer(MHD_Connection *connection, const char *path,
                                     const char *method) {
    Route asked = route({method, path, has_body(connection), names_this_host(connection, names)});
    MHD_Response *response = asked.document ? document(*asked.document) : nullptr;
    if (asked.document && !response) asked.code = 503;
    if (!response) response = failure(asked.code);
    ++answered[asked.code];
    const auto *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info && info->socket_context)
        callers.answered(*static_cast<WebCaller *>(info->socket_context));
    return MHD_queue_response(connection, asked.code, response);
}

MHD_Response *WebServer::Server::document(Document which) {
    Cached &cached = documents[static_cast<std::size_t>(which)];
    const auto age = Clock::now() - cached.at;
    const bool fixed = which == Document::page && cached.response;
    if (fixed || age < kFresh) return cached.response.get();
    std::optional<std::string> text = which == Document::page
                                          ? std::string(status_page())
                                          : questions.ask(static_cast<char>(which), kPatience);
    cached.at = Clock::now();
    cached.response.reset();
    if (!text || text->empty()) return nullptr;
    if (which == Document::metrics) *text += own_metrics();
    cached.response = make_response(*text, media_type(which));
    return cached.response.get();
}

MHD_Response *WebServer::Server::failure(unsigned code) {
    auto [known, is_new] = failures.try_emplace(code, Response{nullptr, MHD_destroy_response});
    if (!known->second) {
        known->second = make_response(explanation(code), "text/plain; charset=utf-8");
        if (code == 405) MHD_add_response_header(known->second.get(), "Allow", "GET, HEAD");
        if (code == 503) MHD_add_response_header(known->second.get(), "Retry-After", "1");
    }
    return known->second.get();
}

std::string WebServer::Server::own_metrics() const {
    MetricsText out;
    out.counter("nlbd_http_requests_total", "Requests to this address, by the answer's code.");
    for (const auto &[code, count] : answered)
        out.sample({{"code", std::to_string(code)}}, count);
    out.counter("nlbd_http_connections_total",
                "Connections that have ended: silent sent no valid request, pushed_out "
                "made room for another.");
    out.sample({{"result", "answered"}}, callers.ended().answered);
    out.sample({{"result", "silent"}}, callers.ended().silent);
    out.sample({{"result", "pushed_out"}}, callers.ended().pushed_out);
    out.gauge("nlbd_http_connections", "Open ones.");
    out.sample({}, std::uint64_t{callers.open()});
    add_process(out);
    return out.text();
}

WebServer::WebServer(const Endpoint &listen, std::vector<std::string> names)
    : server_(std::make_unique<Server>(listen, std::move(names))) {}
WebServer::~WebServer() = default;

int WebServer::descriptor() const { return server_->questions.descriptor(); }

void WebServer::answer(const std::function<std::string(Document)> &make) {
    server_->questions.answer([&](char which) -> std::string {
        try {
            return make(static_cast<Document>(which));
        } catch (const std::exception &) { // a kernel that refuses; the server says 503
            return {};
        }
    });
}

filter::Descriptor listen_for_web(const Endpoint &endpoint) {
    const SocketAddress address(endpoint);
    const int family = address.family(), yes = 1, no = 0;
    filter::Descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) cannot_listen(endpoint);
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (family == AF_INET6) setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (bind(socket.get(), address.get(), address.size()) != 0 ||
        listen(socket.get(), kWaiting) != 0)
        cannot_listen(endpoint);
    return socket;
}

std::string network_of(const sockaddr *address) {
    const auto text = [](const void *bytes, std::size_t size) {
        return std::string(static_cast<const char *>(bytes), size);
    };
    if (address->sa_family == AF_INET)
        return text(&reinterpret_cast<const sockaddr_in *>(address)->sin_addr, 4);
    const in6_addr &v6 = reinterpret_cast<const sockaddr_in6 *>(address)->sin6_addr;
    return IN6_IS_ADDR_V4MAPPED(&v6) ? text(v6.s6_addr + 12, 4) : text(v6.s6_addr, 8);
}

} // namespace agent
