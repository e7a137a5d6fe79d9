// SPDX-License-Identifier: Apache-2.0
// The order of things: see the header.
#include "agent/node/node.hpp"

#include "agent/base/random.hpp"

#include <algorithm>

namespace agent {
namespace {

std::optional<heartbeat::Saved> predecessor(const filter::Datapath &datapath,
                                            const heartbeat::Settings &settings) {
    return datapath.adopted() ? heartbeat::unpack(datapath.note(), settings.self) : std::nullopt;
}

std::uint64_t nanoseconds(heartbeat::Time time) { return static_cast<std::uint64_t>(time.count()); }

} // namespace

Node::Node(const heartbeat::Settings &settings, heartbeat::Time now, Serving serving,
           heartbeat::Envelope envelope, filter::Datapath &datapath, Send send, Listener listener,
           ElectorateStore electorate)
    : config_(settings.config), self_(settings.self), healthy_(settings.healthy),
      resumed_(predecessor(datapath, settings)),
      membership_(settings, now, random_bits(), resumed_, electorate.kept), serving_(std::move(serving)),
      envelope_(envelope), datapath_(datapath), send_(std::move(send)),
      listener_(std::move(listener)), keep_(std::move(electorate.keep)), forwarding_(settings.self, datapath.paths(), now), beat_qualities_(settings.dead_after),
      hearing_(settings.self, settings.dead_after, now) {
    if (datapath_.adopted()) { // in which groups the predecessor had connections is not known
        filter::GroupSet all;
        all.fill(~std::uint64_t{0});
        lingering_.add(all, now);
    }
    if (resumed_ && !heartbeat::Membership::resumable(*resumed_, settings, now)) resumed_.reset();
    if (resumed_)
        resume(now);
    else
        datapath_.set_lease(0);
    write_all();
}

// The filter has been doing all this while no agent was there. But the predecessor may have died in the middle of what it
// wrote, and only what it noted was ever told: so all of it is written again.
void Node::resume(heartbeat::Time now) {
    serving_.apply(heartbeat::action::Serve{resumed_->view});
    renew_numbers(now);
    lease_ = *resumed_->lease_until;
    guarded_ = membership_.guarded();
}

void Node::write_all() {
    datapath_.set_lingering(lingering_.groups());
    datapath_.set_guarded(guarded_);
    datapath_.install(serving_.tables());
    datapath_.set_lease(nanoseconds(lease_));
}

std::string_view Node::differs() const {
    return datapath_.differs(serving_.tables(), nanoseconds(lease_), guarded_, lingering_.groups());
}

std::string_view Node::put_right() {
    const std::string_view what = differs();
    if (what.empty()) return what;
    write_all();
    ++times_put_right_;
    return what;
}

std::optional<heartbeat::NodeId> Node::receive(heartbeat::Time now,
                                               std::span<const std::uint8_t> datagram,
                                               bool at_clients) {
    const heartbeat::NodeId claimed = heartbeat::claimed_sender(datagram);
    if (is_copy(claimed, datagram)) {
        ++beats_.refused[static_cast<std::size_t>(heartbeat::Refusal::replayed)];
        hearing_.heard_again(now, claimed, at_clients);
        return std::nullopt;
    }
    auto opened = heartbeat::open(datagram, envelope_);
    if (const auto *refusal = std::get_if<heartbeat::Refusal>(&opened)) {
        ++beats_.refused[static_cast<std::size_t>(*refusal)];
        if (*refusal == heartbeat::Refusal::bad_tag || *refusal == heartbeat::Refusal::other_version)
            step(now, heartbeat::event::Unreadable{heartbeat::claimed_sender(datagram)});
        return std::nullopt;
    }
    const auto &beat = std::get<heartbeat::Beat>(opened);
    const std::uint64_t before = beats_taken();
    step(now, heartbeat::event::Received{beat});
    const bool is_new = beats_taken() != before;
    hearing_.heard(now, beat, is_new, at_clients);
    if (!is_new) return std::nullopt;
    forwarding_.set_mac(beat.sender, beat.mac);
    if (beat.state == heartbeat::NodeState::dead) forwarding_.forget(beat.sender);
    const unsigned sender = heartbeat::index(beat.sender);
    newest_[sender].assign(datagram.begin(), datagram.end());
    early_[sender] = beat.clock > sent_[sender] && beat.clock < sent_[sender] + membership_.turn();
    sent_[sender] = beat.clock;
    beat_qualities_.heard(now, beat.sender, beat.life, beat.sequence);
    return beat.sender;
}

// Those of a node that is not listed are known, too.
std::uint64_t Node::beats_taken() const {
    return beats_.received + beats_.refused[static_cast<std::size_t>(heartbeat::Refusal::unknown_node)];
}

// Every beat comes once for each interface and family. A copy of one that has been believed is told
// apart from a new one without a look at its seal.
bool Node::is_copy(heartbeat::NodeId claimed, std::span<const std::uint8_t> datagram) const {
    const unsigned sender = heartbeat::index(claimed);
    return sender < newest_.size() && !datagram.empty() &&
           std::ranges::equal(newest_[sender], datagram);
}

void Node::tick(heartbeat::Time now) {
    renew_paths(now);
    if (now >= wake_at()) step(now, heartbeat::event::Tick{});
}

void Node::connections(heartbeat::Time now, std::uint64_t count,
                       const std::vector<filter::BucketSet> &buckets) {
    connections_ = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(count, heartbeat::kUncounted - 1));
    const filter::GroupSet before = lingering_.groups();
    lingering_.add(serving_.not_served(buckets), now);
    lingering_.expire(now);
    if (lingering_.groups() != before) datapath_.set_lingering(lingering_.groups());
}

