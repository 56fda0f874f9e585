// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simulation/world.hpp"

namespace usher::simulation {

/// What goes wrong in a month. Most faults are troubles: they end by themselves, and the world is told for how long all
/// need not be well.
class Faults {
public:
    struct Kind {
        char const* name; ///< As in --without.
        int weight;
        void (Faults::*begin)();
    };
    static std::vector<Kind> const& kinds();

    explicit Faults(World& world);

    /// All of the month's, and the backups that one of them restores. Each fault has dice of its own: one that is left
    /// out changes nothing of the others.
    void plan();
    /// Whatever goes on ends, and nothing more goes wrong.
    void end_all();
    /// Platforms put right what the contract refuses.
    void mend_odd_rows();

    std::int64_t count() const { return count_; }
    std::vector<int> const& planned() const { return planned_; } ///< Their numbers.
    std::map<std::string, std::int64_t> const& by_kind() const { return by_kind_; }

private:
    static Kind const& some_kind(Dice& dice);
    Duration some_time(Duration low, Duration high);
    void tell(std::string const& what);

    // disk_faults.cpp
    void plan_death();
    void fail_reads();
    void fail_writes();
    void fail_checkpoints();
    void write_short();
    void fill_disk();
    void fail_syncs();
    void have_lock_held();
    void plan_power_loss();
    void plan_on_disk(char const* what, DiskFault fault, std::int64_t nth, std::int64_t times);
    void lose_power();
    void recover();
    void begin_recovery();
    void end_recovery();
    void damage_page();

    // vendor_faults.cpp
    void outage();
    void end_outage();
    void answer_oddly();
    void chance_failures();
    void dip_quota();
    void garble_answers();
    void repeat_ids();
    void end_vendor_faults();

    // clock_faults.cpp
    void set_clock(Duration offset);
    void step_clock();
    void suspend();
    void drift();
    void end_clock_faults();

    // operator_faults.cpp
    void kill();
    void kill_now();
    void stop();
    void reload();
    void take_setting(char const* what);
    void reload_in_vain();
    void rotate_key();
    void start_second();
    void back_up();
    void restore();
    void lose_key();

    // row_faults.cpp
    void lose_notices();
    void hold_lock();
    void hold_snapshot();
    void drop_something();
    /// What somebody does to the schema that usherd cannot put right alone.
    struct Breach {
        char const* what;
        char const* sql;
        char const* mend;   ///< What the same person does about it in the end.
        bool can_be_mended; ///< By a repair, without that.
    };
    void break_schema();
    void mend_schema(Breach breach, Dice dice);
    void edit_unmarked();
    void forge_session();
    void write_odd_rows();
    void write_odd_daemon_row();

    World& world_;
    Dice dice_{0}; ///< Of the fault at hand.
    std::unique_ptr<SQLite::Database> backup_;
    int unmendable_ = 0; ///< Breaches that no repair can mend, and that last.
    std::int64_t count_ = 0;
    std::vector<int> planned_;
    std::map<std::string, std::int64_t> by_kind_;
    bool is_recovered_ = false; ///< The log is, and nobody can read.
    bool recovery_at_call_ = false;
    bool kill_at_call_ = false;
    bool drifts_ = false;
    Instant clock_set_at_{};
    int keys_ = 0;
    int forged_ = 0;
    std::uint64_t lost_notices_no_ = 0;
    std::uint64_t outage_no_ = 0;
    std::uint64_t chance_no_ = 0;
    std::uint64_t odd_no_ = 0;
    std::uint64_t quota_no_ = 0;
    std::uint64_t garble_no_ = 0;
    std::uint64_t repeat_no_ = 0;
    std::uint64_t clock_no_ = 0;
};

} // namespace usher::simulation
