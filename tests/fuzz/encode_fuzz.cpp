// SPDX-License-Identifier: Apache-2.0
// Texts of platforms: what an encoder writes, the decoder reads as it was. The first line is the layout classes, the
// rest the connection data.
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <usher/core/jwt.hpp>
#include <usher/core/t1_token.hpp>
#include <usher/core/token.hpp>
#include <usher/core/utf8.hpp>
#include <usher/crypto/base64.hpp>

namespace {

using namespace usher;

void require(bool holds)
{
    if (!holds)
        std::abort();
}

void base64(std::string_view bytes)
{
    const std::string text = base64_encode(bytes);
    const std::string url = base64url_encode(bytes);
    require(base64_decode(text) == bytes && base64url_decode(url) == bytes);
    require(base64_decode_lenient(text) == bytes && base64_decode_lenient(url) == bytes);
    require(base64_starts_with(url, bytes) && base64_starts_with(text, bytes));
    // One value has one spelling.
    if (const auto decoded = base64_decode(bytes))
        require(base64_encode(*decoded) == bytes);
    if (const auto decoded = base64url_decode(bytes))
        require(base64url_encode(*decoded) == bytes);
}

void fields(std::string_view name, std::string_view value)
{
    static const HmacKey key{Digest::sha1, "no one's secret"};
    T1Fields t1;
    t1.add(name, value).add_value("v", value);
    const auto parts = split_t1(encode_t1("1", key, t1));
    require(parts && parts->data == t1.text());
    const auto [read, damaged] = parse_t1_fields(parts->data);
    require(
        !damaged && read.size() == 2 && read[0].first == name && read[0].second == value && read[1].second == value
    );

    if (!is_utf8(value))
        return;
    JwtClaims claims;
    claims.add("v", value);
    const std::string json = claims.json();
    require(nlohmann::json::parse(json).at("v").get<std::string>() == value);
    const std::string token = join_jwt(jwt_signing_input("{}", json), value);
    const auto jwt = split_jwt(token);
    require(jwt && jwt->payload_json == json && jwt->header_json == "{}" && base64url_decode(jwt->signature) == value);
}

void token(TokenSigner const& signer, std::string_view layout, std::string_view data)
{
    constexpr sys_seconds now{seconds{1'700'000'000}};
    const TokenClaims claims{
        "1_MX40NzY2NTk3MX5-MTcwMDAwMDAwMDAwMH5hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h-fn4",
        Role::publisher,
        now,
        now + seconds{3600},
        data,
        layout};
    const auto signed_token = signer.sign(claims, {1, 2}, now);
    require(signed_token.has_value() == check_participant(data, layout).has_value());
    if (!signed_token)
        return;
    require(signer.verify(*signed_token).has_value());
    const auto read = decode_token(*signed_token);
    require(read && read->notes.empty() && read->session_id == claims.session_id && read->role == "publisher");
    require(read->connection_data == data && read->layout_classes == layout && read->expires_at == 1'700'003'600);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size)
{
    static const TokenSigner t1 = std::move(*TokenSigner::for_api_key(TokenFormat::t1, "47665971", Secret{"no one's"}));
    static const TokenSigner jwt =
        std::move(*TokenSigner::for_api_key(TokenFormat::jwt, "47665971", Secret{"no one's"}));
    const std::string_view text{reinterpret_cast<char const*>(data), size};
    const std::string_view layout = text.substr(0, text.find('\n'));
    const std::string_view rest = text.substr(layout.size() < size ? layout.size() + 1 : size);
    base64(text);
    fields(layout, rest);
    token(t1, layout, rest);
    token(jwt, layout, rest);
    return 0;
}