void Node::step(heartbeat::Time now, const heartbeat::Event &event) {
    const heartbeat::Outcome outcome = membership_.step(now, random_bits(), event);
    if (outcome.refusal)
        ++beats_.refused[static_cast<std::size_t>(*outcome.refusal)];
    else if (std::holds_alternative<heartbeat::event::Received>(event))
        ++beats_.received;
    perform(now, outcome);
}

void Node::set_health(heartbeat::Time now, heartbeat::RuleBits healthy,
                      const std::vector<std::string> &texts) {
    for (const std::string &text : texts)
        note(now, {heartbeat::Note::Kind::health, text, {}});
    if (healthy == healthy_) return;
    healthy_ = healthy;
    step(now, heartbeat::event::SetHealthy{healthy});
}

void Node::perform(heartbeat::Time now, const heartbeat::Outcome &outcome) {
    changes_ += !outcome.actions.empty() || !outcome.notes.empty();
    if (outcome.keep && keep_) keep_(*outcome.keep);
    renew_guard();
    for (const heartbeat::Action &action : outcome.actions) {
        if (std::holds_alternative<heartbeat::action::Configure>(action)) {
            configure(now);
            continue;
        }
        const Serving::Change change = serving_.apply(action);
        if (change.lost != filter::GroupSet{}) {
            lingering_.add(change.lost, now);
            datapath_.set_lingering(lingering_.groups());
        }
        if (change.tables) datapath_.install(serving_.tables());
        if (std::holds_alternative<heartbeat::action::Serve>(action)) renew_numbers(now);
    }
    if (renew_lease() && !outcome.send) save(); // so that a successor has all of it
    for (const heartbeat::Note &text : outcome.notes)
        note(now, text);
    for (const heartbeat::Action &action : outcome.actions)
        if (const auto *serve = std::get_if<heartbeat::action::Serve>(&action))
            events_.served(now, serve->view.number);
    if (outcome.send) send_beat(now, !outcome.in_turn);
}

void Node::stage(heartbeat::Time now, StagedConfig config) {
    const heartbeat::Settings settings = config.settings;
    staged_.reset();
    if (settings.config != config_) {
        serving_.prepare(settings.nodes);
        staged_ = std::move(config);
    }
    step(now, heartbeat::event::Stage{settings});
}

