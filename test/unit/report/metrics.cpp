// SPDX-License-Identifier: Apache-2.0
// What is exported, against test/golden/metrics; and what it is made of: reception, causes of
// views, the lag of the loop. NLBD_RENEW_GOLDEN=1 writes what is said now: look at the difference.
#include "agent/base/version.hpp"
#include "agent/report/metrics.hpp"
#include "agent/web/prometheus.hpp"
#include "test/unit/config/files.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>

namespace {

using namespace std::chrono_literals;
using agent::Json;
using agent::ViewCause;
using heartbeat::NodeId;

const NodeId kPeer{2};

struct Fixture {
    agent::BeatQualities beat_qualities{500ms};
    agent::ViewChanges views;
    agent::EventLog events;
    agent::LoopLag lag;

    std::string text(const Json &status, heartbeat::Duration lease_left = 325ms) const {
        return agent::metrics(
            {status, beat_qualities, views, events, lag, lease_left, 50ms, 500ms, 0xabc});
    }
    static Json status() {
        return Json::parse(read_whole(source_dir() / "test/golden/metrics/status.json"));
    }
    const agent::BeatQuality &peer() const { return beat_qualities.of(2); }
};

heartbeat::View view(std::uint64_t number, const std::vector<heartbeat::Member> &members,
                     int leader = 1, heartbeat::Digest config = 5) {
    return {{1, NodeId(leader), number}, config, members};
}

heartbeat::Member member(int id, int weight = 100, heartbeat::Life life = 7,
                         heartbeat::RuleBits eligible = 1) {
    return {NodeId(id), life, static_cast<std::uint8_t>(weight), eligible};
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(metrics, Fixture)

BOOST_AUTO_TEST_CASE(a_whole_node_is_told_as_in_the_golden_file) {
    views.applied(view(1, {member(1), member(2)}));
    events.add(1s, {heartbeat::Note::Kind::fenced, "web1: fenced", {}});
    for (int i : {1, 2, 3, 6})
        beat_qualities.heard(1s + i * 50ms, kPeer, 9, static_cast<heartbeat::Sequence>(i));
    lag.add(300us);
    lag.add(2s);
    const auto file = source_dir() / "test/golden/metrics/metrics.txt";
    std::string said = text(status());
    const std::string version = "version=\"" + std::string(agent::kVersion) + "\"";
    said.replace(said.find(version), version.size(), "version=\"VERSION\"");
    if (std::getenv("NLBD_RENEW_GOLDEN")) std::ofstream(file) << said;
    BOOST_TEST(said == read_whole(file));
}

BOOST_AUTO_TEST_CASE(a_lease_that_ran_out_is_nought_and_not_negative) {
    BOOST_TEST(text(status(), -3s).find("nlbd_lease_remaining_seconds 0\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(labels_are_escaped) {
    agent::MetricsText out;
    out.gauge("x", "An x.");
    out.sample({{"name", "a\"b\\c\nd"}}, 0.0005);
    BOOST_TEST(out.text() ==
               "# HELP x An x.\n# TYPE x gauge\nx{name=\"a\\\"b\\\\c\\nd\"} 0.0005\n");
}

BOOST_AUTO_TEST_CASE(a_family_without_samples_is_not_there) {
    agent::MetricsText out;
    out.gauge("x", "An x.");
    out.counter("y_total", "A y.");
    out.sample({}, std::uint64_t{1});
    BOOST_TEST(out.text() == "# HELP y_total A y.\n# TYPE y_total counter\ny_total 1\n");
}

BOOST_AUTO_TEST_CASE(gaps_in_the_numbers_of_a_life_are_loss) {
    beat_qualities.heard(1s, kPeer, 9, 100); // the first one that is heard: nothing is known before
    beat_qualities.heard(2s, kPeer, 9, 101);
    BOOST_TEST(peer().lost == 0u);
    beat_qualities.heard(3s, kPeer, 9, 104);
    BOOST_TEST(peer().lost == 2u);
    beat_qualities.heard(4s, kPeer, 10, 1); // a new life counts from 1 again
    beat_qualities.heard(5s, kPeer, 10, 2);
    BOOST_TEST(peer().lost == 2u);
    BOOST_TEST(peer().received == 5u);
    BOOST_TEST(beat_qualities.of(1).received == 0u);
}

BOOST_AUTO_TEST_CASE(even_beats_have_no_jitter_and_uneven_ones_have_their_deviation) {
    for (unsigned i = 1; i <= 200; ++i)
        beat_qualities.heard(i * 40ms, kPeer, 9, i);
    BOOST_TEST(peer().gap == 0.04, boost::test_tools::tolerance(1e-9));
    BOOST_TEST(peer().jitter < 1e-9);
    for (unsigned i = 1; i <= 400; ++i) // 30 ms and 50 ms in turn
        beat_qualities.heard(8s + i * 40ms + (i % 2) * 10ms, kPeer, 9, 200 + i);
    BOOST_TEST(peer().gap == 0.04, boost::test_tools::tolerance(0.05));
    BOOST_TEST(peer().jitter == 0.01, boost::test_tools::tolerance(0.1));
}

BOOST_AUTO_TEST_CASE(an_absence_is_no_jitter) {
    beat_qualities.heard(1000ms, kPeer, 9, 1);
    beat_qualities.heard(1040ms, kPeer, 9, 2);
    beat_qualities.heard(9s, kPeer, 9, 3);
    BOOST_TEST(peer().jitter == 0.0);
}

BOOST_AUTO_TEST_CASE(a_view_counts_once_under_each_of_its_causes) {
    const auto causes = [&](const heartbeat::View &next) {
        std::string text;
        std::array<std::uint64_t, agent::kViewCauses> before{};
        for (std::size_t i = 0; i < before.size(); ++i)
            before[i] = views.count(static_cast<ViewCause>(i));
        views.applied(next);
        for (std::size_t i = 0; i < before.size(); ++i) {
            const auto cause = static_cast<ViewCause>(i);
            BOOST_TEST(views.count(cause) - before[i] <= 1u);
            if (views.count(cause) > before[i]) text += std::string(to_string(cause)) + " ";
        }
        return text;
    };
    BOOST_TEST(causes(view(1, {member(1), member(2), member(3)})) == "join ");
    BOOST_TEST(causes(view(2, {member(1), member(2), member(3, 0)})) == "weight ");
    BOOST_TEST(causes(view(3, {member(1), member(2)})) == "leave ");
    BOOST_TEST(causes(view(4, {member(1)})) == "death ");
    BOOST_TEST(causes(view(5, {member(1), member(4)})) == "join ");
    BOOST_TEST(causes(view(6, {member(1), member(4, 100, 8)})) == "restart ");
    BOOST_TEST(causes(view(7, {member(1), member(4, 100, 8, 0)})) == "eligibility ");
    BOOST_TEST(causes(view(8, {member(1), member(4, 50, 8, 1)})) == "weight eligibility ");
    BOOST_TEST(causes(view(9, {member(1), member(4, 50, 8, 1)}, 1, 6)) == "configuration ");
    BOOST_TEST(causes(view(10, {member(1), member(4, 50, 8, 1)}, 4, 6)) == "leader ");
    BOOST_TEST(causes(view(11, {member(2), member(4, 50, 8, 1)}, 4, 6)) == "join death ");
}

BOOST_AUTO_TEST_CASE(lag_falls_into_the_bucket_whose_bound_it_does_not_exceed) {
    lag.add(500us);
    lag.add(501us);
    lag.add(1h);
    BOOST_TEST(lag.counts.front() == 1u);
    BOOST_TEST(lag.counts[1] == 1u);
    BOOST_TEST(lag.counts.back() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
