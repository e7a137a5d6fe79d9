// SPDX-License-Identifier: Apache-2.0
//
// The pcap datapath's tables: the same struct nlb_state that the XDP programs read, its counters,
// and the memory of SYN-ACKs, in a file that is shared memory (on a tmpfs). So they outlive the
// process as pinned maps do, and a successor that finds them goes on where the killed one was.
#pragma once

#include "filter/interface.hpp"
#include "filter/pcap/syn_acks.hpp"
#include "filter/verdict/capture_record.h"
#include "filter/verdict/layout.h"

#include <cstdint>
#include <string>

namespace filter::pcap {

struct PacketMemory {
    nlb_state state;
    nlb_counters counters;
    nlb_shown shown;
    std::uint64_t network; // the network namespace's cookie: an interface's index means nothing
                           // elsewhere
    std::uint64_t syn_acks[SynAcks::kWords];
};

class PacketTables {
  public:
    // directory: on a tmpfs. A predecessor's, if they have this layout, belong to this interface
    // and hold this configuration; else new ones, in which nothing is served. Throws. What was there
    // before goes in the end only when it has been taken over, see Blocker.
    PacketTables(const std::string &directory, const Interface &interface,
                 const nlb_config &config);
    PacketTables(const PacketTables &) = delete;
    ~PacketTables(); // removes the file if it is its own

    PacketMemory &memory() const { return *memory_; }
    bool adopted() const { return adopted_; }
    void take_over() { ours_ = true; }
    void keep() { ours_ = false; }

  private:
    std::string directory_;
    PacketMemory *memory_ = nullptr;
    bool adopted_ = false;
    bool ours_;
};

// An agent's, for another process to look at. Throws.
class FoundPacketTables {
  public:
    explicit FoundPacketTables(const std::string &directory);
    FoundPacketTables(const FoundPacketTables &) = delete;
    ~FoundPacketTables();

    PacketMemory &memory() const { return *memory_; }

  private:
    PacketMemory *memory_;
};

// Whether an agent that was killed has left some there.
bool has_packet_tables(const std::string &directory);
void remove_packet_tables(const std::string &directory);

} // namespace filter::pcap
