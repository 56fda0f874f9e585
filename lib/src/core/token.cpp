// SPDX-License-Identifier: Apache-2.0
#include <usher/core/token.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <set>
#include <variant>

#include <nlohmann/json.hpp>

#include <usher/core/jwt.hpp>
#include <usher/core/session_id.hpp>
#include <usher/core/t1_token.hpp>
#include <usher/core/utf8.hpp>
#include <usher/crypto/base64.hpp>
#include <usher/crypto/hmac.hpp>

namespace usher {

namespace {

constexpr std::size_t max_connection_data = 1000;
constexpr std::size_t max_layout_classes = 1000;
constexpr std::size_t max_token = 16 * 1024; ///< Twice the longest that claims within the limits can lead to.
constexpr int max_json_depth = 32;
constexpr seconds life_limit{30 * 24 * 3600};
constexpr seconds request_life{61};
constexpr seconds request_skew_max{2 * 60};
constexpr std::string_view connect_scope = "session.connect";
constexpr std::string_view hs256_header = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::string_view rs256_header = R"({"alg":"RS256","typ":"JWT"})";

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_layout_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

/// Names joined by one space each, or nothing.
bool are_layout_classes(std::string_view text)
{
    bool after_name = text.empty();
    for (const char c : text) {
        if (c != ' ' && !is_layout_char(c))
            return false;
        if (c == ' ' && !after_name)
            return false;
        after_name = c != ' ';
    }
    return after_name;
}

/// RFC 9562, version 4: 122 of the bits are taken as they are.
std::string uuid_v4(TokenEntropy entropy)
{
    const std::uint64_t high = (entropy.high & 0xffffffffffff0fffU) | 0x4000U;
    const std::uint64_t low = (entropy.low & 0x3fffffffffffffffU) | 0x8000000000000000U;
    std::string bytes;
    for (const std::uint64_t half : {high, low})
        for (unsigned shift = 64; shift > 0; shift -= 8)
            bytes += static_cast<char>((half >> (shift - 8)) & 0xffU);
    std::string text = to_hex(bytes);
    for (const std::size_t dash : {8U, 13U, 18U, 23U})
        text.insert(dash, 1, '-');
    return text;
}

/// Of 16 digits always, so that a token's length follows from its claims; exact in JavaScript, below 2^53. Some values
/// are one part in 2,306 more likely than the others.
std::int64_t nonce_of(TokenEntropy entropy)
{
    constexpr std::uint64_t least = 1'000'000'000'000'000;
    return static_cast<std::int64_t>(least + entropy.low % (8 * least));
}

Result<void> check_times(TokenClaims const& claims, sys_seconds now)
{
    if (claims.expires_at <= now)
        return fail(
            Errc::expiry_not_after_now, "The token would expire at " + to_iso8601(claims.expires_at) +
                                            ", which is not after now, " + to_iso8601(now) + "."
        );
    if (claims.expires_at <= claims.issued_at)
        return fail(
            Errc::expiry_not_after_now, "The token would expire at " + to_iso8601(claims.expires_at) +
                                            ", which is not after its issue, " + to_iso8601(claims.issued_at) + "."
        );
    // Unsigned, since the difference of two instants may not fit; it is positive here.
    const auto life = static_cast<std::uint64_t>(unix_seconds(claims.expires_at)) -
                      static_cast<std::uint64_t>(unix_seconds(claims.issued_at));
    if (life >= static_cast<std::uint64_t>(life_limit.count()))
        return fail(
            Errc::life_too_long, "The token would live from " + to_iso8601(claims.issued_at) + " to " +
                                     to_iso8601(claims.expires_at) + "; it must be less than 30 days."
        );
    return {};
}

/// `own` is empty for an application.
Result<void>
check_session(std::string_view session_id, std::string_view api_key, std::optional<SessionIdStart> const& own)
{
    if (session_id.empty())
        return fail(Errc::session_id_empty, "The session id is empty.");
    if (!is_utf8(session_id))
        return fail(Errc::session_of_another_project, "The session id is not UTF-8, so no project has made it.");
    if (!own)
        return {}; // applications: not even the vendor's SDKs look into the id
    // The usual case: even if what follows did not decode, there would be no other owner to find.
    if (own->is_in(session_id))
        return {};
    const auto owner = project_key_of(session_id);
    if (owner && *owner != api_key)
        return fail(
            Errc::session_of_another_project, "The session belongs to project " + (is_utf8(*owner) ? *owner : "?") +
                                                  ", the API key is " + std::string{api_key} + "."
        );
    return {};
}

// Reading JSON from outside: nlohmann parses without recursion, but writes with it.

bool is_deeper_than(std::string_view json, int limit)
{
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (quoted) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > limit)
                return true;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

using Json = nlohmann::ordered_json;

struct ParsedObject {
    Json object;
    std::set<std::string> repeated;
};

Result<ParsedObject> parse_object(std::string_view text, std::string const& what)
{
    if (is_deeper_than(text, max_json_depth))
        return fail(Errc::token_malformed, "The " + what + " of the JWT is nested too deeply.");
    ParsedObject parsed;
    std::set<std::string> names;
    const auto note_names = [&](int depth, Json::parse_event_t event, Json& value) {
        if (event == Json::parse_event_t::key && depth == 1) {
            auto const& name = value.get_ref<Json::string_t const&>();
            if (!names.insert(name).second)
                parsed.repeated.insert(name);
        }
        return true;
    };
    parsed.object = Json::parse(text, note_names, false);
    if (!parsed.object.is_object())
        return fail(Errc::token_malformed, "The " + what + " of the JWT is not a JSON object.");
    return parsed;
}

std::string text_of(Json const& value)
{
    if (value.is_string())
        return value.get_ref<Json::string_t const&>();
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<std::int64_t> integer_of(std::string_view text)
{
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || text.empty())
        return std::nullopt;
    return number;
}

/// A time as SDKs write it; some of them write a fraction.
std::optional<std::int64_t> time_of(Json const& value)
{
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        if (number > static_cast<std::uint64_t>(INT64_MAX))
            return std::nullopt;
        return static_cast<std::int64_t>(number);
    }
    if (value.is_number_integer())
        return value.get<std::int64_t>();
    if (value.is_number_float()) {
        const double number = std::floor(value.get<double>());
        if (!(std::abs(number) < 9e15)) // also NaN; above it a double holds no fractions anyway
            return std::nullopt;
        return static_cast<std::int64_t>(number);
    }
    return std::nullopt;
}

/// Role, times and session are the same in both formats.
void note_oddities(DecodedToken& token)
{
    auto& notes = token.notes;
    if (token.project_key.empty())
        notes.emplace_back("It names no project.");
    if (token.session_id.empty())
        notes.emplace_back("It has no session_id.");
    if (token.role.empty())
        notes.emplace_back("It has no role.");
    else if (!parse_role(token.role))
        notes.emplace_back("Its role is none of subscriber, publisher, publisheronly and moderator.");
    if (!token.issued_at)
        notes.emplace_back("It does not say when it was issued.");
    if (!token.expires_at)
        notes.emplace_back("It does not say when it expires.");
    if (token.issued_at && token.expires_at && *token.expires_at <= *token.issued_at)
        notes.emplace_back("It expires before it is issued.");
    for (const auto& time : {token.issued_at, token.expires_at})
        if (time && *time > 100'000'000'000) {
            notes.emplace_back("Its times look like milliseconds; the platform reads seconds.");
            break;
        }
    if (token.connection_data.size() > max_connection_data)
        notes.emplace_back("Its connection data is longer than 1000 bytes.");
    if (const auto owner = project_key_of(token.session_id); owner && *owner != token.project_key)
        notes.emplace_back("Its session id was made for another project.");
}

Result<DecodedToken> decode_t1(std::string_view text)
{
    auto parts = split_t1(text);
    if (!parts)
        return tl::unexpected{std::move(parts.error())};
    DecodedToken token;
    token.format = TokenFormat::t1;
    token.algorithm = "HMAC-SHA1";
    token.project_key = parts->partner_id;
    bool damaged = false;
    token.fields = parse_t1_fields(parts->data, damaged);
    if (token.fields.empty())
        return fail(Errc::token_malformed, "The T1 token has no fields.");

    const bool hex = std::all_of(parts->signature.begin(), parts->signature.end(), is_hex_digit);
    if (parts->signature.size() != 40 || !hex)
        token.notes.emplace_back("Its signature is not 40 hex digits.");
    if (damaged)
        token.notes.emplace_back("A percent sign is not followed by two hex digits; it may be truncated.");

    std::set<std::string_view> seen;
    bool utf8 = true;
    for (auto const& [name, value] : token.fields) {
        utf8 = utf8 && is_utf8(name) && is_utf8(value);
        const bool first = seen.insert(name).second;
        if (!first && name != "initial_layout_class_list") {
            token.notes.push_back("The field " + name + " is there more than once; the first counts here.");
            continue;
        }
        const auto time = [&, &name = name, &value = value](std::optional<std::int64_t>& field) {
            field = integer_of(value);
            if (!field)
                token.notes.push_back("Its " + name + " is not a number of seconds.");
        };
        if (name == "session_id")
            token.session_id = value;
        else if (name == "create_time")
            time(token.issued_at);
        else if (name == "expire_time")
            time(token.expires_at);
        else if (name == "role")
            token.role = value;
        else if (name == "connection_data")
            token.connection_data = value;
        else if (name == "initial_layout_class_list") // some encoders repeat the field for each class
            token.layout_classes += (first ? "" : " ") + value;
        else if (name != "nonce" && name != "scope")
            token.notes.push_back("The field " + name + " is not one of a T1 token.");
    }
    if (!utf8)
        token.notes.emplace_back("Its fields are not UTF-8.");
    note_oddities(token);
    return token;
}

Result<DecodedToken> decode_jwt(std::string_view text)
{
    auto parts = split_jwt(text);
    if (!parts)
        return tl::unexpected{std::move(parts.error())};
    auto header = parse_object(parts->header_json, "header");
    if (!header)
        return tl::unexpected{std::move(header.error())};
    auto payload = parse_object(parts->payload_json, "payload");
    if (!payload)
        return tl::unexpected{std::move(payload.error())};

    DecodedToken token;
    token.format = TokenFormat::jwt;
    const auto algorithm = header->object.find("alg");
    if (algorithm == header->object.end() || !algorithm->is_string())
        return fail(Errc::token_malformed, "The header of the JWT names no algorithm.");
    token.algorithm = text_of(*algorithm);
    if (token.algorithm != "HS256" && token.algorithm != "RS256")
        token.notes.emplace_back("Its algorithm is neither HS256 nor RS256.");
    if (!base64_decode_lenient(parts->signature) || parts->signature.empty())
        token.notes.emplace_back("Its signature is missing or not base64url.");
    for (auto const& name : header->repeated)
        token.notes.push_back("The header's " + name + " is there more than once; the last counts here.");
    for (auto const& name : payload->repeated)
        token.notes.push_back("The claim " + name + " is there more than once; the last counts here.");

    constexpr std::array known{"ist", "nonce", "scope", "jti", "sub", "subject", "acl", "create_time", "expire_time"};
    for (auto const& [name, value] : payload->object.items()) {
        token.fields.emplace_back(name, text_of(value));
        const auto time = [&, &name = name, &value = value](std::optional<std::int64_t>& field) {
            field = time_of(value);
            if (!field)
                token.notes.push_back("Its " + name + " is not a number of seconds.");
        };
        if (name == "iss" || name == "application_id")
            token.project_key = text_of(value);
        else if (name == "session_id")
            token.session_id = text_of(value);
        else if (name == "role")
            token.role = text_of(value);
        else if (name == "iat")
            time(token.issued_at);
        else if (name == "exp")
            time(token.expires_at);
        else if (name == "connection_data" || name == "data")
            token.connection_data = text_of(value);
        else if (name == "initial_layout_class_list" && value.is_array()) {
            for (auto const& entry : value)
                token.layout_classes += (token.layout_classes.empty() ? "" : " ") + text_of(entry);
        } else if (name == "initial_layout_class_list")
            token.layout_classes = text_of(value);
        else if (std::find(known.begin(), known.end(), name) == known.end())
            token.notes.push_back("The claim " + name + " is not one of a client token.");
    }
    note_oddities(token);
    return token;
}

Result<void> check_length(std::string_view token)
{
    if (token.size() > max_token)
        return fail(
            Errc::token_too_long, "The token has " + std::to_string(token.size()) + " bytes; none has more than " +
                                      std::to_string(max_token) + "."
        );
    return {};
}

tl::unexpected<Failure> mismatch(std::string message)
{
    return fail(Errc::signature_mismatch, std::move(message));
}

} // namespace

