// SPDX-License-Identifier: Apache-2.0
// SHA1_* and SHA256_* are deprecated, but nothing else in OpenSSL 3 copies a prepared state without allocating and
// counting references, which takes about as long as hashing a whole token.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <usher/crypto/hmac.hpp>

#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <variant>

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace usher {

namespace {

constexpr std::size_t block_size = 64; ///< Of both digests.

struct Sha1 {
    using HashState = SHA_CTX;
    static constexpr std::size_t size = SHA_DIGEST_LENGTH;
    static constexpr auto init = &SHA1_Init;
    static constexpr auto update = &SHA1_Update;
    static constexpr auto final = &SHA1_Final;
};

struct Sha256 {
    using HashState = SHA256_CTX;
    static constexpr std::size_t size = SHA256_DIGEST_LENGTH;
    static constexpr auto init = &SHA256_Init;
    static constexpr auto update = &SHA256_Update;
    static constexpr auto final = &SHA256_Final;
};

constexpr std::array<std::array<char, 2>, 256> hex_digits = [] {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<std::array<char, 2>, 256> texts{};
    for (std::size_t i = 0; i < texts.size(); ++i)
        texts[i] = {digits[i >> 4U], digits[i & 15U]};
    return texts;
}();

/// RFC 2104, with the key hashed already.
template <class Sha>
class PreparedHmac {
public:
    explicit PreparedHmac(std::string_view key)
    {
        std::array<unsigned char, block_size> block{};
        if (key.size() > block.size()) {
            Sha::init(&inner_);
            Sha::update(&inner_, key.data(), key.size());
            Sha::final(block.data(), &inner_);
        } else if (!key.empty()) {
            std::memcpy(block.data(), key.data(), key.size());
        }
        begin(inner_, block, 0x36);
        begin(outer_, block, 0x36 ^ 0x5c);
        OPENSSL_cleanse(block.data(), block.size());
    }

    std::size_t sign(std::string_view message, unsigned char* code) const
    {
        auto context = inner_;
        Sha::update(&context, message.data(), message.size());
        Sha::final(code, &context);
        context = outer_;
        Sha::update(&context, code, Sha::size);
        Sha::final(code, &context);
        return Sha::size;
    }

private:
    static void begin(typename Sha::HashState& context, std::array<unsigned char, block_size>& block, unsigned pad)
    {
        for (unsigned char& byte : block)
            byte = static_cast<unsigned char>(byte ^ pad);
        Sha::init(&context);
        Sha::update(&context, block.data(), block.size());
    }

    typename Sha::HashState inner_{};
    typename Sha::HashState outer_{};
};

} // namespace

struct HmacKey::PreparedKey {
    std::variant<PreparedHmac<Sha1>, PreparedHmac<Sha256>> prepared;
};

void HmacKey::Free::operator()(PreparedKey* state) const noexcept
{
    static_assert(std::is_trivially_destructible_v<PreparedKey>, "its bytes are overwritten before it ends");
    OPENSSL_cleanse(state, sizeof *state);
    delete state;
}

HmacKey::HmacKey(Digest digest, std::string_view key)
    : state_{
          digest == Digest::sha1 ? new PreparedKey{PreparedHmac<Sha1>{key}}
                                 : new PreparedKey{PreparedHmac<Sha256>{key}}}
{}

HmacCode HmacKey::sign(std::string_view message) const
{
    HmacCode code;
    auto* const bytes = reinterpret_cast<unsigned char*>(code.bytes_.data());
    code.size_ = std::visit([&](auto const& prepared) { return prepared.sign(message, bytes); }, state_->prepared);
    return code;
}

std::string sha256(std::string_view message)
{
    std::string hash(SHA256_DIGEST_LENGTH, '\0');
    SHA256(
        reinterpret_cast<unsigned char const*>(message.data()), message.size(),
        reinterpret_cast<unsigned char*>(hash.data())
    );
    return hash;
}

std::string to_hex(std::string_view bytes)
{
    std::string text(bytes.size() * 2, '\0');
    write_hex(text.data(), bytes);
    return text;
}

char* write_hex(char* out, std::string_view bytes)
{
    for (const char byte : bytes) {
        std::memcpy(out, hex_digits[static_cast<unsigned char>(byte)].data(), 2);
        out += 2;
    }
    return out;
}

} // namespace usher
