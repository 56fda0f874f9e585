// SPDX-License-Identifier: Apache-2.0
// Whole calls, against a server that a test writes down as a function.
#include <usher/provider/vendor.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace usher {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using Answer = tl::expected<HttpReply, HttpFailure>;

constexpr sys_seconds now{1'700'000'000s}; // Tue, 14 Nov 2023 22:13:20 GMT
constexpr auto in_time = "Tue, 14 Nov 2023 22:13:20 GMT";
constexpr auto two_minutes_ahead = "Tue, 14 Nov 2023 22:15:20 GMT";

class Server final : public HttpTransport {
public:
    boost::asio::awaitable<Answer> send(HttpRequest request) override
    {
        requests.push_back(request.method + ' ' + request.target);
        co_return answer(request);
    }

    std::function<Answer(HttpRequest const&)> answer;
    std::vector<std::string> requests;
};

HttpReply reply(int status, std::string body, std::string date = in_time)
{
    return {status, {{"Date", std::move(date)}}, std::move(body)};
}

class VendorCalls : public testing::Test {
protected:
    template <class Outcome>
    Outcome run(boost::asio::awaitable<Outcome> call)
    {
        std::optional<Outcome> result;
        boost::asio::co_spawn(context, std::move(call), [&](std::exception_ptr error, Outcome outcome) {
            EXPECT_FALSE(error);
            result = std::move(outcome);
        });
        context.restart();
        context.run();
        return *result;
    }

    CreateOutcome create() { return run(provider.create_session({})); }
    DisconnectOutcome disconnect(std::string session_id = "2_session")
    {
        return run(provider.emptier(std::move(session_id))->go_on({}, may_go_on));
    }

    std::function<bool()> may_go_on = [] { return true; };
    boost::asio::io_context context;
    std::shared_ptr<Server> server = std::make_shared<Server>();
    VendorProvider provider{
        VendorHost::opentok,
        "vendor.example",
        *TokenSigner::for_api_key(TokenFormat::jwt, "47665971", Secret{"0123456789abcdef0123456789abcdef01234567"}),
        10s,
        server,
        [] { return now; }};
};

// A clock that is wrong.

TEST_F(VendorCalls, AskForNoSecondSessionUntilTheClockIsRight)
{
    std::string date = two_minutes_ahead;
    server->answer = [&](HttpRequest const&) { return reply(200, R"([{"session_id":"2_a"}])", date); };

    const auto first = create();
    ASSERT_FALSE(first.session_id);
    EXPECT_EQ(first.session_id.error().reason, "clock_skewed");
    EXPECT_TRUE(leaves_session(first.session_id.error()));

    const auto second = create();
    ASSERT_FALSE(second.session_id);
    EXPECT_EQ(second.session_id.error().reason, "clock_skewed");
    EXPECT_FALSE(leaves_session(second.session_id.error()));

    date = in_time;
    EXPECT_TRUE(create().session_id);
    EXPECT_TRUE(create().session_id);
    EXPECT_THAT(
        server->requests,
        ElementsAre("POST /session/create", "HEAD /", "HEAD /", "POST /session/create", "POST /session/create")
    );
}

TEST_F(VendorCalls, TakeAQuestionForTheTimeForNoSession)
{
    server->answer = [](HttpRequest const&) { return reply(200, R"([{"session_id":"2_a"}])", two_minutes_ahead); };
    create();

    server->answer = [](HttpRequest const&) {
        return tl::unexpected{HttpFailure{HttpStage::exchange, true, true, "too slow"}};
    };
    const auto outcome = create();

    ASSERT_FALSE(outcome.session_id);
    EXPECT_EQ(outcome.session_id.error().kind, FailureKind::transient);
    EXPECT_FALSE(leaves_session(outcome.session_id.error()));
}

// Who is in a session.

/// A list in pages, as the vendor has it.
struct Room {
    struct Entry {
        std::string id;
        bool connected = true;
    };

    explicit Room(int people)
    {
        for (int i = 0; i < people; ++i)
            entries.push_back({"person-" + std::to_string(i)});
    }

    Answer operator()(HttpRequest const& request)
    {
        if (request.method == "DELETE")
            return remove(request.target.substr(request.target.rfind('/') + 1));
        const std::size_t question = request.target.find("?offset=");
        const std::size_t offset = ignores_offset ? 0 : std::stoul(request.target.substr(question + 8));
        std::string items;
        for (std::size_t i = offset; i < std::min(entries.size(), offset + 1000); ++i)
            items += std::string{items.empty() ? "" : ","} + R"({"connectionId":")" + entries[i].id +
                     R"(","connectionState":")" + (entries[i].connected ? "Connected" : "Disconnected") + "\"}";
        return reply(200, R"({"items":[)" + items + "]}");
    }

    Answer remove(std::string const& id)
    {
        ++removals;
        const auto found =
            std::find_if(entries.begin(), entries.end(), [&](Entry const& entry) { return entry.id == id; });
        if (found == entries.end() || !found->connected)
            return reply(404, "");
        if (newcomers > 0)
            entries.insert(entries.begin(), {"newcomer-" + std::to_string(newcomers--)});
        const auto again =
            std::find_if(entries.begin(), entries.end(), [&](Entry const& entry) { return entry.id == id; });
        if (keeps_gone)
            again->connected = false;
        else
            entries.erase(again);
        return reply(204, "");
    }

    std::size_t present() const
    {
        return static_cast<std::size_t>(std::count_if(entries.begin(), entries.end(), [](Entry const& entry) {
            return entry.connected;
        }));
    }

    std::vector<Entry> entries;
    bool keeps_gone = false;
    bool ignores_offset = false;
    int newcomers = 0;
    int removals = 0;
};

