// SPDX-License-Identifier: Apache-2.0
// Each question is a function, in the order from the wire up: the segment, the cluster MAC, frames'
// size, beats, commands, the neighbours of the virtual IPs, the host, the nodes among themselves.
#include "agent/nlbctl/diagnosis.hpp"

#include <algorithm>
#include <cstdlib>

namespace agent {
namespace {

constexpr std::int64_t kRecently = 2000;    // ms, since a beat
constexpr std::int64_t kClocksApart = 1000; // ms
constexpr std::uint64_t kAsksAgain = 3;     // questions in a run, a second apart

using Patients = std::vector<Patient>;
using Names = std::vector<std::string>;

std::string listed(const Names &names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i)
        text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    return text;
}

std::string seconds(std::int64_t ms) {
    return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 / 100) + " s";
}

bool took_beat(const Patient &patient, unsigned of) {
    const auto found = patient.heard->members.find(of);
    return found != patient.heard->members.end() && found->second && *found->second < kRecently;
}

// For nodes that are sent beats by multicast alone.
constexpr auto kNoMulticast =
    "; or it carries no multicast: add address = \"ADDRESS\", each node's own, under every [[node]] of the configuration";

// The same text of several nodes or pairs is one finding.
class Report {
  public:
    explicit Report(const Patients &patients) : patients_(patients) {
        for (const Patient &patient : patients)
            if (patient.answers()) there_.push_back(&patient);
    }

    void segment();
    void cluster_mac();
    void sizes();
    void beats();
    void silent_nodes();
    std::string kind_of_silence(const Patient &patient) const;
    void neighbours();
    void gateway();
    void hosts();
    void nodes_among_themselves();
    Diagnosis take();

  private:
    void add(const std::string &name, Names nodes, const std::string &text,
             const std::string &way_out = {}) {
        result_.findings.push_back(finding(name, std::move(nodes), text, way_out));
    }
    bool delivered(const Patient &from, const Patient &to) const {
        const Hears found = hears(from, to);
        return found == Hears::all || found == Hears::short_ones;
    }
    bool lacks_cluster_mac(const Patient &from, const Patient &to) const {
        return hears(from, to) == Hears::broadcasts;
    }
    void undelivered(const Names &deaf, const Names &hearing);
    void group(const Patient &to);
    void reverse_path(const Patient &to);
    void claims(const Patient &patient);
    std::string owner_of(const std::string &mac) const;
    bool is_clusters(const std::string &mac) const;
    std::string entry_for(const std::string &address) const;
    void host(const Patient &patient);
    void clock(const Patient &patient, const Patient &here);
    void configuration(const Patient &patient, const Patient &here);
    bool serves() const {
        return std::ranges::any_of(
            there_, [](const Patient *one) { return one->facts->state == "active"; });
    }

    const Patients &patients_;
    std::vector<const Patient *> there_; // those that answer
    Diagnosis result_;
    std::set<std::pair<std::string, std::string>> claimed_; // address and MAC, already reported
};

void Report::segment() {
    Names cut_off, pairs;
    for (const Patient *to : there_) {
        Names unheard;
        for (const Patient *from : there_)
            if (hears(*from, *to) == Hears::nothing) unheard.push_back(from->name);
        if (unheard.size() + 1 == there_.size() && !unheard.empty())
            cut_off.push_back(to->name);
        else
            for (const std::string &from : unheard)
                pairs.push_back(to->name + " does not hear " + from);
    }
    if (!cut_off.empty())
        add("isolated", cut_off,
            listed(cut_off) + (cut_off.size() == 1 ? " hears" : " hear") +
                " no other node on the clients' interface, not even broadcasts");
    if (!pairs.empty())
        add("isolated", {}, listed(pairs) + " on the clients' interface, not even broadcasts");
}

