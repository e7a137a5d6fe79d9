// SPDX-License-Identifier: Apache-2.0
// Text in columns: as wide as their widest cell, aligned by what a terminal shows and not by bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace agent {

enum class Colour { plain, bold, dim, green, yellow, red };

struct Cell {
    std::string text;
    Colour colour = Colour::plain;
};

using Line = std::vector<Cell>;

struct Column {
    std::string title;
    bool right = false; // numbers
};

// Columns that a terminal gives to UTF-8 text: two for wide letters, none for combining ones.
std::size_t display_width(std::string_view text);
std::string clipped(std::string_view text, std::size_t columns); // its beginning, at most so wide
std::string paint(const std::string &text, Colour colour, bool colours_wanted);

class Table {
  public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); } // as many cells as columns
    // Titles first; no blanks at the ends of lines.
    std::vector<Line> lines() const;
    std::string text(bool colours_wanted) const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

} // namespace agent
