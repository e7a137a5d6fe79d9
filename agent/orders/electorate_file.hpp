// SPDX-License-Identifier: Apache-2.0
//
// With `partition = "quorum"`: the nodes whose majority decides, in STATE_DIR/electorate.json. A node that starts again
// counts by this file and not by its configuration, which may be newer than what the others go by.
//
// It is written in the background, because beats cannot wait for a disk. What fails is tried again each second.
#pragma once

#include "agent/base/background_task.hpp"
#include "agent/base/poll.hpp"
#include "heartbeat/types.hpp"

#include <optional>
#include <string>

namespace agent {

class ElectorateFile {
  public:
    // cluster: its name; the file of another one counts as none.
    ElectorateFile(const std::string &state_dir, std::string cluster); // throws

    // No file: an electorate that is not known. Throws std::runtime_error, `read electorate FILE: cause; way out`.
    heartbeat::Electorate load() const;
    // Removes the file: with `partition = "serve"` no majority decides, and nodes come and go without it. Throws as load().
    void forget() const;

    // In the place of the former one. Precondition: the last one has been kept.
    void keep(const heartbeat::Electorate &electorate);
    // On every turn: one that is on disk now, once.
    std::optional<heartbeat::Electorate> handle(heartbeat::Time now);
    const std::string &failure() const { return failure_; } // of the last attempt; empty: there was none

    void wait(Poll &poll) const;

  private:
    void begin();

    std::string directory_, path_, cluster_;
    BackgroundTask<std::string> writing_; // its failure
    std::optional<heartbeat::Electorate> wanted_;
    heartbeat::Time again_{}; // not before
    std::string failure_;
};

std::string to_text(const heartbeat::Electorate &electorate, const std::string &cluster);
// Throws std::runtime_error when it is damaged. Of another cluster: not known.
heartbeat::Electorate parse_electorate(const std::string &text, const std::string &cluster);

} // namespace agent
