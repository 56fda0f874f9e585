// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace usher {

/// What went wrong, for code that acts on it; `Failure::message` is for people.
enum class Errc {
    // token claims that must not be signed
    unknown_role,
    expiry_not_after_now,
    life_too_long,
    connection_data_too_long,
    connection_data_not_utf8,
    layout_class_invalid,
    layout_classes_too_long,
    session_id_empty,
    session_of_another_project,
    // credentials
    api_key_not_numeric,
    api_secret_empty,
    application_id_not_uuid,
    rsa_key_missing,
    // token text
    token_malformed,
    token_too_long,
    signature_mismatch,
    // text that people write
    bad_duration,
    bad_time,
};

/// An expected failure: `message` is one sentence that names the thing and, where there is one, the way out.
struct Failure {
    Errc code;
    std::string message;

    friend bool operator==(Failure const&, Failure const&) = default;
};

template <class T>
using Result = tl::expected<T, Failure>;

/// The code's name, as tables and `--json` show it: `connection_data_not_utf8`.
std::string_view to_text(Errc code);

inline tl::unexpected<Failure> fail(Errc code, std::string message)
{
    return tl::unexpected{Failure{code, std::move(message)}};
}

} // namespace usher
