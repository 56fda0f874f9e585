// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <usher/config/config.hpp>
#include <usher/service/metrics.hpp>

#include "findings.hpp"
#include "http_server.hpp"
#include "log.hpp"
#include "planned_work.hpp"
#include "sample.hpp"

namespace usher {

/// What the answers are made from, at the moment of a request.
struct StatusFacts {
    DaemonFacts daemon;
    std::shared_ptr<Sample const> sample{}; ///< The last one; null before the first.
    std::chrono::steady_clock::duration sample_age{};
    std::chrono::steady_clock::duration progress_age{}; ///< Since the engine got something done,
    std::string step{};                                 ///< namely this.
    sys_seconds progress_at{};
    sys_seconds configured_at{};
    bool last_reload_taken = true;
    std::vector<std::string> projects{};                   ///< That are configured.
    CallRates call_rates{};                                ///< Of those that are called over the network.
    std::map<std::string, std::size_t> sessions_ordered{}; ///< That wait for their call, by project.
    std::shared_ptr<PlannedWork const> planned{};          ///< Null before it was counted.
    LogCounts log{};
};

/// Answers `/`, `/status.json`, `/metrics`, `/healthz` and `/readyz`. Knows no database: what it shows was sampled.
/// Docs: docs/monitoring.md.
class StatusPages {
public:
    /// `facts` are asked for with each request, `nonce` with each page: text that nobody can guess.
    StatusPages(
        StatusConfig config, Metrics& metrics, std::function<StatusFacts()> facts, std::function<std::string()> nonce
    );

    PageResponse answer(PageRequest const& request) const;

private:
    bool is_asked_for(std::string_view host) const;
    PageResponse route(PageRequest const& request, std::string_view path) const;

    StatusConfig config_;
    Metrics& metrics_;
    std::function<StatusFacts()> facts_;
    std::function<std::string()> nonce_;
};

} // namespace usher
