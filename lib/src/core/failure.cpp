// SPDX-License-Identifier: Apache-2.0
#include <usher/core/failure.hpp>

namespace usher {

std::string_view to_text(Errc code)
{
    switch (code) {
    case Errc::unknown_role: return "unknown_role";
    case Errc::expiry_not_after_now: return "expiry_not_after_now";
    case Errc::life_too_long: return "life_too_long";
    case Errc::connection_data_too_long: return "connection_data_too_long";
    case Errc::connection_data_not_utf8: return "connection_data_not_utf8";
    case Errc::layout_class_invalid: return "layout_class_invalid";
    case Errc::layout_classes_too_long: return "layout_classes_too_long";
    case Errc::session_id_empty: return "session_id_empty";
    case Errc::session_of_another_project: return "session_of_another_project";
    case Errc::api_key_not_numeric: return "api_key_not_numeric";
    case Errc::api_secret_empty: return "api_secret_empty";
    case Errc::application_id_not_uuid: return "application_id_not_uuid";
    case Errc::rsa_key_missing: return "rsa_key_missing";
    case Errc::token_malformed: return "token_malformed";
    case Errc::token_too_long: return "token_too_long";
    case Errc::signature_mismatch: return "signature_mismatch";
    case Errc::bad_duration: return "bad_duration";
    case Errc::bad_time: return "bad_time";
    }
    return "unknown";
}

} // namespace usher
