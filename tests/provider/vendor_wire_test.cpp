// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/vendor_wire.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <usher/crypto/base64.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr sys_seconds now{1'700'000'000s}; // Tue, 14 Nov 2023 22:13:20 GMT

CallContext context(VendorHost host = VendorHost::opentok)
{
    return {host, "api.example", "47665971", now, "the.json.web.token"};
}

HttpReply reply(int status, std::string body, std::string date = "Tue, 14 Nov 2023 22:13:20 GMT")
{
    return {status, {{"date", std::move(date)}, {"Content-Type", "application/json;charset=UTF-8"}}, std::move(body)};
}

TEST(VendorWire, TheFormHoldsTheOptionsAndNothingElse)
{
    SessionOptions options;
    EXPECT_EQ(create_request(VendorHost::opentok, options, "jwt").body, "archiveMode=manual&p2p.preference=disabled");
    options.media_mode = "relayed";
    options.location = "12.34.56.78";
    EXPECT_EQ(
        create_request(VendorHost::opentok, options, "jwt").body,
        "archiveMode=manual&location=12.34.56.78&p2p.preference=enabled"
    );
    options = {};
    options.archive_mode = "always";
    options.archive_name = "Weekly sync & co";
    options.archive_resolution = "1280x720";
    EXPECT_EQ(
        create_request(VendorHost::opentok, options, "jwt").body,
        "archiveMode=always&archiveName=Weekly+sync+%26+co&archiveResolution=1280x720&p2p.preference=disabled"
    );
    options = {};
    options.e2ee = true;
    EXPECT_EQ(
        create_request(VendorHost::vonage, options, "jwt").body, "archiveMode=manual&e2ee=true&p2p.preference=disabled"
    );
}

TEST(VendorWire, EachHostHasItsHeader)
{
    const auto header = [](VendorHost host) { return create_request(host, {}, "jwt").headers.front(); };
    EXPECT_EQ(header(VendorHost::opentok), (std::pair<std::string, std::string>{"X-OPENTOK-AUTH", "jwt"}));
    EXPECT_EQ(header(VendorHost::vonage), (std::pair<std::string, std::string>{"Authorization", "Bearer jwt"}));
    EXPECT_EQ(
        disconnect_request(VendorHost::opentok, "1", "2_a-b", "c&d", "jwt").target,
        "/v2/project/1/session/2_a-b/connection/c%26d"
    );
    EXPECT_EQ(
        list_request(VendorHost::vonage, "1", "2_a=b", 2000, "jwt").target,
        "/v2/project/1/session/2_a%3Db/connection?offset=2000&count=1000"
    );
}

TEST(VendorWire, KnowsWhichIdsMayStandInAPath)
{
    for (std::string const& id :
         {std::string{"2_MX4x-_"}, std::string{"a"}, std::string{"a.b"}, std::string{"~=&"}, std::string(255, 'x')})
        EXPECT_TRUE(is_path_id(id)) << id;
    for (std::string const& id :
         {std::string{}, std::string{"."}, std::string{".."}, std::string{"a..b"}, std::string{"../../account"},
          std::string{"a/b"}, std::string{"a\\b"}, std::string{"a?b"}, std::string{"a#b"}, std::string{"%2e%2e"},
          std::string{"a b"}, std::string{"a\n"}, std::string{"a\0b", 3}, std::string{"\x1b"}, std::string{"\x7f"},
          std::string{"\xc3\xbc"}, std::string(256, 'x'), std::string(5'000'000, 'x')})
        EXPECT_FALSE(is_path_id(id)) << id.substr(0, 300);
}

