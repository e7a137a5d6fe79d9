// SPDX-License-Identifier: Apache-2.0
// What the doctor found, for people in 80 columns, and as JSON. Pure functions.
#pragma once

#include "agent/base/json.hpp"
#include "agent/nlbctl/diagnosis.hpp"

#include <string>
#include <vector>

namespace agent {

struct Consultation {
    bool agent = true; // one answers here; false: only this host was examined
    std::vector<Patient> patients;
    Diagnosis diagnosis;
};

std::string render_consultation(const Consultation &consultation, bool colour);
Json consultation_json(const Consultation &consultation);

} // namespace agent