void Node::restage(heartbeat::Time now, StagedConfig config) {
    if (!staged_) return;
    const heartbeat::Settings settings = config.settings;
    staged_ = std::move(config);
    step(now, heartbeat::event::Restage{settings});
}

// A connection may fall into another bucket from here on, so everything lingers until the sockets
// have been counted anew.
void Node::configure(heartbeat::Time now) {
    filter::GroupSet all;
    all.fill(~std::uint64_t{0});
    lingering_.add(all, now);
    datapath_.set_lingering(all);
    serving_.configure(std::move(staged_->rules), ~staged_->settings.serve_all_down,
                       staged_->former, staged_->received);
    if (staged_->before) staged_->before();
    datapath_.configure(staged_->filter, serving_.tables());
    envelope_ = staged_->envelope;
    config_ = staged_->settings.config;
    healthy_ = staged_->settings.healthy;
    staged_.reset();
}

void Node::renew_guard() {
    const filter::GroupSet guarded = membership_.guarded();
    if (guarded == guarded_) return;
    guarded_ = guarded;
    datapath_.set_guarded(guarded_);
}

// On every turn: what others say may have changed without anything being done about it here.
void Node::renew_paths(heartbeat::Time now) {
    if (!serving_.forwards()) return;
    for (std::uint8_t id = 1; id <= heartbeat::kMaxNodes; ++id)
        forwarding_.set_held(heartbeat::NodeId{id}, membership_.held_by(heartbeat::NodeId{id}));
    forwarding_.expire(now);
    if (const auto paths = forwarding_.changed_paths()) datapath_.set_paths(*paths);
}

// Until all have let go, packets go to those that had them: they hold the connections.
void Node::renew_numbers(heartbeat::Time now) {
    if (!serving_.forwards()) return;
    filter::Numbers next = serving_.numbers();
    ++views_served_;
    if (next == numbers_) return;
    forwarding_.move(numbers_, next, now);
    renew_paths(now);
    numbers_ = std::move(next);
    datapath_.set_numbers(numbers_);
}

bool Node::renew_lease() {
    const heartbeat::Time lease = membership_.lease_until();
    if (lease == lease_) return false;
    lease_ = lease;
    datapath_.set_lease(nanoseconds(lease_));
    return true;
}

void Node::save() { datapath_.set_note(heartbeat::pack(membership_.save(), self_)); }

void Node::send_beat(heartbeat::Time now, bool urgent) {
    heartbeat::Beat beat = membership_.beat(now, lingering_.groups(), serving_.digest());
    beat.connections = connections_;
    beat.mac = mac_;
    beat.hears_at_clients = hearing_.at_clients(now);
    // Before any other node can rely on it: a successor must not say less than this beat says.
    save();
    send_(heartbeat::seal(beat, envelope_), urgent);
    ++beats_.sent;
}

void Node::note(heartbeat::Time now, const heartbeat::Note &note) {
    events_.add(now, note);
    if (note.kind == heartbeat::Note::Kind::view)
        view_changes_.applied(membership_.status(now).view);
    listener_(note);
}

heartbeat::Status Node::status(heartbeat::Time now) {
    heartbeat::Status status = membership_.status(now);
    // A node that looks on sends on what comes to it by the view that it sees.
    if (serving_.consider(status.view) && lease_ == heartbeat::Time{}) renew_numbers(now);
    return status;
}

bool Node::gone(heartbeat::Time now) const {
    return membership_.status(now).state == heartbeat::NodeState::dead;
}

heartbeat::Time Node::receives_until(heartbeat::Duration spare) const {
    return membership_.active() && lease_ > spare ? lease_ - spare : heartbeat::Time{};
}

std::uint32_t Node::answers(heartbeat::Time now) const {
    return now < lease_ ? serving_.answered() : 0;
}

} // namespace agent
