// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <future>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <usher/crypto/base64.hpp>
#include <usher/crypto/hmac.hpp>
#include <usher/crypto/rsa.hpp>
#include <usher/crypto/secret.hpp>

namespace usher {
namespace {

TEST(Base64, matches_rfc_4648)
{
    constexpr std::pair<std::string_view, std::string_view> pairs[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xfe", "+//+"},
    };
    for (auto const& [bytes, text] : pairs) {
        EXPECT_EQ(base64_encode(bytes), text);
        EXPECT_EQ(base64_decode(text), bytes);
        EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
        EXPECT_EQ(base64_decode_lenient(text), bytes);
        EXPECT_EQ(base64_decode_lenient(base64url_encode(bytes)), bytes);
    }
    EXPECT_EQ(base64url_encode("\xfb\xff\xfe"), "-__-");
}

TEST(Base64, agrees_with_openssl_at_every_length)
{
    std::string bytes;
    for (std::size_t size = 0; size <= 64; ++size) {
        SCOPED_TRACE(size);
        std::array<unsigned char, 100> expected{};
        const int length = EVP_EncodeBlock(
            expected.data(), reinterpret_cast<unsigned char const*>(bytes.data()), static_cast<int>(size)
        );
        const std::string text(expected.begin(), expected.begin() + length);
        std::string url;
        for (const char c : text)
            if (c != '=')
                url += c == '+' ? '-' : c == '/' ? '_' : c;

        EXPECT_EQ(base64_encode(bytes), text);
        EXPECT_EQ(base64url_encode(bytes), url);
        EXPECT_EQ(base64_size(size), text.size());
        EXPECT_EQ(base64url_size(size), url.size());
        EXPECT_EQ(base64_decode(text), bytes);

        bytes += static_cast<char>(size * 151 + 251); // each bit is set in some place and not in another
    }
}

TEST(Base64, encodes_each_pair_of_characters)
{
    std::string bytes;
    for (unsigned bits = 0; bits < 4096; ++bits)
        bytes +=
            {static_cast<char>(bits >> 4U), static_cast<char>((bits & 15U) << 4U | bits >> 8U),
             static_cast<char>(bits & 255U)};
    std::string expected(bytes.size() / 3 * 4 + 1, '\0');
    EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(expected.data()), reinterpret_cast<unsigned char const*>(bytes.data()),
        static_cast<int>(bytes.size())
    );
    expected.pop_back(); // OpenSSL ends it with a NUL

