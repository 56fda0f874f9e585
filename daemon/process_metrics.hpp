// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include <prometheus/metric_family.h>

namespace usher {

/// `process_…` of this process, by the names that all Prometheus clients use, from /proc; those that cannot be read are
/// left out.
std::vector<prometheus::MetricFamily> process_metrics();

} // namespace usher
