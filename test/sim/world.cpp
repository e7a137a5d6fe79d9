// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include "agent/base/random.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace sim {

using heartbeat::index;
using heartbeat::NodeId;

namespace {

std::string text_of(Time time) {
    char text[32];
    std::snprintf(text, sizeof text, "%10.4f", static_cast<double>(time.count()) / 1e9);
    return text;
}

constexpr std::uint64_t kMostEventsASecond = 1000000; // 32 nodes have some 30,000

std::string name(unsigned id) { return "node " + std::to_string(id); }

std::vector<heartbeat::RuleOwnership> rules(heartbeat::Digest config) {
    if (config <= 2) return {heartbeat::RuleOwnership{}};
    return {{.weights = {{NodeId{1}, 20}, {NodeId{2}, 70}}, .priority = {}}};
}

std::vector<heartbeat::Received> received(bool forward) {
    if (!forward) return {};
    return {{.key = 1, .pinned = {}}};
}

thread_local std::mt19937_64 *chance_of_agents; // the world's, of the agent that runs

// Of its present life.
bool quotes(const heartbeat::Beat &beat, const Node &node) {
    return std::ranges::any_of(beat.quotes, [&](const heartbeat::Quote &quote) {
        return quote.peer == node.id && node.saved && quote.life == node.saved->life;
    });
}

// To the agent of this node, unless it is dead: what(agent, its clock).
template <class What>
void tell(const Node &node, Time now, What what) {
    if (const auto process = node.process) what(*process->node, node.local(now)); // kept, for it may be killed in there
}

} // namespace
} // namespace sim

std::uint64_t agent::random_bits() { return (*sim::chance_of_agents)(); }