void Report::undelivered(const Names &deaf, const Names &hearing) {
    const std::string mac = there_.front()->facts->cluster_mac;
    if (hearing.empty())
        return add("cluster_mac_blocked", deaf,
                   "no node gets frames to the cluster MAC " + mac +
                       ", though they hear each other's broadcasts");
    if (hearing.size() == 1 && there_.size() > 2 && deaf.size() + 1 == there_.size())
        return add("cluster_mac_learned", hearing,
                   "frames to the cluster MAC " + mac + " go to " + hearing[0] +
                       " alone: a switch holds this address at one port");
    add("cluster_mac_filtered", deaf,
        listed(deaf) + (deaf.size() == 1 ? " does" : " do") +
            " not get frames to the cluster MAC " + mac + ", though " +
            (deaf.size() == 1 ? "it hears" : "they hear") +
            " broadcasts: the port, the network card or the hypervisor keeps them back");
}

void Report::cluster_mac() {
    Names deaf, hearing, by_address, pairs;
    for (const Patient *to : there_) {
        unsigned lacking = 0, got = 0, plain = 0, whole = 0;
        Names some;
        for (const Patient *from : there_) {
            if (delivered(*from, *to)) ++got;
            if (hears(*from, *to) != Hears::itself && hears(*from, *to) != Hears::unknown) ++whole;
            if (!lacks_cluster_mac(*from, *to)) continue;
            ++lacking;
            some.push_back(from->name);
            if (kinds_heard(*from, *to).contains("plain")) ++plain;
        }
        if (got > 0) hearing.push_back(to->name);
        if (lacking > 0 && plain == lacking)
            by_address.push_back(to->name);
        else if (lacking > 0 && got == 0)
            deaf.push_back(to->name);
        else if (lacking > 0 && lacking < whole)
            pairs.push_back(to->name + " does not get those of " + listed(some));
    }
    if (!by_address.empty())
        add("snooping_by_address", by_address,
            listed(by_address) + (by_address.size() == 1 ? " gets" : " get") +
                " no IP packets to the cluster MAC " + there_.front()->facts->cluster_mac +
                ", though other frames to it arrive: a switch that snoops delivers by IP address");
    if (!deaf.empty()) undelivered(deaf, hearing);
    if (!pairs.empty() && deaf.empty())
        add("cluster_mac_filtered", {},
            "frames to the cluster MAC: " + listed(pairs) + ", though broadcasts arrive");
}

void Report::sizes() {
    Names pairs;
    std::map<std::uint64_t, Names> mtus;
    for (const Patient *to : there_) {
        mtus[to->facts->clients.mtu].push_back(to->name);
        for (const Patient *from : there_)
            if (hears(*from, *to) == Hears::short_ones &&
                from->facts->clients.mtu <= to->facts->clients.mtu)
                pairs.push_back(from->name + " to " + to->name + " (" +
                                std::to_string(from->facts->clients.mtu) + " bytes)");
    }
    if (pairs.size() > 6) pairs.resize(6), pairs.push_back("others");
    if (!pairs.empty())
        add("mtu_not_carried", {},
            "packets as long as the interface's MTU are lost: " + listed(pairs));
    if (mtus.size() < 2) return;
    Names each;
    for (const auto &[mtu, names] : mtus)
        each.push_back(std::to_string(mtu) + " on " + listed(names));
    add("mtu_differs", {},
        "the MTU of the clients' interface is not the same on all nodes: " + listed(each));
}

// Beats go to a group; where broadcasts arrive and the group's frames do not, the switch delivers
// by membership.
void Report::group(const Patient &to) {
    Names lost;
    bool heard_all = true;
    for (const Patient *from : there_) {
        if (from == &to || !from->has_sent) continue;
        for (const SeenInterface &interface : to.facts->heartbeats) {
            const auto found = to.heard->probes.find({interface.name, from->id});
            if (found == to.heard->probes.end() || !found->second.contains("broadcast")) continue;
            if (found->second.contains("group4")) continue;
            lost.push_back(from->name);
            heard_all = heard_all && took_beat(to, from->id);
        }
    }
    if (lost.empty()) return;
    const bool has_address = !to.facts->without_address.contains(to.name);
    if (heard_all && has_address && !to.facts->floods) return; // as such networks are
    add("group_not_delivered", {to.name},
        to.name + " does not get frames to the heartbeat group " + to.facts->group + " from " +
            listed(lost) + ", though broadcasts arrive: a switch snoops IGMP without a querier" +
            (heard_all ? " (beats still arrive, over IPv6 or at this node's address)" : ""));
    result_.findings.back().fault = !heard_all;
    if (!has_address) result_.findings.back().way_out += kNoMulticast;
}

