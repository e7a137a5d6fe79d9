// SPDX-License-Identifier: Apache-2.0
#include "agent/report/examination.hpp"

#include "agent/base/version.hpp"
#include "agent/host/state.hpp"
#include "agent/orders/settings.hpp"
#include "filter/descriptor.hpp"
#include "filter/interface.hpp"
#include "filter/nft/nftables.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Time;

constexpr Time kRulesPatience = 2s; // until the host's rule set has been read
constexpr unsigned kForARun = 16;   // descriptors

std::uint64_t run_of(const Commands::Arguments &args) {
    std::uint64_t run = 0;
    const std::string text = args.empty() ? "" : args[0];
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), run, 16);
    if (text.size() != 16 || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() ||
        run == 0)
        throw Failed("expected the number of a run, 16 hexadecimal digits");
    return run;
}

std::string hex(std::uint64_t number) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
    return text;
}

// proc_pid_net(5): hexadecimal digits of the addresses as they are in memory.
std::optional<filter::IpAddress> default_gateway(const std::string &interface) {
    std::ifstream file("/proc/thread-self/net/route");
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        std::istringstream columns(line);
        std::string name, destination, gateway;
        columns >> name >> destination >> gateway;
        if (name != interface || destination != "00000000" || gateway == "00000000") continue;
        const std::uint32_t raw =
            static_cast<std::uint32_t>(std::strtoul(gateway.c_str(), nullptr, 16));
        filter::IpAddress address;
        std::copy_n(reinterpret_cast<const std::uint8_t *>(&raw), 4, address.bytes.begin());
        return address;
    }
    return std::nullopt;
}

Json text_or_null(const std::optional<filter::IpAddress> &address) {
    return address ? Json(filter::to_string(*address)) : Json();
}

std::int64_t wall_clock_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// As the kernel judges: the stricter of the interface's and the host's; loose (2) counts as more
// than strict (1).
int reverse_path_filter(const std::string &interface) {
    try {
        return std::max(HostState::read_sysctl("all", "rp_filter"),
                        HostState::read_sysctl(interface, "rp_filter"));
    } catch (const std::exception &) { // the interface is not there
        return 0;
    }
}

Json interface_facts(const std::string &name) {
    const auto found = filter::find_interface(name);
    if (!found) return {{"name", name}, {"there", false}};
    return {{"name", name},
            {"there", true},
            {"up", found->up},
            {"running", found->running},
            {"mac", filter::to_string(found->mac)},
            {"mtu", filter::mtu_of(name)},
            {"rp_filter", reverse_path_filter(name)}};
}

Json macs() {
    Json all = Json::array();
    for (const std::string &name : filter::interface_names())
        if (const auto found = filter::find_interface(name); found && found->ethernet)
            all.push_back({{"interface", name}, {"mac", filter::to_string(found->mac)}});
    return all;
}

Json sections(const Config &config) {
    Json all = Json::array();
    for (const SectionDigest &section : section_digests(config))
        all.push_back({{"name", section.name}, {"digest", hex(section.digest)}});
    return all;
}

// By id, how long ago the agent took in a beat of it.
Json members(const heartbeat::Status &status) {
    Json all = Json::array();
    for (const heartbeat::PeerStatus &peer : status.nodes) {
        Json ago;
        if (peer.heard_ago)
            ago = std::chrono::duration_cast<std::chrono::milliseconds>(*peer.heard_ago).count();
        all.push_back({{"id", heartbeat::index(peer.id)}, {"last_heard_ms", ago}});
    }
    return all;
}

Json families(const Config &config) {
    Json all = Json::array();
    for (const bool v4 : {true, false})
        if (std::ranges::any_of(config.virtual_ips,
                                [v4](const auto &one) { return one.is_v4() == v4; }))
            all.push_back(v4 ? 4 : 6);
    return all;
}

Json without_address(const Config &config) {
    Json names = Json::array();
    for (const NodeConfig &node : config.nodes)
        if (node.addresses.empty()) names.push_back(node.name);
    return names;
}