struct TokenSigner::State {
    TokenFormat format;
    std::string project_key;
    std::optional<T1Encoder> t1;                ///< Of an API key.
    std::optional<SessionIdStart> own_sessions; ///< Of an API key: an application's session ids are not looked into.
    std::string key_id;
    std::variant<HmacKey, RsaSigner> key;
    std::optional<HmacKey> request_key; ///< Of an API key; an application's requests are signed with `key`.

    std::string sign_t1(TokenClaims const& claims, TokenEntropy entropy) const;
    std::string sign_hs256(TokenClaims const& claims, TokenEntropy entropy) const;
    std::string sign_rs256(TokenClaims const& claims, TokenEntropy entropy, RsaSigner const& rsa) const;
    Result<void> verify_t1(std::string_view token) const;
    Result<void> verify_jwt(std::string_view token) const;
};

// The order of fields and claims below is that of the vendor's node SDKs, so that tokens can be compared by bytes.

std::string TokenSigner::State::sign_t1(TokenClaims const& claims, TokenEntropy entropy) const
{
    T1Fields fields;
    fields.add_value("session_id", claims.session_id)
        .add_plain("create_time", unix_seconds(claims.issued_at))
        .add_plain("nonce", nonce_of(entropy))
        .add_plain("role", to_text(claims.role))
        .add_plain("expire_time", unix_seconds(claims.expires_at));
    if (!claims.connection_data.empty())
        fields.add_value("connection_data", claims.connection_data);
    fields.add_value("initial_layout_class_list", claims.layout_classes).add_plain("scope", connect_scope);
    return t1->encode(std::get<HmacKey>(key), fields);
}

