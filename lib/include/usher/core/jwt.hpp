// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <usher/core/failure.hpp>
#include <usher/core/text_buffer.hpp>

namespace usher {

/// The claims of a JWT in the order in which they are added, with the bytes that JSON.stringify writes. Names must need
/// no escaping, texts must be UTF-8. Nothing is validated here.
class JwtClaims {
public:
    JwtClaims& add(std::string_view name, std::string_view text)
    {
        text_.end_at(put_quoted(begin(name, escaped_room * text.size() + 2), text));
        return *this;
    }
    JwtClaims& add(std::string_view name, char const* text) { return add(name, std::string_view{text}); }
    JwtClaims& add(std::string_view name, std::int64_t number)
    {
        text_.end_at(put(begin(name, number_room), number));
        return *this;
    }

    /// A text that needs no escaping.
    JwtClaims& add_plain(std::string_view name, std::string_view text)
    {
        text_.end_at(put(put(put(begin(name, text.size() + 2), '"'), text), '"'));
        return *this;
    }

    /// `json` is written as it is.
    JwtClaims& add_json(std::string_view name, std::string_view json)
    {
        text_.end_at(put(begin(name, json.size()), json));
        return *this;
    }

    std::string_view text(); ///< Until the next `add`.
    std::string json() { return std::string{text()}; }

private:
    static constexpr std::size_t escaped_room = 6; ///< Of each byte, at most.
    static char* put_quoted(char* to, std::string_view text);

    char* begin(std::string_view name, std::size_t value_room)
    {
        char* to = text_.room(name.size() + value_room + 4);
        to = put(put(to, text_.text().empty() ? '{' : ','), '"');
        return put(put(put(to, name), '"'), ':');
    }

    TextBuffer text_;
};

/// What a JWT's signature covers.
std::string jwt_signing_input(std::string_view header_json, std::string_view payload_json);

/// `signature` in raw bytes.
std::string join_jwt(std::string signing_input, std::string_view signature);

/// A JWT taken apart; no signature is checked, and neither JSON text is parsed.
struct JwtParts {
    std::string header_json;
    std::string payload_json;
    std::string_view signing_input; ///< Into the token, as is `signature`.
    std::string_view signature;     ///< Base64url, as it stands.
};

/// Errors: token_malformed.
Result<JwtParts> split_jwt(std::string_view token);

} // namespace usher