    EXPECT_EQ(base64_encode(bytes), expected);
}

TEST(Base64, starts_with_the_digits_of_bytes)
{
    for (std::size_t size = 0; size <= 7; ++size) {
        const std::string bytes = std::string{"\xfb\xff\xfe~1~\x01"}.substr(0, size);
        SCOPED_TRACE(size);
        for (std::string const& text : {base64_encode(bytes + "more"), base64url_encode(bytes + "more")}) {
            EXPECT_TRUE(base64_starts_with(text, bytes));
            EXPECT_TRUE(base64_starts_with(text.substr(0, base64url_size(size)) + "*", bytes));
            if (size == 0)
                continue;
            EXPECT_FALSE(base64_starts_with(text.substr(0, base64url_size(size) - 1), bytes));
            EXPECT_FALSE(base64_starts_with("*" + text.substr(1), bytes));
            std::string other = bytes;
            other.back() = static_cast<char>(other.back() ^ 1);
            EXPECT_FALSE(base64_starts_with(text, other));
        }
    }
}

TEST(Base64, strict_decoding_takes_one_spelling)
{
    for (char const* const bad : {"Zg", "Zg=", "Zh==", "Zm9=", "Z", "====", "Zg==Zg==", "-__-", "Zm9v\n", " Zm9v"})
        EXPECT_FALSE(base64_decode(bad)) << bad;
    for (char const* const bad : {"Zg==", "Zh", "Z", "+//+", "Zm9v\n"})
        EXPECT_FALSE(base64url_decode(bad)) << bad;
    for (char const* const bad : {"Z", "Z===", "Zm 9v", "Zg==Zg=="})
        EXPECT_FALSE(base64_decode_lenient(bad)) << bad;
    EXPECT_EQ(base64_decode_lenient("Zh"), "f");
    EXPECT_EQ(base64_decode_lenient("Zg="), "f");
}

TEST(Hmac, matches_rfc_2202_and_4231)
{
    EXPECT_EQ(
        to_hex(HmacKey{Digest::sha1, "Jefe"}.sign("what do ya want for nothing?")),
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    );
    EXPECT_EQ(
        to_hex(HmacKey{Digest::sha256, "Jefe"}.sign("what do ya want for nothing?")),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    EXPECT_EQ(to_hex(HmacKey{Digest::sha1, {}}.sign({})), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
    EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

std::string openssl_hmac(EVP_MD const* digest, std::string_view key, std::string_view message)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
    unsigned size = 0;
    HMAC(
        digest, key.data(), static_cast<int>(key.size()), reinterpret_cast<unsigned char const*>(message.data()),
        message.size(), code.data(), &size
    );
    return {code.begin(), code.begin() + size};
}

TEST(Hmac, agrees_with_openssl_around_the_size_of_a_block)
{
    for (const std::size_t key_size : {0U, 1U, 20U, 63U, 64U, 65U, 128U, 1000U}) {
        const std::string key(key_size, 'k');
        const HmacKey sha1{Digest::sha1, key};
        const HmacKey sha256{Digest::sha256, key};
        for (const std::size_t size : {0U, 1U, 55U, 56U, 63U, 64U, 65U, 119U, 120U, 128U, 5000U}) {
            SCOPED_TRACE(testing::Message() << key_size << ' ' << size);
            const std::string message(size, 'm');
            EXPECT_EQ(std::string_view{sha1.sign(message)}, openssl_hmac(EVP_sha1(), key, message));
            EXPECT_EQ(std::string_view{sha256.sign(message)}, openssl_hmac(EVP_sha256(), key, message));
        }
    }
}

TEST(Hmac, signs_from_two_threads_at_once)
{
    const HmacKey key{Digest::sha1, "key"};
    const auto are_all_right = [&](std::string const& message) {
        const std::string expected = openssl_hmac(EVP_sha1(), "key", message);
        for (int i = 0; i < 2000; ++i)
            if (std::string_view{key.sign(message)} != expected)
                return false;
        return true;
    };

    auto other = std::async(std::launch::async, [&] { return are_all_right(std::string(100, 'a')); });

    EXPECT_TRUE(are_all_right(std::string(300, 'b')));
    EXPECT_TRUE(other.get());
}

TEST(Secret, comes_back_from_behind_its_veil)
{
    for (std::string const& text : {std::string{}, std::string{"x"}, std::string(1000, 's')})
        EXPECT_EQ(VeiledSecret{text}.unveil().reveal(), text);
}

TEST(Secret, cannot_be_copied_and_leaves_nothing_behind)
{
    static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
    Secret first{"short"};
    const Secret second{std::move(first)};
    EXPECT_TRUE(first.empty()); // NOLINT(bugprone-use-after-move): the contract
    EXPECT_EQ(second.reveal(), "short");
    EXPECT_TRUE(constant_time_equal("ab", "ab"));
    EXPECT_FALSE(constant_time_equal("ab", "ac"));
    EXPECT_FALSE(constant_time_equal("ab", "abc"));
}

TEST(Rsa, refuses_what_is_no_key)
{
    EXPECT_EQ(RsaSigner::from_pem(Secret{""}).error(), RsaKeyError::missing);
    EXPECT_EQ(RsaSigner::from_pem(Secret{" \r\n"}).error(), RsaKeyError::missing);
    EXPECT_EQ(RsaSigner::from_pem(Secret{"rubbish"}).error(), RsaKeyError::unreadable);
}

} // namespace
} // namespace usher
