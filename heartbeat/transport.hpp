// SPDX-License-Identifier: Apache-2.0
//
// The sockets under the beats: plain UDP multicast that stays on the link. Each path, an interface and
// an IP family, has a socket of its own, and a beat leaves on every path on which this host has an
// address: so hosts need no more than one family in common. A node that receives a beat twice counts
// it once.
//
// Networks that deliver no multicast deliver to addresses: what goes to the group goes to those addresses
// of the other nodes as well that are configured and in a network of the path's interface, never instead
// of it. So nodes whose configurations differ in this hear each other all the same. An address of this
// node is a path that only receives.
//
// An interface can be removed and made anew under its name, get addresses and lose them: look_after()
// follows. A host's firewall can drop what comes in: while a node is missed, each path listens on the
// wire as well (wire.hpp).
#pragma once

#include "heartbeat/socket.hpp"
#include "heartbeat/types.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace heartbeat {

class Wire;

class Transport {
  public:
    struct Settings {
        Address group, group6;     // 239.255.77.77 and ff02::6e6c
        std::uint16_t port;        // UDP
        std::uint64_t cluster;     // as in Envelope: beats of others are left to the kernel
    };
    // Where beats go beside the groups.
    struct Peer {
        std::string name; // of the node
        Address address;
        bool operator==(const Peer &) const = default;
    };
    struct Addresses {
        std::vector<Address> own; // of this node
        std::vector<Peer> peers;  // of the others
        bool operator==(const Addresses &) const = default;
    };
    // Where a datagram came from, by its own word: only a beat's seal says that it is true.
    struct Sender {
        std::array<std::uint8_t, 16> address{}; // IPv4: the first four bytes
        std::uint32_t scope = 0;                // IPv6: the interface's index
        bool v6 = false;
    };

    // Throws std::runtime_error for an interface that does not exist. One that takes no sockets, as while
    // another process has the port, is tried again: see obstacles().
    Transport(const std::vector<std::string> &interfaces, const Settings &settings, const Addresses &addresses,
              Time now);
    ~Transport();
    Transport(const Transport &) = delete;
    Transport &operator=(const Transport &) = delete;

    // What the kernel says and does behind its lock of all interfaces (RTNL), which others can hold for long.
    struct Look {
        struct Network { // an address of this host, and which others are on the link with it
            Address address;
            std::array<std::uint8_t, 16> mask{};
        };
        struct Interface {
            int index = 0;
            bool up = false, v4 = false; // has an IPv4 address
            std::vector<Network> networks{};

            bool has(const Address &address) const;
            bool reaches(const Address &address) const; // without a router
        };
        std::map<std::string, Interface> interfaces;
        std::map<int, int> announced; // socket -> error, 0: none

        Interface find(const std::string &name) const;
    };
    // Takes a look, and announces memberships that are due. For any thread, but to end before look_after() is
    // called; throws std::runtime_error when the kernel does not tell.
    std::function<Look()> look(Time now) const;
    // About once a second, and when an interface or an address has changed.
    void look_after(Time now, const Look &seen);
    // Others are in force, from now on.
    void set_addresses(const Addresses &addresses, Time now);
    // A beat of this cluster came from there, of a node that no address is known of: beats go there too, for some
    // seconds. In a network without multicast a node that is not listed hears the others by that.
    void answer(const Sender &from, Time now);
    // As of the last look, the addresses of this node at which it cannot receive, each with the reason, and those
    // of others to which no interface leads: "web2's 192.0.2.12".
    const std::vector<std::string> &unheard() const { return unheard_; }
    const std::vector<std::string> &unreached() const { return unreached_; }

    // As of the last look, why beats cannot be sent on an interface, one entry for each on which they
    // cannot: "eth1 does not exist".
    const std::vector<std::string> &obstacles() const { return obstacles_; }
    // Beats can be sent on no interface at all.
    bool mute() const { return obstacles_.size() == interfaces_.size(); }

