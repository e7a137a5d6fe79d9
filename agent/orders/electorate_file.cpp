// SPDX-License-Identifier: Apache-2.0
#include "agent/orders/electorate_file.hpp"

#include "agent/base/file.hpp"
#include "agent/base/json.hpp"

#include <chrono>
#include <limits>
#include <stdexcept>
#include <utility>

namespace agent {
namespace {

using heartbeat::Electorate;
using heartbeat::NodeBits;
using heartbeat::NodeId;
using namespace std::chrono_literals;

constexpr std::uint64_t kHighestTerm = (std::uint64_t{1} << 48) - 1; // as in a beat

[[noreturn]] void refuse(const std::string &key) {
    throw std::runtime_error("\"" + key + "\" is missing or not valid");
}

std::uint64_t number(const Json &object, const std::string &key, std::uint64_t most) {
    if (!object.contains(key) || !object[key].is_number_unsigned() || object[key] > most) refuse(key);
    return object[key].get<std::uint64_t>();
}

Json ids(NodeBits nodes) {
    Json list = Json::array();
    for (unsigned id = 1; id <= heartbeat::kMaxNodes; ++id)
        if (nodes & heartbeat::bit(NodeId{static_cast<std::uint8_t>(id)})) list.push_back(id);
    return list;
}

NodeBits nodes(const Json &object, const std::string &key) {
    if (!object.contains(key) || !object[key].is_array()) refuse(key);
    NodeBits bits = 0;
    for (const Json &id : object[key]) {
        if (!id.is_number_unsigned() || id < 1u || id > heartbeat::kMaxNodes) refuse(key);
        bits |= heartbeat::bit(NodeId{id.get<std::uint8_t>()});
    }
    return bits;
}

std::runtime_error unreadable(const std::string &path, const std::exception &cause) {
    return std::runtime_error("read electorate " + path + ": " + cause.what() +
                              "; remove the file on this node alone: the others tell it which nodes decide");
}

} // namespace

std::string to_text(const Electorate &electorate, const std::string &cluster) {
    return Json{{"cluster", cluster},
                {"term", electorate.term},
                {"leader", heartbeat::index(electorate.leader)},
                {"step", electorate.step},
                {"made_term", electorate.made_term},
                {"made_step", electorate.made_step},
                {"nodes", ids(electorate.nodes)},
                {"former", ids(electorate.former)}}
               .dump() +
           "\n";
}

Electorate parse_electorate(const std::string &text, const std::string &cluster) {
    const Json object = Json::parse(text, nullptr, false);
    if (!object.is_object()) throw std::runtime_error("it is not a JSON object");
    if (!object.contains("cluster") || !object["cluster"].is_string()) refuse("cluster");
    Electorate electorate;
    electorate.term = number(object, "term", kHighestTerm);
    electorate.leader = NodeId{static_cast<std::uint8_t>(number(object, "leader", heartbeat::kMaxNodes))};
    electorate.step = static_cast<std::uint16_t>(number(object, "step", std::numeric_limits<std::uint16_t>::max()));
    electorate.made_term = number(object, "made_term", kHighestTerm);
    electorate.made_step = static_cast<std::uint16_t>(number(object, "made_step", std::numeric_limits<std::uint16_t>::max()));
    electorate.nodes = nodes(object, "nodes");
    electorate.former = nodes(object, "former");
    if (electorate.step == 0) refuse("step");
    if (electorate.made_step == 0) refuse("made_step");
    if (electorate.nodes == 0) refuse("nodes");
    return object["cluster"] == cluster ? electorate : Electorate{};
}

ElectorateFile::ElectorateFile(const std::string &state_dir, std::string cluster)
    : directory_(state_dir), path_(state_dir + "/electorate.json"), cluster_(std::move(cluster)) {}

Electorate ElectorateFile::load() const {
    try {
        const auto text = read_text(path_);
        if (!text) return {};
        sync_directory(directory_); // an agent that was killed may not have come to that, and this one tells that it is there
        return parse_electorate(*text, cluster_);
    } catch (const std::exception &cause) {
        throw unreadable(path_, cause);
    }
}

void ElectorateFile::forget() const {
    try {
        remove_in(directory_, path_);
    } catch (const std::exception &cause) {
        throw std::runtime_error("remove electorate " + path_ + ": " + cause.what() + "; remove it by hand");
    }
}

void ElectorateFile::keep(const Electorate &electorate) {
    wanted_ = electorate;
    if (!writing_.busy()) begin();
}

// A failed sync of the directory is a failure: a loss of power could bring the former electorate back.
void ElectorateFile::begin() {
    const auto write = [directory = directory_, path = path_, text = to_text(*wanted_, cluster_)]() -> std::string {
        try {
            const int cause = replace_in(directory, path, text);
            return cause == 0 ? "" : "sync " + directory + ": " + describe(cause);
        } catch (const std::exception &cause) {
            return "write " + path + ": " + cause.what();
        }
    };
    try {
        writing_.begin(write);
    } catch (const std::exception &cause) { // no thread could be started
        failure_ = "write " + path_ + ": " + cause.what();
    }
}

std::optional<Electorate> ElectorateFile::handle(heartbeat::Time now) {
    if (auto failed = writing_.finished()) {
        failure_ = std::move(*failed);
        if (failure_.empty()) return std::exchange(wanted_, std::nullopt);
        again_ = now + 1s;
    }
    if (wanted_ && !writing_.busy() && now >= again_) {
        again_ = now + 1s;
        begin();
    }
    return std::nullopt;
}

void ElectorateFile::wait(Poll &poll) const {
    poll.read(writing_.descriptor());
    if (wanted_ && !writing_.busy()) poll.at(again_);
}

} // namespace agent
