// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <future>
#include <set>

#include <gtest/gtest.h>

#include <usher/core/jwt.hpp>
#include <usher/core/t1_token.hpp>
#include <usher/core/token.hpp>
#include <usher/core/utf8.hpp>
#include <usher/crypto/base64.hpp>

namespace usher {
namespace {

constexpr sys_seconds now = from_unix(1'700'000'000);
const std::string session_id = "1_" + base64url_encode("1~123456~~1700000000000~abcdefghijklmnopqrstuvwx~~~");

TokenSigner signer(TokenFormat format)
{
    return TokenSigner::for_api_key(format, "123456", Secret{"0123456789abcdef"}).value();
}

TokenClaims claims()
{
    return {session_id, Role::publisher, now, now + seconds{3600}, "", ""};
}

/// The name of the error of signing `claims`, or nothing.
std::string_view error_of(TokenClaims const& claims)
{
    const auto t1 = signer(TokenFormat::t1).sign(claims, {1, 2}, now);
    const auto jwt = signer(TokenFormat::jwt).sign(claims, {1, 2}, now);
    EXPECT_EQ(t1.has_value(), jwt.has_value());
    if (t1)
        return {};
    EXPECT_EQ(t1.error(), jwt.error());
    EXPECT_TRUE(t1.error().message.ends_with('.'));
    return to_text(t1.error().code);
}

TEST(Token, life_is_less_than_thirty_days)
{
    auto some = claims();
    some.expires_at = now + seconds{30 * 24 * 3600 - 1};
    EXPECT_EQ(error_of(some), "");
    some.expires_at += seconds{1};
    EXPECT_EQ(error_of(some), "life_too_long");
    some.issued_at += seconds{1};
    EXPECT_EQ(error_of(some), "");
    some.issued_at = sys_seconds{seconds{-1'000'000'000}};
    EXPECT_EQ(error_of(some), "life_too_long");
}

TEST(TokenFormats, can_be_told_apart)
{
    std::set<std::string_view> ids;
    int readers_of_the_rest = 0;
    for (TokenFormat const& format : token_formats()) {
        TokenFormatDeclaration const& declared = format.declared();
        EXPECT_TRUE(ids.insert(format.id()).second) << format.id();
        EXPECT_FALSE(declared.algorithms.empty());
        EXPECT_TRUE(declared.by_secret != nullptr || declared.by_rsa_key != nullptr);
        readers_of_the_rest += declared.recognises == nullptr ? 1 : 0;
        EXPECT_EQ(decode_token(signer(format).sign(claims(), {1, 2}, now).value())->format, format);
    }
    EXPECT_EQ(readers_of_the_rest, 1);
}

TEST(TokenFormats, are_only_those_that_are_asked_for)
{
    const std::string t1 = signer(TokenFormat::t1).sign(claims(), {1, 2}, now).value();
    const std::string jwt = signer(TokenFormat::jwt).sign(claims(), {1, 2}, now).value();

    EXPECT_TRUE(decode_token(t1, std::array{TokenFormat::t1}));
    EXPECT_EQ(decode_token(jwt, std::array{TokenFormat::t1}).error().code, Errc::token_malformed);
    EXPECT_EQ(decode_token(t1, std::array{TokenFormat::jwt}).error().code, Errc::token_malformed);
}

TEST(Token, says_nothing_of_the_person_in_the_formats_of_this_vendor)
{
    auto named = claims();
    named.identity = "ann";
    named.name = "Ann";
    for (TokenFormat const& format : token_formats())
        EXPECT_EQ(signer(format).sign(named, {1, 2}, now), signer(format).sign(claims(), {1, 2}, now));
}

TEST(Token, expires_after_now_and_after_its_issue)
{
    auto some = claims();
    some.issued_at = now - seconds{60};
    for (const int offset : {-1, 0}) {
        some.expires_at = now + seconds{offset};
        EXPECT_EQ(error_of(some), "expiry_not_after_now");
    }
    some.expires_at = now + seconds{1};
    EXPECT_EQ(error_of(some), "");
    some.issued_at = some.expires_at;
    EXPECT_EQ(error_of(some), "expiry_not_after_now");
}

TEST(Token, role_is_one_of_four)
{
    auto some = claims();
    for (const int number : {1, 2, 3, 4}) {
        some.role = static_cast<Role>(number);
        EXPECT_EQ(error_of(some), "");
    }
    for (const int number : {0, 5, 255}) {
        some.role = static_cast<Role>(number);
        EXPECT_EQ(error_of(some), "unknown_role");
    }
}

TEST(Token, session_is_of_the_project)
{
    auto some = claims();
    some.session_id = "";
    EXPECT_EQ(error_of(some), "session_id_empty");
    some.session_id = "does not decode";
    EXPECT_EQ(error_of(some), "");
    const std::string other = "2_" + base64url_encode("1~654321~~0~x~");
    some.session_id = other;
    EXPECT_EQ(error_of(some), "session_of_another_project");
    const std::string elsewhere = "2_" + base64url_encode("1~654321~123456~0~x~");
    some.session_id = elsewhere;
    EXPECT_EQ(error_of(some), "session_of_another_project");
    some.session_id = "\xff";
    EXPECT_EQ(error_of(some), "session_of_another_project");
}

std::string_view participant_error(std::string const& data, std::string const& layout)
{
    const auto checked = check_participant(data, layout);
    auto some = claims();
    some.connection_data = data;
    some.layout_classes = layout;
    const auto text = checked ? std::string_view{} : to_text(checked.error().code);
    EXPECT_EQ(error_of(some), text);
    return text;
}

TEST(Token, connection_data_is_bounded_text)
{
    EXPECT_EQ(participant_error(std::string(1000, 'x'), ""), "");
    EXPECT_EQ(participant_error(std::string(1001, 'x'), ""), "connection_data_too_long");
    EXPECT_EQ(participant_error("\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\x01", ""), "");
    EXPECT_EQ(participant_error("\xc3", ""), "connection_data_not_utf8");
    EXPECT_EQ(participant_error(std::string{"a\0b", 3}, ""), "connection_data_not_utf8");
}

TEST(Token, layout_classes_are_names)
{
    EXPECT_EQ(participant_error("", "focus sm-all A_9"), "");
    EXPECT_EQ(participant_error("", std::string(1000, 'x')), "");
    EXPECT_EQ(participant_error("", std::string(1001, 'x')), "layout_classes_too_long");
    for (char const* const bad : {" ", " a", "a ", "a  b", "a,b", "a\tb", "\xc3\xa9"})
        EXPECT_EQ(participant_error("", bad), "layout_class_invalid") << bad;
}

TEST(Token, utf8_is_strict)
{
    for (char const* const good :
         {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80",
          "\xf4\x8f\xbf\xbf"})
        EXPECT_TRUE(is_utf8(good));
    for (char const* const bad :
         {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82",
          "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"})
        EXPECT_FALSE(is_utf8(bad));
}

TEST(Token, utf8_is_strict_wherever_a_byte_is)
{
    for (std::size_t size = 1; size <= 50; ++size)
        for (std::size_t at = 0; at < size; ++at) {
            std::string text(size, 'a');
            EXPECT_TRUE(is_utf8(text));
            text[at] = '\x80';
            EXPECT_FALSE(is_utf8(text)) << size << ' ' << at;
            text.replace(at, 1, "\xc3\xa9");
            EXPECT_TRUE(is_utf8(text)) << size << ' ' << at;
        }
}

TEST(Token, signs_from_two_threads_at_once)
{
    for (const auto format : {TokenFormat::t1, TokenFormat::jwt}) {
        const TokenSigner own = signer(format);
        const auto all_verify = [own](std::uint64_t low) {
            for (const std::uint64_t end = low + 500; low < end; ++low)
                if (!own.verify(own.sign(claims(), {low, low}, now).value()))
                    return false;
            return true;
        };

        auto other = std::async(std::launch::async, all_verify, std::uint64_t{0});

        EXPECT_TRUE(all_verify(500));
        EXPECT_TRUE(other.get());
    }
}

TEST(Token, credentials_are_checked)
{
    const auto error = [](char const* key, char const* secret) {
        const auto made = TokenSigner::for_api_key(TokenFormat::t1, key, Secret{secret});
        return made ? std::string_view{} : to_text(made.error().code);
    };
    EXPECT_EQ(error("1", "s"), "");
    EXPECT_EQ(error("", "s"), "api_key_not_numeric");
    EXPECT_EQ(error("-1", "s"), "api_key_not_numeric");
    EXPECT_EQ(error("29f760f8-7ce1-46c9-ade3-f2dedee4ed5f", "s"), "api_key_not_numeric");
    EXPECT_EQ(error("1", ""), "api_secret_empty");
}

TEST(Token, says_what_was_signed_and_verifies)
{
    const std::string data = "a+b c&d=%\"\\\n\xc3\xa9\x1f";
    auto some = claims();
    some.connection_data = data;
    some.layout_classes = "focus small";
    for (const auto format : {TokenFormat::t1, TokenFormat::jwt}) {
        const auto own = signer(format);
        EXPECT_EQ(own.format(), format);
        EXPECT_EQ(own.project_key(), "123456");
        EXPECT_EQ(own.key_id().size(), 16U);
        const std::string token = own.sign(some, {7, ~std::uint64_t{0}}, now).value();
        EXPECT_NE(token, own.sign(some, {7, 8}, now).value());
        EXPECT_TRUE(own.verify(token));
        const auto decoded = decode_token(token).value();
        EXPECT_EQ(decoded.format, format);
        EXPECT_EQ(decoded.project_key, "123456");
        EXPECT_EQ(decoded.session_id, session_id);
        EXPECT_EQ(decoded.role, "publisher");
        EXPECT_EQ(decoded.issued_at, unix_seconds(now));
        EXPECT_EQ(decoded.expires_at, unix_seconds(now) + 3600);
        EXPECT_EQ(decoded.connection_data, data);
        EXPECT_EQ(decoded.layout_classes, "focus small");
        EXPECT_TRUE(decoded.notes.empty());
        EXPECT_NE(
            std::find(
                decoded.fields.begin(), decoded.fields.end(),
                std::pair<std::string, std::string>{"nonce", "7744073709551615"}
            ),
            decoded.fields.end()
        );

        const auto other = TokenSigner::for_api_key(format, "123456", Secret{"another"}).value();
        EXPECT_EQ(other.verify(token).error().code, Errc::signature_mismatch);
        for (std::size_t i = 0; i < token.size(); ++i) {
            std::string altered = token;
            altered[i] = altered[i] == 'A' ? 'B' : 'A';
            EXPECT_FALSE(own.verify(altered)) << i;
            static_cast<void>(decode_token(altered));
            static_cast<void>(decode_token(token.substr(0, i)));
            const bool complete = i > 4 && token[i] == '='; // padding may be missing
            EXPECT_EQ(own.verify(token.substr(0, i)).has_value(), complete) << i;
        }
    }
}

TEST(Token, has_the_same_length_whatever_the_entropy)
{
    constexpr std::uint64_t values = 8'000'000'000'000'000;
    constexpr std::pair<std::uint64_t, char const*> nonces[] = {
        {0, "1000000000000000"},
        {1, "1000000000000001"},
        {values - 1, "8999999999999999"},
        {values, "1000000000000000"},
        {2 * values - 1, "8999999999999999"},
        {~std::uint64_t{0}, "7744073709551615"},
    };
    for (const auto format : {TokenFormat::t1, TokenFormat::jwt}) {
        const std::size_t size = signer(format).sign(claims(), {0, 0}, now)->size();
        for (auto const& [low, nonce] : nonces) {
            SCOPED_TRACE(low);
            const std::string token = signer(format).sign(claims(), {~low, low}, now).value();
            EXPECT_EQ(token.size(), size);
            const auto fields = decode_token(token)->fields;
            const std::pair<std::string, std::string> expected{"nonce", nonce};
            EXPECT_NE(std::find(fields.begin(), fields.end(), expected), fields.end());
        }
    }
}

TEST(Token, algorithm_is_the_keys)
{
    const auto own = signer(TokenFormat::jwt);
    const HmacKey key{Digest::sha256, "0123456789abcdef"};
    for (char const* const header :
         {R"({"alg":"none"})", R"({"alg":"RS256"})", R"({"alg":null})", "{}", R"({"alg":"none","alg":"HS256"})"}) {
        const std::string input = jwt_signing_input(header, "{}");
        EXPECT_EQ(own.verify(join_jwt(input, key.sign(input))).error().code, Errc::signature_mismatch) << header;
        EXPECT_FALSE(own.verify(input + '.'));
    }
}

TEST(Token, bad_tokens_are_refused_with_a_sentence)
{
    const auto message = [](std::string const& token) {
        const auto decoded = decode_token(token);
        return decoded ? std::string{} : decoded.error().message;
    };
    const auto jwt = [](std::string const& header, std::string const& payload) {
        return jwt_signing_input(header, payload) + ".AAAA";
    };
    EXPECT_EQ(message(""), "The token is neither T1==… nor three parts with a dot between.");
    EXPECT_EQ(message("a.b.c.d"), "The token is neither T1==… nor three parts with a dot between.");
    EXPECT_EQ(message("T1==*"), "What follows T1== is not base64.");
    EXPECT_EQ(message("T1=="), "The T1 token has no colon between its signature and its fields.");
    EXPECT_EQ(message("T1==" + base64_encode("a:b")), "The T1 token does not begin with partner_id=…&sig=….");
    EXPECT_EQ(message("T1==" + base64_encode("partner_id=1&sig=2:")), "The T1 token has no fields.");
    EXPECT_EQ(message("*.e30.A"), "The header of the JWT is not base64url.");
    EXPECT_EQ(message("e30.*.A"), "The payload of the JWT is not base64url.");
    EXPECT_EQ(message(jwt("[]", "{}")), "The header of the JWT is not a JSON object.");
    EXPECT_EQ(message(jwt("{}", "{")), "The payload of the JWT is not a JSON object.");
    EXPECT_EQ(message(jwt("{}", "\"\xff\"")), "The payload of the JWT is not a JSON object.");
    EXPECT_EQ(message(jwt("{}", "{}")), "The header of the JWT names no algorithm.");
    EXPECT_EQ(message(jwt("{}", std::string(5000, '['))), "The payload of the JWT is nested too deeply.");
    EXPECT_EQ(message(std::string(16385, 'x')), "The token has 16385 bytes; none has more than 16384.");
}

TEST(Token, odd_tokens_are_read_with_notes)
{
    const auto t1 = decode_token(
        "T1==" + base64url_encode("partner_id=1&sig=2:role=boss&role=publisher&a%"
                                  "2&connection_data=a+b%20c&expire_time=x")
    );
    ASSERT_TRUE(t1);
    EXPECT_EQ(t1->role, "boss");
    EXPECT_EQ(t1->connection_data, "a b c");
    EXPECT_GE(t1->notes.size(), 6U);
    const auto jwt = decode_token(
        jwt_signing_input(
            R"({"alg":"HS256"})", R"({"exp":1e300,"iat":1.5,"iat":2.5,"data":"\u00e9\u0000","role":{},)"
                                  R"("initial_layout_class_list":["a","b"],"x":1})"
        ) +
        "."
    );
    ASSERT_TRUE(jwt);
    EXPECT_EQ(jwt->connection_data, (std::string{"\xc3\xa9\0", 3}));
    EXPECT_EQ(jwt->layout_classes, "a b");
    EXPECT_FALSE(jwt->expires_at);
    EXPECT_GE(jwt->notes.size(), 5U);
}

TEST(SignRequest, IsShortLivedAndDatedBack)
{
    const auto signer = TokenSigner::for_api_key(TokenFormat::t1, "123456", Secret{"secret"});
    const auto other = TokenSigner::for_api_key(TokenFormat::jwt, "123456", Secret{"secret"});
    const sys_seconds at{std::chrono::seconds{1'700'000'000}};

    const std::string request = signer->sign_request(at, seconds{10}, {1, 2});
    const auto decoded = decode_token(request);

    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->algorithm, "HS256");
    const std::vector<std::pair<std::string, std::string>> claims{
        {"iss", "123456"}, {"ist", "project"}, {"iat", "1699999990"}, {"exp", "1700000061"}};
    EXPECT_EQ(decoded->fields, claims);
    EXPECT_TRUE(other->verify(request)); // whatever the project's own tokens are
    // However large the allowance, the vendor takes no more than 5 minutes in between.
    const auto most = decode_token(signer->sign_request(at, seconds{300}, {1, 2}));
    EXPECT_EQ(most->issued_at, 1'699'999'880);
    EXPECT_EQ(most->expires_at, 1'700'000'061);
}

} // namespace
} // namespace usher
