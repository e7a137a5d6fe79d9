// SPDX-License-Identifier: Apache-2.0
// See the header. What comes from another node was sent by a holder of the key, but perhaps by
// another version.
#include "agent/control/replies.hpp"

#include <algorithm>

namespace agent {
namespace {

constexpr auto kMore = zmq::send_flags::sndmore | zmq::send_flags::dontwait;

Json no_answer(const std::string &why) {
    return {{"ok", false}, {"code", "no_answer"}, {"error", why}};
}

bool is_text(const Json &reply, const char *key) {
    return reply.contains(key) && reply[key].is_string();
}

std::string in_seconds(heartbeat::Duration time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

} // namespace

// Known keys alone: it could say in others that it was another node's.
Json read_reply(const std::string &text) {
    Json reply = Json::parse(text, nullptr, false);
    if (reply.is_object() && reply.contains("ok") && reply["ok"].is_boolean()) {
        if (reply["ok"] && reply.contains("result"))
            return {{"ok", true}, {"result", reply["result"]}};
        if (!reply["ok"] && is_text(reply, "code") && is_text(reply, "error"))
            return {{"ok", false}, {"code", reply["code"]}, {"error", reply["error"]}};
    }
    return {{"ok", false},
            {"code", "failed"},
            {"error", "its reply is not what an agent of this version sends"}};
}

void Replies::add_here(const NodeConfig &node, Commands::Later command) {
    places_.push_back({node.id, node.name, {}, std::move(command), heartbeat::kNever, {}});
}

void Replies::add_there(const NodeConfig &node, heartbeat::Duration patience) {
    places_.push_back({node.id, node.name, {}, {}, now_() + patience, patience});
}

void Replies::add_lost(const NodeConfig &node, const std::string &why) {
    places_.push_back({node.id, node.name, no_answer(why), {}, {}, {}});
}

zmq::socket_t &Replies::router(zmq::context_t &context) {
    if (!router_) router_.emplace(context, zmq::socket_type::router);
    return *router_;
}

void Replies::send(const NodeConfig &node, const std::string &request) {
    router_->send(zmq::buffer(node.name), kMore);
    router_->send(zmq::message_t(), kMore);
    router_->send(zmq::buffer(request), zmq::send_flags::dontwait);
}

std::optional<Json> Replies::ask() {
    receive();
    const heartbeat::Time now = now_();
    for (Place &place : places_) {
        if (place.reply) continue;
        if (place.here)
            place.reply = place.here();
        else if (now >= place.until)
            place.reply = no_answer("does not answer within " + in_seconds(place.patience));
    }
    if (std::ranges::any_of(places_, [](const Place &place) { return !place.reply; }))
        return std::nullopt;
    close();
    return result();
}

// [node's name][empty frame][reply]
void Replies::receive() {
    zmq::message_t name, frame;
    while (router_ && router_->recv(name, zmq::recv_flags::dontwait)) {
        std::string text;
        for (bool more = name.more(); more; more = frame.more()) {
            if (!router_->recv(frame, zmq::recv_flags::dontwait)) break;
            text.append(frame.to_string_view());
        }
        take(name.to_string_view(), text);
    }
}

void Replies::take(std::string_view name, const std::string &reply) {
    for (Place &place : places_)
        if (!place.reply && !place.here && place.name == name)
            place.reply = read_reply(reply);
}

Json Replies::result() const {
    Json nodes = Json::array();
    for (const Place &place : places_) {
        Json entry{{"id", place.id}, {"name", place.name}};
        entry.update(*place.reply);
        nodes.push_back(std::move(entry));
    }
    return {{"nodes", nodes}};
}

heartbeat::Time Replies::deadline() const {
    heartbeat::Time first = heartbeat::kNever;
    for (const Place &place : places_)
        if (!place.reply) first = std::min(first, place.until);
    return first;
}

} // namespace agent
