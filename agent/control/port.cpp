// SPDX-License-Identifier: Apache-2.0
//
// Four sockets around one context: the ROUTER that requests come in on; ZeroMQ's monitor of it;
// and the authenticator (ZAP, RFC 27), which ZeroMQ asks about every caller that has presented
// its own key: only the cluster's is accepted.
#include "agent/control/port.hpp"

#include "agent/control/gate.hpp"
#include "agent/control/requests.hpp"
#include "filter/interface.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <sodium.h>
#include <stdexcept>
#include <utility>

namespace agent {
namespace {

constexpr int kHandshake = 1500; // ms; on one segment it takes two
constexpr int kEventsATurn = 256;
constexpr unsigned kForAFront = 64; // descriptors: two sockets', a listener for each interface
constexpr heartbeat::Duration kQuiet = std::chrono::seconds(1);  // an answer has left by then
constexpr const char *kAuthenticator = "inproc://zeromq.zap.01"; // where ZeroMQ looks for it

// The frames of one message.
std::vector<std::string> receive(zmq::socket_t &socket) {
    std::vector<std::string> frames;
    zmq::message_t frame;
    do {
        if (!socket.recv(frame, zmq::recv_flags::dontwait)) break;
        frames.push_back(frame.to_string());
    } while (frame.more());
    return frames;
}

void send(zmq::socket_t &socket, const std::vector<std::string> &frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const bool more = i + 1 < frames.size();
        socket.send(zmq::buffer(frames[i]),
                    zmq::send_flags::dontwait |
                        (more ? zmq::send_flags::sndmore : zmq::send_flags::none));
    }
}

std::optional<CallerEvent> event_of(std::uint16_t event, std::uint32_t value) {
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        return CallerEvent::accepted;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return CallerEvent::proved;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return CallerEvent::cut_off;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return CallerEvent::wrong_key;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC ||
                       value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
                   ? CallerEvent::wrong_key
                   : CallerEvent::not_expected;
    case ZMQ_EVENT_DISCONNECTED:
        return CallerEvent::closed;
    default:
        return std::nullopt;
    }
}

// The sockets of one key. ZeroMQ takes a key when it begins to listen, so another key needs
// another Server.
struct Server {
    Server(zmq::context_t &context, const ClusterKey &key, unsigned number);
    // Without a reader, ZeroMQ's thread would wait for ever for room for its notices.
    ~Server() { zmq_socket_monitor(router.handle(), nullptr, 0); }

    void accept_from(const ControlGate &listener);

    std::array<std::uint8_t, 32> caller; // the public key of the callers that are accepted
    zmq::socket_t router, monitor;
    ControlRequests requests{router};
};

Server::Server(zmq::context_t &context, const ClusterKey &key, unsigned number)
    : caller(caller_keys(key).open), router(context, zmq::socket_type::router),
      monitor(context, zmq::socket_type::pair) {
    const CurveKeys own = listener_keys(key);
    router.set(zmq::sockopt::curve_server, true);
    router.set(zmq::sockopt::curve_secretkey, zmq::buffer(own.secret));
    router.set(zmq::sockopt::zap_domain, "nlbd");
    router.set(zmq::sockopt::handshake_ivl, kHandshake);
    const std::string events = "inproc://callers" + std::to_string(number);
    if (zmq_socket_monitor(router.handle(), events.c_str(), ZMQ_EVENT_ALL) != 0)
        throw std::runtime_error(std::string("watch the port for commands: ") +
                                 zmq_strerror(zmq_errno()));
    monitor.set(zmq::sockopt::linger, 0);
    monitor.connect(events);
}

void Server::accept_from(const ControlGate &listener) {
    router.set(zmq::sockopt::use_fd, listener.duplicate());
    router.bind("tcp://0.0.0.0:*"); // the descriptor is what counts
}

} // namespace

struct ControlPort::Sockets {
    explicit Sockets(const ClusterKey &key);

    void use(const ClusterKey &key); // throws, with nothing changed
    void authenticate();
    void watch(heartbeat::Time now);

    zmq::context_t context{1};
    zmq::socket_t authenticator{context, zmq::socket_type::router};
    std::unique_ptr<Server> server;
    unsigned servers = 0; // made until now
    Callers callers;
    struct Listener {
        std::string interface;
        std::optional<ControlGate> gate{}; // nothing: the port is taken, or the interface is missing
        std::uint64_t dropped_before = 0;  // by the gates before this one
        std::string obstacle{};
        std::uint16_t port = 0; // the gate's

        bool is_stale(std::uint16_t wanted) const;
        std::uint64_t dropped() const { return dropped_before + (gate ? gate->dropped() : 0); }
        bool open(std::uint16_t wanted); // false: there is an obstacle
    };
    std::vector<Listener> listeners;
};

bool ControlPort::Sockets::Listener::is_stale(std::uint16_t wanted) const {
    const int index = filter::index_of(interface);
    return !gate || port != wanted || (index != 0 && index != gate->index());
}

bool ControlPort::Sockets::Listener::open(std::uint16_t wanted) {
    try {
        ControlGate next(interface, wanted);
        dropped_before = dropped();
        gate.emplace(std::move(next));
        port = wanted;
        obstacle.clear();
    } catch (const std::exception &error) {
        obstacle = error.what();
    }
    return obstacle.empty();
}