Json probes(const ProbesHeard &heard) {
    Json all = Json::array();
    for (const auto &[from, numbers] : heard.probes) {
        Json kinds = Json::array();
        for (std::size_t i = 0; i < kProbeKinds; ++i)
            if (numbers[i] != 0) kinds.push_back(to_string(static_cast<ProbeKind>(i)));
        all.push_back({{"interface", from.first}, {"from", from.second}, {"kinds", kinds}});
    }
    return all;
}

Json refused(const ProbesHeard &heard) {
    Json all = Json::object();
    for (std::size_t i = 0; i < kProbeRefusals; ++i)
        all[std::string(to_string(static_cast<ProbeRefusal>(i)))] = heard.refused[i];
    return all;
}

Json beats(const ProbesHeard &heard) {
    Json ids = Json::array(), strange = Json::array();
    for (const std::uint8_t id : heard.beats)
        ids.push_back(id);
    for (const auto &[address, why] : heard.refused_beats)
        strange.push_back(
            {{"address", filter::to_string(address)}, {"reason", heartbeat::to_string(why)}});
    return {{"of", ids}, {"refused", strange}};
}

Json neighbours(const ProbesHeard &heard) {
    Json claims = Json::array(), questions = Json::array();
    for (const Claim &claim : heard.claims)
        claims.push_back(
            {{"address", filter::to_string(claim.address)}, {"mac", filter::to_string(claim.mac)}});
    for (const auto &[who, count] : heard.questions)
        questions.push_back({{"asker", filter::to_string(who.first)},
                             {"address", filter::to_string(who.second)},
                             {"count", count}});
    return {{"claims", claims}, {"questions", questions}};
}

Json echoes(const ProbesHeard &heard) {
    Json macs = Json::array();
    for (const filter::MacAddress &mac : heard.cluster_echoes)
        macs.push_back(filter::to_string(mac));
    return {{"own", heard.echoes}, {"cluster", macs}};
}

// Except for the gateway.
ProbeSettings probe_settings(std::uint64_t run, const InForce &in_force,
                             const std::string &interface) {
    const Config &config = in_force.config;
    ProbeSettings settings;
    settings.run = run;
    settings.self = in_force.self.id;
    for (const NodeConfig &node : config.nodes)
        settings.nodes.push_back(node.id);
    settings.interface = interface;
    settings.heartbeat_interfaces = heartbeat_interfaces(config, in_force.self);
    settings.cluster_mac = cluster_mac(config);
    settings.floods = config.delivery == Delivery::flood;
    settings.virtual_ips = config.virtual_ips;
    settings.group = config.group;
    settings.group6 = config.group6;
    settings.port = config.port;
    settings.key = probe_key(in_force.keys.in_use);
    settings.envelope = beat_envelope(config, in_force.keys);
    if (config.witness && config.witness->is_v4()) settings.gateway = config.witness;
    return settings;
}

Json translations(const std::optional<std::vector<Translation>> &found) {
    if (!found) return nullptr;
    Json all = Json::array();
    for (const Translation &one : *found)
        all.push_back({{"rule", one.rule}, {"line", one.line}});
    return all;
}

} // namespace

void Examination::add_to(Commands &commands) {
    commands.add("examine", [this](const auto &args) { return examine(args); });
    commands.add("probe", [this](const auto &args) { return probe(args); });
    commands.add("heard", [this](const auto &args) { return heard(args); });
}

void Examination::wait(Poll &poll) const {
    poll.read(reading_.descriptor());
    poll.read(opening_.descriptor());
    const Time next = begun_ + kPause, rules_due = begun_ + kRulesPatience;
    if (poll.now() < next) poll.at(next);
    if (poll.now() < rules_due) poll.at(rules_due);
    if (!run_) return;
    run_->wait(poll);
    poll.at(asked_ + kAbandoned);
}

void Examination::handle(Time now) {
    take_opened(now);
    try {
        if (auto found = reading_.finished()) translations_ = std::move(found);
    } catch (const std::exception &error) {
        unread_ = error.what();
    }
    if (!run_) return;
    run_->handle(now);
    if (now - asked_ >= kAbandoned) run_.reset();
}

