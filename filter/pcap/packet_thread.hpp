// SPDX-License-Identifier: Apache-2.0
//
// The thread that does for the pcap datapath what the XDP program does in the kernel: it takes each
// frame that was captured, decides, counts, and hands the accepted ones to the host.
//
// It is a thread of its own because packets must not hold up heartbeats, and an ordinary one, where
// the agent's is a real-time one: in a flood that fills its processor, packets wait, and are
// counted as lost when the ring is full, while beats go out.
//
// A thread can lose its processor between a verdict and what follows from it, and go on long after
// the tables have changed. So it says when it is at work on a frame (busy_, a number for each), and
// a change that takes a right away from this node waits until the frame that was judged before has
// arrived: let_packets_arrive().
//
// And a frame can wait in the ring while the tables change: judged by the new ones, it would be
// answered here though its owner of then has answered it. So a change that gives this node a right
// waits until what was captured before has been judged: let_earlier_frames_be_judged().
#pragma once

#include "filter/descriptor.hpp"
#include "filter/pcap/host_sockets.hpp"
#include "filter/pcap/packet_tables.hpp"
#include "filter/pcap/ring.hpp"
#include "filter/pcap/tap.hpp"
#include "filter/pcap/viewer.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace filter::pcap {

// Answers for the host what verdict.h asks.
class PacketHost : public VerdictHost {
  public:
    // sockets: of the calling thread alone. alarm: an eventfd, for a service that is missed.
    PacketHost(nlb_state &state, const SynAcks &syn_acks, HostSockets &sockets, int alarm)
        : state_(state), syn_acks_(syn_acks), sockets_(sockets), alarm_(alarm) {}
    bool has_socket(const TcpSegment &segment) override;
    bool has_listener(const TcpSegment &segment, std::uint32_t table) override;
    std::uint64_t boot_ns() override;

  private:
    virtual void learn_syn_acks() {} // those that have been sent by now

    bool is_service_at(const nlb_service &service);

    nlb_state &state_;
    const SynAcks &syn_acks_;
    HostSockets &sockets_;
    int alarm_;
};

class PacketThread {
  public:
    // Begins to work at once. Throws when nothing can be captured.
    PacketThread(const Interface &interface, const std::vector<IpAddress> &virtual_ips,
                 PacketMemory &memory, const Tap &tap, int alarm, const std::string &directory);
    PacketThread(const PacketThread &) = delete;
    ~PacketThread();

    // Whether frames can be captured, or could until a moment ago; not while the interface is down.
    bool captures() const;
    void let_packets_arrive();
    void let_earlier_frames_be_judged();
    void wake(); // it answers what it was asked (nlb_state)
    // Captures for these from now on; returns when it does. What cannot be captured is tried again as after a
    // link that was down.
    void set_virtual_ips(const std::vector<IpAddress> &virtual_ips);
    void set_mtu(std::size_t mtu) { mtu_ = mtu; }
    const SynAcks &syn_acks() const { return syn_acks_; }
    int refused_descriptor() const { return refused_.read.get(); }
    std::vector<std::vector<std::uint8_t>> take_refused(std::size_t most); // as in Datapath

  private:
    class Host;

    void run();
    void open_again();
    void take_virtual_ips();
    void see_whether_open();
    void wait();
    void remember_departures(std::uint64_t now_ns);
    bool handle_some(VerdictHost &host);
    void handle(const Captured &captured, VerdictHost &host);
    void wait_until(const std::function<bool()> &done);
    void frame_taken();
    void count_lost();
    void count(std::uint32_t counter, std::uint64_t packets = 1);

    std::string interface_;
    std::vector<IpAddress> virtual_ips_; // the thread's
    std::vector<IpAddress> next_virtual_ips_; // the thread's while changing_, else the agent's
    std::atomic<bool> changing_ = false;
    PacketMemory &memory_;
    const Tap &tap_;
    SynAcks syn_acks_;
    HostSockets sockets_;
    int alarm_;
    struct {
        Descriptor written, read; // by the thread; by the agent
    } refused_;
    Viewer viewer_;
    std::optional<Arrivals> arrivals_;
    std::optional<Departures> departures_;
    std::atomic<bool> ending_ = false;
    Descriptor wake_; // an eventfd, which wakes the thread to that and to a question
    std::atomic<std::uint64_t> asked_ = 0, answered_ = 0; // the number of the last question
    std::uint64_t seen_ = 0;    // the last one that the thread has seen,
    std::size_t since_ = 0;     // and how many frames it has taken since
    std::uint64_t turn_ = 0;
    std::atomic<std::uint64_t> busy_ = 0; // with the frame of this number; 0: with none
    std::atomic<std::size_t> mtu_ = 1500;
    bool captures_ = true;
    std::atomic<std::uint64_t> closed_at_ns_ = 0; // 0: captures
    bool counted_ = true; // what the rings have lost
    std::thread thread_;
};

} // namespace filter::pcap
