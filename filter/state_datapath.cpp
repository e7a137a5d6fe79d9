// SPDX-License-Identifier: Apache-2.0
#include "filter/state_datapath.hpp"

#include "filter/tables.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <type_traits>

namespace filter {

namespace {

constexpr std::size_t kReasonColumns = 1 << NLB_REASON_BITS;

std::uint64_t packets(const nlb_counters &sum, std::uint32_t reason) {
    std::uint64_t all = 0;
    for (std::size_t i = reason; i < NLB_COUNTERS; i += kReasonColumns)
        all += sum.packets[i];
    return all;
}

std::vector<Counter> of_table(const nlb_counters &sum, std::size_t table) {
    const __u64 *row = &sum.packets[(table + 1) << NLB_REASON_BITS];
    std::vector<Counter> result;
    for (std::uint32_t reason = 0; reason < NLB_REASONS; reason++)
        if (row[reason] > 0) result.push_back({reason_name(reason), drops(reason), row[reason]});
    return result;
}

template <typename Word>
void store(Word &shared, std::type_identity_t<Word> value) {
    std::atomic_ref(shared).store(value, std::memory_order_release);
}

} // namespace

const nlb_config &active_config(const nlb_state &state) {
    return state.config[state.active_config % NLB_CONFIG_BUFFERS];
}

bool same(const nlb_config &one, const nlb_config &other) {
    return std::memcmp(&one, &other, sizeof one) == 0;
}

void forget_tables(nlb_counters &counters) {
    for (std::size_t i = kReasonColumns; i < NLB_COUNTERS; i++) {
        const __u64 counted = std::atomic_ref(counters.packets[i]).exchange(0);
        std::atomic_ref(counters.packets[i % kReasonColumns]).fetch_add(counted);
    }
}

void StateDatapath::switch_owners(const Tables &tables) {
    nlb_state &shared = state();
    const unsigned next = (shared.active_owners + 1) % NLB_OWNER_BUFFERS;
    wait_for_readers(retired_[next]);
    write_owners(tables, rules_, shared.owners[next]);
    retired_[shared.active_owners] = Clock::now();
    store(shared.active_owners, next);
}

bool StateDatapath::gains(const Tables &tables) const {
    const nlb_owners &now = state().owners[state().active_owners % NLB_OWNER_BUFFERS];
    for (std::size_t i = 0; i < tables.size(); ++i) {
        const __u64 *mine = now.mine[i < rules_ ? i : NLB_UNCOVERED];
        for (std::size_t word = 0; word < tables[i].mine.size(); ++word)
            if (tables[i].mine[word] & ~mine[word]) return true;
    }
    return false;
}

void StateDatapath::install(const Tables &tables) {
    if (gains(tables)) let_earlier_packets_be_judged();
    switch_owners(tables);
    let_packets_arrive();
}

void StateDatapath::set_lease(std::uint64_t deadline_ns) {
    const bool shorter = deadline_ns < state().lease_ns;
    store(state().lease_ns, deadline_ns);
    if (shorter) let_packets_arrive();
}

void StateDatapath::set_guarded(const GroupSet &groups) {
    for (std::size_t i = 0; i < groups.size(); i++)
        store(state().guarded[i], groups[i]);
    let_packets_arrive();
}

void StateDatapath::set_lingering(const GroupSet &groups) {
    for (std::size_t i = 0; i < groups.size(); i++)
        store(state().lingering[i], groups[i]);
    let_packets_arrive();
}

std::string_view StateDatapath::differs(const Tables &tables, std::uint64_t deadline_ns, const GroupSet &guarded,
                                        const GroupSet &lingering) const {
    const nlb_state &shared = state();
    auto told = std::make_unique<nlb_owners>();
    write_owners(tables, rules_, *told);
    if (std::memcmp(told.get(), &shared.owners[shared.active_owners % NLB_OWNER_BUFFERS], sizeof *told) != 0)
        return "the owner tables";
    if (shared.lease_ns != deadline_ns) return "the lease";
    if (!std::ranges::equal(guarded, shared.guarded)) return "the guarded groups";
    return std::ranges::equal(lingering, shared.lingering) ? "" : "the lingering groups";
}

void StateDatapath::ask() { store(state().asked, state().asked + 1); }

bool StateDatapath::has_answered() const {
    return std::atomic_ref(state().answered).load(std::memory_order_acquire) == state().asked;
}

// A reader that began under the old configuration must not look into the new tables, whose places
// are other rules': hence empty ones in between, and the wait.
void StateDatapath::configure(const Settings &settings, const Tables &tables) {
    auto config = std::make_unique<nlb_config>();
    write_config(settings, *config);
    nlb_state &shared = state();
    if (same(active_config(shared), *config)) return install(tables);
    const unsigned next = (shared.active_config + 1) % NLB_CONFIG_BUFFERS;
    wait_for_readers(config_retired_); // none reads the idle copy any more
    shared.config[next] = *config;
    switch_owners(Tables(rules_ + 1));
    std::fill(std::begin(shared.services), std::end(shared.services), nlb_service{});
    store(shared.active_config, next);
    config_retired_ = Clock::now();
    wait_for_readers(config_retired_);
    rules_ = settings.rules.size();
    forget_tables_counted();
    install(tables);
}

void StateDatapath::set_disabled(std::size_t rule, bool disabled) {
    nlb_state &shared = state();
    store(shared.config[shared.active_config % NLB_CONFIG_BUFFERS].rules[rule].disabled, disabled);
    let_packets_arrive();
}

// A reader that sees half an entry finds no listener there, and the client tries again.
void StateDatapath::expect_service(std::size_t rule, bool expected,
                                   const std::optional<Service> &known) {
    nlb_service &shared = state().services[rule];
    const nlb_service entry = service_entry(expected, known);
    std::copy(std::begin(entry.address), std::end(entry.address), shared.address);
    store(shared.port, entry.port);
    store(shared.family, entry.family);
    store(shared.expected, entry.expected);
}

// Cleared before the agent looks: a service that is missed from then on wakes it again.
std::uint32_t StateDatapath::take_missed() {
    std::uint32_t missed = 0;
    for (std::size_t rule = 0; rule < kMaxRules; rule++)
        if (std::atomic_ref(state().services[rule].missed).exchange(0)) missed |= 1u << rule;
    return missed;
}

void StateDatapath::show(Shown what) { store(state().captured, shown_reasons(what)); }

std::vector<Counter> StateDatapath::counters() const {
    const nlb_counters all = sum();
    std::vector<Counter> result;
    for (std::uint32_t reason = 0; reason < NLB_REASONS; reason++)
        result.push_back({reason_name(reason), drops(reason), packets(all, reason)});
    return result;
}

std::vector<std::vector<Counter>> StateDatapath::rule_counters() const {
    const nlb_counters all = sum();
    std::vector<std::vector<Counter>> result;
    for (std::size_t i = 0; i < rules_; i++)
        result.push_back(of_table(all, i));
    result.push_back(of_table(all, NLB_UNCOVERED));
    return result;
}

std::vector<std::uint8_t> StateDatapath::note() const {
    const nlb_note &note = state().notes[state().active_note % NLB_NOTES];
    return {note.bytes, note.bytes + std::min<std::size_t>(note.length, kNoteBytes)};
}

void StateDatapath::set_note(const std::vector<std::uint8_t> &bytes) {
    if (bytes.size() > kNoteBytes) throw std::logic_error("note for a successor: too long");
    nlb_state &shared = state();
    const unsigned next = (shared.active_note + 1) % NLB_NOTES;
    shared.notes[next].length = static_cast<__u32>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), shared.notes[next].bytes);
    store(shared.active_note, next);
}

} // namespace filter
