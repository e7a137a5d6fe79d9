// SPDX-License-Identifier: Apache-2.0
// A member of a large cluster goes and comes back; one that stays brings each view into force as
// its agent does: release, then serve.
#include "parts.hpp"

#include "agent/node/serving.hpp"
#include "filters.hpp"
#include "host.hpp"
#include "injector.hpp"

#include <algorithm>

namespace bench {

namespace {

constexpr unsigned kViews = 10; // of each size in a repeat
constexpr Size kSizes[] = {{.rules = 1, .nodes = 32}, {.rules = 32, .nodes = 32}};

heartbeat::View view_of(std::uint64_t number, unsigned nodes) {
    heartbeat::View view;
    view.number = {1, heartbeat::kNoNode, number};
    for (unsigned id = 1; id <= nodes; id++)
        view.members.push_back({heartbeat::NodeId(id), 1, 100, ~heartbeat::RuleBits{0}});
    return view;
}

// Weights that no two rules have alike, so that each has to have a table of its own.
std::vector<heartbeat::RuleOwnership> rules(const Size &size) {
    std::vector<heartbeat::RuleOwnership> result(size.rules);
    for (unsigned rule = 0; rule < size.rules; rule++)
        for (unsigned id = 1; id <= size.nodes; id++)
            result[rule].weights[heartbeat::NodeId(id)] =
                static_cast<std::uint8_t>(1 + (7 * id + 3 * rule * id + rule) % 100);
    return result;
}

class Member {
  public:
    explicit Member(const Size &size)
        : size_(size), datapath_(attach()),
          serving_(heartbeat::NodeId{1}, everybody(), rules(size), 0) {
        datapath_->configure(settings(size), serving_.tables());
        datapath_->set_lease(kForever);
        install(view_of(1, size_.nodes));
    }

    struct Took {
        double computing = 0, switching = 0, longest_step = 0; // seconds
    };
    Took install(const heartbeat::View &view) {
        Took took;
        step(heartbeat::action::Release{view}, took);
        step(heartbeat::action::Serve{view}, took);
        return took;
    }

  private:
    std::vector<heartbeat::NodeId> everybody() const {
        std::vector<heartbeat::NodeId> ids;
        for (unsigned id = 1; id <= size_.nodes; id++)
            ids.push_back(heartbeat::NodeId(id));
        return ids;
    }

    // In one go, as far as the agent's loop is concerned: no beat is sent meanwhile.
    void step(const heartbeat::Action &action, Took &took) {
        double start = seconds_now();
        bool changed = serving_.apply(action).tables;
        double computed = seconds_now();
        if (changed) datapath_->install(serving_.tables());
        double installed = seconds_now();
        took.computing += computed - start;
        took.switching += installed - computed;
        took.longest_step = std::max(took.longest_step, installed - start);
    }

    Size size_;
    std::unique_ptr<filter::Datapath> datapath_;
    agent::Serving serving_;
};

void measure_one(const Size &size, nlohmann::json &numbers) {
    Member member(size);
    for (unsigned number = 2; number < 2 + kViews; number++) {
        Member::Took took = member.install(view_of(number, size.nodes - (number % 2 == 0)));
        numbers["computing_ms"].push_back(1000 * took.computing);
        numbers["switching_ms"].push_back(1000 * took.switching);
        numbers["longest_step_ms"].push_back(1000 * took.longest_step);
    }
}

} // namespace

nlohmann::json measure_views(unsigned repeats) {
    nlohmann::json result;
    for (unsigned repeat = 0; repeat < repeats; repeat++)
        for (const Size &size : kSizes)
            measure_one(size, result[std::to_string(size.rules)]);
    return result;
}

} // namespace bench
