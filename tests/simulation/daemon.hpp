// SPDX-License-Identifier: Apache-2.0
// The daemon as the simulation runs it: the one file that knows what it is put together from.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <usher/async/task_group.hpp>
#include <usher/service/main_loop.hpp>
#include <usher/service/provisioning.hpp>
#include <usher/service/random.hpp>
#include <usher/store/store.hpp>

#include "simulation/dice.hpp"
#include "simulation/memory_vfs.hpp"
#include "simulation/network.hpp"
#include "simulation/virtual_clock.hpp"
#include "support/sqlite/unwatched_store.hpp"

namespace usher::simulation {

/// One project, as an operator configures it.
struct ProjectSetting {
    enum class Kind : std::uint8_t { opentok, sandbox, vonage };

    std::string name;
    std::string key;    ///< The vendor's name for it.
    std::string secret; ///< A private key in PEM, of vonage's.
    Kind kind = Kind::opentok;

    char const* provider() const;
    TokenSigner signer() const;
};

/// What an operator configures.
struct Setting {
    Policy policy;
    std::vector<ProjectSetting> projects;
    PaceSettings pace{8, 20, 20};
    Duration slow_poll = std::chrono::minutes{30}; ///< Rarer than usherd's: quiet time is to cost nothing.
    Duration heartbeat = std::chrono::minutes{30}; ///< Likewise.
};

/// Whoever draws is making a session or a token: a place in the middle of a pass.
class DiceSource final : public RandomSource {
public:
    explicit DiceSource(std::uint64_t seed) : dice_{seed} {}

    std::function<void()> before_next; ///< What happens in between.

    std::uint64_t next() override
    {
        if (before_next)
            before_next();
        return dice_.next();
    }

private:
    Dice dice_;
};

/// What a daemon finds around itself.
struct Surroundings {
    VirtualClock& clock;
    MemoryVfs& vfs;
    Network& network;
    RandomSource& random;
    std::string database;
};

/// A run of usherd, from its start to its end or death, as a process of its own. Nothing happens but by step().
class Daemon {
public:
    /// Errors: those of Store, when it cannot start.
    Daemon(Surroundings surroundings, ProcessId process, Setting setting, std::string const& name);
    Daemon(Daemon const&) = delete;
    Daemon& operator=(Daemon const&) = delete;
    /// Dies, if it has not ended.
    ~Daemon();

    /// Does what can be done without waiting, up to the next place where others may come in between; whether there was
    /// anything.
    bool step();

    // What the system tells it.
    void notice(); ///< A file was written to.
    void clock_was_set();
    void reload(Setting setting);
    void reload_in_vain(); ///< There is a mistake in the file.
    void stop();           ///< SIGTERM.

    bool is_over() const { return over_; }
    bool is_dead() const { return surroundings_.vfs.is_dead(process_); }
    /// Why it ended, when it was by a failure.
    std::exception_ptr failure() const { return failure_; }
    ProcessId process() const { return process_; }

    /// How often it has found that everything is done, all of the last configuration and schema included.
    std::int64_t times_done() const { return loop_->counts().idle_rounds; }
    std::int64_t rounds() const { return loop_->counts().rounds; }
    std::int64_t tokens_published() const { return static_cast<std::int64_t>(loop_->total().published.tokens); }
    bool is_damaged() const { return !provisioner_->damages().empty() || provisioner_->inspect_again_at().has_value(); }

private:
    std::vector<Project> projects_of(Setting const& setting) const;
    static ProvisioningSettings settings_of(Setting const& setting, std::optional<ClockRecord> const& clock);
    boost::asio::awaitable<void> provision();
    bool reload_configuration();
    void stop_everything();

    Surroundings surroundings_;
    ProcessId process_;
    Setting setting_;
    VirtualClock& clock_;
    boost::asio::io_context context_{1};
    std::unique_ptr<Store> store_;
    test::UnwatchedFile* file_ = nullptr; ///< The store's.
    Hindrance hindrance_{[](std::string const&) {}};
    std::unique_ptr<SessionMaker> maker_;
    std::unique_ptr<Provisioner> provisioner_;
    std::optional<MainLoop> loop_;
    std::exception_ptr failure_;
    std::optional<Setting> new_setting_;
    bool over_ = false;
    std::unique_ptr<TaskGroup> tasks_;
};

} // namespace usher::simulation
