// SPDX-License-Identifier: Apache-2.0
#include "vendor/model.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <ostream>
#include <set>
#include <sstream>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <usher/core/jwt.hpp>
#include <usher/core/session_id.hpp>
#include <usher/crypto/base64.hpp>
#include <usher/crypto/rsa.hpp>

using namespace std::chrono_literals;
using namespace usher;
using namespace usher::vendor;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t now_seconds = 1'700'000'000;
constexpr Instant now{1'700'000'000'999ms}; // late in the second: instants are compared in whole ones
const std::string api_key = "47665971";
const std::string other_key = "123456";
const std::string secret = "0123456789abcdef0123456789abcdef01234567";
const std::string application_id = "29f760f8-7ce1-46c9-ade3-f2dedee4ed5f";
const std::string routed = "archiveMode=manual&p2p.preference=disabled";

std::string read_file(std::string const& path)
{
    std::ifstream file{path, std::ios::binary};
    if (!file)
        throw std::runtime_error{"cannot read " + path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::string const& private_pem()
{
    static const std::string pem = read_file(USHER_SOURCE_DIR "/tests/vectors/throwaway_rsa2048.pem");
    return pem;
}

std::string
hs256(std::string_view claims, std::string_view key = secret, std::string_view header = R"({"alg":"HS256"})")
{
    const std::string text = jwt_signing_input(header, claims);
    return join_jwt(text, HmacKey{Digest::sha256, key}.sign(text));
}

std::string rs256(std::string_view claims, std::string_view header = R"({"alg":"RS256"})")
{
    static const RsaSigner signer = RsaSigner::from_pem(Secret{private_pem()}).value();
    const std::string text = jwt_signing_input(header, claims);
    return join_jwt(text, signer.sign(text));
}

std::string project_token(std::string const& key = api_key)
{
    JwtClaims claims;
    claims.add("iss", key).add("ist", "project").add("iat", now_seconds).add("exp", now_seconds + 300);
    return hs256(claims.json());
}

HttpRequest request_of(std::string method, std::string target, std::string body = "")
{
    HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.headers = {
        {"Accept", "application/json"},
        {"Content-Type", "application/x-www-form-urlencoded"},
        {"X-OPENTOK-AUTH", project_token()},
    };
    request.body = std::move(body);
    return request;
}

HttpRequest create_request(std::string body = routed)
{
    return request_of("POST", "/session/create", std::move(body));
}

HttpRequest with_header(HttpRequest request, std::string const& name, std::string const& value)
{
    std::erase_if(request.headers, [&](auto const& header) { return header.first == name; });
    request.headers.emplace_back(name, value);
    return request;
}

HttpRequest without_header(HttpRequest request, std::string const& name)
{
    std::erase_if(request.headers, [&](auto const& header) { return header.first == name; });
    return request;
}

Vendor make_vendor(std::uint64_t seed = 1)
{
    Vendor vendor{seed};
    vendor.add_opentok(api_key, secret);
    vendor.add_opentok(other_key, secret);
    vendor.add_vonage(application_id, private_pem());
    return vendor;
}

std::string message_of(HttpReply const& reply)
{
    const Json body = Json::parse(reply.body, nullptr, false);
    return body.is_object() ? body.value("message", body.value("detail", "")) : "";
}

/// A token and what becomes of it; `refused` is empty when it is let in.
struct TokenCase {
    char const* name;
    std::string token;
    std::string refused;

    friend void PrintTo(TokenCase const& test, std::ostream* out) { *out << test.name; }
};

constexpr auto future_message = "issued time cannot be greater than current time";

} // namespace

class OpenTokAuth : public testing::TestWithParam<TokenCase> {};

TEST_P(OpenTokAuth, LetsInOrSaysWhyNot)
{
    auto const& [name, token, refused] = GetParam();
    Vendor vendor = make_vendor();

    const HttpReply reply = vendor.handle(with_header(create_request(), "X-OPENTOK-AUTH", token), now, 7).reply;

    EXPECT_EQ(reply.status, refused.empty() ? 200 : 403);
    EXPECT_EQ(message_of(reply), refused);
    EXPECT_THAT(vendor.sessions(), SizeIs(refused.empty() ? 1 : 0));
}

INSTANTIATE_TEST_SUITE_P(
    Boundaries, OpenTokAuth,
    testing::Values(
        TokenCase{"issued_now", hs256(R"({"iss":"47665971","ist":"project","iat":1700000000,"exp":1700000300})"), ""},
        TokenCase{
            "issued_in_a_second", hs256(R"({"iss":"47665971","ist":"project","iat":1700000001,"exp":1700000300})"),
            future_message},
        TokenCase{
            "life_of_301_seconds", hs256(R"({"iss":"47665971","ist":"project","iat":1700000000,"exp":1700000301})"),
            "The token lives longer than 5 minutes"},
        TokenCase{
            "last_second_of_life", hs256(R"({"iss":"47665971","ist":"project","iat":1699999701,"exp":1700000001})"),
            ""},
        TokenCase{
            "expires_now", hs256(R"({"iss":"47665971","ist":"project","iat":1699999700,"exp":1700000000})"),
            "The token has expired"},
        TokenCase{
            "ist_in_the_header",
            hs256(
                R"({"iss":"47665971","iat":1700000000,"exp":1700000300})", secret, R"({"ist":"project","alg":"HS256"})"
            ),
            ""},
        TokenCase{
            "ist_account", hs256(R"({"iss":"47665971","ist":"account","iat":1700000000,"exp":1700000300})"),
            "Invalid issuer type"},
        TokenCase{"no_ist", hs256(R"({"iss":"47665971","iat":1700000000,"exp":1700000300})"), "Invalid issuer type"},
        TokenCase{
            "issuer_unknown", hs256(R"({"iss":"47665972","ist":"project","iat":1700000000,"exp":1700000300})"),
            "Issuer not found"},
        TokenCase{
            "issuer_not_numeric", hs256(R"({"iss":"undefined","ist":"project","iat":1700000000,"exp":1700000300})"),
            "Invalid issuer format"},
        TokenCase{
            "issuer_not_text", hs256(R"({"iss":47665971,"ist":"project","iat":1700000000,"exp":1700000300})"),
            "Invalid issuer format"},
        TokenCase{
            "no_exp", hs256(R"({"iss":"47665971","ist":"project","iat":1700000000})"), "iat and exp are required"},
        TokenCase{
            "no_iat", hs256(R"({"iss":"47665971","ist":"project","exp":1700000300})"), "iat and exp are required"},
        TokenCase{
            "iat_with_a_fraction", hs256(R"({"iss":"47665971","ist":"project","iat":1699999999.5,"exp":1700000100})"),
            "iat and exp are required"},
        TokenCase{
            "exp_beyond_int64",
            hs256(R"({"iss":"47665971","ist":"project","iat":1700000000,"exp":18446744073709551615})"),
            "The token lives longer than 5 minutes"},
        TokenCase{
            "iat_lowest_int64",
            hs256(R"({"iss":"47665971","ist":"project","iat":-9223372036854775808,"exp":1700000300})"),
            "The token lives longer than 5 minutes"},
        TokenCase{
            "another_secret", hs256(R"({"iss":"47665971","ist":"project","iat":1700000000,"exp":1700000300})", "other"),
            "Invalid signature"},
        TokenCase{
            "another_algorithm", rs256(R"({"iss":"47665971","ist":"project","iat":1700000000,"exp":1700000300})"),
            "Invalid Token"},
        TokenCase{
            "algorithm_none",
            hs256(
                R"({"iss":"47665971","ist":"project","iat":1700000000,"exp":1700000300})", secret, R"({"alg":"none"})"
            ),
            "Invalid Token"},
        TokenCase{"not_a_token", "47665971:secret", "Invalid Token"}, TokenCase{"empty", "", "Invalid Token"}
    ),
    testing::PrintToStringParamName{}
);

class VonageAuth : public testing::TestWithParam<TokenCase> {};

TEST_P(VonageAuth, LetsInOrSaysWhyNot)
{
    auto const& [name, token, refused] = GetParam();
    Vendor vendor = make_vendor();
    const HttpRequest request =
        with_header(without_header(create_request(), "X-OPENTOK-AUTH"), "Authorization", "Bearer " + token);

    const HttpReply reply = vendor.handle(request, now, 7).reply;

    EXPECT_EQ(reply.status, refused.empty() ? 200 : 401);
    EXPECT_EQ(message_of(reply), refused);
}

namespace {

std::string application_token(std::string const& times)
{
    return rs256(R"({"application_id":"29f760f8-7ce1-46c9-ade3-f2dedee4ed5f","jti":"1")" + times + "}");
}

} // namespace

INSTANTIATE_TEST_SUITE_P(
    Boundaries, VonageAuth,
    testing::Values(
        TokenCase{"issued_now", application_token(R"(,"iat":1700000000,"exp":1700000900)"), ""},
        TokenCase{"issued_in_a_second", application_token(R"(,"iat":1700000001,"exp":1700000900)"), future_message},
        TokenCase{"last_second_of_life", application_token(R"(,"iat":1699999000,"exp":1700000001)"), ""},
        TokenCase{"expires_now", application_token(R"(,"iat":1699999000,"exp":1700000000)"), "The token has expired"},
        TokenCase{"15_minutes_without_exp", application_token(R"(,"iat":1699999101)"), ""},
        TokenCase{"15_minutes_without_exp_over", application_token(R"(,"iat":1699999100)"), "The token has expired"},
        TokenCase{"24_hours_of_a_long_life", application_token(R"(,"iat":1699913601,"exp":1702592000)"), ""},
        TokenCase{
            "24_hours_of_a_long_life_over", application_token(R"(,"iat":1699913600,"exp":1702592000)"),
            "The token has expired"},
        TokenCase{"no_iat", application_token(R"(,"exp":1700000900)"), "iat is required"},
        TokenCase{
            "exp_not_a_number", application_token(R"(,"iat":1700000000,"exp":"soon")"),
            "exp is not a number of seconds"},
        TokenCase{
            "no_jti", rs256(R"({"application_id":"29f760f8-7ce1-46c9-ade3-f2dedee4ed5f","iat":1700000000})"),
            "jti is required"},
        TokenCase{
            "upper_case_id",
            rs256(R"({"application_id":"29F760F8-7CE1-46C9-ADE3-F2DEDEE4ED5F","jti":"1","iat":1700000000})"), ""},
        TokenCase{
            "unknown_application",
            rs256(R"({"application_id":"00000000-7ce1-46c9-ade3-f2dedee4ed5f","jti":"1","iat":1700000000})"),
            "Invalid application_id"},
        TokenCase{"signature_too_long", application_token(R"(,"iat":1700000000)") + "A", "Invalid signature"},
        TokenCase{"signature_not_base64url", application_token(R"(,"iat":1700000000)") + "!", "Invalid Token"},
        TokenCase{"key_and_secret", hs256(R"({"iss":"47665971","iat":1700000000})"), "Invalid Token"}
    ),
    testing::PrintToStringParamName{}
);

TEST(Vendor, RefusesTheSignatureOfAnotherToken)
{
    Vendor vendor = make_vendor();
    const std::string first = application_token(R"(,"iat":1700000000)");
    const std::string second = application_token(R"(,"iat":1699999999)");
    const std::string mixed = first.substr(0, first.rfind('.')) + second.substr(second.rfind('.'));
    const HttpRequest request =
        with_header(without_header(create_request(), "X-OPENTOK-AUTH"), "Authorization", "Bearer " + mixed);

    const HttpReply reply = vendor.handle(request, now, 7).reply;

    EXPECT_EQ(message_of(reply), "Invalid signature");
}

TEST(Vendor, RefusesRequestsWithoutAuthentication)
{
    const HttpRequest bare = without_header(create_request(), "X-OPENTOK-AUTH");
    Vendor projects = make_vendor();
    Vendor applications;
    applications.add_vonage(application_id, private_pem());

    const HttpReply of_project = projects.handle(bare, now, 7).reply;
    const HttpReply of_application = applications.handle(bare, now, 7).reply;
    const HttpReply basic = projects.handle(with_header(bare, "Authorization", "Basic a2V5"), now, 7).reply;

    EXPECT_EQ(of_project.status, 403);
    EXPECT_EQ(of_application.status, 401);
    EXPECT_EQ(basic.status, 401);
    for (HttpReply const& reply : {of_project, of_application, basic})
        EXPECT_EQ(message_of(reply), "No suitable authentication found");
}

TEST(Vendor, SaysItInXmlUnlessJsonIsAccepted)
{
    Vendor vendor = make_vendor();
    const HttpRequest refused = with_header(create_request(), "X-OPENTOK-AUTH", "x");

    const HttpReply error = vendor.handle(without_header(refused, "Accept"), now, 7).reply;
    const HttpReply session = vendor.handle(with_header(create_request(), "Accept", "*/*"), now, 7).reply;

    EXPECT_EQ(error.header("content-type"), "text/xml");
    EXPECT_THAT(error.body, HasSubstr("<errorPayload><code>-1</code><message>Invalid Token</message>"));
    EXPECT_EQ(session.status, 200);
    EXPECT_THAT(
        session.body, HasSubstr("<sessions><Session><session_id>" + vendor.sessions().at(0).id + "</session_id>")
    );
}

TEST(Vendor, TakesThePublicKeyOrThePrivateOne)
{
    const std::string der = RsaSigner::from_pem(Secret{private_pem()}).value().public_key();
    const std::string pem = "-----BEGIN PUBLIC KEY-----\n" + base64_encode(der) + "\n-----END PUBLIC KEY-----\n";
    Vendor vendor;
    const HttpRequest request = with_header(
        without_header(create_request(), "X-OPENTOK-AUTH"), "Authorization",
        "Bearer " + application_token(R"(,"iat":1700000000)")
    );

    vendor.add_vonage(application_id, pem);

    EXPECT_EQ(vendor.handle(request, now, 7).reply.status, 200);
    EXPECT_THROW(vendor.add_vonage(application_id, "no key"), std::invalid_argument);
    EXPECT_THROW(
        vendor.add_vonage(application_id, read_file(USHER_SOURCE_DIR "/tests/vectors/throwaway_ec.pem")),
        std::invalid_argument
    );
}

// Options

/// A form and the field that it is refused for; empty when it is accepted.
struct FormCase {
    char const* name;
    std::string body;
    std::string refused_for;

    friend void PrintTo(FormCase const& test, std::ostream* out) { *out << test.name; }
};

class Options : public testing::TestWithParam<FormCase> {};

TEST_P(Options, AreAcceptedOrTheFieldIsNamed)
{
    auto const& [name, body, refused_for] = GetParam();
    Vendor vendor = make_vendor();

    const HttpReply reply = vendor.handle(create_request(body), now, 7).reply;

    EXPECT_EQ(reply.status, refused_for.empty() ? 200 : 400) << reply.body;
    EXPECT_THAT(message_of(reply), StartsWith(refused_for.empty() ? "" : "Invalid " + refused_for + ":"));
    EXPECT_THAT(vendor.sessions(), SizeIs(refused_for.empty() ? 1 : 0));
}

INSTANTIATE_TEST_SUITE_P(
    All, Options,
    testing::Values(
        FormCase{"nothing", "", ""}, FormCase{"routed", "p2p.preference=disabled", ""},
        FormCase{"relayed", "p2p.preference=enabled", ""}, FormCase{"relayed_by_python", "p2p.preference=always", ""},
        FormCase{"unknown_preference", "p2p.preference=routed", "p2p.preference"},
        FormCase{"unknown_archive_mode", "archiveMode=never", "archiveMode"},
        FormCase{"always", "archiveMode=always", ""},
        FormCase{"always_relayed", "archiveMode=always&p2p.preference=enabled", "archiveMode"},
        FormCase{"name", "archiveMode=always&archiveName=Weekly+sync+%26+co", ""},
        FormCase{"name_with_manual", "archiveMode=manual&archiveName=x", "archiveName"},
        FormCase{"name_without_mode", "archiveName=x", "archiveName"},
        FormCase{"name_empty_with_manual", "archiveName=", ""},
        FormCase{"name_of_80", "archiveMode=always&archiveName=" + std::string(80, 'x'), ""},
        FormCase{"name_of_81", "archiveMode=always&archiveName=" + std::string(81, 'x'), "archiveName"},
        FormCase{
            "name_of_80_two_byte_characters",
            [] {
                std::string body = "archiveMode=always&archiveName=";
                for (int i = 0; i < 80; ++i)
                    body += "%C3%A9";
                return body;
            }(),
            ""},
        FormCase{"name_not_utf8", "archiveMode=always&archiveName=%FF", "archiveName"},
        FormCase{"resolution", "archiveMode=always&archiveResolution=1080x1920", ""},
        FormCase{"resolution_unknown", "archiveMode=always&archiveResolution=800x600", "archiveResolution"},
        FormCase{"resolution_with_manual", "archiveResolution=640x480", "archiveResolution"},
        FormCase{"location", "location=12.34.56.78", ""}, FormCase{"location_highest", "location=255.255.255.255", ""},
        FormCase{"location_256", "location=1.2.3.256", "location"},
        FormCase{"location_three_parts", "location=1.2.3", "location"},
        FormCase{"location_ipv6", "location=::1", "location"}, FormCase{"location_null", "location=null", ""},
        FormCase{"location_empty", "location=", ""}, FormCase{"e2ee_true", "e2ee=true", ""},
        FormCase{"e2ee_python", "e2ee=True", ""}, FormCase{"e2ee_dotnet", "e2ee=False&p2p.preference=enabled", ""},
        FormCase{"e2ee_yes", "e2ee=yes", "e2ee"}, FormCase{"e2ee_relayed", "e2ee=true&p2p.preference=enabled", "e2ee"},
        FormCase{"e2ee_always", "e2ee=true&archiveMode=always", "e2ee"}, FormCase{"unknown_field", "foo=bar+baz", ""}
    ),
    testing::PrintToStringParamName{}
);

TEST(Vendor, RefusesWhatIsNoForm)
{
    Vendor vendor = make_vendor();

    const HttpReply cut = vendor.handle(create_request("location=%3"), now, 7).reply;
    const HttpReply not_hex = vendor.handle(create_request("location=%zz"), now, 7).reply;
    const HttpReply json =
        vendor.handle(with_header(create_request(), "Content-Type", "application/json"), now, 7).reply;

    EXPECT_EQ(cut.status, 400);
    EXPECT_EQ(not_hex.status, 400);
    EXPECT_EQ(json.status, 415);
}

// Sessions

TEST(Vendor, AnswersWithAnArrayOfOneSession)
{
    Vendor vendor = make_vendor();

    const HttpReply reply = vendor.handle(create_request(), now, 7).reply;

    EXPECT_EQ(reply.header("content-type"), "application/json");
    const Json body = Json::parse(reply.body);
    ASSERT_TRUE(body.is_array() && body.size() == 1);
    std::vector<std::string> names;
    for (auto const& [name, value] : body[0].items())
        names.push_back(name);
    EXPECT_THAT(
        names, ElementsAre(
                   "session_id", "project_id", "partner_id", "create_dt", "session_status", "status_invalid",
                   "media_server_hostname", "messaging_server_url", "messaging_url", "symphony_address", "properties",
                   "ice_server", "session_segment_id", "ice_servers", "ice_credential_expiration"
               )
    );
    EXPECT_EQ(body[0]["session_id"], vendor.sessions().at(0).id);
    EXPECT_EQ(body[0]["project_id"], api_key);
    EXPECT_EQ(body[0]["create_dt"], "Tue Nov 14 14:13:20 PST 2023");
    EXPECT_EQ(body[0]["messaging_url"], nullptr);
}

TEST(Vendor, WritesKeyLocationTimeAndModeIntoTheId)
{
    Vendor vendor = make_vendor();

    vendor.handle(create_request("location=12.34.56.78&p2p.preference=enabled"), now, 7);
    vendor.handle(create_request(), now, 7);

    const auto relayed_fields = session_id_fields(vendor.sessions().at(0).id).value();
    const auto routed_fields = session_id_fields(vendor.sessions().at(1).id).value();
    ASSERT_THAT(relayed_fields, SizeIs(8));
    EXPECT_EQ(relayed_fields[1], api_key);
    EXPECT_EQ(relayed_fields[2], "12.34.56.78");
    EXPECT_EQ(relayed_fields[3], "1700000000999");
    EXPECT_THAT(relayed_fields[4], SizeIs(24));
    EXPECT_EQ(relayed_fields[5], "P");
    EXPECT_EQ(routed_fields[2], "");
    EXPECT_EQ(routed_fields[5], "");
}

TEST(Vendor, MakesUniqueIdsEvenWithTheSameEntropy)
{
    Vendor vendor = make_vendor();
    std::set<std::string> ids;

    for (int i = 0; i < 1000; ++i)
        vendor.handle(create_request(), now, 7);

    for (SessionRecord const& session : vendor.sessions())
        ids.insert(session.id);
    EXPECT_THAT(ids, SizeIs(1000));
}

TEST(Vendor, RemembersSessionsAndRequests)
{
    Vendor vendor = make_vendor();
    const HttpRequest request = create_request("archiveMode=always&archiveName=a%20b+c");

    vendor.handle(request, now, 7);

    ASSERT_THAT(vendor.sessions(), SizeIs(1));
    EXPECT_EQ(vendor.sessions().at(0).project_key, api_key);
    EXPECT_EQ(vendor.sessions().at(0).created, now);
    EXPECT_THAT(
        vendor.sessions().at(0).fields,
        ElementsAre(testing::Pair("archiveMode", "always"), testing::Pair("archiveName", "a b c"))
    );
    ASSERT_THAT(vendor.requests(), SizeIs(1));
    EXPECT_EQ(vendor.requests().at(0).time, now);
    EXPECT_EQ(vendor.requests().at(0).status, 200);
    EXPECT_EQ(vendor.requests().at(0).request.body, request.body);
    EXPECT_EQ(vendor.requests().at(0).request.headers, request.headers);
}

// Connections

TEST(Vendor, ListsAndDisconnects)
{
    Vendor vendor = make_vendor();
    vendor.handle(create_request(), now, 7);
    const std::string session = vendor.sessions().at(0).id;
    const std::string first = vendor.connect(session, now).value();
    const std::string second = vendor.connect(session, now).value();
    const std::string base = "/v2/project/" + api_key + "/session/" + session + "/connection";

    const HttpReply list = vendor.handle(request_of("GET", base), now, 7).reply;
    const HttpReply gone = vendor.handle(request_of("DELETE", base + "/" + first), now, 7).reply;
    const HttpReply again = vendor.handle(request_of("DELETE", base + "/" + first), now, 7).reply;
    const HttpReply rest = vendor.handle(request_of("GET", base + "/"), now, 7).reply;

    const Json all = Json::parse(list.body);
    EXPECT_EQ(all["count"], 2);
    EXPECT_EQ(all["projectId"], api_key);
    EXPECT_EQ(all["sessionId"], session);
    EXPECT_EQ(all["items"][0]["connectionId"], first);
    EXPECT_EQ(all["items"][0]["connectionState"], "Connected");
    EXPECT_EQ(all["items"][0]["createdAt"], now.time_since_epoch().count());
    EXPECT_EQ(gone.status, 204);
    EXPECT_THAT(gone.body, IsEmpty());
    EXPECT_EQ(again.status, 404);
    EXPECT_EQ(Json::parse(rest.body)["items"].size(), 1);
    EXPECT_EQ(Json::parse(rest.body)["items"][0]["connectionId"], second);
}

TEST(Vendor, ListsInPages)
{
    Vendor vendor = make_vendor();
    vendor.handle(create_request(), now, 7);
    const std::string session = vendor.sessions().at(0).id;
    for (int i = 0; i < 60; ++i)
        vendor.connect(session, now);
    const auto list = [&](std::string const& query) {
        return vendor
            .handle(request_of("GET", "/v2/project/" + api_key + "/session/" + session + "/connection" + query), now, 7)
            .reply;
    };
    const auto listed = [&](std::string const& query) { return Json::parse(list(query).body)["items"].size(); };

    EXPECT_EQ(listed(""), 50);
    EXPECT_EQ(listed("?offset=50"), 10);
    EXPECT_EQ(listed("?offset=60"), 0);
    EXPECT_EQ(listed("?count=1000"), 60);
    EXPECT_EQ(listed("?offset=1&count=2"), 2);
    EXPECT_EQ(Json::parse(list("?offset=55").body)["count"], 60);
    for (char const* const query : {"?count=1001", "?count=x", "?offset=-1", "?offset=%zz"})
        EXPECT_EQ(list(query).status, 400) << query;
}

TEST(Vendor, KeepsProjectsApart)
{
    Vendor vendor = make_vendor();
    vendor.handle(create_request(), now, 7);
    const std::string session = vendor.sessions().at(0).id;
    const auto list = [&](std::string const& key, std::string const& of_session, std::string const& token) {
        const HttpRequest request = request_of("GET", "/v2/project/" + key + "/session/" + of_session + "/connection");
        return vendor.handle(with_header(request, "X-OPENTOK-AUTH", token), now, 7).reply.status;
    };

    EXPECT_EQ(list(api_key, session, project_token(api_key)), 200);
    EXPECT_EQ(list(api_key, session, project_token(other_key)), 403);
    EXPECT_EQ(list(other_key, session, project_token(other_key)), 404);
    EXPECT_EQ(list(api_key, "1_unknown", project_token(api_key)), 404);
    EXPECT_EQ(list(api_key, session, "x"), 403);
    EXPECT_EQ(vendor.connect("1_unknown", now), std::nullopt);
}

TEST(Vendor, KnowsNoOtherCalls)
{
    Vendor vendor = make_vendor();

    for (auto const& [method, target] : std::vector<std::pair<std::string, std::string>>{
             {"GET", "/session/create"},
             {"POST", "/session/create/"},
             {"POST", "/"},
             {"POST", ""},
             {"POST", "/v2/project/47665971/session/x/connection"},
             {"DELETE", "/v2/project/47665971/session/x/connection"},
             {"DELETE", "/v2/project/47665971/session/x/connection/"},
             {"GET", "/v2/project/47665971/session/x/connection/y"},
             {"DELETE", "/v2/project/47665971/session/x/connection/y/z"},
             {"GET", "/v2/project/47665971/archive"}})
        EXPECT_EQ(vendor.handle(request_of(method, target), now, 7).reply.status, 404) << method << ' ' << target;
}

// Faults

struct FaultCase {
    FaultKind kind;
    int status; ///< As recorded: 0 when nothing comes back.
    std::size_t sessions;
    std::string body; ///< How it starts.

    friend void PrintTo(FaultCase const& test, std::ostream* out) { *out << to_text(test.kind); }
};

class Faults : public testing::TestWithParam<FaultCase> {};

TEST_P(Faults, SpoilOneAnswerAndSometimesLeaveASession)
{
    auto const& [kind, status, sessions, body] = GetParam();
    Vendor vendor = make_vendor();
    vendor.behaviour.next = {fault_of(kind)};

    const Outcome spoilt = vendor.handle(create_request(), now, 7);
    const std::size_t left = vendor.sessions().size();
    const Outcome next = vendor.handle(create_request(), now, 7);

    EXPECT_EQ(left, sessions);
    EXPECT_EQ(vendor.requests().at(0).status, status);
    EXPECT_EQ(vendor.requests().at(0).fault, kind);
    EXPECT_EQ(spoilt.reset == Reset::none, status != 0);
    EXPECT_THAT(spoilt.reply.body, StartsWith(body));
    EXPECT_EQ(spoilt.truncate, kind == FaultKind::half_body);
    EXPECT_EQ(spoilt.delay, kind == FaultKind::delay ? 1000ms : 0ms);
    EXPECT_EQ(next.reply.status, 200);
    EXPECT_EQ(next.reset, Reset::none);
}

INSTANTIATE_TEST_SUITE_P(
    All, Faults,
    testing::Values(
        FaultCase{FaultKind::none, 200, 1, R"([{"session_id":"1_)"},
        FaultCase{FaultKind::delay, 200, 1, R"([{"session_id":"1_)"},
        FaultCase{FaultKind::too_many, 429, 0, R"({"message":)"},
        FaultCase{FaultKind::server_error, 500, 0, "Internal"}, FaultCase{FaultKind::bad_gateway, 502, 1, "<html>"},
        FaultCase{FaultKind::unavailable, 503, 0, ""}, FaultCase{FaultKind::gateway_timeout, 504, 1, ""},
        FaultCase{FaultKind::reset_connect, 0, 0, ""}, FaultCase{FaultKind::reset_before, 0, 0, ""},
        FaultCase{FaultKind::reset_after, 0, 1, ""}, FaultCase{FaultKind::half_body, 200, 1, R"([{"session_id":"1_)"},
        FaultCase{FaultKind::wrong_type, 200, 1, "<html>"}, FaultCase{FaultKind::xml, 200, 1, "<?xml"},
        FaultCase{FaultKind::empty_array, 200, 0, "[]"}, FaultCase{FaultKind::missing_id, 200, 0, R"([{"create_dt":)"},
        FaultCase{FaultKind::skewed_date, 200, 1, R"([{"session_id":"1_)"},
        FaultCase{FaultKind::echo, 500, 0, R"({"code":-1,"message":"Bad header: eyJ)"}
    ),
    testing::PrintToStringParamName{}
);

TEST(Vendor, WritesRetryAfterInSecondsOrAsADate)
{
    Vendor vendor = make_vendor();
    Fault fault = fault_of(FaultKind::too_many);
    fault.retry_after = 90s;
    vendor.behaviour.next.push_back(fault);
    fault.retry_after_is_date = true;
    vendor.behaviour.next.push_back(fault);

    const HttpReply in_seconds = vendor.handle(create_request(), now, 7).reply;
    const HttpReply as_date = vendor.handle(create_request(), now, 7).reply;

    EXPECT_EQ(in_seconds.header("retry-after"), "90");
    EXPECT_EQ(as_date.header("retry-after"), "Tue, 14 Nov 2023 22:14:50 GMT");
}

TEST(Vendor, DatesEachReplyByTheHostsClock)
{
    Vendor vendor = make_vendor();
    Fault skewed = fault_of(FaultKind::skewed_date);
    skewed.skew = -90s;
    vendor.behaviour.next = {fault_of(FaultKind::none), skewed};

    const HttpReply right = vendor.handle(create_request(), now, 7).reply;
    const HttpReply wrong = vendor.handle(create_request(), now, 7).reply;
    vendor.behaviour.clock_offset = 40s;
    const HttpReply ahead = vendor.handle(create_request(), now, 7).reply;

    EXPECT_EQ(right.header("date"), "Tue, 14 Nov 2023 22:13:20 GMT");
    EXPECT_EQ(wrong.header("date"), "Tue, 14 Nov 2023 22:11:50 GMT");
    EXPECT_EQ(ahead.header("date"), "Tue, 14 Nov 2023 22:14:00 GMT");
}

TEST(Vendor, ChecksTokensByTheHostsClock)
{
    Vendor vendor = make_vendor();

    vendor.behaviour.clock_offset = -1s;
    EXPECT_EQ(message_of(vendor.handle(create_request(), now, 7).reply), future_message);
    vendor.behaviour.clock_offset = 299s;
    EXPECT_EQ(vendor.handle(create_request(), now, 7).reply.status, 200);
    vendor.behaviour.clock_offset = 300s;
    EXPECT_EQ(message_of(vendor.handle(create_request(), now, 7).reply), "The token has expired");
}

TEST(Vendor, RefusesTheBadTokenEvenWhenAFaultHidesIt)
{
    Vendor vendor = make_vendor();
    vendor.behaviour.next = {fault_of(FaultKind::bad_gateway)};

    vendor.handle(with_header(create_request(), "X-OPENTOK-AUTH", "x"), now, 7);

    EXPECT_THAT(vendor.sessions(), IsEmpty());
}

namespace {

std::string faults_of(Vendor& vendor, int count)
{
    std::ostringstream text;
    for (int i = 0; i < count; ++i)
        vendor.handle(create_request(), now, 7);
    for (RequestRecord const& record : vendor.requests())
        text << to_text(record.fault) << ' ';
    return text.str();
}

Vendor unreliable(std::uint64_t seed)
{
    Vendor vendor = make_vendor(seed);
    vendor.behaviour.chance = 0.25;
    vendor.behaviour.by_chance = {
        fault_of(FaultKind::too_many), fault_of(FaultKind::reset_after), fault_of(FaultKind::reset_connect)};
    return vendor;
}

} // namespace

TEST(Vendor, RepeatsItsChanceFaultsForTheSameSeed)
{
    Vendor first = unreliable(7);
    Vendor same = unreliable(7);
    Vendor other = unreliable(8);

    const std::string faults = faults_of(first, 400);

    EXPECT_EQ(faults, faults_of(same, 400));
    EXPECT_NE(faults, faults_of(other, 400));
    const auto spoilt =
        std::count_if(first.requests().begin(), first.requests().end(), [](RequestRecord const& record) {
            return record.fault != FaultKind::none;
        });
    EXPECT_GT(spoilt, 60); // 100 expected, with a standard deviation below 9
    EXPECT_LT(spoilt, 140);
    EXPECT_THAT(faults, HasSubstr("too_many"));
    EXPECT_THAT(faults, HasSubstr("reset_after"));
    EXPECT_THAT(faults, testing::Not(HasSubstr("reset_connect"))); // that is for connections
}

TEST(Vendor, RefusesConnectionsByChance)
{
    Vendor vendor = unreliable(7);
    Vendor reliable = make_vendor();
    int refused = 0;

    for (int i = 0; i < 400; ++i) {
        refused += vendor.refuses_connection() ? 1 : 0;
        EXPECT_FALSE(reliable.refuses_connection());
    }

    EXPECT_GT(refused, 60);
    EXPECT_LT(refused, 140);
    EXPECT_EQ(vendor.refused_connections(), static_cast<std::size_t>(refused));
}

TEST(Vendor, RefusesTheNextConnectionWhenScripted)
{
    Vendor vendor = make_vendor();
    vendor.behaviour.next = {fault_of(FaultKind::reset_connect), fault_of(FaultKind::server_error)};

    EXPECT_TRUE(vendor.refuses_connection());
    EXPECT_FALSE(vendor.refuses_connection());
    EXPECT_EQ(vendor.handle(create_request(), now, 7).reply.status, 500);
}

TEST(Vendor, IsOutUntilItIsBack)
{
    Vendor vendor = make_vendor();
    vendor.behaviour.next = {fault_of(FaultKind::server_error)};

    vendor.behaviour.outage = Outage::unavailable;
    const bool refuses_while_unavailable = vendor.refuses_connection();
    const int unavailable = vendor.handle(create_request(), now, 7).reply.status;
    vendor.behaviour.outage = Outage::refused;
    const bool refuses = vendor.refuses_connection();
    vendor.behaviour.outage = Outage::none;
    const int after = vendor.handle(create_request(), now, 7).reply.status;

    EXPECT_FALSE(refuses_while_unavailable);
    EXPECT_EQ(unavailable, 503);
    EXPECT_TRUE(refuses);
    EXPECT_EQ(after, 500); // the queue has waited
}

TEST(Vendor, AdmitsTunnelsUnlessTheProxyRefuses)
{
    Vendor vendor = make_vendor();

    const bool admitted = vendor.admits_tunnel("api.opentok.com:443");
    vendor.behaviour.proxy_allows = false;
    const bool refused = !vendor.admits_tunnel("video.api.vonage.com:443");

    EXPECT_TRUE(admitted);
    EXPECT_TRUE(refused);
    EXPECT_THAT(vendor.tunnels(), ElementsAre("api.opentok.com:443"));
}

TEST(HttpDate, IsWrittenAsRfc9110HasIt)
{
    EXPECT_EQ(http_date(Instant{784'111'777'000ms}), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(http_date(Instant{1'709'164'800'999ms}), "Thu, 29 Feb 2024 00:00:00 GMT");
}

TEST(Random, IsSplitmix64)
{
    Random random{1234567}; // the generator's published example

    EXPECT_EQ(random.next(), 6457827717110365317U);
    EXPECT_EQ(random.next(), 3203168211198807973U);
}

// What the vendor's own SDKs send.

TEST(VendorVectors, EveryRequestOfTheSdksIsAnswered)
{
    const std::string folder = USHER_SOURCE_DIR "/tests/vectors";
    const Json recorded = Json::parse(read_file(folder + "/session-create.json"));
    const Json keys = Json::parse(read_file(folder + "/test-keys.json"));
    const std::set<std::string> refused{
        "options/archive_name_with_manual_not_rejected", "options/e2ee_true_relayed_not_rejected",
        "options/always_relayed_not_rejected"};
    int replayed = 0;

    for (Json const& vector : recorded["vectors"]) {
        Vendor vendor;
        for (auto const& [name, project] : recorded["projects"].items())
            vendor.add_opentok(project["apiKey"], project["apiSecret"].get<std::string>());
        vendor.add_vonage(
            recorded["application_id"], "-----BEGIN PRIVATE KEY-----\n" +
                                            keys["rsa2048_pkcs8_der_b64"].get<std::string>() +
                                            "\n-----END PRIVATE KEY-----\n"
        );
        Json const& pin = vector.contains("pin") ? vector["pin"] : recorded["default_pin"];
        for (Json const& sent : vector["requests"]) {
            HttpRequest request;
            request.method = sent["method"];
            request.target = sent["path"];
            for (auto const& [name, value] : sent["headers"].items())
                request.headers.emplace_back(name, value.get<std::string>());
            request.body = sent["body"];

            const HttpReply reply =
                vendor.handle(request, Instant{milliseconds{pin["now_ms"].get<std::int64_t>()}}, 7).reply;

            const std::string name = vector["name"];
            EXPECT_EQ(reply.status, refused.contains(name) ? 400 : 200)
                << vector["package"] << ' ' << name << ": " << reply.body;
            ++replayed;
        }
    }

    EXPECT_GT(replayed, 50);
}

TEST(VendorVectors, RestTokensOfTheSdksAreLetInUnlessTheyBreakTheRules)
{
    const std::string folder = USHER_SOURCE_DIR "/tests/vectors";
    const Json recorded = Json::parse(read_file(folder + "/rest-auth.json"));
    const Json keys = Json::parse(read_file(folder + "/test-keys.json"));
    Vendor vendor;
    for (auto const& [name, project] : recorded["projects"].items())
        vendor.add_opentok(project["apiKey"], project["apiSecret"].get<std::string>());
    vendor.add_vonage(
        application_id, "-----BEGIN PRIVATE KEY-----\n" + keys["rsa2048_pkcs8_der_b64"].get<std::string>() +
                            "\n-----END PRIVATE KEY-----\n"
    );

    for (Json const& vector : recorded["vectors"]) {
        const std::string name = vector["name"];
        const std::string token = vector["token"];
        const bool bearer = vector["kind"] == "Authorization: Bearer";
        HttpRequest request = without_header(create_request(), "X-OPENTOK-AUTH");
        request.headers.emplace_back(bearer ? "Authorization" : "X-OPENTOK-AUTH", bearer ? "Bearer " + token : token);
        const std::int64_t pinned = vector["pin"]["now_ms"];

        const HttpReply reply = vendor.handle(request, Instant{milliseconds{pinned}}, 7).reply;

        // opentok-jwt lives for 30 days unless told otherwise, and can make tokens for accounts.
        const bool breaks = name.starts_with("opentok_jwt_project_default") || name.starts_with("opentok_jwt_account");
        EXPECT_EQ(reply.status, breaks ? 403 : 200) << name << ": " << reply.body;
    }
}
