// SPDX-License-Identifier: Apache-2.0
//
// toml++ 3.3 has two weak spots. It accepts `a.a.a.a...` of any length and takes such a tree apart
// by recursion, one stack frame or more a level: a limit on the length of a line keeps the depth
// far below what a stack holds. And where it looks for white space a letter such as é leads it into
// undefined behaviour: outside of strings and comments, where TOML 1.0 has no use for one, and in a
// string in """ behind a backslash that joins lines. So this refuses it there first.
#include "agent/config/scan.hpp"

#include "agent/config/toml.hpp"

#include <algorithm>

namespace agent {
namespace {

constexpr std::size_t kMaxLine =
    4000; // bytes; the longest line of a full configuration has under 2,500

// Walks over the text, stepping from one place outside of strings and comments to the next.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {
        if (text_.starts_with("\xef\xbb\xbf"))
            start_ = at_ = 3; // a byte order mark is no character
    }

    bool at_end() const { return at_ >= text_.size(); }
    bool outside_ascii() const { return is_outside_ascii(at_); }

    void step() {
        const char c = text_[at_];
        if (c == '#')
            at_ = text_.find('\n', at_);
        else if ((c == '"' || c == '\'') && may_open())
            skip_string(c);
        else
            ++at_;
        at_ = std::min(at_, text_.size());
    }

    Place place() const {
        const std::string_view before = text_.substr(0, at_);
        const std::size_t line = before.rfind('\n') + 1; // 0 in the first line
        const auto is_first_byte = [](char c) {
            return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
        };
        return {static_cast<unsigned>(1 + std::count(before.begin(), before.end(), '\n')),
                static_cast<unsigned>(
                    1 + std::count_if(before.begin() + static_cast<std::ptrdiff_t>(line),
                                      before.end(), is_first_byte))};
    }

  private:
    bool is_outside_ascii(std::size_t at) const {
        return static_cast<unsigned char>(text_[at]) >= 0x80;
    }

    // A quote within a bare word opens nothing: the parser takes it for a part of that word.
    bool may_open() const {
        constexpr std::string_view before = " \t\r\n=[{,.";
        return at_ == start_ || before.find(text_[at_ - 1]) != std::string_view::npos;
    }

    // At the opening quote. A string in single quotes has no escapes, one in triple quotes may span
    // lines.
    void skip_string(char quote) {
        const std::string_view triple = quote == '"' ? R"(""")" : "'''";
        const bool multi_line = text_.substr(at_).starts_with(triple);
        for (at_ += multi_line ? 3 : 1; at_ < text_.size(); ++at_) {
            if (text_[at_] == '\\' && quote == '"') {
                const std::size_t next = text_.find_first_not_of(" \t\r\n", at_ + 1);
                if (multi_line && next < text_.size() && is_outside_ascii(next)) {
                    at_ = next; // not in the string, for whoever walks
                    return;
                }
                ++at_;
            } else if (multi_line ? text_.substr(at_).starts_with(triple)
                                  : text_[at_] == quote || text_[at_] == '\n') {
                break;
            }
        }
        ++at_;
        while (multi_line && at_ < text_.size() && text_[at_] == quote)
            ++at_; // up to two quotes may stand before the closing three
    }

    std::string_view text_;
    std::size_t start_ = 0, at_ = 0;
};

void check_lines(const std::string &text, const std::string &file) {
    unsigned line = 1;
    for (std::size_t begin = 0; begin < text.size(); ++line) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        if (end - begin > kMaxLine)
            refuse_config(file, {line, 1}, "syntax",
                          "the line is too long, must be at most " + std::to_string(kMaxLine) +
                              " bytes");
        begin = end + 1;
    }
}

} // namespace

void scan_toml(const std::string &text, const std::string &file) {
    if (text.size() > kMaxConfigSize)
        refuse_config(file, {}, "syntax",
                      "the file is too large, must be at most " + std::to_string(kMaxConfigSize) +
                          " bytes");
    check_lines(text, file);
    for (Scanner scanner(text); !scanner.at_end(); scanner.step())
        if (scanner.outside_ascii())
            refuse_config(
                file, scanner.place(), "syntax",
                "a character outside of ASCII, must be in a comment or a string, and there not "
                "right behind a \\");
}

} // namespace agent
