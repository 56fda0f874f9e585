// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/token.hpp>
#include <usher/provider/provider.hpp>
#include <usher/service/pace.hpp>
#include <usher/service/random.hpp>
#include <usher/service/session_maker.hpp>
#include <usher/store/store.hpp>

namespace usher {

/// A configured project with what signs its tokens and what creates its sessions.
struct Project {
    ProjectFacts facts;
    TokenSigner signer;
    std::shared_ptr<Provider> provider;
    PaceSettings pace{}; ///< Of calls over the network.
};

struct ProvisioningSettings {
    Policy base;                         ///< For meetings whose project is not configured.
    std::size_t meetings_max = 256;      ///< Claimed at once.
    std::size_t participants_max = 4096; ///< Read at once, a single larger meeting aside.
};

/// What a pass did.
struct PassResult {
    std::size_t claimed = 0;
    PublishCounts published;
    bool more = false; ///< Something was done, so there may be more to do now.

    PassResult& operator+=(PassResult const& other);
};

/// Due meetings in, published tokens out: claim, plan, create sessions, sign, publish. One call is one batch. Sessions
/// that need the network are ordered from `maker`, and published by a later pass.
class Provisioner {
public:
    Provisioner(
        Store& store, Clock& clock, RandomSource& random, SessionMaker& maker, std::vector<Project> projects,
        ProvisioningSettings settings
    );

    /// One batch. Errors: those of Store; what a failed pass had claimed is given back by the next one.
    boost::asio::awaitable<PassResult> pass();

    /// Passes until nothing is due or a stop is requested.
    boost::asio::awaitable<PassResult> settle();

    /// Takes a new configuration; reconcile() makes it visible to the rows. Not while a pass runs.
    void configure(std::vector<Project> projects, ProvisioningSettings settings);

    /// Puts back dropped triggers and marks what the configuration or a lost trigger makes due. In chunks, but all of
    /// it.
    boost::asio::awaitable<void> reconcile();

    /// Ends settle() after the transaction in hand.
    void request_stop() { stopping_ = true; }

    /// Ends settle() after the batch in hand, for once: something else is to be done before the next.
    void request_pause() { pausing_ = true; }

    Projects const& projects() const { return projects_; }
    /// Whether a published token is signed by its project and says what its row says: session, role, times, key.
    Result<void> check_signature(std::string_view project, Credential const& credential) const;

private:
    struct Slice;
    boost::asio::awaitable<void> create_sessions(
        std::vector<MeetingSnapshot> const& meetings, std::vector<Plan>& plans,
        std::vector<std::optional<SessionNo>>& numbers, std::vector<std::string>& session_ids
    );
    boost::asio::awaitable<PassResult> work(std::vector<MeetingSnapshot> const& meetings);
    boost::asio::awaitable<void> flush(Slice& slice, PassResult& result);

    Store& store_;
    Clock& clock_;
    RandomSource& random_;
    SessionMaker& maker_;
    std::map<std::string, Project, std::less<>> by_name_;
    Projects projects_;
    ProvisioningSettings settings_;
    bool stopping_ = false;
    bool pausing_ = false;
    bool claims_left_ = false;
    std::size_t slice_tokens_ = 256; // adapts to what the write lock can take in its share of time
    std::int64_t data_version_ = 0;
    std::chrono::steady_clock::time_point platform_wrote_{};
};

} // namespace usher
