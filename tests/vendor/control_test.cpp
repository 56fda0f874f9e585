// SPDX-License-Identifier: Apache-2.0
#include "vendor/control.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace std::chrono_literals;
using namespace usher;
using namespace usher::vendor;
using testing::HasSubstr;
using testing::SizeIs;

namespace {

using Json = nlohmann::ordered_json;

constexpr Instant now{1'700'000'000'000ms};

HttpReply call(Vendor& vendor, std::string method, std::string const& what, std::string body = "")
{
    HttpRequest request;
    request.method = std::move(method);
    request.target = std::string{control_prefix} + what;
    request.body = std::move(body);
    return control(vendor, request, now);
}

} // namespace

TEST(Control, ScriptsFaults)
{
    Vendor vendor;

    const HttpReply reply = call(vendor, "POST", "faults", R"({
        "chance": 0.5, "kinds": ["reset_after"], "outage": true,
        "next": ["ok", {"kind":"too_many","retry_after":2,"retry_after_is_date":true}, {"kind":"delay","delay_ms":30},
                 {"kind":"skewed_date","skew":-5}]})");

    EXPECT_EQ(reply.status, 200);
    Behaviour const& behaviour = vendor.behaviour;
    EXPECT_EQ(behaviour.chance, 0.5);
    ASSERT_THAT(behaviour.by_chance, SizeIs(1));
    EXPECT_EQ(behaviour.by_chance[0].kind, FaultKind::reset_after);
    EXPECT_EQ(behaviour.outage, Outage::unavailable);
    ASSERT_THAT(behaviour.next, SizeIs(4));
    EXPECT_EQ(behaviour.next[0].kind, FaultKind::none);
    EXPECT_EQ(behaviour.next[1].retry_after, 2s);
    EXPECT_TRUE(behaviour.next[1].retry_after_is_date);
    EXPECT_EQ(behaviour.next[2].delay, 30ms);
    EXPECT_EQ(behaviour.next[3].skew, -5s);
}

TEST(Control, ChangesNothingWhenItCannotReadAll)
{
    Vendor vendor;

    for (auto const* body :
         {R"({"chance":1,"next":["nonsense"]})", R"({"chance":1,"kind":["xml"]})", R"({"chance":1,"outage":"maybe"})",
          R"({"chance":1,"next":[{"delay_ms":1}]})", R"({"chance":"1"})", "no JSON", ""})
        EXPECT_EQ(call(vendor, "POST", "faults", body).status, 400) << body;

    EXPECT_EQ(vendor.behaviour.chance, 0);
}

TEST(Control, EndsAnOutage)
{
    Vendor vendor;

    call(vendor, "POST", "faults", R"({"outage":"refused"})");
    const Outage during = vendor.behaviour.outage;
    call(vendor, "POST", "faults", R"({"outage":false})");

    EXPECT_EQ(during, Outage::refused);
    EXPECT_EQ(vendor.behaviour.outage, Outage::none);
}

TEST(Control, SetsClockAndCertificate)
{
    Vendor vendor;

    EXPECT_EQ(call(vendor, "POST", "clock", R"({"offset":-90})").status, 200);
    EXPECT_EQ(call(vendor, "POST", "certificate", R"({"kind":"expired"})").status, 200);
    EXPECT_EQ(call(vendor, "POST", "certificate", R"({"kind":"fine"})").status, 400);

    EXPECT_EQ(vendor.behaviour.clock_offset, -90s);
    EXPECT_EQ(vendor.behaviour.certificate, Certificate::expired);
}

TEST(Control, ShowsWhatCame)
{
    Vendor vendor;
    HttpRequest request;
    request.method = "POST";
    request.target = "/session/create";
    request.headers = {{"Accept", "application/json"}};
    request.body = "a=1";
    vendor.handle(request, now, 7);

    const Json requests = Json::parse(call(vendor, "GET", "requests").body);
    const Json counts = Json::parse(call(vendor, "GET", "counts").body);
    const Json sessions = Json::parse(call(vendor, "GET", "sessions").body);

    EXPECT_EQ(requests, Json::parse(R"([{"time_ms":1700000000000,"method":"POST","target":"/session/create",
        "status":401,"fault":"ok","headers":[["Accept","application/json"]],"body":"a=1"}])"));
    EXPECT_EQ(counts["requests"], 1);
    EXPECT_EQ(sessions, Json::array());
}

TEST(Control, KnowsNothingElse)
{
    Vendor vendor;

    EXPECT_EQ(call(vendor, "GET", "faults").status, 404);
    EXPECT_EQ(call(vendor, "POST", "sessions", "{}").status, 404);
    EXPECT_EQ(call(vendor, "DELETE", "sessions").status, 404);
    EXPECT_EQ(call(vendor, "POST", "connections", R"({"session_id":"1_x"})").status, 404);
}
