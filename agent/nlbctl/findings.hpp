// SPDX-License-Identifier: Apache-2.0
//
// What the doctor can find. Problems that a node knows itself are passed on under their own names
// (report/problems); all others are kinds of the table in findings.cpp.
//
// A finding is a fault when clients are not served as they should be, or would not be after the
// next change; everything else is a warning.
#pragma once

#include <string>
#include <vector>

namespace agent {

struct Finding {
    std::string name;
    bool fault = false;
    std::vector<std::string> nodes; // that it is about
    std::string text, way_out;
};

struct Diagnosis {
    std::vector<Finding> findings;        // faults first
    std::vector<std::string> not_checked; // and why
};

// name: of a kind of the table. way_out: where a better one is known than the kind's.
Finding finding(const std::string &name, std::vector<std::string> nodes, const std::string &text,
                const std::string &way_out = {});

} // namespace agent
