// SPDX-License-Identifier: Apache-2.0
// Digests of the sections differ exactly where the effective configuration does.
#include "agent/config/sections.hpp"

#include <boost/test/unit_test.hpp>

#include <map>

namespace {

const std::string kBase = R"([cluster]
name = "web"
interface = "eth0"
key_file = "/etc/nlb/cluster.key"
[heartbeat]
interfaces = ["eth1", "eth0"]
interval_ms = 50
[[node]]
id = 1
name = "web1"
[[node]]
id = 2
name = "web2"
[[virtual_ip]]
address = "192.0.2.100"
[[virtual_ip]]
address = "2001:db8::100"
[[rule]]
name = "http"
protocol = "tcp"
ports = "80"
virtual_ips = ["192.0.2.100", "2001:db8::100"]
[[rule]]
name = "dns"
protocol = "both"
ports = "53"
)";

// The whole schema.
std::map<std::string, std::uint64_t> digests(const std::string &text) {
    std::map<std::string, std::uint64_t> found;
    for (const agent::SectionDigest &section :
         agent::section_digests(agent::read_config(agent::parse_toml(text, "f"), "f")))
        found[section.name] = section.digest;
    return found;
}

std::string with(const std::string &from, const std::string &to) {
    std::string text = kBase;
    const std::size_t at = text.find(from);
    BOOST_TEST_REQUIRE(at != std::string::npos, from);
    return text.replace(at, from.size(), to);
}

// The sections that differ, in the order of their names, each followed by a comma.
std::string changed(const std::string &from, const std::string &to) {
    const auto before = digests(kBase);
    const auto after = digests(with(from, to));
    std::string names;
    for (const auto &[name, digest] : before)
        if (!after.contains(name) || after.at(name) != digest) names += name + ',';
    for (const auto &[name, digest] : after)
        if (!before.contains(name)) names += "new " + name + ',';
    return names;
}

} // namespace

BOOST_AUTO_TEST_SUITE(config_digest)

BOOST_AUTO_TEST_CASE(names_and_their_order) {
    const auto config = agent::parse_config(kBase, "f");
    std::string names;
    for (const agent::SectionDigest &section : agent::section_digests(config))
        names += section.name + ',';
    BOOST_TEST(names ==
               "cluster,heartbeat,control,agent,metrics,virtual_ip,node \"web1\",node \"web2\",rule \"http\",rule \"dns\",");
}