TEST(VendorWire, NamesAnApplicationsCredentials)
{
    const auto told = [](int status, std::string const& body) {
        return read_created(reply(status, body), context(VendorHost::vonage)).error().detail;
    };
    const std::string unified =
        R"({"type":"https://developer.vonage.com/api-errors#unauthorized","title":"Unauthorized","detail":"DETAIL"})";
    const auto with = [&](std::string const& detail) {
        std::string body = unified;
        return told(401, body.replace(body.find("DETAIL"), 6, detail));
    };

    EXPECT_THAT(
        with("You did not provide correct credentials"), HasSubstr("Unauthorized: You did not provide correct")
    );
    EXPECT_THAT(with("x"), HasSubstr("the file that private_key names and reload usherd, or restart it"));
    EXPECT_THAT(with("Invalid signature"), HasSubstr("the private key is not that of application 47665971"));
    EXPECT_THAT(with("Invalid signature"), testing::Not(HasSubstr("secret")));
    EXPECT_THAT(with("Invalid Token"), HasSubstr("application_id and private_key belong together"));
    EXPECT_THAT(with("Application not found"), HasSubstr("check application_id"));
    EXPECT_THAT(with("Invalid application_id"), HasSubstr("it knows no application 47665971"));
    EXPECT_THAT(told(403, R"({"message":"Invalid signature"})"), HasSubstr("the private key is not that of"));
}

TEST(VendorWire, CutsItsOwnCredentialOutOfWhatItQuotes)
{
    CallContext call = context();
    call.authorization =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiI0NzY2NTk3MSJ9.SflKxwRJSMeKKF2QT4fw-pMeJf36_k6yJV";
    const std::string head = call.authorization.substr(0, 40);
    const std::string tail = call.authorization.substr(40);
    for (const int status : {400, 401, 403, 404, 409, 429, 500, 502, 503, 302, 202})
        for (std::string const& body :
             {R"({"message":"bad header X-OPENTOK-AUTH: )" + call.authorization + "\"}",
              R"({"title":")" + head + R"(","detail":")" + tail + "\"}",
              "<errorPayload><message>" + call.authorization + "</message></errorPayload>",
              R"(<errors><error><x message=")" + call.authorization + R"("/></error></errors>)"}) {
            SCOPED_TRACE(body);
            const std::string detail = read_created(reply(status, body), call).error().detail;
            for (std::size_t i = 0; i + 8 <= call.authorization.size(); ++i)
                ASSERT_THAT(detail, testing::Not(HasSubstr(call.authorization.substr(i, 8))));
        }
    EXPECT_FALSE(read_created(reply(200, R"([{"session_id":")" + call.authorization + "\"}]"), call));
}

struct OptionCase {
    char const* name;
    SessionOptions options;
    char const* complaint; ///< Empty: none.

    friend void PrintTo(OptionCase const& test, std::ostream* out) { *out << test.name; }
};

class Options : public testing::TestWithParam<OptionCase> {};

TEST_P(Options, AreCheckedBeforeTheNetworkIsTouched)
{
    const auto refused = check_options(GetParam().options);
    if (*GetParam().complaint == '\0') {
        EXPECT_FALSE(refused);
        return;
    }
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->kind, FailureKind::permanent);
    EXPECT_EQ(refused->reason, "options_invalid");
    EXPECT_THAT(refused->detail, HasSubstr(GetParam().complaint));
}

SessionOptions options(
    std::string media, std::string archive, std::string name = "", std::string size = "", std::string location = "",
    bool e2ee = false
)
{
    return {std::move(media), std::move(archive), std::move(name), std::move(size), std::move(location), e2ee};
}

std::string times(int count, std::string const& text)
{
    std::string out;
    for (int i = 0; i < count; ++i)
        out += text;
    return out;
}

