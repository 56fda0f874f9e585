// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <usher/config/config.hpp>

namespace usher {

/// Sends logs to standard error in the configured level and format. The only place that names a sink.
void set_up_log(LogConfig const& config);

} // namespace usher
