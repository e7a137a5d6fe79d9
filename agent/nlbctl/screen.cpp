// SPDX-License-Identifier: Apache-2.0
//
// The wide ncurses: names and bars are UTF-8. In a locale without it (LANG=C) the text would come
// out as bytes, so C.UTF-8 is taken instead, which Debian always has.
#include "agent/nlbctl/screen.hpp"

#define NCURSES_NOMACROS
#define NCURSES_WIDECHAR 1
#include <curses.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <langinfo.h>
#include <stdexcept>

namespace agent {

struct Screen::Terminal {
    SCREEN *screen;
};

namespace {

constexpr std::size_t kFrame = 2; // lines outside the body: the title and the last one

void speak_utf8() {
    std::setlocale(LC_CTYPE, "");
    if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

short pair_of(Colour colour) {
    return colour == Colour::green ? 1 : colour == Colour::yellow ? 2 : colour == Colour::red ? 3 : 0;
}

void start_colours() {
    if (!has_colors()) return;
    start_color();
    use_default_colors();
    init_pair(1, COLOR_GREEN, -1);
    init_pair(2, COLOR_YELLOW, -1);
    init_pair(3, COLOR_RED, -1);
}

void draw_line(int row, const Line &line, bool colour) {
    auto room = static_cast<std::size_t>(getmaxx(stdscr));
    wmove(stdscr, row, 0);
    for (const Cell &cell : line) {
        const std::string text = clipped(cell.text, room);
        const attr_t style = cell.colour == Colour::bold ? A_BOLD : A_NORMAL;
        wattr_set(stdscr, style, colour ? pair_of(cell.colour) : short{0}, nullptr);
        waddnstr(stdscr, text.c_str(), static_cast<int>(text.size()));
        room -= display_width(text);
    }
    wattr_set(stdscr, A_NORMAL, 0, nullptr);
}

} // namespace

Screen::Screen(bool colour) : terminal_(nullptr), colour_(colour) {
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        throw std::runtime_error("watch: needs a terminal; without one use: nlbctl status");
    speak_utf8();
    SCREEN *screen = newterm(nullptr, stdout, stdin);
    if (!screen) {
        const char *type = std::getenv("TERM");
        throw std::runtime_error(std::string("watch: nothing is known of a terminal of type \"") +
                                 (type ? type : "") + "\"; set TERM");
    }
    terminal_ = new Terminal{screen};
    cbreak();
    noecho();
    nonl();
    curs_set(0);
    keypad(stdscr, true);
    nodelay(stdscr, true);
    set_escdelay(25);
    if (colour_) start_colours();
    colour_ = colour_ && has_colors();
}

Screen::~Screen() {
    endwin();
    delscreen(terminal_->screen);
    delete terminal_;
}

void Screen::resize() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
    clearok(curscr, true); // how the terminal has wrapped the old lines is unknown
}

std::size_t Screen::rows() const {
    const auto all = static_cast<std::size_t>(getmaxy(stdscr));
    return all > kFrame ? all - kFrame : 0;
}

void Screen::draw(const Page &page, std::size_t first, const std::string &foot) {
    werase(stdscr);
    draw_line(0, page.title, colour_);
    for (std::size_t i = 0; i < rows() && first + i < page.body.size(); ++i)
        draw_line(static_cast<int>(i) + 1, page.body[first + i], colour_);
    draw_line(getmaxy(stdscr) - 1, {{foot, Colour::dim}}, colour_);
    wrefresh(stdscr);
}

std::optional<Key> Screen::key() {
    switch (wgetch(stdscr)) {
    case ERR:
        return std::nullopt;
    case 'q':
    case 'Q':
        return Key::quit;
    case KEY_UP:
    case 'k':
        return Key::up;
    case KEY_DOWN:
    case 'j':
        return Key::down;
    case KEY_PPAGE:
        return Key::page_up;
    case KEY_NPAGE:
    case ' ':
        return Key::page_down;
    case KEY_HOME:
        return Key::top;
    case KEY_END:
        return Key::bottom;
    default:
        return Key::other;
    }
}

} // namespace agent
