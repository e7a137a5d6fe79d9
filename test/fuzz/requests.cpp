// SPDX-License-Identifier: Apache-2.0
//
// What reaches the control plane: messages of any shape on the socket, requests in them, what stands
// behind a command, orders on disk, and what ZeroMQ reports of those who connect to the port.
//
//     [kind] and then, kind 0: { [more frames follow, 1 bit; length, 15 bits] [frame] } ...
//                      kind 1: an orders file   kind 2: { [event] [value] [milliseconds] } ...
//                      other:  one request
#include "target.hpp"

#include "agent/base/endpoint.hpp"
#include "agent/config/pushed.hpp"
#include "agent/control/arguments.hpp"
#include "agent/control/gate.hpp"
#include "agent/control/requests.hpp"
#include "agent/orders/changes.hpp"
#include "agent/orders/orders.hpp"
#include "agent/report/probe_frame.hpp"
#include "test/unit/config/texts.hpp"

#include <chrono>

namespace {

using namespace agent;

const Config &config() {
    using namespace agent_test;
    static const Config parsed =
        two_nodes(virtual_ip("192.0.2.100") + virtual_ip("fd00::100") +
                  rule("http", "tcp", "80", "virtual_ips = [\"192.0.2.100\"]") +
                  rule("shared", "both", "53"));
    return parsed;
}

std::string text(std::span<const std::uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

Json flow(const Commands::Arguments &args) {
    if (args.size() != 2) throw Failed("expected two ends");
    const auto from = parse_endpoint(args[0]), to = parse_endpoint(args[1]);
    if (!from || !to || from->address.family != to->address.family) throw Failed("no flow");
    return probe_frame(Protocol::tcp, *from, *to, {}).size();
}

Commands commands() {
    Commands all;
    all.add("status", [](const auto &args) { return Json(args); });
    all.add("disable", [](const auto &args) { return Json(find_rules(args, config())); });
    all.add("drain", [](const auto &args) -> Json {
        return args.empty() ? Json() : Json(parse_seconds(args[0]));
    });
    all.add("weight", [](const auto &args) -> Json {
        const auto weight = parse_weight(args);
        fuzz::expect(!weight || *weight <= 100, "a weight within its bounds");
        return weight ? Json(*weight) : Json();
    });
    all.add("explain", flow);
    all.add_order("push", [](const auto &args) -> Json {
        if (args.size() != 2 || args[0] != "check") throw Failed("expected a text");
        const Config next = parse_pushed(config(), args[1]);
        fuzz::expect(next.key_file == config().key_file, "the same key file");
        for (const RuleConfig &rule : next.rules)
            fuzz::expect(rule.health.type != HealthType::exec, "no command");
        return refused_changes(config(), next);
    });
    all.add("later", [](const auto &) -> Commands::Result {
        return Commands::Later{[left = 2]() mutable -> std::optional<Json> {
            return left-- > 0 ? std::nullopt : std::optional<Json>(1);
        }};
    });
    all.set_elsewhere([](const std::string &node, const std::string &, const auto &, const auto &) -> Json {
        if (node.empty()) throw Denied("no such node");
        return {{"node", node}};
    });
    return all;
}

void check_reply(const std::string &reply) {
    const Json parsed = Json::parse(reply, nullptr, false);
    fuzz::expect(parsed.is_object() && parsed.contains("ok"), "a reply that is JSON");
    const bool done = parsed["ok"].get<bool>();
    fuzz::expect(done ? parsed.contains("result")
                      : parsed["code"].is_string() && parsed["error"].is_string(),
                 "a result, or why not");
}

std::uint64_t total(const Commands &commands) {
    std::uint64_t sum = 0;
    for (const auto &count : commands.counters())
        sum += count.get<std::uint64_t>();
    return sum;
}

void request(fuzz::Input &input) {
    Commands all = commands();
    const auto reply = all.begin(text(input.rest()));
    for (int turn = 0; turn < 4; ++turn) {
        const auto told = reply();
        if (!told) continue;
        check_reply(*told);
        fuzz::expect(total(all) == 1, "counted once");
        return;
    }
    fuzz::expect(false, "a reply in the end");
}

// Over a socket inside this process, which needs no thread to carry what is sent.
struct Wire {
    zmq::context_t context{0};
    zmq::socket_t router{context, zmq::socket_type::router};
    ControlRequests requests{router};
    zmq::socket_t client{context, zmq::socket_type::dealer};

    Wire() {
        client.set(zmq::sockopt::linger, 0);
        router.bind("inproc://control");
        client.connect("inproc://control");
    }
};

void messages(fuzz::Input &input) {
    static Wire wire;
    Commands all = commands();
    std::uint64_t sent = 0;
    for (bool more = false; !input.empty() || more;) {
        const std::uint16_t head = input.big16();
        const auto frame = input.piece(head & 0x7fff);
        more = head & 0x8000 && !input.empty();
        wire.client.send(zmq::buffer(frame.data(), frame.size()),
                         more ? zmq::send_flags::sndmore : zmq::send_flags::none);
        if (more) continue;
        ++sent;
        for (int turn = 0; turn < 4; ++turn)
            wire.requests.serve(all);
        zmq::message_t empty, reply;
        fuzz::expect(wire.client.recv(empty, zmq::recv_flags::dontwait) && empty.size() == 0 &&
                         wire.client.recv(reply, zmq::recv_flags::dontwait) && !reply.more(),
                     "every message is answered");
        check_reply(reply.to_string());
    }
    fuzz::expect(total(all) == sent, "every message is counted");
}

void orders(fuzz::Input &input) {
    try {
        const Orders read = parse_orders(text(input.rest()));
        fuzz::expect(parse_orders(to_text(read)) == read, "orders come back as they were");
        for (const RuleConfig &rule : config().rules)
            is_disabled(rule, read);
    } catch (const std::runtime_error &) { // damaged, and said so
    }
}

void callers_come_and_go(fuzz::Input &input) {
    Callers all;
    heartbeat::Time now{};
    std::uint64_t events = 0;
    while (!input.empty()) {
        const auto event = static_cast<CallerEvent>(input.byte() % 6);
        all.take(event, input.byte(), now += std::chrono::milliseconds(input.byte()));
        ++events;
        fuzz::expect(all.lately(now) <= events && all.open() <= events, "no more than events");
        fuzz::expect(all.proved() + all.cut_off() + all.wrong_key() + all.not_expected() +
                             all.garbage() <= events,
                     "every event counts once");
    }
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    fuzz::Input input(data, size);
    switch (input.byte()) {
    case 0:
        messages(input);
        break;
    case 1:
        orders(input);
        break;
    case 2:
        callers_come_and_go(input);
        break;
    default:
        request(input);
    }
    return 0;
}
