// SPDX-License-Identifier: Apache-2.0
// A whole terminal, for as long as this object lives. Only its implementation uses ncurses.
#pragma once

#include "agent/nlbctl/watch_page.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace agent {

enum class Key { quit, up, down, page_up, page_down, top, bottom, other };

class Screen {
  public:
    // Throws std::runtime_error when standard input and output are not a terminal, or a terminal of
    // unknown type.
    explicit Screen(bool colour);
    ~Screen(); // the terminal is as it was before
    Screen(const Screen &) = delete;
    Screen &operator=(const Screen &) = delete;

    void resize();             // call it when the terminal has another size
    std::size_t rows() const;  // of a page's body that there is room for
    // The body from line `first` on, and a last line.
    void draw(const Page &page, std::size_t first, const std::string &foot);
    std::optional<Key> key(); // that was pressed; nothing: none was

  private:
    struct Terminal;
    Terminal *terminal_;
    bool colour_;
};

} // namespace agent
