// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "simulation/dice.hpp"
#include "simulation/events.hpp"
#include "simulation/memory_vfs.hpp"
#include "simulation/story.hpp"
#include "simulation/virtual_clock.hpp"

namespace usher::simulation {

/// How busy a platform is.
struct PlatformSetting {
    int meetings = 330;
    bool calm = false;                            ///< Nothing but sign-ups.
    std::vector<std::string> others{};            ///< Meetings of other platforms, which it edits too.
    std::set<std::string, std::less<>> without{}; ///< Kinds of edits that do not happen.
    std::set<std::string, std::less<>> only{};    ///< Meetings; all when it is empty.
};

/// A scheduling platform: it knows nothing of usher but the tables, and edits rows as real ones do.
class Platform {
public:
    /// Told which meeting a commit was about, and what it did.
    using Committed = std::function<void(std::string const& meeting, std::vector<std::string> const& statements)>;

    Platform(
        Events& events, VirtualClock& clock, MemoryVfs& vfs, Story& story, Dice dice, std::string database,
        std::string name, Committed committed
    );

    /// Kinds of edits, as `without` names them.
    static std::vector<std::string> edit_names();

    /// Plans all that it will do from now on for so long.
    void plan(PlatformSetting setting, Duration span);

    /// It loses its connection, and what it has not committed it tries again.
    void open(ProcessId process);
    void close();

    /// One transaction, or several after each other.
    void edit(std::string const& meeting, std::vector<std::string> statements);

    /// From now on the contract may refuse an edit, for what others wrote around it.
    void expect_refusals() { expects_refusals_ = true; }

    /// Holds the lock for so long before it commits.
    void hold(std::string const& meeting, std::vector<std::string> statements, Duration held);

    std::int64_t edits() const { return edits_; }
    std::int64_t meetings() const { return meetings_; }
    bool is_idle() const { return queue_.empty(); }
    /// When the rows of the meeting were edited last.
    std::optional<Instant> edited_at(std::string const& meeting) const;
    std::vector<std::string> const& ids() const { return ids_; }

private:
    struct Transaction {
        std::string meeting;
        std::vector<std::string> statements;
        Duration held{}; ///< Between its last statement and its COMMIT.
    };
    struct Life; ///< Of one meeting, as planned.

    void plan_meeting(Duration at, Duration span, Dice dice);
    void plan_edit(Life const& life, Duration at, Dice dice);
    void sync(Life const& life, Dice& dice);
    void at(Duration when, std::function<void()> what);
    void add(Transaction transaction);
    void go_on();
    void commit();
    void try_again(Duration delay);
    bool run(std::string const& statement);
    SQLite::Statement& prepared(std::string const& statement);
    static std::string person(Life const& life, Dice& dice);
    static std::string role(Dice& dice);

    Events& events_;
    VirtualClock& clock_;
    MemoryVfs& vfs_;
    Story& story_;
    Dice dice_;
    std::string database_;
    std::string name_;
    Committed committed_;
    std::unique_ptr<SQLite::Database> connection_;
    std::map<std::string, std::unique_ptr<SQLite::Statement>> statements_; ///< By their texts without values.
    ProcessId process_ = 0;
    PlatformSetting setting_;
    std::deque<Transaction> queue_;
    bool in_transaction_ = false;
    bool expects_refusals_ = false;
    bool was_refused_ = false;      ///< The last statement.
    std::uint64_t connections_ = 0; ///< What was planned for an earlier one is void.
    bool woken_ = false;
    std::int64_t edits_ = 0;
    std::int64_t meetings_ = 0;
    std::vector<std::string> ids_;
    std::map<std::string, Instant, std::less<>> edited_;
};

} // namespace usher::simulation
