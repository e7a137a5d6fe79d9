// SPDX-License-Identifier: Apache-2.0
// Keys and signals are answered at once; between them the agent is asked at its interval.
#include "agent/nlbctl/watch.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/signals.hpp"
#include "agent/nlbctl/screen.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace agent {
namespace {

using Clock = std::chrono::steady_clock;

// Which part of a page is seen.
struct Position {
    std::size_t first = 0;

    void move(Key key, std::size_t lines, std::size_t rows) {
        const std::size_t last = lines > rows ? lines - rows : 0;
        switch (key) {
        case Key::up:
            first -= std::min<std::size_t>(first, 1);
            break;
        case Key::down:
            ++first;
            break;
        case Key::page_up:
            first -= std::min(first, rows);
            break;
        case Key::page_down:
            first += rows;
            break;
        case Key::top:
            first = 0;
            break;
        case Key::bottom:
            first = last;
            break;
        default:
            break;
        }
        first = std::min(first, last);
    }
};

class Watch {
  public:
    Watch(const Ask &ask, std::chrono::milliseconds every)
        : ask_(ask), every_(every), watched_{{}, ask(), {}} {}

    void ask_when_due() {
        if (Clock::now() < due_) return;
        due_ = Clock::now() + every_;
        try {
            watched_.before = std::exchange(watched_.now, ask_());
            watched_.trouble.clear();
        } catch (const std::exception &error) {
            if (watched_.trouble.empty())
                watched_.trouble =
                    "no answer since " + local_time({}) + ", trying again (" + error.what() + ")";
            watched_.before.reset(); // the page shown is out of date
        }
    }
    int patience() const {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(due_ - Clock::now());
        return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    }
    const Watched &watched() const { return watched_; }

  private:
    Ask ask_;
    std::chrono::milliseconds every_;
    Clock::time_point due_ = Clock::now() + every_;
    Watched watched_;
};

std::string foot(const Page &page, std::size_t rows) {
    return page.body.size() > rows ? "q quit   arrow keys: more" : "q quit";
}

// False: enough.
bool obey(Signals &signals, Screen &screen) {
    while (const int signal = signals.next()) {
        if (signal != SIGWINCH) return false;
        screen.resize();
    }
    return true;
}

} // namespace

void watch(const Ask &ask, std::chrono::milliseconds every, bool colour) {
    Watch watch(ask, every); // before the screen: without an agent, watch fails as every command does
    Signals signals({SIGINT, SIGTERM, SIGHUP, SIGWINCH});
    Screen screen(colour);
    Position position;
    for (;;) {
        const Page page = watch_page(watch.watched());
        position.move(Key::other, page.body.size(), screen.rows());
        screen.draw(page, position.first, foot(page, screen.rows()));
        pollfd waiting[] = {{STDIN_FILENO, POLLIN, 0}, {signals.descriptor(), POLLIN, 0}};
        poll(waiting, 2, watch.patience());
        if (!obey(signals, screen) || waiting[0].revents & (POLLHUP | POLLERR | POLLNVAL)) return;
        while (const auto key = screen.key()) {
            if (*key == Key::quit) return;
            position.move(*key, page.body.size(), screen.rows());
        }
        watch.ask_when_due();
    }
}

} // namespace agent
