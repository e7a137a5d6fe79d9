// SPDX-License-Identifier: Apache-2.0
// The attached program, a million times: opened once, with room for what comes out.
#pragma once

#include "host.hpp"

#include "filter/descriptor.hpp"
#include "filter/verdict/layout.h"

namespace differential {

class Program {
  public:
    explicit Program(std::uint32_t id);
    Program(const Program &) = delete;
    ~Program();

    Run run(const Frame &frame);
    void forget_fragments();

  private:
    filter::Descriptor program_;
    nlb_state *state_; // the very memory that the programs read
    Frame out_;
};

} // namespace differential