// The agent knows that its host drops beats, and takes them from the wire; this is one cause.
void Report::reverse_path(const Patient &to) {
    const auto &problems = to.facts->problems;
    if (std::ranges::find(problems, "beats_filtered", &SeenProblem::name) == problems.end()) return;
    for (const SeenInterface &interface : to.facts->heartbeats)
        if (interface.rp_filter == 1)
            return add("rp_filter", {to.name},
                       "the kernel of " + to.name + " drops beats: rp_filter is strict on " + interface.name +
                           ", and its route to their sender goes by another interface",
                       "on " + to.name + ": sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf." +
                           interface.name + ".rp_filter=2");
}

void Report::beats() {
    std::map<std::string, std::set<std::string>> refused; // addresses by reason
    for (const Patient *to : there_) {
        group(*to);
        reverse_path(*to);
        for (const auto &[address, reason] : to->heard->refused_beats)
            refused[reason].insert(address);
    }
    const auto from = [&](const char *reason) {
        return listed({refused[reason].begin(), refused[reason].end()});
    };
    if (refused.contains("bad_tag"))
        add("beats_refused", {},
            "beats of this cluster that another key has sealed come from " + from("bad_tag"));
    if (refused.contains("other_version"))
        add("beats_refused", {},
            "beats of a release that does not talk to this one come from " + from("other_version"),
            "upgrade nlbd there or here: apt install nlbd; nlbd --version");
}

// Of one that does not answer, the kind of finding.
std::string Report::kind_of_silence(const Patient &patient) const {
    if (patient.code != "no_answer") return "answer_unknown";
    const bool beats = std::ranges::any_of(there_, [&](const Patient *one) {
        return took_beat(*one, patient.id) || one->heard->beats.contains(patient.id);
    });
    return beats ? "commands_not_answered" : "no_agent";
}

// One finding for all nodes with the same kind and error.
void Report::silent_nodes() {
    std::map<std::pair<std::string, std::string>, Names> silent; // by kind and error
    for (const Patient &patient : patients_)
        if (!patient.answers()) silent[{kind_of_silence(patient), patient.error}].push_back(patient.name);
    for (const auto &[what, names] : silent) {
        const auto &[kind, error] = what;
        if (kind == "commands_not_answered")
            add(kind, names,
                listed(names) + (names.size() == 1 ? " sends" : " send") +
                    " beats, and commands to " + (names.size() == 1 ? "it" : "them") +
                    " are not answered: " + error,
                "there: nft insert rule inet filter input tcp dport " +
                    std::to_string(there_.front()->facts->control_port) +
                    " accept (firewalld: firewall-cmd --permanent --add-service=nlbd)");
        else
            add(kind, names,
                listed(names) + ": " + (kind == "no_agent" ? "no agent is heard from here: " : "") + error);
        const auto &lack = there_.empty() ? std::set<std::string>{} : there_.front()->facts->without_address;
        if (kind == "no_agent" && std::ranges::any_of(names, [&](const auto &name) { return lack.contains(name); }))
            result_.findings.back().way_out += kNoMulticast;
    }
}

// "web2 (eth1)"; for a machine that is not a node, its MAC.
std::string Report::owner_of(const std::string &mac) const {
    for (const Patient *patient : there_)
        if (const auto found = patient->facts->macs.find(mac); found != patient->facts->macs.end())
            return patient->name + " (" + found->second + ", " + mac + ")";
    return mac + ", which is not a node's,";
}

// The way out for a machine that holds no entry for a virtual IP, or a wrong one.
std::string Report::entry_for(const std::string &address) const {
    const Facts &facts = *there_.front()->facts;
    if (!facts.floods) return "there: ip neigh flush " + address + " (Cisco: clear ip arp " + address + ")";
    return "there: ip neigh replace " + address + " lladdr " + facts.cluster_mac + " dev IF (Cisco: arp " +
           address + " MAC ARPA); or mac_mode = \"unicast\"";
}

