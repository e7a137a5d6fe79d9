// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/doctor.hpp"

#include "agent/control/client.hpp"
#include "agent/control/local.hpp"
#include "agent/host/privileges.hpp"
#include "agent/nlbctl/doctor_page.hpp"
#include "agent/nlbctl/self_check.hpp"

#include <algorithm>

namespace agent {
namespace {

ExitCode severity(const Consultation &consultation) {
    const auto &findings = consultation.diagnosis.findings;
    const auto is_other_fault = [](const Finding &one) {
        return one.fault && one.name != "agent_not_running";
    };
    if (std::ranges::any_of(findings, is_other_fault)) return kRefused;
    if (!consultation.agent) return kNoAgent;
    return findings.empty() ? kDone : kFailed;
}

} // namespace

// The host is examined first, as the calling user: the agent's user could not read the
// key.
ExitCode doctor(const DoctorOrder &order, std::ostream &out) {
    Consultation consultation{false, {}, check_this_host(order.config_file, order.node)};
    try {
        become_owner_of(control_path(order.run_dir), {});
        consultation.patients = do_rounds(order.run_dir);
        consultation.diagnosis = diagnose(consultation.patients);
        consultation.agent = true;
    } catch (const NoAgent &) { // report what was found until here
    }
    out << (order.json ? consultation_json(consultation)
                                 .dump(2, ' ', false, Json::error_handler_t::replace) +
                             "\n"
                       : render_consultation(consultation, order.colour));
    return severity(consultation);
}

} // namespace agent
