// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <usher/provider/sandbox.hpp>
#include <usher/service/provisioning.hpp>
#include <usher/store/database.hpp>
#include <usher/store/promise_check.hpp>
#include <usher/store/store.hpp>

#include "support/manual_clock.hpp"
#include "support/run.hpp"
#include "support/sqlite/platform.hpp"
#include "support/sqlite/unwatched_store.hpp"
#include "support/temp_dir.hpp"

namespace usher::test {

using namespace std::chrono_literals;

class CountingRandom final : public RandomSource {
public:
    std::function<void()> before_next; ///< Called once: a place in the middle of a pass.

    std::uint64_t next() override
    {
        const std::lock_guard lock{mutex_};
        if (const auto call = std::exchange(before_next, nullptr))
            call();
        state_ += 0x9e3779b97f4a7c15U;
        return state_ ^ (state_ >> 29U);
    }

private:
    std::mutex mutex_; // the workers draw too
    std::uint64_t state_ = 1;
};

inline Project sandbox(std::string name, std::string api_key, Policy policy, std::string secret = "secret")
{
    auto signer = TokenSigner::for_api_key(TokenFormat::jwt, api_key, Secret{std::move(secret)});
    Project project{{}, std::move(*signer), std::make_unique<SandboxProvider>(api_key)};
    project.facts.name = std::move(name);
    project.facts.provider = "sandbox";
    project.facts.project_key = project.signer.project_key();
    project.facts.key_id = project.signer.key_id();
    project.facts.format = TokenFormat::jwt;
    project.facts.policy = policy;
    return project;
}

struct Read {
    std::string session_id;
    std::string token;
    std::string role;
    std::int64_t expires_at;

    friend bool operator==(Read const&, Read const&) = default;
};

/// A platform and a daemon on one real database file, under a clock that the test holds.
class World {
public:
    static constexpr sys_seconds start{1'800'000'000s};

    World()
    {
        create_database(path, FileAccess::group);
        open_platform();
        restart();
    }

    void open_platform() { platform = connect_platform(path, clock); }

    /// Nobody has the database open then.
    void close()
    {
        stop();
        platform.reset();
    }

    /// The daemon is no more.
    void stop()
    {
        provisioner.reset();
        maker.reset();
        store.reset();
    }

    /// A new daemon takes over, with the projects as they are now.
    void restart()
    {
        stop();
        store = unwatched_store(path, "test", clock, context.get_executor());
        store->open();
        const Tenure tenure = store->take_over();
        std::vector<Project> projects;
        if (default_project)
            default_project(projects);
        else
            projects.push_back(sandbox("default", "123456", policy, secret));
        if (second_project)
            projects.push_back(sandbox("second", "654321", policy));
        ProvisioningSettings settings;
        settings.base = policy;
        settings.clock = tenure.clock;
        maker = std::make_unique<SessionMaker>(context.get_executor(), *store, clock, random, [] {});
        provisioner = std::make_unique<Provisioner>(
            *store, clock, random, *maker, context.get_executor(), workers.value_or(Workers{context.get_executor()}),
            std::move(projects), settings
        );
        reconcile();
    }

    /// One step of the session maker.
    std::chrono::steady_clock::duration step_sessions() { return test::run(context, maker->step()); }

    /// What a start does in the end: all rows are compared.
    void reconcile()
    {
        test::run(context, provisioner->find_stale());
        provisioner->start_sweep();
        while (test::run(context, provisioner->sweep())) {
        }
    }

    void sql(std::string const& statement) { platform->exec(statement); }

    PassResult pass() { return test::run(context, provisioner->pass()); }

    /// Passes until nothing is due.
    PassResult work() { return test::run(context, provisioner->settle()); }

    /// Likewise, and asks the checker.
    PassResult settle()
    {
        const PassResult result = test::run(context, provisioner->settle());
        for (Violation const& violation : violations())
            ADD_FAILURE() << violation.promise << " " << violation.meeting_id << ": " << violation.what;
        return result;
    }

    std::vector<Violation> violations()
    {
        return find_violations(
            path, provisioner->projects(),
            [this](std::string_view project, Credential const& credential) {
                return provisioner->check_signature(project, credential);
            },
            clock.now()
        );
    }

    /// What is behind the store, for single steps.
    StoreFile& rows() { return rows_of(*store); }

    /// What the platform reads, by participant.
    std::map<std::string, Read> credentials(std::string const& meeting = "m")
    {
        std::map<std::string, Read> result;
        each_row(
            *platform,
            "SELECT participant_id, session_id, token, role, expires_at FROM join_credential WHERE meeting_id = ?",
            meeting,
            [&](auto& row) {
                result[row.getColumn(0).getString()] = {
                    row.getColumn(1).getString(), row.getColumn(2).getString(), row.getColumn(3).getString(),
                    row.getColumn(4).getInt64()};
            }
        );
        return result;
    }

    std::string text(std::string const& query) { return text_of(*platform, query); }

    std::string status(std::string const& meeting = "m")
    {
        return text("SELECT state, reason FROM meeting_status WHERE meeting_id = '" + meeting + "'");
    }

    std::string reason(std::string const& participant, std::string const& meeting = "m")
    {
        return text(
            "SELECT t.reason FROM token t JOIN agenda a ON a.session_no = t.session_no WHERE a.meeting_id = '" +
            meeting + "' AND t.participant_id = '" + participant + "'"
        );
    }

    /// A meeting from `starts` to `ends`, in seconds from the start of the test.
    void
    meeting(std::int64_t starts, std::int64_t ends, std::string const& id = "m", std::string const& verb = "INSERT")
    {
        const std::int64_t zero = unix_seconds(start);
        sql(verb + " INTO meeting (id, starts_at, ends_at) VALUES ('" + id + "', " + std::to_string(zero + starts) +
            ", " + std::to_string(zero + ends) + ")");
    }

    void participant(
        std::string const& id, std::string const& role = "publisher", std::string const& meeting_id = "m",
        std::string const& verb = "INSERT"
    )
    {
        sql(verb + " INTO participant (meeting_id, participant_id, role) VALUES ('" + meeting_id + "', '" + id +
            "', '" + role + "')");
    }

    TempDir folder;
    std::string path = folder.file("usher.db");
    ManualClock clock{start};
    CountingRandom random;
    Policy policy;
    std::string secret = "secret";
    bool second_project = true;
    std::unique_ptr<Platform> platform;
    boost::asio::io_context context{1};
    std::optional<Workers> workers;                             ///< Instead of the one thread that there is.
    std::function<void(std::vector<Project>&)> default_project; ///< Instead of a sandbox; asked at each restart.
    std::unique_ptr<Store> store;
    std::unique_ptr<SessionMaker> maker;
    std::unique_ptr<Provisioner> provisioner;
};

} // namespace usher::test