// Where clients' frames for a virtual IP may go: to the cluster MAC, or to that of a receiver.
bool Report::is_clusters(const std::string &mac) const {
    return std::ranges::any_of(there_, [&](const Patient *one) {
        return mac == (one->facts->floods ? one->facts->cluster_mac : one->facts->clients.mac);
    });
}

void Report::claims(const Patient &patient) {
    for (const auto &[address, mac] : patient.heard->claims)
        if (!is_clusters(mac) && claimed_.emplace(address, mac).second)
            add("virtual_ip_answered", {},
                owner_of(mac) + " answers ARP or neighbour solicitations for " + address +
                    ", a virtual IP",
                "there: ip address show to " + address + "; sysctl net.ipv4.conf.all.arp_ignore=1");
}

void Report::neighbours() {
    std::set<std::string> answered;
    std::map<std::pair<std::string, std::string>, std::uint64_t> asked;
    for (const Patient *patient : there_) {
        claims(*patient);
        for (const auto &[address, mac] : patient->heard->claims)
            if (is_clusters(mac)) answered.insert(address);
        for (const auto &[asker, address, count] : patient->heard->questions)
            asked[{asker, address}] = std::max(asked[{asker, address}], count);
    }
    for (const auto &[who, count] : asked)
        if (count >= kAsksAgain && answered.contains(who.second))
            add("neighbour_keeps_asking", {},
                who.first + " asks for " + who.second +
                    " again and again: it does not take the answer",
                entry_for(who.second));
    const bool others_ask =
        std::ranges::count_if(there_, [](const Patient *one) { return one->has_sent; }) > 1;
    if (answered.empty() && serves() && others_ask)
        add("virtual_ip_unanswered", {},
            "no node answers for the virtual IPs in ARP and neighbour discovery");
}

void Report::gateway() {
    const auto asker =
        std::ranges::find_if(there_, [](const Patient *one) { return one->asked_gateway; });
    if (asker == there_.end())
        return result_.not_checked.push_back("the gateway's ARP entry: no node serves, or none has "
                                             "an IPv4 gateway on the clients' interface");
    const Facts &facts = *(*asker)->facts;
    if ((*asker)->heard->echoes == 0)
        return result_.not_checked.push_back("the gateway's ARP entry: " + *facts.gateway +
                                             " does not answer pings");
    std::set<std::string> macs;
    bool rewritten = false; // XDP shows frames with the host's own MAC
    for (const Patient *one : there_) {
        macs.insert(one->heard->cluster_echoes.begin(), one->heard->cluster_echoes.end());
        rewritten =
            rewritten || (!one->heard->cluster_echoes.empty() && one->facts->datapath == "xdp");
    }
    const std::string way_out = entry_for("ADDRESS");
    if (macs.empty())
        return add("gateway_without_entry", {},
                   "the gateway " + *facts.gateway +
                       " answers a node's address, and no answer to a virtual IP arrives: it holds "
                       "no ARP entry for it, or a wrong one",
                   way_out);
    if (!rewritten && std::ranges::none_of(macs, [this](const auto &mac) { return is_clusters(mac); }))
        add("gateway_wrong_entry", {},
            "the gateway " + *facts.gateway + " sends what is for a virtual IP to " +
                owner_of(*macs.begin()) + " instead of the cluster MAC",
            way_out);
}

void Report::host(const Patient &patient) {
    const Facts &facts = *patient.facts;
    for (const SeenProblem &problem : facts.problems)
        result_.findings.push_back({problem.name,
                                    problem.serious,
                                    {patient.name},
                                    patient.name + ": " + problem.text,
                                    problem.way_out});
    const bool told = std::ranges::any_of(facts.problems, &SeenProblem::serious);
    if (facts.state != "active" && !told)
        add("not_serving", {patient.name},
            patient.name + " is " + facts.state +
                (facts.reason.empty() ? "" : ": " + facts.reason));
}