TEST_F(VendorCalls, EndEveryConnectionOfEveryPage)
{
    for (const bool keeps_gone : {false, true})
        for (const int people : {0, 1, 60, 1000, 1001, 2500}) {
            SCOPED_TRACE(people);
            Room room{people};
            room.keeps_gone = keeps_gone;
            server->answer = std::ref(room);

            const auto outcome = disconnect();

            ASSERT_TRUE(outcome.disconnected) << outcome.disconnected.error().detail;
            EXPECT_EQ(*outcome.disconnected, static_cast<std::size_t>(people));
            EXPECT_EQ(room.present(), 0U);
            EXPECT_EQ(room.removals, people);
        }
}

TEST_F(VendorCalls, AskOnceWhereNobodyIs)
{
    Room room{0};
    server->answer = std::ref(room);

    EXPECT_EQ(*disconnect().disconnected, 0U);
    EXPECT_THAT(
        server->requests, ElementsAre("GET /v2/project/47665971/session/2_session/connection?offset=0&count=1000")
    );
}

TEST_F(VendorCalls, EndThePeopleBehindManyWhoAreGone)
{
    Room room{2500};
    room.keeps_gone = true;
    for (int i = 0; i < 2400; ++i)
        room.entries[static_cast<std::size_t>(i)].connected = false;
    server->answer = std::ref(room);

    EXPECT_EQ(*disconnect().disconnected, 100U);
    EXPECT_EQ(room.present(), 0U);
}

TEST_F(VendorCalls, EndWhoCameInMeanwhile)
{
    for (const bool keeps_gone : {false, true}) {
        Room room{1200};
        room.keeps_gone = keeps_gone;
        room.newcomers = 5;
        server->answer = std::ref(room);

        EXPECT_EQ(*disconnect().disconnected, 1205U);
        EXPECT_EQ(room.present(), 0U);
    }
}

TEST_F(VendorCalls, EndNobodyAnyMoreOnceTheyMayNotGoOn)
{
    const struct {
        std::size_t requests; // that may be sent
        std::size_t ended;
    } table[] = {{0, 0}, {1, 0}, {2, 1}, {1000, 999}, {1001, 1000}, {1002, 1000}, {1003, 1001}};
    for (auto const& row : table) {
        SCOPED_TRACE(row.requests);
        Room room{1500};
        server->answer = std::ref(room);
        server->requests.clear();
        may_go_on = [&] { return server->requests.size() < row.requests; };

        const auto outcome = disconnect();

        ASSERT_TRUE(outcome.disconnected);
        EXPECT_EQ(*outcome.disconnected, row.ended);
        EXPECT_EQ(room.present(), 1500 - row.ended);
        EXPECT_EQ(server->requests.size(), row.requests);
    }
}

TEST_F(VendorCalls, ComeToAnEndWhereTheOffsetIsIgnored)
{
    Room room{10};
    room.keeps_gone = true;
    room.ignores_offset = true;
    server->answer = std::ref(room);

    EXPECT_EQ(*disconnect().disconnected, 10U);
    EXPECT_LT(server->requests.size(), 20U);
}

TEST_F(VendorCalls, ComeToAnEndWhereTheListHasNone)
{
    int number = 0;
    server->answer = [&](HttpRequest const& request) -> Answer {
        if (request.method == "DELETE")
            return reply(204, "");
        return reply(200, R"({"items":[{"connectionId":"person-)" + std::to_string(++number) + "\"}]}");
    };

    const auto outcome = disconnect();

    ASSERT_FALSE(outcome.disconnected);
    EXPECT_THAT(outcome.disconnected.error().detail, HasSubstr("without end; 100 were ended"));
    EXPECT_TRUE(outcome.is_endless);
}

TEST_F(VendorCalls, EndNoMorePeopleThanASessionHolds)
{
    int number = 0;
    server->answer = [&](HttpRequest const& request) -> Answer {
        if (request.method == "DELETE")
            return reply(204, "");
        std::string items;
        for (int i = 0; i < 1000; ++i)
            items +=
                std::string{i == 0 ? "" : ","} + R"({"connectionId":"person-)" + std::to_string(++number) + R"("})";
        return reply(200, R"({"items":[)" + items + "]}");
    };

    const auto outcome = disconnect();

    ASSERT_FALSE(outcome.disconnected);
    EXPECT_THAT(outcome.disconnected.error().detail, HasSubstr("without end; 20000 were ended"));
    EXPECT_TRUE(outcome.is_endless);
}

TEST_F(VendorCalls, LeaveAloneWhatMayNotStandInAPathAndSaySo)
{
    Room room{3};
    room.entries[1].id = "../../account";
    server->answer = std::ref(room);

    const auto outcome = disconnect();

    ASSERT_FALSE(outcome.disconnected);
    EXPECT_THAT(outcome.disconnected.error().detail, HasSubstr("lists 1 connections with ids"));
    EXPECT_EQ(room.present(), 1U);
    for (std::string const& request : server->requests)
        EXPECT_THAT(request, testing::Not(HasSubstr("account")));
}

TEST_F(VendorCalls, SendNothingForASessionThatMayNotStandInAPath)
{
    for (std::string const& id : {std::string{".."}, std::string{}, std::string{"a/b"}, std::string(5'000'000, 'x')}) {
        const auto outcome = disconnect(id);
        ASSERT_FALSE(outcome.disconnected);
        EXPECT_EQ(outcome.disconnected.error().reason, "session_id_invalid");
    }
    EXPECT_TRUE(server->requests.empty());
}

} // namespace
} // namespace usher