INSTANTIATE_TEST_SUITE_P(
    Boundaries, Options,
    testing::Values(
        OptionCase{"plain", options("routed", "manual"), ""},
        OptionCase{"always_routed", options("routed", "always"), ""},
        OptionCase{"always_relayed", options("relayed", "always"), "needs media_mode routed"},
        OptionCase{"name_with_manual", options("routed", "manual", "n"), "needs archive_mode always"},
        OptionCase{"size_with_manual", options("routed", "manual", "", "640x480"), "needs archive_mode always"},
        OptionCase{"name_of_80_characters", options("routed", "always", times(80, "ü")), ""},
        OptionCase{
            "name_of_81_characters", options("routed", "always", times(81, "n")), "has 81 characters; at most 80"},
        OptionCase{"name_not_utf8", options("routed", "always", "\xff"), "not UTF-8"},
        OptionCase{"size_unknown", options("routed", "always", "", "800x600"), "expected 640x480, "},
        OptionCase{"location", options("routed", "manual", "", "", "255.255.255.255"), ""},
        OptionCase{"location_256", options("routed", "manual", "", "", "255.255.255.256"), "expected an IPv4 address"},
        OptionCase{"location_three_parts", options("routed", "manual", "", "", "1.2.3"), "expected an IPv4 address"},
        OptionCase{"location_five_parts", options("routed", "manual", "", "", "1.2.3.4.5"), "expected an IPv4 address"},
        OptionCase{
            "location_leading_zero", options("routed", "manual", "", "", "01.2.3.4"), "expected an IPv4 address"},
        OptionCase{"location_ipv6", options("routed", "manual", "", "", "::1"), "expected an IPv4 address"},
        OptionCase{"e2ee", options("routed", "manual", "", "", "", true), ""},
        OptionCase{"e2ee_relayed", options("relayed", "manual", "", "", "", true), "e2ee: 1: needs media_mode routed"},
        OptionCase{"e2ee_always", options("routed", "always", "", "", "", true), "e2ee: 1: needs media_mode routed"}
    ),
    testing::PrintToStringParamName{}
);

struct AnswerCase {
    char const* name;
    int status;
    char const* body;
    FailureKind kind;
    char const* reason;
    char const* sentence;

    friend void PrintTo(AnswerCase const& test, std::ostream* out) { *out << test.name; }
};

class Answers : public testing::TestWithParam<AnswerCase> {};

TEST_P(Answers, ThatAreNoSessionSayWhatTheyAre)
{
    AnswerCase const& test = GetParam();
    const auto session = read_created(reply(test.status, test.body), context());
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, test.kind);
    EXPECT_EQ(session.error().reason, test.reason);
    EXPECT_THAT(session.error().detail, HasSubstr(test.sentence));
}

