// SPDX-License-Identifier: Apache-2.0
//
// What the agent tells a datapath, and what it may ask of one.
//
// A datapath is a pure function, packet + tables -> verdict with a reason, installed in front of the host's
// network stack. It knows no peers: the agent turns a view into sets of buckets and hands those over. XDP is
// one implementation; everything said here holds for any other.
#pragma once

#include "filter/address.hpp"
#include "filter/verdict/size.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace filter {

inline constexpr unsigned kBuckets = NLB_BUCKETS;
inline constexpr unsigned kGroups = NLB_GROUPS;
inline constexpr unsigned kBucketsPerGroup = kBuckets / kGroups; // 128
inline constexpr unsigned kMaxRules = 32;
inline constexpr unsigned kMaxVirtualIps = 32;
inline constexpr unsigned kMaxNodes = 32; // numbered from 1

inline constexpr std::size_t kNoteBytes = 4092;
inline constexpr std::size_t kMostRefused = 252;

using BucketSet = std::array<std::uint64_t, kBuckets / 64>; // bit b % 64 of word b / 64
using GroupSet = std::array<std::uint64_t, kGroups / 64>;

enum class Affinity : std::uint8_t { none, single, network };

// One port rule as the filter needs it. Rules must not overlap (the configuration has checked that).
struct Rule {
    bool tcp = false, udp = false;
    std::uint16_t first_port = 0, last_port = 65535; // inclusive
    std::uint32_t virtual_ips = ~0u;                 // bit i: Settings::virtual_ips[i]
    Affinity affinity = Affinity::single;
    bool disabled = false; // every packet is dropped, with a reason of its own; see set_disabled
};

// All that stays the same between two changes of the configuration.
struct Settings {
    std::vector<IpAddress> virtual_ips;
    std::vector<Rule> rules;
    MacAddress cluster_mac{};
    std::array<std::uint8_t, 16> hash_key{}; // SipHash key, the same on every node
    bool forward = false; // packets of other nodes are sent on to them
};

// The buckets that this node serves: table r for rule r, and as the last one (rules.size()) the traffic that no
// rule covers, echo requests included.
struct Table {
    BucketSet mine{};
    bool has_owner = false; // some member of the cluster is eligible; else dropped packets are `no_owner`
    bool refuses =
        false; // no member is, and this node tells clients so: SYNs and datagrams are `refused`
};
using Tables = std::vector<Table>;

// Where packets of other nodes are sent on to, with Settings::forward. By node number, from 1.
struct Paths {
    std::array<MacAddress, kMaxNodes + 1> macs{};   // all zero: not known; this node's own place stays so
    std::array<std::uint32_t, kGroups> lingering{}; // bit n - 1: node n may hold connections of the group
    bool operator==(const Paths &) const = default;
};
// The node to which packets of each bucket are sent on, by table as in Tables; 0: none.
using Numbers = std::vector<std::vector<std::uint8_t>>;

enum class Mode { none, native, generic, clsact, tcx, tap };
std::string_view to_string(Mode mode);

// Whether the kernel has a datapath's programs in their places.
struct InPlace {
    Mode mode = Mode::none;  // how the one that judges is attached
    bool second_lock = true; // and the one behind it, where there is one
    bool in_front = true;    // likewise the one that sends packets on in front of it, for speed alone
};

// A port of a virtual IP where a process listens.
struct Service {
    IpAddress address;
    std::uint16_t port = 0;
    bool operator==(const Service &) const = default;
};

struct Counter {
    std::string_view reason; // as in `status`: "accepted", "foreign", ...
    bool drop;               // dropped, else passed to the host
    std::uint64_t packets;
};

struct Verdict {
    std::string_view reason;
    bool drop;
    int rule;             // -1: uncovered traffic, or no rule was looked up
    std::int32_t bucket;  // -1: none
};

// Which packets are shown to `nlbctl capture`.
enum class Shown {
    nothing,
    everything, // for a virtual IP: let in or dropped
    accepted,   // let in
    foreign,    // dropped because another node serves it
};

class Datapath {
  public:
    virtual ~Datapath() = default; // detaches and removes everything unless keep() was called

    // Switches to these tables at once: no packet sees half of the change. tables.size() == rules.size() + 1.
    virtual void install(const Tables &tables) = 0;
    // Boot-clock nanoseconds (CLOCK_BOOTTIME) after which no bucket is served any more. 0 at first: nothing
    // is served before the first call.
    virtual void set_lease(std::uint64_t deadline_ns) = 0;
    // Groups in which live peers, or this node itself, may still hold connections of buckets that have moved.
    virtual void set_guarded(const GroupSet &groups) = 0;
    virtual void set_lingering(const GroupSet &groups) = 0;

    // Which of these four the filter has otherwise than they were told last, in words; empty: none.
    virtual std::string_view differs(const Tables &, std::uint64_t /*deadline_ns*/, const GroupSet & /*guarded*/,
                                     const GroupSet & /*lingering*/) const {
        return {};
    }

