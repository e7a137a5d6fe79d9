// SPDX-License-Identifier: Apache-2.0
#include "agent/web/mailbox.hpp"

#include "agent/base/failure.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <memory>

namespace agent {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

Mailbox::Pipe::Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) fail("make a pipe for the status page");
    read = filter::Descriptor(ends[0]);
    write = filter::Descriptor(ends[1]);
}

Mailbox::Mailbox() = default;

Mailbox::~Mailbox() {
    while (Answer *answer = next_answer())
        delete answer;
}

// A pipe transfers less than PIPE_BUF in one piece.
Mailbox::Answer *Mailbox::next_answer() {
    Answer *answer = nullptr;
    const auto size = read(answers_.read.get(), &answer, sizeof answer);
    return size == sizeof answer ? answer : nullptr;
}

std::optional<std::string> Mailbox::ask(char what, milliseconds patience) {
    const Question question{++asked_, what};
    if (write(questions_.write.get(), &question, sizeof question) != sizeof question)
        return std::nullopt; // full of unanswered questions
    const auto until = Clock::now() + patience;
    for (;;) {
        while (const auto answer = std::unique_ptr<Answer>(next_answer()))
            if (answer->number == asked_) return std::move(answer->text);
        if (stopped_) return std::nullopt;
        const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
        if (left <= 0) return std::nullopt;
        pollfd waiting{answers_.read.get(), POLLIN, 0};
        poll(&waiting, 1, static_cast<int>(left));
    }
}

void Mailbox::stop() {
    stopped_ = true;
    const Answer *none = nullptr; // wakes the waiting thread
    if (write(answers_.write.get(), &none, sizeof none) < 0) return; // full: it is awake
}

void Mailbox::answer(const std::function<std::string(char)> &make) {
    std::optional<Question> last;
    Question question{};
    while (read(questions_.read.get(), &question, sizeof question) == sizeof question)
        last = question;
    if (!last) return;
    auto answer = std::make_unique<Answer>(Answer{last->number, make(last->what)});
    Answer *pointer = answer.get();
    if (write(answers_.write.get(), &pointer, sizeof pointer) == sizeof pointer)
        (void)answer.release(); // the asking thread's
}

} // namespace agent