INSTANTIATE_TEST_SUITE_P(
    Table, Answers,
    testing::Values(
        AnswerCase{"empty_body", 200, "", FailureKind::ambiguous, "provider_answer_invalid", "nothing with it"},
        AnswerCase{
            "xml", 200, " <?xml ?><sessions/>", FailureKind::ambiguous, "provider_answer_invalid", "XML or HTML"},
        AnswerCase{"half", 200, R"([{"session_id":)", FailureKind::ambiguous, "provider_answer_invalid", "not JSON"},
        AnswerCase{"empty_list", 200, "[]", FailureKind::transient, "provider_answer_invalid", "made no session"},
        AnswerCase{"no_id", 200, "[{}]", FailureKind::transient, "provider_answer_invalid", "no session_id"},
        AnswerCase{"null_id", 200, R"([{"session_id":null}])", FailureKind::transient, "provider_answer_invalid", ""},
        AnswerCase{"empty_id", 200, R"([{"session_id":""}])", FailureKind::transient, "provider_answer_invalid", ""},
        AnswerCase{
            "spaced_id", 200, R"([{"session_id":"a b"}])", FailureKind::ambiguous, "provider_answer_invalid", ""},
        AnswerCase{
            "foreign", 200,
            R"([{"session_id":"1_MX4xMjM0NTZ-flNhdCBNYXIgMTUgMTQ6NDI6MjMgUERUIDIwMTR-MC40OTAxMzAyNX4"}])",
            FailureKind::ambiguous, "provider_answer_invalid", "another project"},
        AnswerCase{
            "bad_request", 400, R"({"code":-1,"message":"Invalid location"})", FailureKind::permanent,
            "provider_refused", R"(answers 400 and says "Invalid location")"},
        AnswerCase{
            "wrong_secret", 403, R"({"code":-1,"message":"Invalid signature"})", FailureKind::authentication,
            "credentials_refused", "the secret is not that of API key 47665971"},
        AnswerCase{
            "no_issuer", 403, R"({"code":-1,"message":"Invalid issuer format"})", FailureKind::authentication,
            "credentials_refused", "check api_key"},
        AnswerCase{
            "wrong_kind", 403, R"({"code":-1,"message":"No suitable authentication found"})",
            FailureKind::authentication, "credentials_refused", "needs provider: vonage"},
        AnswerCase{
            "xml_error", 403, "<errorPayload><code>-1</code><message>Invalid signature</message></errorPayload>",
            FailureKind::authentication, "credentials_refused", "the secret is not that of"},
        AnswerCase{
            "from_the_future", 403, R"({"message":"issued time cannot be greater than current time"})",
            FailureKind::authentication, "clock_skewed", "set it by NTP"},
        AnswerCase{
            "unknown_key", 403, R"({"code":-1,"message":"Issuer not found","description":"Issuer not found"})",
            FailureKind::authentication, "credentials_refused",
            R"(says "Issuer not found": it knows no API key 47665971; check api_key)"},
        AnswerCase{
            "xml_attribute", 403, R"(<errors><error code="403"><auth message="Invalid signature"/></error></errors>)",
            FailureKind::authentication, "credentials_refused", "the secret is not that of"},
        AnswerCase{
            "new_secret", 403, R"({"message":"INVALID SIGNATURE"})", FailureKind::authentication, "credentials_refused",
            "the file that api_secret names and reload usherd, or restart it where api_secret is a credential"},
        AnswerCase{
            "expired", 403, R"({"message":"The token has expired"})", FailureKind::transient, "provider_timeout",
            "arrived too late"},
        AnswerCase{"no_money", 402, "", FailureKind::permanent, "provider_refused", "account"},
        AnswerCase{"unauthorised", 401, "", FailureKind::authentication, "credentials_refused", "suspended"},
        AnswerCase{
            "not_found", 404, "nope", FailureKind::permanent, "provider_not_found", "check the project's base_url"},
        AnswerCase{"moved", 301, "", FailureKind::permanent, "provider_redirects", "base_url"},
        AnswerCase{"conflict", 409, "", FailureKind::transient, "provider_error", "answers 409"},
        AnswerCase{"locked", 423, "", FailureKind::transient, "provider_error", "answers 423"},
        AnswerCase{"unprocessable", 422, "", FailureKind::permanent, "provider_refused", "answers 422"},
        AnswerCase{"no_such_method", 405, "", FailureKind::permanent, "provider_not_found", "what is on the way"},
        AnswerCase{"gone", 410, "", FailureKind::permanent, "provider_not_found", "base_url"},
        AnswerCase{"too_large", 413, "", FailureKind::permanent, "provider_not_found", "base_url"},
        AnswerCase{"of_another_host", 421, "", FailureKind::permanent, "provider_not_found", "base_url"},
        AnswerCase{"to_be_upgraded", 426, "", FailureKind::permanent, "provider_not_found", "base_url"},
        AnswerCase{"not_here", 451, "", FailureKind::permanent, "provider_not_found", "base_url"},
        AnswerCase{"too_many", 429, "", FailureKind::quota, "provider_quota", "lower the project's rate"},
        AnswerCase{"broken", 500, "boom", FailureKind::transient, "provider_error", "answers 500"},
        AnswerCase{"bad_gateway", 502, "<html>", FailureKind::ambiguous, "provider_error", "answers 502"},
        AnswerCase{"unavailable", 503, "", FailureKind::transient, "provider_error", "answers 503"},
        AnswerCase{"gateway_timeout", 504, "", FailureKind::ambiguous, "provider_error", "answers 504"},
        AnswerCase{"accepted", 202, "", FailureKind::ambiguous, "provider_answer_invalid", "answers 202"}
    ),
    testing::PrintToStringParamName{}
);

TEST(VendorWire, ReadsTheIdOfAGoodAnswer)
{
    const auto id = read_created(reply(200, R"([{"session_id":"2_MX4x","project_id":"47665971"}])"), context());
    ASSERT_TRUE(id) << id.error().detail;
    EXPECT_EQ(*id, "2_MX4x");
}