std::string TokenSigner::State::sign_hs256(TokenClaims const& claims, TokenEntropy entropy) const
{
    JwtClaims payload;
    payload.add_plain("iss", project_key)
        .add_plain("ist", "project")
        .add("iat", unix_seconds(claims.issued_at))
        .add("exp", unix_seconds(claims.expires_at))
        .add("session_id", claims.session_id)
        .add("create_time", unix_seconds(claims.issued_at))
        .add("nonce", nonce_of(entropy))
        .add_plain("role", to_text(claims.role))
        .add("expire_time", unix_seconds(claims.expires_at));
    if (!claims.connection_data.empty())
        payload.add("connection_data", claims.connection_data);
    payload.add("initial_layout_class_list", claims.layout_classes).add_plain("scope", connect_scope);
    std::string input = jwt_signing_input(hs256_header, payload.text());
    const HmacCode signature = std::get<HmacKey>(key).sign(input);
    return join_jwt(std::move(input), signature);
}

std::string TokenSigner::State::sign_rs256(TokenClaims const& claims, TokenEntropy entropy, RsaSigner const& rsa) const
{
    JwtClaims payload;
    payload.add_plain("scope", connect_scope)
        .add("session_id", claims.session_id)
        .add_plain("role", to_text(claims.role))
        .add("initial_layout_class_list", claims.layout_classes)
        .add("exp", unix_seconds(claims.expires_at))
        .add_plain("sub", "video")
        .add_json("acl", R"({"paths":{"/session/**":{}}})");
    if (!claims.connection_data.empty())
        payload.add("connection_data", claims.connection_data);
    payload.add_plain("jti", uuid_v4(entropy))
        .add("iat", unix_seconds(claims.issued_at))
        .add_plain("application_id", project_key);
    std::string input = jwt_signing_input(rs256_header, payload.text());
    const std::string signature = rsa.sign(input);
    return join_jwt(std::move(input), signature);
}

Result<void> TokenSigner::State::verify_t1(std::string_view token) const
{
    const auto parts = split_t1(token);
    if (!parts)
        return tl::unexpected{parts.error()};
    // The signature does not cover the partner id.
    if (parts->partner_id != project_key)
        return mismatch("The token is of another project than " + project_key + ".");
    if (!constant_time_equal(to_hex(std::get<HmacKey>(key).sign(parts->data)), parts->signature))
        return mismatch("The token was not signed with the secret of project " + project_key + ".");
    return {};
}

Result<void> TokenSigner::State::verify_jwt(std::string_view token) const
{
    const auto parts = split_jwt(token);
    if (!parts)
        return tl::unexpected{parts.error()};
    const auto header = parse_object(parts->header_json, "header");
    if (!header)
        return tl::unexpected{header.error()};
    // The key decides on the algorithm, never the token; else a public key could be taken for a shared secret.
    auto const* const rsa = std::get_if<RsaSigner>(&key);
    const auto algorithm = header->object.find("alg");
    const std::string_view expected = rsa != nullptr ? "RS256" : "HS256";
    if (algorithm == header->object.end() || *algorithm != expected || header->repeated.contains("alg"))
        return mismatch("The token's algorithm is not " + std::string{expected} + ".");
    bool valid = false;
    if (rsa != nullptr) {
        const auto signature = base64url_decode(parts->signature);
        valid = signature && rsa->verify(parts->signing_input, *signature);
    } else {
        const std::string signature = base64url_encode(std::get<HmacKey>(key).sign(parts->signing_input));
        valid = constant_time_equal(signature, parts->signature);
    }
    if (!valid)
        return mismatch("The token was not signed with the key of project " + project_key + ".");
    return {};
}

bool is_uuid(std::string_view text)
{
    if (text.size() != 36)
        return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex_digit(text[i]))
            return false;
    }
    return true;
}

Result<void> check_connection_data(std::string_view connection_data)
{
    if (connection_data.size() > max_connection_data)
        return fail(
            Errc::connection_data_too_long,
            "has " + std::to_string(connection_data.size()) + " bytes; at most 1000 are allowed"
        );
    if (connection_data.find('\0') != std::string_view::npos)
        return fail(Errc::connection_data_not_utf8, "contains a NUL character");
    if (!is_utf8(connection_data))
        return fail(Errc::connection_data_not_utf8, "is not UTF-8");
    return {};
}

Result<void> check_layout_classes(std::string_view layout_classes)
{
    if (layout_classes.size() > max_layout_classes)
        return fail(
            Errc::layout_classes_too_long,
            "has " + std::to_string(layout_classes.size()) + " bytes; at most 1000 are allowed"
        );
    if (!are_layout_classes(layout_classes))
        return fail(
            Errc::layout_class_invalid, "expected names of letters, digits, _ and -, with one space between two of them"
        );
    return {};
}

Result<void> check_participant(std::string_view connection_data, std::string_view layout_classes)
{
    if (auto checked = check_connection_data(connection_data); !checked)
        return fail(checked.error().code, "connection_data " + checked.error().message + ".");
    if (auto checked = check_layout_classes(layout_classes); !checked)
        return fail(checked.error().code, "layout_classes: " + checked.error().message + ".");
    return {};
}

TokenSigner::TokenSigner(std::shared_ptr<State const> state) : state_{std::move(state)} {}

Result<TokenSigner> TokenSigner::for_api_key(TokenFormat format, std::string api_key, Secret const& api_secret)
{
    if (api_key.empty() || !std::all_of(api_key.begin(), api_key.end(), is_digit))
        return fail(
            Errc::api_key_not_numeric,
            "The API key must be digits only; an application id goes with an RSA key instead of a secret."
        );
    if (api_secret.empty())
        return fail(Errc::api_secret_empty, "The API secret of project " + api_key + " is empty.");
    const std::string_view secret = api_secret.reveal();
    const Digest digest = format == TokenFormat::t1 ? Digest::sha1 : Digest::sha256;
    std::string key_id = to_hex(HmacKey{Digest::sha256, secret}.sign("usher key id")).substr(0, 16);
    T1Encoder t1{api_key};
    SessionIdStart own_sessions{api_key};
    return TokenSigner{std::make_shared<State const>(State{
        format, std::move(api_key), std::move(t1), std::move(own_sessions), std::move(key_id), HmacKey{digest, secret},
        HmacKey{Digest::sha256, secret}})};
}

Result<TokenSigner> TokenSigner::for_application(std::string application_id, RsaSigner key)
{
    if (!is_uuid(application_id))
        return fail(
            Errc::application_id_not_uuid,
            "The application id must be a UUID, such as 29f760f8-7ce1-46c9-ade3-f2dedee4ed5f."
        );
    std::string key_id = to_hex(sha256(key.public_key())).substr(0, 16);
    return TokenSigner{std::make_shared<State const>(State{
        TokenFormat::jwt, std::move(application_id), std::nullopt, std::nullopt, std::move(key_id), std::move(key),
        std::nullopt})};
}

Result<std::string> TokenSigner::sign(TokenClaims const& claims, TokenEntropy entropy, sys_seconds now) const
{
    if (to_text(claims.role).empty())
        return fail(Errc::unknown_role, "The role is none of subscriber, publisher, publisheronly and moderator.");
    auto const* const rsa = std::get_if<RsaSigner>(&state_->key);
    if (auto checked = check_session(claims.session_id, state_->project_key, state_->own_sessions); !checked)
        return tl::unexpected{std::move(checked.error())};
    if (auto checked = check_times(claims, now); !checked)
        return tl::unexpected{std::move(checked.error())};
    if (auto checked = check_participant(claims.connection_data, claims.layout_classes); !checked)
        return tl::unexpected{std::move(checked.error())};
    if (rsa != nullptr)
        return state_->sign_rs256(claims, entropy, *rsa);
    return state_->format == TokenFormat::t1 ? state_->sign_t1(claims, entropy) : state_->sign_hs256(claims, entropy);
}

std::string TokenSigner::sign_request(sys_seconds now, seconds skew, TokenEntropy entropy) const
{
    const std::int64_t issued = unix_seconds(now - std::min(skew, request_skew_max));
    const std::int64_t expires = unix_seconds(now + request_life);
    JwtClaims payload;
    if (state_->request_key) {
        payload.add_plain("iss", state_->project_key)
            .add_plain("ist", "project")
            .add("iat", issued)
            .add("exp", expires);
        std::string input = jwt_signing_input(hs256_header, payload.text());
        const HmacCode signature = state_->request_key->sign(input);
        return join_jwt(std::move(input), signature);
    }
    payload.add_plain("jti", uuid_v4(entropy))
        .add("iat", issued)
        .add("exp", expires)
        .add_plain("application_id", state_->project_key);
    std::string input = jwt_signing_input(rs256_header, payload.text());
    const std::string signature = std::get<RsaSigner>(state_->key).sign(input);
    return join_jwt(std::move(input), signature);
}

Result<void> TokenSigner::verify(std::string_view token) const
{
    if (auto checked = check_length(token); !checked)
        return checked;
    return state_->format == TokenFormat::t1 ? state_->verify_t1(token) : state_->verify_jwt(token);
}

std::string_view TokenSigner::project_key() const
{
    return state_->project_key;
}

std::string_view TokenSigner::key_id() const
{
    return state_->key_id;
}

TokenFormat TokenSigner::format() const
{
    return state_->format;
}

Result<DecodedToken> decode_token(std::string_view token)
{
    if (auto checked = check_length(token); !checked)
        return tl::unexpected{std::move(checked.error())};
    return token.starts_with("T1==") ? decode_t1(token) : decode_jwt(token);
}

} // namespace usher
