// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <usher/provider/vendor.hpp>

#include "vendor/model.hpp"
#include "world.hpp"

namespace usher::test {

/// The stand-in for the vendor in process, on the test's clock.
class ModelTransport final : public HttpTransport {
public:
    ModelTransport(vendor::Vendor& vendor, ManualClock const& clock) : vendor_{vendor}, clock_{clock} {}

    boost::asio::awaitable<tl::expected<HttpReply, HttpFailure>> send(HttpRequest request) override
    {
        tl::expected<HttpReply, HttpFailure> result = answer(request);
        if (after_answer)
            after_answer();
        co_return result;
    }

    std::function<void()> after_answer; ///< Between the vendor's work and the caller's knowledge of it.

private:
    tl::expected<HttpReply, HttpFailure> answer(HttpRequest const& request)
    {
        if (vendor_.refuses_connection())
            return tl::unexpected{HttpFailure{HttpStage::connect, false, false, "model: the connection was refused"}};
        const vendor::Outcome outcome = vendor_.handle(request, clock_.now(), ++entropy_);
        if (outcome.delay > seconds{20})
            return tl::unexpected{HttpFailure{HttpStage::exchange, true, true, "model: no answer within 20s"}};
        if (outcome.reset != vendor::Reset::none || outcome.truncate)
            return tl::unexpected{HttpFailure{HttpStage::exchange, false, true, "model: the connection broke"}};
        return outcome.reply;
    }

    vendor::Vendor& vendor_;
    ManualClock const& clock_;
    std::uint64_t entropy_ = 0;
};

/// A world whose default project is one of the vendor's.
class LiveWorld : public World {
public:
    LiveWorld()
    {
        vendor.add_opentok("123456", "secret");
        vendor.add_opentok("777", "secret");
        second_project = false;
        policy.token_lead = 4h;
        default_project = [this](std::vector<Project>& projects) {
            projects.push_back(live("default", api_key, secret, pace));
            for (std::string const& name : others)
                projects.push_back(live(name, "777", other_secret, pace));
        };
        restart();
    }

    Project live(std::string name, std::string const& key, std::string const& key_secret, PaceSettings limits)
    {
        auto signer = TokenSigner::for_api_key(TokenFormat::jwt, key, Secret{key_secret});
        transport = std::make_shared<ModelTransport>(vendor, clock);
        Project project{
            {},
            *signer,
            std::make_shared<VendorProvider>(
                VendorHost::opentok, "vendor.example", *signer, seconds{10}, transport, [this] { return clock.now(); }
            ),
            limits};
        project.facts.name = std::move(name);
        project.facts.provider = "opentok";
        project.facts.project_key = project.signer.project_key();
        project.facts.key_id = project.signer.key_id();
        project.facts.policy = policy;
        return project;
    }

    /// Until nothing is to be done at this instant.
    std::chrono::steady_clock::duration quiesce()
    {
        for (;;) {
            const std::int64_t before = commits_seen(*platform);
            World::settle();
            step_sessions();
            const auto wait = step_sessions();
            const auto due = store->next_due();
            if (wait > wait.zero() && !(due && *due <= clock.now()) && commits_seen(*platform) == before)
                return wait;
        }
    }

    /// Lets `span` pass, stopping wherever something is to be done, and `look`ing each time.
    void pass_time(seconds span, std::function<void()> const& look = nullptr)
    {
        const sys_seconds end = clock.now() + span;
        for (;;) {
            const auto wait = std::chrono::ceil<seconds>(quiesce());
            if (look)
                look();
            if (clock.now() >= end)
                return;
            sys_seconds next = std::min(end, clock.now() + std::max(wait, seconds{1}));
            if (const auto due = store->next_due())
                next = std::min(next, *due);
            clock.advance(std::max(next - clock.now(), seconds{1}));
        }
    }

    std::int64_t number(std::string const& query) { return std::stoll(text(query)); }

    /// Meetings m0, m1, … that open soon, with somebody each.
    void meetings(int count, std::int64_t starts = 1800, std::string const& prefix = "m")
    {
        sql("BEGIN");
        for (int i = 0; i < count; ++i) {
            const std::string id = prefix + std::to_string(i);
            meeting(starts, starts + 7200, id);
            participant("p", "publisher", id);
        }
        sql("COMMIT");
    }

    std::int64_t ready() { return number("SELECT count(*) FROM meeting_status WHERE state = 'ready'"); }
    std::int64_t abandoned() { return number("SELECT count(*) FROM session_attempt WHERE outcome = 'abandoned'"); }

    vendor::Vendor vendor;
    std::string api_key = "123456";
    std::string other_secret = "secret";
    PaceSettings pace{8, 1000, 1000};
    std::vector<std::string> others;
    std::shared_ptr<ModelTransport> transport;
};

} // namespace usher::test