BOOST_AUTO_TEST_CASE(a_change_shows_in_its_section_alone) {
    const struct {
        const char *from, *to, *sections;
    } table[] = {
        {"name = \"web\"", "name = \"www\"", "cluster,"},
        {"\"eth0\"\n", "\"ens3\"\n", "cluster,"},
        {"[heartbeat]", "mac_mode = \"unicast\"\n[heartbeat]", "cluster,"},
        {"[heartbeat]", "mac = \"03:bf:00:00:00:01\"\n[heartbeat]", "cluster,"},
        {"[heartbeat]", "datapath = \"xdp\"\n[heartbeat]", "cluster,"},
        {"[\"eth1\", \"eth0\"]", "[\"eth1\"]", "heartbeat,"},
        {"[[node]]", "group = \"239.1.2.3\"\n[[node]]", "heartbeat,"},
        {"[[node]]", "group6 = \"ff02::1:2\"\n[[node]]", "heartbeat,"},
        {"[[node]]", "port = 7000\n[[node]]", "heartbeat,"},
        {"interval_ms = 50", "interval_ms = 40", "heartbeat,"},
        {"interval_ms = 50", "dead_after_ms = 501", "heartbeat,"},
        {"[[node]]", "partition = \"quorum\"\n[[node]]", "heartbeat,"},
        {"[[node]]", "witness = \"192.0.2.1\"\n[[node]]", "heartbeat,"},
        {"[[node]]", "[agent]\ndrain_ms = 0\n[[node]]", "agent,"},
        {"[[node]]", "[control]\nport = 7779\n[[node]]", "control,"},
        {"[[node]]", "[agent]\nlog_level = \"error\"\n[[node]]", "agent,"},
        {"[heartbeat]", "delivery = \"forward\"\n[announce]\n[heartbeat]", "cluster,new announce,"},
        {"[[node]]", "[metrics]\nlisten = \"[::1]:9777\"\n[[node]]", "metrics,"},
        {"id = 1", "id = 3", "node \"web1\","},
        {"web2", "www2", "node \"web2\",new node \"www2\","},
        {"id = 1", "id = 1\nweight = 99", "node \"web1\","},
        {"id = 1", "id = 1\ninterface = \"ens3\"", "node \"web1\","},
        {"id = 1", "id = 1\ndatapath = \"xdp\"", "node \"web1\","},
        {"id = 1", "id = 1\nheartbeat_interfaces = [\"ens3\"]", "node \"web1\","},
        {"id = 1", "id = 1\naddress = \"192.0.2.11\"", "node \"web1\","},
        {"[[virtual_ip]]", "[[node]]\nid = 3\nname = \"web3\"\n[[virtual_ip]]", "new node \"web3\","},
        {"[[virtual_ip]]", "[[virtual_ip]]\naddress = \"192.0.2.1\"\n[[virtual_ip]]",
         "virtual_ip,"},
        {"\"tcp\"", "\"udp\"", "rule \"http\","},
        {"\"80\"", "\"80-81\"", "rule \"http\","},
        {"virtual_ips = [\"192.0.2.100\", \"2001:db8::100\"]", "", "rule \"http\","},
        {"\"53\"", "\"53\"\nmode = \"single\"", "rule \"dns\","},
        {"\"53\"", "\"53\"\nmode = \"disabled\"", "rule \"dns\","},
        {"\"53\"", "\"53\"\naffinity = \"none\"", "rule \"dns\","},
        {"\"53\"", "\"53\"\nhealth = { type = \"tcp\" }", "rule \"dns\","},
        {"\"53\"", "\"53\"\nwhen_all_down = \"reject\"", "rule \"dns\","},
        {"\"53\"", "\"53\"\nweights = { web1 = 1 }", "rule \"dns\","},
    };
    for (const auto &[from, to, sections] : table)
        BOOST_TEST(changed(from, to) == sections,
                   from << " -> " << to << ": " << changed(from, to));
}

BOOST_AUTO_TEST_CASE(what_means_the_same_has_the_same_digests) {
    const std::pair<const char *, const char *> table[] = {
        {"[heartbeat]", "# a comment\n[heartbeat]"},
        {"name = \"web\"\ninterface = \"eth0\"", "interface = 'eth0'\nname = 'web'"},
        {"interval_ms = 50", "dead_after_ms = 500\ngroup = \"239.255.77.77\""},
        {"id = 1\nname = \"web1\"\n[[node]]\nid = 2\nname = \"web2\"",
         "id = 2\nname = \"web2\"\n[[node]]\nid = 1\nname = \"web1\"\nweight = 100"},
        {"[[node]]", "[agent]\ndrain_ms = 2000\n[[node]]"},
        {"[[node]]", "[control]\nport = 7778\n[[node]]"},
        {"2001:db8::100", "2001:0DB8:0:0::100"},
        {"[\"192.0.2.100\", \"2001:db8::100\"]", "[\"2001:db8::100\", \"192.0.2.100\"]"},
        {"\"53\"", "\"53-53\"\nhealth = { type = \"listener\" }\naffinity = \"single\""},
        {"/etc/nlb/cluster.key", "/root/another.key"}, // its content matters, not its path
    };
    for (const auto &[from, to] : table)
        BOOST_TEST(changed(from, to) == "", from << " -> " << to << ": " << changed(from, to));
}

BOOST_AUTO_TEST_CASE(
    the_order_of_virtual_ips_has_a_meaning) { // the first one gives the MAC address
    BOOST_TEST(changed("\"192.0.2.100\"\n[[virtual_ip]]\naddress = \"2001:db8::100\"",
                       "\"2001:db8::100\"\n[[virtual_ip]]\naddress = \"192.0.2.100\"")
                   .starts_with("virtual_ip,") == false); // the rule lists them in that order too
    BOOST_TEST(changed("\"192.0.2.100\"\n[[virtual_ip]]\naddress = \"2001:db8::100\"",
                       "\"2001:db8::100\"\n[[virtual_ip]]\naddress = \"192.0.2.100\"") ==
               "rule \"http\",virtual_ip,");
}

BOOST_AUTO_TEST_SUITE_END()