ControlPort::Sockets::Sockets(const ClusterKey &key) {
    authenticator.set(zmq::sockopt::linger, 0);
    authenticator.bind(kAuthenticator);
    use(key);
}

// Clients that connect meanwhile wait in the kernel, because the listening socket stays the same.
void ControlPort::Sockets::use(const ClusterKey &key) {
    auto next = std::make_unique<Server>(context, key, ++servers);
    for (const Listener &listener : listeners)
        if (listener.gate) next->accept_from(*listener.gate);
    server = std::move(next);
    callers.forget_open();
}

// [ZeroMQ's][empty][version][request][domain][address][identity][mechanism][caller's key]
void ControlPort::Sockets::authenticate() {
    for (int asked = 0; asked < kEventsATurn; ++asked) {
        const std::vector<std::string> question = receive(authenticator);
        if (question.empty()) return;
        if (question.size() < 4) continue;
        const bool known =
            question.size() == 9 && question[7] == "CURVE" &&
            question[8].size() == server->caller.size() &&
            sodium_memcmp(question[8].data(), server->caller.data(), server->caller.size()) == 0;
        send(authenticator,
             {question[0], "", "1.0", question[3], known ? "200" : "400", "", "", ""});
    }
}

// [event, 2 bytes, and value, 4 bytes][endpoint]. More than these wait for the next turn, and
// ZeroMQ's thread with them.
void ControlPort::Sockets::watch(heartbeat::Time now) {
    for (int taken = 0; taken < kEventsATurn; ++taken) {
        const std::vector<std::string> told = receive(server->monitor);
        if (told.empty()) break;
        std::uint16_t event = 0;
        std::uint32_t value = 0;
        if (told[0].size() != sizeof event + sizeof value) continue;
        std::memcpy(&event, told[0].data(), sizeof event);
        std::memcpy(&value, told[0].data() + sizeof event, sizeof value);
        if (const auto known = event_of(event, value)) callers.take(*known, value, now);
    }
    const bool open = callers.open() < kMostOpen && callers.lately(now) < kMostASecond;
    for (Listener &listener : listeners)
        if (listener.gate) listener.gate->set_open(open);
}

ControlPort::ControlPort(const std::vector<std::string> &interfaces, std::uint16_t port,
                         const ClusterKey &key)
    : port_(port), key_(key), sockets_(std::make_unique<Sockets>(key)) {
    try {
        for (const std::string &interface : interfaces)
            sockets_->listeners.push_back({interface});
        look_after();
    } catch (const zmq::error_t &error) {
        throw std::runtime_error(std::string("listen for commands: ") + error.what());
    }
}

ControlPort::~ControlPort() = default;

void ControlPort::wait(Poll &poll) const {
    for (const zmq::socket_t *socket :
         {&sockets_->authenticator, &sockets_->server->router, &sockets_->server->monitor})
        poll.read(socket->get(zmq::sockopt::fd));
}

void ControlPort::change_key(heartbeat::Time now) {
    const ControlRequests &requests = sockets_->server->requests;
    if (!requests.idle() || requests.answered() != answered_) {
        answered_ = requests.answered();
        quiet_since_ = now;
    }
    if (now - quiet_since_ < kQuiet || !filter::descriptors_left(kForAFront)) return;
    sockets_->use(*next_);
    key_ = *next_;
    next_.reset();
    answered_ = 0;
}

bool ControlPort::serve(heartbeat::Time now, Commands &commands) {
    if (next_) change_key(now);
    sockets_->authenticate();
    sockets_->watch(now);
    return sockets_->server->requests.serve(commands);
}

void ControlPort::configure(const InForce &in_force) {
    if (in_force.keys.in_use != next_.value_or(key_)) next_ = in_force.keys.in_use;
    if (std::exchange(port_, in_force.config.control_port) != port_) look_after();
}

// ZeroMQ keeps its listening sockets until it ends, so replacing a listener needs another server.
void ControlPort::look_after() {
    for (Sockets::Listener &listener : sockets_->listeners) {
        if (!listener.is_stale(port_)) continue;
        const bool is_first = !listener.gate;
        if (!listener.open(port_)) continue;
        if (is_first)
            sockets_->server->accept_from(*listener.gate);
        else if (!next_)
            next_ = key_;
    }
}

std::optional<std::string> ControlPort::obstacle() const {
    for (const Sockets::Listener &listener : sockets_->listeners)
        if (!listener.obstacle.empty()) return listener.obstacle;
    return std::nullopt;
}

Json ControlPort::counters() const {
    const Callers &callers = sockets_->callers;
    std::uint64_t dropped = 0;
    for (const Sockets::Listener &listener : sockets_->listeners)
        dropped += listener.dropped();
    const std::array<std::uint64_t, kCallers.size()> counts = {
        callers.proved(),  callers.wrong_key(),    callers.cut_off(),
        callers.garbage(), callers.not_expected(), dropped};
    Json counters;
    for (std::size_t i = 0; i < kCallers.size(); ++i)
        counters[std::string(kCallers[i])] = counts[i];
    return counters;
}

} // namespace agent