    // Both take effect word by word: a packet that comes in between goes one way or the other. Nothing
    // at first. No datapath but one that was attached with Settings::forward does anything with them.
    virtual void set_paths(const Paths &) {}
    virtual Paths paths() const { return {}; } // as set last, also by a predecessor whose tables were adopted
    virtual void set_numbers(const Numbers &) {}
    // Packets sent on, by node number; empty without forwarding.
    virtual std::vector<std::uint64_t> sent() const { return {}; }

    // Another configuration and its tables. Where the packets fall into other rules or buckets than
    // before, nothing is served for a moment that has no connection in a lingering group, and packets
    // of rules are counted from 0 again.
    virtual void configure(const Settings &settings, const Tables &tables) = 0;

    // From now on every packet of the rule is dropped, those of open connections too, or no longer.
    virtual void set_disabled(std::size_t rule, bool disabled) = 0;

    virtual std::vector<Counter> counters() const = 0; // every reason, in a stable order
    virtual std::string_view kind() const = 0;         // "xdp", "tc", "pcap"; as mode(), at the last look
    virtual Mode mode() const = 0;                     // as the kernel said at the last look, not as it was asked for
    // By which interface accepted frames enter the host when it is not the one where they arrive: it is to have
    // the virtual IPs as well. Empty: they are let in where they are.
    virtual std::string entrance() const { return {}; }
    // Runs the loaded program on one Ethernet frame without sending it anywhere.
    virtual Verdict judge(const std::vector<std::uint8_t> &frame) = 0;
    // What to ask the kernel, which answers behind its lock of all interfaces (RTNL): it may take as long as
    // others hold that. For any thread, also when this object is gone. What it returns throws when the kernel
    // does not say.
    virtual std::function<InPlace()> look() const = 0;
    // What is wrong with it, in words; nothing: it is in its place, and has just shown that it reads
    // what was written here. To be called at the start and about once a second: until it is shown,
    // packets are dropped, or worse. Throws when that cannot be found out at the moment.
    virtual std::optional<std::string> flaw(const InPlace &seen) = 0;
    std::optional<std::string> flaw() { return flaw(look()()); }

    // What it lacks that costs speed alone, in words, after heal().
    virtual std::optional<std::string> slowed() const { return std::nullopt; }

    // Whether a rule's service is expected to listen on TCP, and where it is known to. While it is
    // expected, a new connection for which no socket listens, neither where it goes nor there, is dropped
    // (`no_listener`) instead of refused, and missed_descriptor() becomes readable. Expected of no rule
    // at first, and after configure(). A datapath that cannot know leaves the answer to the host's stack.
    virtual void expect_service(std::size_t, bool /*expected*/, const std::optional<Service> &) {}
    virtual int missed_descriptor() const { return -1; }
    // The rules whose service was missed since the last call, as bits.
    virtual std::uint32_t take_missed() { return 0; }

    // What refused frames began with, those that were not taken yet: at most kMostRefused bytes of
    // each, and at most so many. The descriptor is readable when there are some. The caller informs
    // the clients; what it is too slow for is lost.
    virtual int refused_descriptor() const { return -1; }
    virtual std::vector<std::vector<std::uint8_t>> take_refused(std::size_t /*most*/) { return {}; }

    // Likewise what neighbours ask about the virtual IPs, and say of them (ARP, neighbour discovery). -1: this
    // datapath does not hear them; a packet socket does.
    virtual int neighbours_descriptor() const { return -1; }
    virtual std::vector<std::vector<std::uint8_t>> take_neighbours(std::size_t /*most*/) { return {}; }

    // The same of each table (as in Tables); reasons that no packet had are left out.
    virtual std::vector<std::vector<Counter>> rule_counters() const { return {}; }
    // The id of the program that judges: frames are shown by bpf::capture; 0: there is none, but pcap::capture.
    virtual std::uint32_t program() const { return 0; }
    // From now on to who looks (capture.hpp). At first nothing.
    virtual void show(Shown) {}
    // Whether this process found a predecessor's tables, lease, guarded and lingering groups and counters, in
    // effect all the while, and goes on with them: same layout, interface and settings.
    virtual bool adopted() const { return false; }
    // What the agent, or the predecessor whose tables were adopted, noted last; empty at first. At most
    // kNoteBytes. A process that is killed while it notes leaves the former note.
    virtual std::vector<std::uint8_t> note() const { return {}; }
    virtual void set_note(const std::vector<std::uint8_t> &) {}
    // To be called about once a second: puts back what others have taken away, where that is possible while
    // the agent runs. A line for each thing, for the log. Throws when something cannot be put back.
    virtual std::vector<std::string> heal(const InPlace &) { return {}; }
    std::vector<std::string> heal() { return heal(look()()); }
    // From here on the destructor leaves everything in place for a successor.
    virtual void keep() {}
};

// Another nlbd's datapath is in front of the interface, or the remains of one of another run dir.
struct Occupied : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Why a datapath is not the one that was tried first.
struct StepDown {
    std::string why;
    bool lacking = false; // the driver has no such thing: nothing to be cured
};

// With Settings::forward: whether XDP sends packets on in front of tc.
enum class InFront { nothing, xdp_where_possible, xdp };

enum class XdpMode { best, native, generic }; // best: generic on veth, else native where the driver has it

} // namespace filter
