// SPDX-License-Identifier: Apache-2.0
// Compares with tokens that the vendor's own SDKs made; see tests/vectors/README.md.
#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/core/jwt.hpp>
#include <usher/core/session_id.hpp>
#include <usher/core/t1_token.hpp>
#include <usher/core/token.hpp>
#include <usher/crypto/base64.hpp>

namespace usher {
namespace {

using Json = nlohmann::ordered_json;

const std::filesystem::path folder = std::filesystem::path{USHER_SOURCE_DIR} / "tests/vectors";

Json load(std::string const& name)
{
    std::ifstream file{folder / name};
    return Json::parse(file);
}

std::string to_pem(std::string const& label, std::string const& base64)
{
    std::string pem = "-----BEGIN " + label + "-----\n";
    for (std::size_t at = 0; at < base64.size(); at += 64)
        pem += base64.substr(at, 64) + '\n';
    return pem + "-----END " + label + "-----\n";
}

RsaSigner test_key()
{
    const std::string der = load("test-keys.json").at("rsa2048_pkcs8_der_b64");
    return RsaSigner::from_pem(Secret{to_pem("PRIVATE KEY", der)}).value();
}

/// The claims of `payload` again, through the writer.
std::string rewritten(Json const& payload)
{
    JwtClaims claims;
    for (auto const& [name, value] : payload.items()) {
        if (value.is_string())
            claims.add(name, std::string_view{value.get_ref<std::string const&>()});
        else if (value.is_number_integer())
            claims.add(name, value.get<std::int64_t>());
        else {
            // JavaScript writes 5e-8 where this JSON library writes 5e-08.
            std::string number = value.dump();
            if (const auto zero = number.find("e-0"); value.is_number() && zero != std::string::npos)
                number.erase(zero + 2, 1);
            claims.add_json(name, number);
        }
    }
    return claims.json();
}

void check_t1(std::string const& name)
{
    const Json file = load(name);
    for (auto const& vector : file.at("vectors")) {
        SCOPED_TRACE(vector.at("name").get<std::string>());
        auto const& project = file.at("projects").at(vector.value("project", "legacy"));
        const HmacKey key{Digest::sha1, vector.value("apiSecret", project.at("apiSecret").get<std::string>())};
        const std::string token = vector.at("token");
        const auto parts = split_t1(token);
        ASSERT_TRUE(parts);
        EXPECT_EQ(parts->data, vector.at("data_string"));
        EXPECT_EQ(parts->partner_id, vector.at("partner_id"));
        EXPECT_EQ(parts->signature, vector.at("sig_hex"));
        T1Fields fields;
        const T1FieldList read = parse_t1_fields(parts->data);
        for (auto const& [field, value] : read.fields)
            fields.add(field, value);
        EXPECT_FALSE(read.damaged);
        EXPECT_EQ(encode_t1(parts->partner_id, key, fields), token);

        const auto decoded = decode_token(token);
        ASSERT_TRUE(decoded);
        if (vector.contains("options")) {
            EXPECT_EQ(decoded->connection_data, vector.at("options").value("data", ""));
        }
    }
}

TEST(Vectors, t1_of_opentok_2_19)
{
    check_t1("t1.opentok-2.19.0.json");
}

TEST(Vectors, t1_of_opentok_2_23)
{
    check_t1("t1.opentok-2.23.2.json");
}

TEST(Vectors, t1_of_opentok_token)
{
    check_t1("t1.opentok-token-1.1.1.json");
}

TEST(Vectors, hs256)
{
    const Json file = load("jwt-hs256.opentok-2.23.2.json");
    for (auto const& vector : file.at("vectors")) {
        SCOPED_TRACE(vector.at("name").get<std::string>());
        auto const& project = file.at("projects").at(vector.at("project").get<std::string>());
        const std::string secret = project.at("apiSecret");
        const std::string payload = vector.at("payload_json");
        const std::string token = vector.at("token");
        EXPECT_EQ(rewritten(Json::parse(payload)), payload);
        const std::string input = jwt_signing_input(vector.at("header_json").get<std::string>(), payload);
        EXPECT_EQ(join_jwt(input, HmacKey{Digest::sha256, secret}.sign(input)), token);

        const auto signer = TokenSigner::for_api_key(TokenFormat::jwt, project.at("apiKey"), Secret{secret});
        ASSERT_TRUE(signer);
        EXPECT_TRUE(signer->verify(token));
        EXPECT_TRUE(decode_token(token));
    }
}

TEST(Vectors, rs256)
{
    const Json file = load("jwt-rs256.vonage-video-1.31.1.json");
    const RsaSigner rsa = test_key();
    const auto signer = TokenSigner::for_application(file.at("application_id"), test_key());
    ASSERT_TRUE(signer);
    int signed_whole = 0;
    for (auto const& vector : file.at("vectors")) {
        SCOPED_TRACE(vector.at("name").get<std::string>());
        const std::string token = vector.at("token");
        const std::string payload_json = vector.at("payload_json");
        const Json payload = Json::parse(payload_json);
        EXPECT_EQ(rewritten(payload), payload_json);
        const std::string input = jwt_signing_input(vector.at("header_json").get<std::string>(), payload_json);
        EXPECT_EQ(join_jwt(input, rsa.sign(input)), token);
        EXPECT_TRUE(signer->verify(token));

        // Where we would sign the same claims at all, our token is the same.
        const auto role = parse_role(payload.at("role").get<std::string>());
        const Json data = payload.value("connection_data", Json(""));
        if (!role || !data.is_string() || !payload.at("exp").is_number_integer())
            continue;
        const std::string text = data;
        const std::string layout = payload.at("initial_layout_class_list");
        const std::string session_id = payload.at("session_id");
        const TokenClaims claims{session_id, *role, from_unix(payload.at("iat")), from_unix(payload.at("exp")),
                                 text,       layout};
        const auto ours = signer->sign(claims, {0x1111111122224333U, 0x8444555555555555U}, claims.issued_at);
        if (!ours)
            continue;
        EXPECT_EQ(*ours, token);
        ++signed_whole;
    }
    EXPECT_GE(signed_whole, 35);
}

TEST(Vectors, session_ids)
{
    const Json file = load("session-ids.json"); // named, since a range-for does not keep it
    for (auto const& vector : file.at("vectors")) {
        const std::string id = vector.at("session_id");
        SCOPED_TRACE(id);
        const auto fields = session_id_fields(id);
        if (!fields) {
            EXPECT_FALSE(vector.at("decoded_latin1").get<std::string>().starts_with("1~"));
            continue;
        }
        EXPECT_EQ(*fields, vector.at("fields").get<std::vector<std::string>>());
        EXPECT_EQ(project_key_of(id), vector.at("fields").at(1).get<std::string>());
    }
}

TEST(Vectors, refused_keys)
{
    const Json keys = load("test-keys.json");
    const auto error_of = [&](std::string const& label, std::string const& name) {
        const auto key = RsaSigner::from_pem(Secret{to_pem(label, keys.at(name).get<std::string>())});
        return key ? std::optional<RsaKeyError>{} : key.error();
    };
    EXPECT_EQ(error_of("PRIVATE KEY", "ec_p256_pkcs8_der_b64"), RsaKeyError::not_rsa);
    EXPECT_EQ(error_of("PRIVATE KEY", "rsa1024_pkcs8_der_b64"), RsaKeyError::too_short);
    EXPECT_EQ(error_of("PUBLIC KEY", "rsa2048_public_der_b64"), RsaKeyError::unreadable);
    EXPECT_EQ(error_of("RSA PRIVATE KEY", "rsa2048_pkcs1_der_b64"), std::nullopt);
}

} // namespace
} // namespace usher
