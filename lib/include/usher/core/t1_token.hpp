// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <usher/core/failure.hpp>
#include <usher/core/text_buffer.hpp>
#include <usher/crypto/hmac.hpp>

namespace usher {

/// The fields of a T1 token, percent-encoded as they are added: `name=value&name=value`. Nothing is validated here.
class T1Fields {
public:
    T1Fields& add(std::string_view name, std::string_view value);

    /// A name that needs no encoding.
    T1Fields& add_value(std::string_view name, std::string_view value)
    {
        text_.end_at(put_encoded(begin(name, encoded_room * value.size()), value));
        return *this;
    }

    /// A name and a value that need no encoding.
    T1Fields& add_plain(std::string_view name, std::string_view value)
    {
        text_.end_at(put(begin(name, value.size()), value));
        return *this;
    }
    T1Fields& add_plain(std::string_view name, std::int64_t value)
    {
        text_.end_at(put(begin(name, number_room), value));
        return *this;
    }

    std::string_view text() const { return text_.text(); }

private:
    static constexpr std::size_t encoded_room = 3; ///< Of each byte, at most.
    static char* put_encoded(char* to, std::string_view text);

    char* begin(std::string_view name, std::size_t value_room)
    {
        char* to = text_.room(name.size() + value_room + 2);
        if (!text_.text().empty())
            to = put(to, '&');
        return put(put(to, name), '=');
    }

    TextBuffer text_;
};

/// Makes the tokens of one project, whose beginning is encoded once.
class T1Encoder {
public:
    explicit T1Encoder(std::string_view partner_id);

    /// `key` is the API secret under SHA-1.
    std::string encode(HmacKey const& key, T1Fields const& fields) const;

private:
    std::string begin_; ///< Of the token: what whole groups of three bytes lead to.
    std::string rest_;  ///< The bytes that follow, at most two.
};

/// One token; `key` is the API secret under SHA-1.
std::string encode_t1(std::string_view partner_id, HmacKey const& key, T1Fields const& fields);

/// A T1 token taken apart; no signature is checked.
struct T1Parts {
    std::string partner_id;
    std::string signature; ///< Hex, as it stands.
    std::string data;      ///< What the signature covers, as it stands.
};

/// Reads the envelope, in either alphabet of base64. Errors: token_malformed.
Result<T1Parts> split_t1(std::string_view token);

struct T1FieldList {
    std::vector<std::pair<std::string, std::string>> fields; ///< Decoded names and values, in order, repeated ones too.
    bool damaged = false;                                    ///< A `%` is not followed by two hex digits.
};

/// The fields of `data`. `%20` and `+` are spaces; a `%` without two hex digits stays as it is.
T1FieldList parse_t1_fields(std::string_view data);

} // namespace usher
