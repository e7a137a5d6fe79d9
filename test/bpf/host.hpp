// SPDX-License-Identifier: Apache-2.0
//
// A host of one process: a network and a mount namespace of its own.
//
//     far ======= near [XDP, tc]    lo 192.0.2.100 .101 .7, fd00::100 fd00::7
//     (the wire)                    routes to 198.51.100.0/24, fd01::/64 over near; neighbours
//     known
//
// A test puts the real datapath on `near` and either runs its programs on frames of its choice, or
// sends the frames into `far` and looks at what the host makes of them.
#pragma once

#include "filter/datapath.hpp"

#include <functional>
#include <memory>
#include <string>

using Frame = std::vector<std::uint8_t>;

struct Host {
    static void enter(); // once a process, before any test; throws
    static void leave();
    static std::string pin_dir(const std::string &name); // on a bpffs
    static std::string tables_dir();                     // on a tmpfs
};

void shell(const std::string &command); // throws when it fails
void write_file(const std::string &path, const std::string &text);
std::string mac_of(const std::string &interface);
void turn_on_gro(const std::string &interface); // a veth then takes in raw frames, as a card does
// Whether the interface takes VLAN tags off, as most cards do: a veth only says so.
void take_tags_off(const std::string &interface, bool off);

// Rules: 0 tcp 80 single; 1 udp 53 none; 2 both 8000-8999 network; 3 tcp 9999 disabled; 4 tcp 443
// of the second virtual IP. Virtual IPs: 192.0.2.100, 192.0.2.101, fd00::100.
filter::Settings settings();

// Everything, or nothing, is this node's; where nothing is, another node serves, or none does.
filter::Tables all_mine();
filter::Tables nothing_mine(bool has_owner = true);
filter::GroupSet all_groups();
filter::GroupSet one_group(unsigned bucket);

constexpr std::uint64_t kForever = ~std::uint64_t{0};

// The datapath in the kernel that this run is about: generic XDP, or with NLBD_DATAPATH=tc in the
// environment that.
bool over_tc();
std::unique_ptr<filter::Datapath> attach();
std::unique_ptr<filter::Datapath> attach_xdp(filter::XdpMode mode);
std::unique_ptr<filter::Datapath> attach_tc();

// The other datapath, with virtual IPs on its TAP device as well, as the agent has it.
std::unique_ptr<filter::Datapath> attach_pcap();

// In a process of its own, which then dies without a destructor: its exit code, -1 when it was
// killed.
int in_a_process(const std::function<void()> &action);
// Likewise; what is returned is not destroyed. Throws when the action did.
void attach_and_die(const std::function<std::unique_ptr<filter::Datapath>()> &action);

std::uint64_t counter(const filter::Datapath &datapath, const std::string &reason);

// One run of a program attached to `near`, as the kernel would run it on a frame that has arrived.
struct Run {
    unsigned result;
    Frame frame; // as it leaves the program
    unsigned nanoseconds; // on average
};
Run run_xdp(const Frame &frame, unsigned times = 1);
Run run_tc(const Frame &frame); // the second lock of XDP
// The attached program that judges, and whether it drops the frame.
Run run_judging(const filter::Datapath &datapath, const Frame &frame);
bool drops(const filter::Datapath &datapath, const Run &run);
constexpr std::size_t kMostOverTc = 3000; // of a frame that the kernel runs a tc program on
unsigned attached_tc_program(); // that judges: its id, 0 when there is none
unsigned attached_xdp_program(); // its id, 0 when there is none

// A program of XDP in the driver, which lets everything pass.
class PassProgram {
  public:
    explicit PassProgram(const std::string &interface); // "stranger" to those who ask for its name
    PassProgram(const PassProgram &) = delete;
    ~PassProgram();

  private:
    int index_;
};

// The far end of the wire.
class Wire {
  public:
    Wire();
    Wire(const Wire &) = delete;
    ~Wire();
    void send(const Frame &frame) const;
    // The first frame sent by the host that satisfies the condition; throws after ten seconds.
    Frame receive(const std::function<bool(const Frame &)> &wanted) const;

  private:
    int socket_;
};

// Returns when the condition holds; throws after ten seconds.
void wait_for(const std::function<bool()> &condition);
