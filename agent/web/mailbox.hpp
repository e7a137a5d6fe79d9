// SPDX-License-Identifier: Apache-2.0
//
// How one thread asks another for a text: a question goes through one pipe, the answer comes back
// through another. There is no lock, because the thread that answers has real-time priority and the one
// that asks has not: a lock that the latter holds while it does not get to run would stop the former.
//
// One thread asks, one question at a time. An answer that comes after its patience ran out is
// thrown away by the next question.
#pragma once

#include "filter/descriptor.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace agent {

class Mailbox {
  public:
    Mailbox(); // throws
    ~Mailbox();
    Mailbox(const Mailbox &) = delete;
    Mailbox &operator=(const Mailbox &) = delete;

    // The asking thread. Nothing: no answer within that time.
    std::optional<std::string> ask(char what, std::chrono::milliseconds patience);

    // Any thread: no question will be answered any more; a waiting thread returns.
    void stop();

    // The answering thread: readable when a question waits. Never blocks; of several questions, the
    // asking thread still waits only for the last.
    int descriptor() const { return questions_.read.get(); }
    void answer(const std::function<std::string(char)> &make);

  private:
    struct Pipe {
        filter::Descriptor read, write;
        Pipe();
    };
    struct Question {
        std::uint32_t number;
        char what;
    };
    struct Answer { // passes through the pipe as a pointer
        std::uint32_t number;
        std::string text;
    };
    Answer *next_answer();

    Pipe questions_, answers_;
    std::uint32_t asked_ = 0; // the asking thread's
    std::atomic<bool> stopped_ = false;
};

} // namespace agent