TEST(VendorWire, TakesNoSessionOfAnotherProject)
{
    // {"1~111111~~1~x~"}, and an application's id in capitals
    const std::string of_a_key = R"([{"session_id":"1_MX4xMTExMTF-fjF-eH4"}])";
    const std::string of_an_application =
        R"([{"session_id":"1_MX4yOUY3NjBGOC03Q0UxLTQ2QzktQURFMy1GMkRFREVFNEVENUZ-fjF-eH4"}])";
    CallContext vonage = context();
    vonage.host = VendorHost::vonage;
    vonage.project_key = "29f760f8-7ce1-46c9-ade3-f2dedee4ed5f";
    ASSERT_FALSE(read_created(reply(200, of_a_key), vonage));
    EXPECT_THAT(read_created(reply(200, of_a_key), vonage).error().detail, HasSubstr("another project"));
    EXPECT_TRUE(read_created(reply(200, of_an_application), vonage)) << "case says nothing";
    EXPECT_FALSE(read_created(reply(200, of_an_application), context()));
    EXPECT_TRUE(read_created(reply(200, R"([{"session_id":"2_999999999999999-MTYx"}])"), vonage)) << "not to be read";
}

TEST(VendorWire, PublishesNothingThatHoldsACredential)
{
    const std::string text = "9e107d9d372bb6826bd81d3542a419d6e1a2b3c4";
    const VeiledSecret secret{text};
    CallContext call = context();
    call.secret = &secret;
    const std::string jwt = call.authorization =
        "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiI0NzY2NTk3MSJ9.SflKxwRJSMeKKF2QT4fw-pMeJf36_k6yJV";
    for (std::string const& id :
         {jwt, "1_" + jwt.substr(1), "1_" + base64url_encode(jwt), text, "1_" + base64url_encode(text)}) {
        const auto made = read_created(reply(200, R"([{"session_id":")" + id + R"("}])"), call);
        ASSERT_FALSE(made) << id;
        EXPECT_TRUE(leaves_session(made.error()));
    }
    for (std::string const& echo :
         {text, std::string{"9e107d9d 372bb682 6bd81d35 42a419d6 e1a2b3c4"},
          std::string{"9e107d9d372bb6826bd - 81d3542a419d6e1a2b3c4"}, std::string{"4c3b2a1e 6d914a24 53d18db6"}}) {
        const auto refused = read_created(reply(403, R"({"message":"Invalid signature: )" + echo + R"("})"), call);
        EXPECT_THAT(refused.error().detail, HasSubstr("the secret is not that of")) << echo;
        EXPECT_THAT(refused.error().detail, testing::Not(HasSubstr("9e107d9d"))) << echo;
        EXPECT_THAT(refused.error().detail, testing::Not(HasSubstr("4c3b2a1e"))) << echo;
    }
    const auto bad = read_created(reply(400, R"({"message":"no 9e107d9d 372bb682 here"})"), call);
    EXPECT_THAT(bad.error().detail, HasSubstr("says \"no [credential] here\""));
}