namespace sim {

World::World(std::uint64_t seed, const Options &options)
    : options_(options), random_(seed), attacker_(seed), nodes_(options.nodes + 1),
      plain_(rules(1), filter::kBuckets), weighted_(rules(3), filter::kBuckets) {
    std::uniform_real_distribution<double> drift(-options.max_drift_ppm, options.max_drift_ppm);
    for (unsigned id = 1; id <= options.nodes; ++id) {
        nodes_[id].id = NodeId{static_cast<std::uint8_t>(id)};
        nodes_[id].rate = 1 + drift(random_) * 1e-6;
        nodes_[id].offset = between(0s, 100s);
        const heartbeat::NodeBits founders = options.founders & (~heartbeat::NodeBits{0} >> (32 - options.nodes));
        if (founders & heartbeat::bit(nodes_[id].id)) nodes_[id].kept = {.step = 1, .made_step = 1, .nodes = founders};
    }
    links_.fill({options.nodes + 1, std::vector<Link>(options.nodes + 1, good_link())});
    whole_.assign(options.nodes + 1, std::vector<bool>(options.nodes + 1, true));
    changed_.assign(options.nodes + 1, std::vector<Time>(options.nodes + 1, -1h));
    if (options.replays) replay();
}

// Time, chance, and what is known of them.

Duration World::between(Duration low, Duration high) {
    return Duration(
        std::uniform_int_distribution<std::int64_t>(low.count(), high.count())(random_));
}

Duration World::scaled_between(Duration low, Duration high) {
    return between(options_.scaled(low), options_.scaled(high));
}

bool World::chance(double probability) { return std::bernoulli_distribution(probability)(random_); }

unsigned World::any_node() {
    return std::uniform_int_distribution<unsigned>(1, options_.nodes)(random_);
}

void World::at(Time when, std::function<void()> action) {
    queue_.push({std::max(when, now_), ++order_, std::move(action)});
}

void World::later(Duration length, std::function<void()> action) {
    after(length, [this, action = std::move(action)] {
        if (faulty_) action();
    });
}

void World::run_until(Time end) {
    while (!queue_.empty() && queue_.top().when <= end) {
        auto action = std::move(const_cast<Entry &>(queue_.top()).action);
        if (queue_.top().when / 1s != now_ / 1s) events_ = 0;
        if (++events_ > kMostEventsASecond) throw Violation("the nodes talk without end");
        now_ = queue_.top().when;
        queue_.pop();
        action();
        survey_links();
    }
    now_ = end;
}

void World::trace(const std::string &text) {
    history_.push_back(text_of(now_) + "  " + text);
    if (options_.trace) std::printf("%s\n", history_.back().c_str());
    if (history_.size() > 400) history_.pop_front();
}

Link World::good_link() const {
    return {.delay_min = options_.scaled(50us), .delay_max = options_.scaled(2ms)};
}

void World::each_link(const ChangeLink &change) {
    for (unsigned plane = 0; plane < options_.planes; ++plane)
        each_link(plane, change);
}

void World::each_link(unsigned plane, const ChangeLink &change) {
    for (unsigned from = 1; from <= options_.nodes; ++from)
        for (unsigned to = 1; to <= options_.nodes; ++to)
            change(from, to, links_[plane][from][to]);
}

void World::excuse(Duration length) { excused_until_ = std::max(excused_until_, now_ + length); }

void World::trouble(unsigned id, Duration length) {
    nodes_[id].troubled_until = std::max(nodes_[id].troubled_until, now_ + length);
}

// Its peers take it for dead when it is fenced, or has no lease and was silent for longer than one:
// by itself, or because it was not started again.
bool World::troubled(unsigned id) const {
    const Node &node = nodes_[id];
    const bool outside = node.applied.members.empty();
    const bool partitioned = excused() || (outside && now_ < excused_until_);
    const bool silent = outside ? now_ - node.last_beat > options_.lease()
                                : node.local(now_) >= node.host.lease();
    return now_ < node.troubled_until || partitioned || node.written_off || silent;
}

// What happens to nodes.

heartbeat::Settings World::settings(const Node &node, heartbeat::Digest config) const {
    heartbeat::Settings settings;
    settings.self = node.id;
    for (unsigned other = 1; other <= options_.nodes; ++other)
        if (lists(config, nodes_[other].id)) settings.nodes.push_back(nodes_[other].id);
    settings.interval = options_.interval;
    settings.dead_after = options_.dead_after;
    settings.partition = options_.partition;
    settings.witness = options_.partition == heartbeat::Partition::serve;
    settings.config = config;
    settings.section_names = {"cluster"};
    settings.sections = {static_cast<std::uint16_t>(config)};
    return settings;
}

agent::Serving World::serving(const heartbeat::Settings &settings) const {
    return {settings.self, settings.nodes, rules(settings.config), ~settings.serve_all_down, received(options_.forward)};
}

agent::StagedConfig World::staged(const Node &node, heartbeat::Digest config) const {
    return {.settings = settings(node, config),
            .rules = rules(config),
            .filter = filter_settings(options_.forward),
            .envelope = envelope(node),
            .received = received(options_.forward),
            .former = {0, 1}};
}

// As the agent does: on the tables of a predecessor, whether it goes on with its life or not.
void World::begin(Node &node) {
    const heartbeat::Settings own = settings(node, node.file);
    node.process = std::make_shared<Process>(
        node.host, options_.forward, [this, &node] { return survives_write(node); },
        [this, &node](Written what) { written(node, what); });
    const auto process = node.process;
    chance_of_agents = &random_;
    process->node.emplace(
        own, node.local(now_), serving(own), envelope(node), process->datapath,
        [this, &node](std::span<const std::uint8_t> bytes, bool urgent) {
            if (node.agent_up()) send(node, bytes, urgent);
        },
        [this, &node](const heartbeat::Note &note) { hear(node, note); },
        agent::ElectorateStore{node.kept, [this, &node](const heartbeat::Electorate &electorate) { keep(node, electorate); }});
    if (options_.planes > 1) process->reach.emplace(options_.dead_after, true);
    process->node->set_mac({2, 0, 0, 0, 0, static_cast<std::uint8_t>(index(node.id))});
}

void World::start(unsigned id) {
    Node &node = nodes_[id];
    node.host_up = true;
    if (node.agent_up() || !listed(id)) return; // an agent that is not in its file does not start
    node.stalled_until = node.paused_until;
    node.inbox.clear();
    node.witness_said.reset();
    node.kept_now.reset();
    node.known = {};
    node.rests_until = {};
    node.rests = false;
    begin(node);
    if (!node.agent_up()) return; // before it was ready
    const bool resumes = node.agent().resumed();
    trace(name(id) + (resumes ? " resumed" : " started"));
    node.life = resumes ? node.saved->life : 0;
    node.applied = resumes ? node.saved->view : heartbeat::View{};
    check_one_owner();
    if (!resumes) {
        node.written_off = false;
        trouble(id, 2 * options_.dead_after);
    }
    turn(node);
}

void World::kill(unsigned id) {
    trace(name(id) + " killed");
    if (nodes_[id].alone_since) excuse_for_a_lease(nodes_[id]);
    if (nodes_[id].process) nodes_[id].process->dead = true;
    nodes_[id].process.reset();
    nodes_[id].fuse = 0;
    nodes_[id].inbox.clear();
}

void World::crash(unsigned id) {
    kill(id);
    wake(id);
    nodes_[id].host_up = false;
    ++nodes_[id].crashes;
    nodes_[id].saved.reset();
    nodes_[id].host = {};
    nodes_[id].applied = {};
    check_gaps();
}

void World::light_fuse(unsigned id, unsigned writes, Duration away) {
    nodes_[id].fuse = writes;
    nodes_[id].away = away;
}

void World::stall(unsigned id, Duration length) {
    trace(name(id) + " stalls for" + text_of(length));
    Node &node = nodes_[id];
    node.stalled_until = std::max(node.stalled_until, now_ + length);
    at(node.stalled_until, [this, &node] { turn(node); });
}

void World::pause(unsigned id, Duration length) {
    Node &node = nodes_[id];
    if (!node.host_up || node.paused_at != kAwake) return;
    trace(name(id) + " pauses with its clock for" + text_of(length));
    node.paused_at = now_;
    node.paused_until = now_ + length;
    node.stalled_until = std::max(node.stalled_until, node.paused_until);
    trouble(id, length + 2 * options_.dead_after);
    at(node.paused_until, [this, id, until = node.paused_until] {
        if (nodes_[id].paused_until == until) wake(id);
    });
}

void World::wake(unsigned id) {
    Node &node = nodes_[id];
    if (now_ < node.stalled_until && now_ < node.paused_until) node.stalled_until = now_;
    if (node.paused_at == kAwake) return;
    node.offset -= Time(static_cast<std::int64_t>(
        static_cast<double>((now_ - node.paused_at).count()) * node.rate));
    node.slept_at = node.paused_at;
    node.paused_at = kAwake;
    node.paused_until = {};
    node.woke_at = now_;
    node.just_woken = node.host_up;
    node.woken = node.process;
    node.alone_since = options_.partition == heartbeat::Partition::serve && node.agent_up();
    if (!node.alone_since) excuse_for_a_lease(node);
    turn(node);
}

// No beat can tell a woken machine whose peers have all been rebooted. In `serve` its agent takes itself for alone, and
// lets its lease grow, until it has heard a beat of a node that serves and hears it.
void World::excuse_for_a_lease(Node &node) {
    node.alone_since = false;
    after(options_.lease() + options_.interval, [&node, woke_at = node.woke_at] {
        if (node.woke_at == woke_at) node.just_woken = false;
    });
}

void World::order(unsigned id, heartbeat::Event event) {
    Node &node = nodes_[id];
    if (!node.agent_up()) return;
    if (now_ < node.stalled_until) // it waits for the agent to wake up
        return later(node.stalled_until - now_, [this, id, event] { order(id, event); });
    if (std::holds_alternative<heartbeat::event::Start>(event) && !node.able()) return; // later, as look_at_reach finds
    tell(node, now_, [&](agent::Node &agent, Time local) {
        if (const auto *health = std::get_if<heartbeat::event::SetHealthy>(&event))
            agent.set_health(local, health->rules, {});
        else
            agent.step(local, event);
    });
    turn(node);
}

void World::reload(unsigned id, heartbeat::Digest file) {
    Node &node = nodes_[id];
    node.file = file;
    if (!node.agent_up()) return;
    if (now_ < node.stalled_until) return later(node.stalled_until - now_, [this, id, file] { reload(id, file); });
    tell(node, now_, [&](agent::Node &agent, Time local) { agent.stage(local, staged(node, file)); });
    turn(node);
}

// The agent's loop.

void World::turn(Node &node) {
    if (!node.agent_up() || now_ < node.stalled_until) return;
    chance_of_agents = &random_;
    while (node.agent_up() && !node.inbox.empty()) {
        const Node::Waiting waiting = std::move(node.inbox.front());
        node.inbox.pop_front();
        take(node, waiting);
    }
    if (const auto kept = std::exchange(node.kept_now, std::nullopt); kept && node.agent_up())
        tell(node, now_, [&](agent::Node &agent, Time local) { agent.step(local, heartbeat::event::Kept{*kept}); });
    look_at_reach(node);
    consult_witness(node);
    count_connections(node);
    for (int i = 0; i < 8 && node.agent_up() && (i == 0 || node.local(now_) >= node.agent().wake_at()); ++i)
        tell(node, now_, [](agent::Node &agent, Time local) { agent.tick(local); });
    if (node.agent_up()) check_filter(node);
    schedule_tick(node);
}

void World::take(Node &node, const Node::Waiting &waiting) {
    const Datagram &datagram = *waiting.datagram;
    const bool tells = node.just_woken && can_tell(node, datagram.beat), awake = !node.just_woken;
    if (node.alone_since && datagram.beat.applied.term > 0 && sent_since(node, datagram.beat) && quotes(datagram.beat, node)) excuse_for_a_lease(node);
    tell(node, now_, [&](agent::Node &agent, Time local) {
        const auto sender = agent.receive(local, datagram.bytes, waiting.plane == kClientsPlane);
        if (sender && awake) get_to_know(node, datagram.beat);
        if (sender && (datagram.urgent || agent.came_early(*sender))) node.rests = datagram.urgent;
        if (!datagram.urgent && node.rests) node.rests_until = now_ + agent.rest();
    });
    if (!tells || !node.agent_up()) return; // an agent that dies in there has not been told
    node.just_woken = false;
    check_one_owner();
}

// As Agent::count_connections does, when a census is complete.
void World::count_connections(Node &node) {
    if (node.local(now_) < node.counted + 100ms) return;
    node.counted = node.local(now_);
    tell(node, now_, [&](agent::Node &agent, Time local) {
        agent.connections(local, node.host.sockets.size(), node.host.connections());
    });
}

// That this machine has stood still: it was sent since, in a life that the process had exchanged beats with before, by a
// machine that has not stood still since then itself.
bool World::can_tell(const Node &node, const heartbeat::Beat &beat) const {
    const Node::Known &known = node.known[index(beat.sender)];
    return nodes_[index(beat.sender)].woke_at <= node.slept_at && node.woken.lock() == node.process && beat.life == known.life &&
           known.since + 4 * options_.interval < node.slept_at && known.until + options_.dead_after > node.slept_at &&
           sent_since(node, beat);
}

bool World::sent_since(const Node &woken, const heartbeat::Beat &beat) const {
    return beat.clock > nodes_[index(beat.sender)].local(woken.woke_at);
}

void World::get_to_know(Node &node, const heartbeat::Beat &beat) const {
    Node::Known &known = node.known[index(beat.sender)];
    if (known.life != beat.life || now_ - known.until > options_.dead_after) known = {beat.life, now_, {}};
    if (quotes(beat, node)) known.until = now_;
}

// On the disk after a while, unless the machine dies before; of an agent that dies meanwhile, perhaps.
void World::keep(Node &node, const heartbeat::Electorate &electorate) {
    const Duration takes = (faulty_ && chance(0.1) ? scaled_between(50ms, 1s) : scaled_between(1ms, 20ms)) + between(0ms, node.disk);
    after(takes, [this, &node, electorate, process = node.process, crashes = node.crashes] {
        if (node.crashes != crashes || (process->dead && chance(0.5))) return;
        node.kept = electorate;
        trace(name(index(node.id)) + " has kept electorate " + std::to_string(electorate.term) + "." + std::to_string(electorate.step) +
              " of node " + std::to_string(index(electorate.leader)) + " (nodes=" + std::to_string(electorate.nodes) +
              " former=" + std::to_string(electorate.former) + ")");
        if (process->dead) return;
        node.kept_now = electorate;
        turn(node);
    });
}

// As Agent::consult_witness does.
void World::consult_witness(Node &node) {
    auto answered = [&](Time asked) {
        tell(node, now_, [&](agent::Node &agent, Time local) {
            agent.step(local, heartbeat::event::WitnessAnswered{asked});
        });
    };
    if (auto asked = std::exchange(node.witness_said, std::nullopt)) answered(*asked);
    const Time local = node.local(now_);
    if (!node.agent_up() || !node.agent().asks_witness(local)) return;
    if (!options_.witness) {
        if (node.on(kClientsPlane)) answered(local);
        return;
    }
    if (local - node.witness_asked < options_.interval / 2) return;
    node.witness_asked = local;
    if (!node.speaks(kClientsPlane) || !witness_answers_) return;
    after(scaled_between(100us, 4ms), [this, &node, local] {
        if (!node.hears(kClientsPlane) || !node.agent_up()) return;
        node.witness_said = local;
        turn(node);
    });
}

void World::schedule_tick(Node &node) {
    if (!node.agent_up() || node.agent().wake_at() == heartbeat::kNever) return;
    const Time when = std::max(now_, node.world_time(node.agent().wake_at()));
    if (when >= node.tick_at && node.tick_at > now_) return; // an earlier one is queued
    node.tick_at = when;
    at(when, [this, &node, when] {
        if (node.tick_at == when) node.tick_at = heartbeat::kNever;
        turn(node);
    });
}

const heartbeat::Ownership &World::ownership(heartbeat::Digest config) const {
    return config <= 2 ? plain_ : weighted_;
}

const heartbeat::OwnerTable &World::owners(const heartbeat::View &view) {
    heartbeat::OwnerTable &owners = owners_[{view.config <= 2, view.members}];
    if (owners.empty()) owners = *(view.config <= 2 ? plain_ : weighted_).tables(view).front();
    return owners;
}

// What the agent does.

bool World::survives_write(Node &node) {
    if (node.fuse == 0 || --node.fuse > 0) return true;
    trace(name(index(node.id)) + "'s fuse burns down");
    kill(index(node.id));
    later(node.away, [this, id = index(node.id)] { start(id); });
    return false;
}

void World::written(Node &node, Written what) {
    if (what == Written::note) {
        node.saved = heartbeat::unpack(node.process->datapath.note(), node.id);
        return consider_view(node);
    }
    check_one_owner();
    check_gaps();
}

void World::consider_view(Node &node) {
    const heartbeat::Saved &saved = *node.saved;
    const bool ended = node.life != 0 && saved.life != node.life;
    node.life = saved.life;
    if (ended) node.written_off |= now_ < excused_until_;
    if (saved.installed && std::exchange(node.written_off, false)) trouble(index(node.id), 2 * options_.dead_after);
    const bool inside = saved.view.holds(node.id, saved.life);
    if (ended || !inside) node.applied = {};
    if (!inside || saved.view == node.applied) return;
    check_view(node, saved.view);
    node.applied = saved.view;
    if (!ambush_ || saved.view.number.leader != node.id) return;
    after(scaled_between(0ms, 3ms), [leader = index(node.id), attack = std::exchange(ambush_, nullptr)] { attack(leader); });
}

void World::hear(Node &node, const heartbeat::Note &note) {
    if (!node.agent_up()) return;
    trace(name(index(node.id)) + ": " + note.text);
    node.written_off |= note.kind == heartbeat::Note::Kind::fenced;
    if (watching_) check_life(node, note);
}

} // namespace sim
