// SPDX-License-Identifier: Apache-2.0
// A datapath that writes down what it is told, and a cluster of nodes in one process with a virtual
// clock.
#pragma once

#include "agent/node/node.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace agent_test {

struct FakeDatapath : filter::Datapath {
    std::vector<std::string> calls; // in order: "install", "lease", "guarded", "lingering"
    filter::Tables tables;
    std::uint64_t lease = 0;
    std::vector<std::uint8_t> judged;
    filter::Verdict verdict{"accepted", false, 0, 5};
    filter::GroupSet guarded{}, lingering{};
    std::set<std::size_t> disabled;
    std::vector<std::uint8_t> noted;
    filter::Paths paths;
    filter::Numbers numbers;

    void install(const filter::Tables &next) override {
        tables = next;
        calls.push_back("install");
    }
    void set_lease(std::uint64_t deadline) override {
        lease = deadline;
        calls.push_back("lease");
    }
    void set_guarded(const filter::GroupSet &groups) override {
        guarded = groups;
        calls.push_back("guarded");
    }
    void set_lingering(const filter::GroupSet &groups) override {
        lingering = groups;
        calls.push_back("lingering");
    }
    std::string_view differs(const filter::Tables &told, std::uint64_t deadline, const filter::GroupSet &guards,
                             const filter::GroupSet &lingers) const override {
        const bool same = std::ranges::equal(told, tables, {}, &filter::Table::mine, &filter::Table::mine);
        return same && deadline == lease && guards == guarded && lingers == lingering ? "" : "something";
    }
    void set_paths(const filter::Paths &next) override { paths = next; }
    void set_numbers(const filter::Numbers &next) override {
        numbers = next;
        calls.push_back("numbers");
    }
    void configure(const filter::Settings &, const filter::Tables &next) override {
        tables = next;
        calls.push_back("configure");
    }
    void set_disabled(std::size_t rule, bool value) override {
        value ? void(disabled.insert(rule)) : void(disabled.erase(rule));
        calls.push_back("disabled");
    }
    std::vector<filter::Counter> counters() const override {
        return {{"accepted", false, 3}, {"foreign", true, 6}};
    }
    std::string_view kind() const override { return "xdp"; }
    filter::Mode mode() const override { return filter::Mode::generic; }
    filter::Verdict judge(const std::vector<std::uint8_t> &frame) override {
        judged = frame;
        return verdict;
    }
    std::function<filter::InPlace()> look() const override { return [] { return filter::InPlace{}; }; }
    std::optional<std::string> flaw(const filter::InPlace &) override { return std::nullopt; }
    bool adopted() const override { return !noted.empty(); }
    std::vector<std::uint8_t> note() const override { return noted; }
    void set_note(const std::vector<std::uint8_t> &bytes) override { noted = bytes; }
    void keep() override {}

    bool serves(std::size_t table, unsigned bucket) const {
        return tables[table].mine[bucket / 64] >> bucket % 64 & 1;
    }
};

inline heartbeat::RuleOwnership shared_rule() { return {}; }
inline heartbeat::Envelope test_envelope() { return heartbeat::make_envelope("test", {1, 2, 3}); }

inline heartbeat::RuleOwnership single_rule() {
    heartbeat::RuleOwnership rule;
    rule.mode = heartbeat::RuleMode::single;
    return rule;
}

// A view of members with weight 100 and life 7.
inline heartbeat::View view_of(std::uint64_t number, const std::vector<int> &ids) {
    heartbeat::View view;
    view.number = {1, heartbeat::kNoNode, number};
    for (int id : ids)
        view.members.push_back({heartbeat::NodeId(id), 7, 100, ~heartbeat::RuleBits{0}});
    view.number.leader = view.members.empty() ? heartbeat::kNoNode : view.members.front().id;
    return view;
}

// Nodes 1 to n with one shared rule, joined by a network that loses nothing and takes one
// millisecond.
class TestCluster {
  public:
    explicit TestCluster(unsigned nodes);

    struct Machine {
        FakeDatapath datapath;
        std::unique_ptr<agent::Node> node;
        std::function<void()> start; // a new process, on the same datapath
        std::vector<std::string> notes;
        bool connected = true;
        // Listed once a second: buckets, by table, that hold a connection.
        std::vector<filter::BucketSet> connections;
    };
    Machine &machine(int id) { return *machines_[static_cast<std::size_t>(id - 1)]; }
    heartbeat::Settings settings(int id) const;
    heartbeat::Time now() const { return now_; }
    void run(heartbeat::Duration time);
    // Buckets of the rule that are served, lease included, by no machine and by more than one.
    std::pair<unsigned, unsigned> unserved_and_doubled() const;

  private:
    struct Flight {
        std::size_t from;
        std::vector<std::uint8_t> datagram;
    };
    std::vector<std::unique_ptr<Machine>> machines_;
    std::vector<Flight> flights_;
    heartbeat::Time now_ = std::chrono::seconds(100);
};

} // namespace agent_test
