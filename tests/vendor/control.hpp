// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vendor/model.hpp"

namespace usher::vendor {

inline constexpr std::string_view control_prefix = "/_vendor/";

/// Answers what tests ask of the vendor itself, below `/_vendor/`, without authentication, always in JSON:
///   GET  sessions      [{id, project_key, created_ms, fields, connections}]; fields and headers are [[name,value],…]
///   GET  requests      [{time_ms, method, target, status, fault, headers, body}]; not those below `/_vendor/`
///   GET  counts        {"sessions":N,"requests":N,"tunnels":N,"refused_connections":N}
///   POST faults        {"chance":0.2,"kinds":[FAULT,…]}, {"next":[FAULT,…]}, {"outage":true|false|"refused"}; each
///                      replaces what was there before. FAULT is a kind or
///                      {"kind":…,"delay_ms":N,"retry_after":N,"retry_after_is_date":true,"skew":N}
///   POST clock         {"offset":SECONDS}
///   POST certificate   {"kind":"good"|"ending"|"expired"|"wrong_host"|"unknown_ca"}
///   POST connections   {"session_id":…} adds one: {"connection_id":…}
/// 400 with a message for what cannot be read, in which case nothing changes; 404 for anything else.
HttpReply control(Vendor& vendor, HttpRequest const& request, Instant now);

} // namespace usher::vendor