Commands::Result Examination::examine(const Commands::Arguments &args) {
    return [this, run = run_of(args)]() -> std::optional<Json> {
        const Time now = parts_.now();
        if (!is_running(run)) {
            if (run_ || (opening_.busy() && opens_ != run))
                throw Denied("another doctor is at work; try again in " +
                             std::to_string(kAbandoned / 1s) + " s");
            if (opens_ == run && !opening_.busy()) throw Failed("listen: " + unopened_);
            const bool pauses = begun_ != Time{} && now - begun_ < kPause;
            if (!pauses && opens_ != run) begin(run);
            return std::nullopt;
        }
        asked_ = now;
        const bool waits = !translations_ && unread_.empty() && now - begun_ < kRulesPatience;
        return waits ? std::nullopt : std::optional(facts());
    };
}

void Examination::begin(std::uint64_t run) {
    if (!filter::descriptors_left(kForARun)) throw Failed("no file descriptors are left");
    opens_ = run;
    unopened_ = "over before it began";
    opening_.begin([settings = probe_settings(run, parts_.in_force, parts_.interface)] { return open(settings); });
}

Examination::Opened Examination::open(ProbeSettings settings) {
    if (!settings.gateway) settings.gateway = default_gateway(settings.interface);
    Json heartbeats = Json::array();
    for (const std::string &name : settings.heartbeat_interfaces)
        heartbeats.push_back(interface_facts(name));
    const Json host = {{"interface", interface_facts(settings.interface)},
                       {"heartbeat_interfaces", heartbeats},
                       {"gateway", text_or_null(settings.gateway)},
                       {"macs", macs()}};
    return {std::make_unique<ProbeRun>(settings), host};
}

void Examination::take_opened(Time now) {
    try {
        auto opened = opening_.finished();
        if (!opened) return;
        run_ = std::move(opened->run);
        host_ = std::move(opened->host);
        begun_ = asked_ = now;
        read_rules();
    } catch (const std::exception &error) {
        unopened_ = error.what();
    }
}

// A host may have ten thousand rules.
void Examination::read_rules() {
    if (reading_.busy()) return;
    translations_.reset();
    unread_.clear();
    try {
        reading_.begin([config = parts_.in_force.config] {
            return find_translations(filter::nft::nft("read the host's rules", "list ruleset\n"), config);
        });
    } catch (const std::exception &error) {
        unread_ = error.what();
    }
}

ProbeRun &Examination::running(const Commands::Arguments &args) {
    if (!is_running(run_of(args))) throw Denied("this run is over; begin another one");
    asked_ = parts_.now();
    return *run_;
}

Commands::Result Examination::probe(const Commands::Arguments &args) {
    ProbeRun &run = running(args);
    if (run.has_begun()) throw Denied("this node has sent its probes already");
    run.send(parts_.now(), args.size() > 1 && args[1] == "gateway");
    return [this, args]() -> std::optional<Json> {
        const ProbeRun &sending = running(args);
        if (!sending.has_sent()) return std::nullopt;
        return Json{{"sent", sending.sent()},
                    {"send_errors", sending.send_errors()},
                    {"time_ms", wall_clock_ms()}};
    };
}

Json Examination::heard(const Commands::Arguments &args) {
    const ProbesHeard &heard = running(args).heard();
    const Json result = {
        {"probes", probes(heard)}, {"refused", refused(heard)},
        {"beats", beats(heard)},   {"neighbours", neighbours(heard)},
        {"echoes", echoes(heard)}, {"members", members(parts_.node.status(parts_.now()))}};
    run_.reset();
    return result;
}

Json Examination::facts() const {
    const Config &config = parts_.in_force.config;
    const heartbeat::Status status = parts_.node.status(parts_.now());
    Json facts = {{"version", kVersion},
                  {"state", heartbeat::to_string(status.state)},
                  {"reason", status.reason},
                  {"problems", parts_.problems.list()},
                  {"datapath", parts_.datapath.kind()},
                  {"cluster_mac", filter::to_string(cluster_mac(config))},
                  {"floods", config.delivery == Delivery::flood},
                  {"group", filter::to_string(config.group)},
                  {"port", config.port},
                  {"control_port", config.control_port},
                  {"families", families(config)},
                  {"without_address", without_address(config)},
                  {"sections", sections(config)},
                  {"members", members(status)},
                  {"translations", translations(translations_)}};
    facts.update(host_);
    return facts;
}

} // namespace agent