TEST(VendorWire, MakesTheVendorsOwnWordsHarmless)
{
    const auto session =
        read_created(reply(400, R"({"message":"a\u001b[31m\"b)" + std::string(300, 'x') + "\"}"), context());
    EXPECT_THAT(session.error().detail, HasSubstr(R"("a\x1b[31m\"bxxx)"));
    EXPECT_THAT(session.error().detail, testing::EndsWith("xxx...\""));
}

TEST(VendorWire, RefusesToPublishUnderAClockThatIsWrong)
{
    const auto at = [](seconds ahead) {
        CallContext call = context();
        call.now += ahead;
        return read_created(reply(200, R"([{"session_id":"2_MX4x"}])"), call);
    };
    EXPECT_TRUE(at(60s));
    EXPECT_TRUE(at(-60s));
    ASSERT_FALSE(at(61s));
    EXPECT_THAT(at(61s).error().detail, HasSubstr("this machine's clock is 61s ahead of that of api.example"));
    ASSERT_FALSE(at(-61s));
    EXPECT_THAT(at(-61s).error().detail, HasSubstr("is 61s behind that of api.example"));
    EXPECT_EQ(at(61s).error().reason, "clock_skewed");
    EXPECT_TRUE(at(61s).error().of_project);
    EXPECT_TRUE(needs_somebody(at(61s).error().kind));
    EXPECT_TRUE(leaves_session(at(61s).error()));
}

TEST(VendorWire, BlamesTheClockForARefusalUnderAClockThatIsWrong)
{
    const auto at = [](int status, seconds ahead) {
        CallContext call = context();
        call.now += ahead;
        return read_created(reply(status, R"({"message":"The token has expired"})"), call).error();
    };
    for (const int status : {401, 403}) {
        EXPECT_EQ(at(status, -61s).reason, "clock_skewed");
        EXPECT_EQ(at(status, 61s).reason, "clock_skewed");
        EXPECT_TRUE(needs_somebody(at(status, -61s).kind));
        EXPECT_FALSE(leaves_session(at(status, -61s)));
        EXPECT_EQ(at(status, -60s).reason, "provider_timeout");
    }
}

TEST(VendorWire, RefusesHostileSessionIds)
{
    for (std::string const& id :
         {std::string{R"("")"}, std::string{"7"}, std::string{"null"}, std::string{"true"}, std::string{"[\"2_a\"]"},
          std::string{R"({"a":1})"}, std::string{R"("..")"}, std::string{R"("a/../b")"}, std::string{R"("a\u0000b")"},
          std::string{R"("\u001b[31m")"}, std::string{R"("a\nb")"}, std::string{R"("\u202e")"},
          '"' + std::string(256, 'x') + '"', '"' + std::string(200'000, 'x') + '"'}) {
        const auto session = read_created(reply(200, R"([{"session_id":)" + id + "}]"), context());
        ASSERT_FALSE(session) << id.substr(0, 300);
        EXPECT_EQ(session.error().reason, "provider_answer_invalid");
        EXPECT_LT(session.error().detail.size(), 300U);
    }
    EXPECT_TRUE(read_created(reply(200, R"([{"session_id":")" + std::string(255, 'x') + "\"}]"), context()));
}

TEST(VendorWire, ReadsRetryAfterInBothForms)
{
    EXPECT_EQ(parse_retry_after("120", now), 120s);
    EXPECT_EQ(parse_retry_after("0", now), 0s);
    EXPECT_EQ(parse_retry_after("99999999999999999999", now), 24h);
    EXPECT_EQ(parse_retry_after("Tue, 14 Nov 2023 22:15:20 GMT", now), 120s);
    EXPECT_EQ(parse_retry_after("Tue, 14 Nov 2023 22:13:19 GMT", now), 0s);
    for (char const* const text : {"", "-1", "1.5", "soon", "120 s"})
        EXPECT_FALSE(parse_retry_after(text, now)) << text;
}

TEST(VendorWire, ReadsDatesOfHttp)
{
    EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), sys_seconds{784111777s});
    for (char const* const text :
         {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 UTC",
          "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT"})
        EXPECT_FALSE(parse_http_date(text)) << text;
}

TEST(VendorWire, ListsWhoIsThere)
{
    const auto page = read_connections(
        reply(200, R"({"count":3,"items":[{"connectionId":"a","connectionState":"Connected"},
                                          {"connectionId":"b","connectionState":"Disconnected"},
                                          {"connectionId":"c"},{"x":1},7,{"connectionId":".."},
                                          {"connectionId":5,"connectionState":7}]})"),
        context()
    );
    ASSERT_TRUE(page);
    EXPECT_THAT(page->connected, testing::ElementsAre("a", "c"));
    EXPECT_EQ(page->listed, 7U);
    EXPECT_EQ(page->unusable, 4U);
    EXPECT_EQ(read_connections(reply(404, ""), context())->listed, 0U);
    EXPECT_FALSE(read_connections(reply(200, "[]"), context()));
    EXPECT_FALSE(read_connections(reply(403, ""), context()));
}

TEST(VendorWire, NothingThatWasSentIsTakenForCertain)
{
    for (const HttpStage stage : {HttpStage::resolve, HttpStage::connect, HttpStage::proxy, HttpStage::tls})
        EXPECT_EQ(failure_of({stage, false, false, "x"}).kind, FailureKind::transient);
    EXPECT_EQ(failure_of({HttpStage::exchange, false, true, "x"}).kind, FailureKind::ambiguous);
    EXPECT_EQ(failure_of({HttpStage::exchange, true, true, "x"}).reason, "provider_timeout");
    EXPECT_EQ(failure_of({HttpStage::tls, true, false, "x"}).kind, FailureKind::transient);
}

} // namespace
} // namespace usher
