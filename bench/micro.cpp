// SPDX-License-Identifier: Apache-2.0
// What a token costs beside the least that it could: `sign_*` is TokenSigner::sign, `bare_*` makes the same bytes from
// texts that are composed already, with keys that are prepared, into a buffer that is there.
#define OPENSSL_SUPPRESS_DEPRECATED // copying a SHA_CTX is the fastest way there is to begin an HMAC

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <usher/core/jwt.hpp>
#include <usher/core/t1_token.hpp>
#include <usher/core/token.hpp>
#include <usher/crypto/base64.hpp>
#include <usher/crypto/hmac.hpp>

namespace {

using namespace usher;
using Bytes = unsigned char;

constexpr sys_seconds now = from_unix(1'700'000'000);
constexpr std::string_view secret = "0123456789abcdef0123456789abcdef01234567";

void require(bool condition, char const* what)
{
    if (condition)
        return;
    std::cerr << "usher_micro: " << what << '\n';
    std::exit(1);
}

Bytes const* bytes_of(std::string_view text)
{
    return reinterpret_cast<Bytes const*>(text.data());
}

Bytes* bytes_of(char* text)
{
    return reinterpret_cast<Bytes*>(text);
}

TokenClaims claims()
{
    static const std::string session = "1_" + base64url_encode("1~47665971~~1700000000000~abcdefghijklmnopqrstuvwx~~~");
    return {session, Role::publisher, now, now + seconds{3600}, R"({"id":123})", ""};
}

std::string const& pem()
{
    static const std::string text = [] {
        const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{EVP_RSA_gen(2048), &EVP_PKEY_free};
        const std::unique_ptr<BIO, decltype(&BIO_free)> bio{BIO_new(BIO_s_mem()), &BIO_free};
        require(
            key && bio && PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
            "OpenSSL made no key"
        );
        char* data = nullptr;
        const long size = BIO_get_mem_data(bio.get(), &data);
        return std::string(data, static_cast<std::size_t>(size));
    }();
    return text;
}

TokenSigner const& by_secret(TokenFormat format)
{
    static const auto t1 = TokenSigner::for_api_key(TokenFormat::t1, "47665971", Secret{std::string{secret}}).value();
    static const auto jwt = TokenSigner::for_api_key(TokenFormat::jwt, "47665971", Secret{std::string{secret}}).value();
    return format == TokenFormat::t1 ? t1 : jwt;
}

TokenSigner const& by_rsa_key()
{
    static const auto signer =
        TokenSigner::for_application("29f760f8-7ce1-46c9-ade3-f2dedee4ed5f", RsaSigner::from_pem(Secret{pem()}).value())
            .value();
    return signer;
}

void sign(benchmark::State& state, TokenSigner const& signer)
{
    const TokenClaims some = claims();
    TokenEntropy entropy{1, 0xa5a5a5a5a5a5a5a5};
    for (auto _ : state) {
        ++entropy.low;
        auto token = signer.sign(some, entropy, now);
        benchmark::DoNotOptimize(token->data());
    }
    state.SetItemsProcessed(state.iterations());
}

void sign_t1(benchmark::State& state)
{
    sign(state, by_secret(TokenFormat::t1));
}

void sign_hs256(benchmark::State& state)
{
    sign(state, by_secret(TokenFormat::jwt));
}

void sign_rs256(benchmark::State& state)
{
    sign(state, by_rsa_key());
}

struct Sha1 {
    using Context = SHA_CTX;
    static constexpr std::size_t size = SHA_DIGEST_LENGTH;
    static constexpr auto init = &SHA1_Init;
    static constexpr auto update = &SHA1_Update;
    static constexpr auto final = &SHA1_Final;
};

struct Sha256 {
    using Context = SHA256_CTX;
    static constexpr std::size_t size = SHA256_DIGEST_LENGTH;
    static constexpr auto init = &SHA256_Init;
    static constexpr auto update = &SHA256_Update;
    static constexpr auto final = &SHA256_Final;
};

template <class Sha>
class BareHmac {
public:
    BareHmac()
    {
        prepare(inner_, '\x36');
        prepare(outer_, '\x5c');
    }

    void sign(std::string_view message, Bytes* code) const
    {
        auto context = inner_;
        Sha::update(&context, message.data(), message.size());
        Sha::final(code, &context);
        context = outer_;
        Sha::update(&context, code, Sha::size);
        Sha::final(code, &context);
    }

private:
    static void prepare(typename Sha::Context& context, char pad)
    {
        std::array<char, 64> block{};
        secret.copy(block.data(), block.size());
        for (char& c : block)
            c = static_cast<char>(c ^ pad);
        Sha::init(&context);
        Sha::update(&context, block.data(), block.size());
    }

    typename Sha::Context inner_;
    typename Sha::Context outer_;
};

void bare_t1(benchmark::State& state)
{
    const std::string token = by_secret(TokenFormat::t1).sign(claims(), {1, 2}, now).value();
    const auto parts = split_t1(token).value();
    std::string inner = "partner_id=47665971&sig=" + std::string(40, '-') + ":" + parts.data;
    char* const hex = inner.data() + inner.find('-');
    const std::string_view data = std::string_view{inner}.substr(inner.size() - parts.data.size());
    const BareHmac<Sha1> hmac;
    const std::string_view prefix = "T1==";
    std::string out{prefix};
    out.resize(token.size());
    std::array<Bytes, Sha1::size> code{};
    for (auto _ : state) {
        hmac.sign(data, code.data());
        write_hex(hex, {reinterpret_cast<char const*>(code.data()), code.size()});
        write_base64(out.data() + prefix.size(), inner);
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    require(out == token, "bare_t1 makes other tokens");
    state.SetItemsProcessed(state.iterations());
}

/// `make_code` writes the signature of the text to `code`.
template <class MakeCode>
void bare_jwt(benchmark::State& state, TokenSigner const& signer, std::string& code, MakeCode make_code)
{
    const std::string token = signer.sign(claims(), {1, 2}, now).value();
    const std::string payload = split_jwt(token).value().payload_json;
    std::string out = token.substr(0, token.find('.') + 1);
    const std::size_t header_size = out.size();
    out.resize(token.size());
    char* const body = out.data() + header_size;
    for (auto _ : state) {
        char* const end = write_base64url(body, payload);
        make_code(std::string_view{out.data(), end});
        *end = '.';
        write_base64url(end + 1, code);
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    require(out == token, "bare_hs256 or bare_rs256 makes other tokens");
    state.SetItemsProcessed(state.iterations());
}

void bare_hs256(benchmark::State& state)
{
    const BareHmac<Sha256> hmac;
    std::string code(Sha256::size, '\0');
    bare_jwt(state, by_secret(TokenFormat::jwt), code, [&](std::string_view text) {
        hmac.sign(text, bytes_of(code.data()));
    });
}

/// Each thread has a key of its own.
void bare_rs256(benchmark::State& state)
{
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio{
        BIO_new_mem_buf(pem().data(), static_cast<int>(pem().size())), &BIO_free};
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{
        PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free};
    const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context{
        EVP_PKEY_CTX_new(key.get(), nullptr), &EVP_PKEY_CTX_free};
    require(
        EVP_PKEY_sign_init(context.get()) == 1 && EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1 &&
            EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1,
        "OpenSSL does not take the key"
    );
    std::string code(static_cast<std::size_t>(EVP_PKEY_get_size(key.get())), '\0');
    bare_jwt(state, by_rsa_key(), code, [&](std::string_view text) {
        std::array<Bytes, SHA256_DIGEST_LENGTH> digest{};
        SHA256(bytes_of(text), text.size(), digest.data());
        std::size_t size = code.size();
        EVP_PKEY_sign(context.get(), bytes_of(code.data()), &size, digest.data(), digest.size());
    });
}

BENCHMARK(sign_t1);
BENCHMARK(bare_t1);
BENCHMARK(sign_hs256);
BENCHMARK(bare_hs256);
// Threads that wait for each other use no processor time.
void with_threads(benchmark::internal::Benchmark* benchmark)
{
    std::set<int> counts{1, 2, static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))};
    for (const int count : counts)
        benchmark->UseRealTime()->Threads(count);
}
BENCHMARK(sign_rs256)->Apply(with_threads);
BENCHMARK(bare_rs256)->Apply(with_threads);

} // namespace

BENCHMARK_MAIN();
