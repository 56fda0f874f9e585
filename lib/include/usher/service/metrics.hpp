// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/metric_family.h>

namespace usher {

/// Calls to a vendor, by what they are for.
enum class VendorCall : std::uint8_t { create, disconnect };

/// What a batch came to in one project.
struct BatchTokens {
    std::size_t signed_ones = 0;
    std::size_t published = 0; ///< Of these.
    std::size_t withdrawn = 0;
    std::size_t sessions_published = 0;
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

    void batch_done(std::string_view project, BatchTokens const& tokens);
    void call_started(std::string_view project, VendorCall call);
    /// `outcome` is `ok` or the class of the failure.
    void
    call_ended(std::string_view project, VendorCall call, std::string_view outcome, std::chrono::duration<double> took);
    /// From the notice of a change to its publication.
    void reacted(std::chrono::duration<double> took);
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
