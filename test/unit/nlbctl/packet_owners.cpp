// SPDX-License-Identifier: Apache-2.0
// Whose a captured packet is, by what an agent says that may have been taken over.
#include "agent/nlbctl/packet_owners.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using agent::Json;

Json told() {
    return {{"owners",
             {{"nodes", {{{"id", 1}, {"name", "web1"}}, {{"id", 2}, {"name", "web2"}}}},
              {"rules", {{{"name", "http"}, {"mode", 0}, {"weights", {{2, 0}}}, {"priority", {1}}}}},
              {"members",
               {{{"id", 1}, {"weight", 100}, {"eligible", 1}},
                {{"id", 2}, {"weight", 100}, {"eligible", 1}}}}}}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(packet_owners)

BOOST_AUTO_TEST_CASE(owners_follow_from_what_is_told) {
    agent::PacketOwners owners;
    owners.update(told());
    const filter::Verdict verdict{"foreign", true, 0, 123};
    BOOST_TEST(owners.rule(verdict).value() == "http");
    BOOST_TEST(owners.owner(verdict).value() == "web1"); // web2 has weight 0 for it
    for (const int bucket : {-1, 65536, 1 << 30})
        BOOST_TEST(!owners.owner({"foreign", true, 0, bucket}).has_value());
    BOOST_TEST(!owners.owner({"foreign", true, 2, 5}).has_value());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused) {
    for (const char *path : {"/owners/members/0/id", "/owners/members/1/id", "/owners/nodes/0/id",
                             "/owners/members/0/weight", "/owners/rules/0/mode",
                             "/owners/rules/0/weights/0/0", "/owners/rules/0/weights/0/1",
                             "/owners/rules/0/priority/0"})
        for (const Json &value : {Json(200), Json(-1), Json(1 << 20), Json("x"), Json(), Json::object()}) {
            Json source = told();
            source[Json::json_pointer(path)] = value;
            agent::PacketOwners owners;
            BOOST_TEST_CONTEXT(path << " " << value)
            BOOST_CHECK_THROW(owners.update(source), std::exception);
        }
    for (const char *path : {"/owners/members", "/owners/nodes", "/owners/rules"}) {
        Json source = told();
        Json &list = source[Json::json_pointer(path)];
        while (list.size() < 40)
            list.push_back(list.back());
        agent::PacketOwners owners;
        BOOST_CHECK_THROW(owners.update(source), std::exception);
        source.at("owners").erase(path + std::string_view("/owners/").size());
        BOOST_CHECK_THROW(owners.update(source), std::exception);
    }
}

BOOST_AUTO_TEST_SUITE_END()