    const std::vector<int> &descriptors() const {
        return descriptors_;
    } // for poll; owned by this object, valid until the next look_after(), set_addresses() or listen_on_wire()
    // On every path, to each address; never blocks. urgent: those to groups are to wake the nodes that wait().
    void send(std::span<const std::uint8_t> datagram, bool urgent);
    // Whether what comes there is not urgent, or comes by a socket as well, and can be read a little later. Precondition: one
    // of descriptors().
    bool can_rest(int descriptor);
    // A beat of another node came there. early: it was urgent for certain. Where such a beat has no mark, as the network or an
    // older release leaves it out, nothing can rest until one has it.
    void believed(int descriptor, bool early);
    // From now on, or no longer. Where the kernel refuses it, the next look_after() tries again.
    void listen_on_wire(bool wanted);
    // As of the last look, the interfaces on which beats came by the wire, and none through the host's
    // firewall.
    const std::vector<std::string> &filtered() const { return filtered_; }
    // As of the last look, the interfaces on which beats came to this node's addresses, and none to a group.
    const std::vector<std::string> &without_group() const { return without_group_; }
    // One waiting datagram into buffer: its size (0 is one without content), or nothing when none
    // waits. Larger ones come back cut to the buffer.
    struct Received {
        std::size_t size;
        Sender from;
    };
    std::optional<Received> receive(int descriptor, std::span<std::uint8_t> buffer);
    // On which interface, and whether to a group or to an address. Precondition: one of descriptors().
    const std::string &interface_of(int descriptor) { return path_of(descriptor).interface; }
    bool is_group(int descriptor) { return heartbeat::is_group(path_of(descriptor).to); }

    // Before the waiting datagrams are received: counts those that the kernel has dropped.
    void count_drops();
    struct Counters {
        std::uint64_t send_errors = 0;
        std::uint64_t filtered = 0;   // datagrams that are no beats of this cluster
        std::uint64_t overflowed = 0; // beats for which the receive buffer had no room
    };
    const Counters &counters() const { return counters_; }

  private:
    struct Path {
        std::string interface;
        Address to{};
        int index = 0;        // of the interface that the socket is bound to
        int socket = -1;      // none: the interface is not there, or does not take one
        int urgent = -1;      // for urgent beats to a group; open when the other one is
        bool sends = false;   // there is an address to send from
        std::vector<Target> targets{}; // the group, and who has an address
        int failed = 0;       // sends in a row
        std::uint32_t dropped = 0; // by the kernel, so far
        std::uint32_t left = 0;    // read from `urgent` so far: `socket` has dropped them
        Time announced{};
        std::string obstacle{}; // the last one
        std::unique_ptr<Wire> wire{};
        unsigned by_socket = 0, by_wire = 0; // datagrams, since the last look
    };
    bool has_path(const std::string &interface, const Address &to) const;
    static void close(Path &path);
    Target group_of(const Path &path) const { return target_of(path.to, settings_.port, path.index); }
    void look_after_paths(Time now, const Look &seen);
    void look_after(Path &path, const Look &seen, Time now) const;
    void open(Path &path, int index, Time now) const;
    void aim(Path &path, const Look::Interface &there) const;
    void forget_answered(Time now);
    std::optional<std::string> deaf_at(const Address &own) const;
    void judge_addresses();
    void announced(Path &path, int error, Time now) const;
    void renew_wire(Path &path) const;
    void renew_descriptors();
    struct Came { // datagrams, since the last look
        unsigned by_socket = 0, by_wire = 0;
        unsigned to_group = 0, to_address = 0;
    };
    Came came(const std::string &interface) const;
    void judge_arrivals();
    Path &path_of(int descriptor);
    static std::optional<Received> from_socket(int descriptor, std::span<std::uint8_t> buffer);
    std::string obstacle(const std::string &interface, const Look &seen) const;

    Settings settings_;
    std::vector<std::string> interfaces_;
    Addresses addresses_;
    struct Answered {
        Address address;
        Time last{};
    };
    std::vector<Answered> answered_;
    std::vector<Path> paths_; // of each interface IPv4, then IPv6; then this node's addresses
    Look seen_;               // last
    std::vector<std::string> obstacles_, filtered_, without_group_, unheard_, unreached_;
    bool listens_on_wire_ = false;
    bool marks_ = false; // the last urgent beat had its mark
    std::vector<int> descriptors_;
    Counters counters_;
};

} // namespace heartbeat
