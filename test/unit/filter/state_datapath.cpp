// SPDX-License-Identifier: Apache-2.0
#include "filter/state_datapath.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>

namespace {

using namespace filter;

// Of one rule; nothing reads what is written.
class Unread final : public StateDatapath {
  public:
    Unread() : StateDatapath(1) {}
    nlb_state &state() const override { return *state_; }
    std::string_view kind() const override { return "unread"; }
    Verdict judge(const std::vector<std::uint8_t> &) override { return {}; }
    std::function<InPlace()> look() const override { return [] { return InPlace{}; }; }
    std::optional<std::string> flaw(const InPlace &) override { return std::nullopt; }

  private:
    nlb_counters sum() const override { return {}; }
    void forget_tables_counted() override {}
    void wait_for_readers(Clock::time_point) override {}

    std::unique_ptr<nlb_state> state_ = std::make_unique<nlb_state>();
};

struct Told {
    Tables tables = Tables(2);
    std::uint64_t lease = 5;
    GroupSet guarded{1}, lingering{2};
};

struct Written {
    Unread datapath;
    Told told;
    Written() {
        told.tables[0].mine[3] = 0xf0;
        told.tables[1].has_owner = true;
        datapath.install(told.tables);
        datapath.set_lease(told.lease);
        datapath.set_guarded(told.guarded);
        datapath.set_lingering(told.lingering);
    }
    std::string_view differs() const {
        return datapath.differs(told.tables, told.lease, told.guarded, told.lingering);
    }
    nlb_owners &owners() const { return datapath.state().owners[datapath.state().active_owners]; }
};

} // namespace

BOOST_AUTO_TEST_SUITE(state_datapath)

BOOST_FIXTURE_TEST_CASE(what_was_written_is_found_as_it_was_told, Written) {
    BOOST_TEST(differs() == "");
    told.tables[0].mine[3] = 0xff;
    BOOST_TEST(differs() == "the owner tables");
    datapath.install(told.tables);
    BOOST_TEST(differs() == "");
}

BOOST_FIXTURE_TEST_CASE(whatever_somebody_else_writes_is_seen, Written) {
    owners().served[NLB_UNCOVERED] = NLB_BY_NOBODY;
    BOOST_TEST(differs() == "the owner tables");
    datapath.install(told.tables);
    owners().mine[7][0] = 1; // the place of a rule that there is not
    BOOST_TEST(differs() == "the owner tables");
    datapath.install(told.tables);
    datapath.state().lease_ns = 6;
    BOOST_TEST(differs() == "the lease");
    datapath.set_lease(told.lease);
    datapath.state().guarded[0] = 0;
    BOOST_TEST(differs() == "the guarded groups");
    datapath.set_guarded(told.guarded);
    datapath.state().lingering[0] = 0;
    BOOST_TEST(differs() == "the lingering groups");
}

BOOST_AUTO_TEST_SUITE_END()
