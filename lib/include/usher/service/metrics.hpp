// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/metric_family.h>

#include <usher/core/openings.hpp>
#include <usher/core/time.hpp>
#include <usher/store/records.hpp>

namespace usher {

/// Calls to a vendor, by what they are for.
enum class VendorCall : std::uint8_t { create, disconnect };

/// Where a session comes from that was published.
enum class SessionOrigin : std::uint8_t {
    made,    ///< By the vendor, for usher.
    local,   ///< By usher, without the network.
    adopted, ///< By the platform.
};

/// Why signed tokens were not stored.
enum class DiscardReason : std::uint8_t {
    edited,  ///< The platform edited the rows meanwhile.
    refused, ///< The database takes no such row.
    fenced,  ///< Another daemon took over.
    stopped, ///< usherd stops.
    failed,  ///< The database could not be written to.
};

/// What was published of a batch in one project.
struct BatchTokens {
    PublishCounts published;
    std::array<std::size_t, 3> sessions{}; ///< By SessionOrigin.
};

/// What this process has done since it started, counted for Prometheus; docs/monitoring.md says what each counter
/// means. Meetings and people are no labels, and a project that is not configured is `(unknown)`, so that no platform
/// makes up series. One thread.
class Metrics {
public:
    Metrics();
    Metrics(Metrics const&) = delete;
    Metrics& operator=(Metrics const&) = delete;
    ~Metrics();

    /// Their counters are there from now on, with 0. Those of projects that were known once stay.
    void know_projects(std::vector<std::string> const& names);

    /// Tokens are in hand until they are published or discarded.
    void tokens_signed(std::string_view project, std::size_t tokens);
    void batch_published(std::string_view project, BatchTokens const& batch);
    void tokens_discarded(std::string_view project, DiscardReason why, std::size_t tokens);

    void call_started(std::string_view project, VendorCall call);
    /// `outcome` is `ok` or the class of the failure.
    void
    call_ended(std::string_view project, VendorCall call, std::string_view outcome, std::chrono::duration<double> took);
    /// A call for a session that is on record was not made: it begins and ends with this.
    void call_unsent(std::string_view project);
    /// The vendor has answered, be it with a refusal.
    void vendor_answered(std::string_view project, sys_seconds at);
    /// A call waited so long for its turn, which the project's rate gives.
    void call_paced(std::string_view project, std::chrono::duration<double> waited);
    /// An answer that brought a session of no use: `taken`, another has its id; `unwanted`, by now.
    void session_discarded(std::string_view project, std::string_view why);

    /// A session row that usher did not write.
    void foreign_row_met();

    void meetings_opened(OpenedCounts const& counts);
    /// From the notice of a change to its publication.
    void reacted(std::chrono::duration<double> took, bool urgent);
    /// As Store::watch_writes().
    void wrote(std::chrono::duration<double> waited, std::optional<std::chrono::duration<double>> held);
    /// usherd put a part of the contract back into the database.
    void repaired(std::size_t parts);
    void configuration_reloaded(bool taken);
    void clock_stepped(bool back);
    void sample_failed();
    void http_answered(std::string_view path, int status);

    std::vector<prometheus::MetricFamily> collect() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace usher