void Report::hosts() {
    std::map<std::pair<std::string, std::string>, Names> translated;
    Names unread;
    for (const Patient *patient : there_) {
        host(*patient);
        if (!patient->facts->translations) unread.push_back(patient->name);
        for (const auto &what : patient->facts->translations.value_or(Facts::Translations{}))
            translated[what].push_back(patient->name);
    }
    for (const auto &[what, names] : translated)
        add("service_translated", names,
            "rule " + what.first + " on " + listed(names) + ": the host translates it (" +
                what.second + "), so its open connections do not outlive a change");
    if (!unread.empty())
        result_.not_checked.push_back("NAT in front of the services: " + listed(unread) +
                                      " cannot read its firewall's rules");
}

void Report::clock(const Patient &patient, const Patient &here) {
    const std::int64_t low = patient.clock_from_ms, high = patient.clock_to_ms;
    if (!patient.has_sent || (low <= kClocksApart && high >= -kClocksApart)) return;
    add("clock_differs", {patient.name},
        "the clock of " + patient.name + " is " + seconds(std::abs(low > 0 ? low : high)) +
            (low > 0 ? " ahead of " : " behind ") + here.name +
            "'s: logs and events do not compare",
        "on both: timedatectl set-ntp true");
}

void Report::configuration(const Patient &patient, const Patient &here) {
    std::set<std::pair<std::string, std::string>> both;
    both.insert(here.facts->sections.begin(), here.facts->sections.end());
    both.insert(patient.facts->sections.begin(), patient.facts->sections.end());
    std::set<std::string> differ;
    for (const auto &[name, digest] : both) {
        const auto lacks = [&](const Patient &one) {
            const auto found = one.facts->sections.find(name);
            return found == one.facts->sections.end() || found->second != digest;
        };
        if (lacks(here) || lacks(patient)) differ.insert(name);
    }
    if (!differ.empty())
        add("configuration_differs", {patient.name},
            patient.name + " works by another configuration than " + here.name +
                ": it differs in " + listed({differ.begin(), differ.end()}));
}

void Report::nodes_among_themselves() {
    const auto here = std::ranges::find_if(there_, &Patient::here);
    if (here == there_.end()) return;
    std::map<std::string, Names> versions;
    for (const Patient *patient : there_) {
        versions[patient->facts->version].push_back(patient->name);
        if (patient == *here) continue;
        clock(*patient, **here);
        configuration(*patient, **here);
    }
    if (versions.size() < 2) return;
    Names each;
    for (const auto &[version, names] : versions)
        each.push_back(version + " on " + listed(names));
    add("version_differs", {}, "the nodes are of different releases: " + listed(each));
}

Diagnosis Report::take() {
    if (!there_.empty() && !there_.front()->facts->floods)
        result_.not_checked.push_back("packets as long as the MTU: with delivery = \"forward\" none are sent");
    if (there_.size() < 2)
        result_.not_checked.push_back(
            "the network between the nodes: " +
            std::string(patients_.size() < 2 ? "there is one node" : "one node answers"));
    std::ranges::stable_partition(result_.findings, &Finding::fault);
    return std::move(result_);
}

} // namespace

std::set<std::string> kinds_heard(const Patient &from, const Patient &to) {
    if (!from.answers() || !to.answers()) return {};
    const auto found = to.heard->probes.find({to.facts->clients.name, from.id});
    return found == to.heard->probes.end() ? std::set<std::string>{} : found->second;
}

Hears hears(const Patient &from, const Patient &to) {
    if (from.id == to.id) return Hears::itself;
    if (!from.answers() || !to.answers() || !from.has_sent) return Hears::unknown;
    const auto kinds = kinds_heard(from, to);
    if (!from.facts->floods) return kinds.contains("broadcast") ? Hears::all : Hears::nothing;
    bool all = true, large = true;
    for (const int family : from.facts->families) {
        all = all && kinds.contains("ipv" + std::to_string(family));
        large = large && kinds.contains("large" + std::to_string(family));
    }
    if (all) return large ? Hears::all : Hears::short_ones;
    return kinds.empty() ? Hears::nothing : Hears::broadcasts;
}

Diagnosis diagnose(const Patients &patients) {
    Report report(patients);
    report.segment();
    report.cluster_mac();
    report.sizes();
    report.beats();
    report.silent_nodes();
    report.neighbours();
    report.gateway();
    report.hosts();
    report.nodes_among_themselves();
    return report.take();
}

} // namespace agent
