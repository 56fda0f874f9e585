// SPDX-License-Identifier: Apache-2.0
// A walk of edits, excursions of the clock, stops, takeovers, restores and damage ends where its last rows alone lead
// to.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

#include "live_world.hpp"
#include "support/sqlite/outcome.hpp"

namespace usher::test {
namespace {

using namespace std::chrono_literals;

/// What an operator configures. All projects have one policy: the views know one set of doors.
struct Setting {
    Policy policy;
    std::string second_key = "654321";
    std::string second_secret = "secret";
    bool spare = true; ///< The project of that name is configured.
};

/// The vendor's account of the default project and of the spare one.
std::unique_ptr<vendor::Vendor> make_vendor()
{
    auto made = std::make_unique<vendor::Vendor>();
    made->add_opentok("123456", "secret");
    made->add_opentok("777", "secret");
    return made;
}

/// A platform's connection. The machine does not fail here.
std::unique_ptr<Platform> connect(std::string const& path, ManualClock& clock)
{
    std::unique_ptr<Platform> platform = connect_platform(path, clock);
    platform->exec("PRAGMA synchronous = OFF");
    return platform;
}

std::unique_ptr<Store> opened_store(
    std::string const& path, std::string const& name, ManualClock& clock, boost::asio::any_io_executor executor
)
{
    std::unique_ptr<Store> store = unwatched_store(path, name, clock, std::move(executor));
    store->open();
    return store;
}

/// A daemon in this process: what its main loop does, up to the instant at which there is nothing to do.
class Daemon {
public:
    Daemon(
        std::string const& path, ManualClock& clock, CountingRandom& random, vendor::Vendor& vendor,
        Setting const& setting, std::string const& name
    )
        : clock_{clock},
          vendor_{vendor},
          path_{path},
          store_{opened_store(path, name, clock, context_.get_executor())},
          tenure_{store_->take_over()},
          maker_{context_.get_executor(), *store_, clock, random, [] {}},
          provisioner_{
              *store_,
              clock,
              random,
              maker_,
              context_.get_executor(),
              Workers{context_.get_executor()},
              projects_of(setting),
              settings_of(setting, tenure_.clock)}
    {}

    /// Until nothing is to be done at this instant; returns for how long, unless a row is due before. Hindered while an
    /// index is gone that was put back a moment ago.
    std::chrono::steady_clock::duration work()
    {
        try {
            hindered_ = false;
            return work_on();
        } catch (SchemaBroken const&) {
            hindered_ = true;
            return 1s;
        }
    }

    bool is_hindered() const { return hindered_; }

    /// As after the kernel's notice that the clock was set.
    void clock_was_set() { schema_.reset(); }

    void reload(Setting const& setting)
    {
        provisioner_.configure(projects_of(setting), settings_of(setting, {}));
        schema_.reset();
    }

    std::vector<Violation> violations(sys_seconds now) const
    {
        return find_violations(
            path_, provisioner_.projects(),
            [this](std::string_view project, Credential const& credential) {
                return provisioner_.check_signature(project, credential);
            },
            now
        );
    }

    std::optional<sys_seconds> next_due() const { return hindered_ ? std::nullopt : store_->next_due(); }
    bool is_damaged() const { return provisioner_.inspect_again_at().has_value(); }

private:
    std::chrono::steady_clock::duration work_on()
    {
        for (int turns = 0; turns < 200; ++turns) {
            const auto again = provisioner_.inspect_again_at();
            if (const auto version = store_->schema_version();
                version != schema_ || (again && clock_.steady_now() >= *again)) {
                run(context_, provisioner_.find_stale());
                schema_ = version;
                sweep_wanted_ = true;
            }
            const PassResult result = settle();
            run(context_, provisioner_.beat());
            sweep_wanted_ = sweep_wanted_ || clock_.steady_now() - swept_at_ >= 24h;
            const bool swept = sweep_wanted_;
            if (sweep_wanted_)
                sweep();
            sweep_wanted_ = provisioner_.take_sweep_wish();
            run(context_, maker_.step());
            const auto wait = run(context_, maker_.step());
            const auto due = store_->next_due();
            const bool is_due = due && *due <= clock_.now();
            if (result.looked_at == 0 && !swept && !sweep_wanted_ && !is_due && wait > wait.zero() &&
                store_->schema_version() == schema_)
                return wait;
        }
        throw std::runtime_error{"the daemon does not come to rest"};
    }

    std::vector<Project> projects_of(Setting const& setting)
    {
        std::vector<Project> projects;
        projects.push_back(live("default", "123456", setting.policy));
        projects.push_back(sandbox("second", setting.second_key, setting.policy, setting.second_secret));
        if (setting.spare)
            projects.push_back(live("spare", "777", setting.policy));
        return projects;
    }

    Project live(std::string name, std::string const& key, Policy const& policy)
    {
        auto signer = TokenSigner::for_api_key(TokenFormat::jwt, key, Secret{"secret"});
        Project project{
            {},
            *signer,
            std::make_shared<VendorProvider>(
                VendorHost::opentok, "vendor.example", *signer, policy.clock_skew,
                std::make_shared<ModelTransport>(vendor_, clock_), [this] { return clock_.now(); }
            ),
            {8, 1000, 1000}};
        project.facts.name = std::move(name);
        project.facts.provider = "opentok";
        project.facts.project_key = key;
        project.facts.key_id = project.signer.key_id();
        project.facts.policy = policy;
        return project;
    }

    static ProvisioningSettings settings_of(Setting const& setting, std::optional<ClockRecord> const& clock)
    {
        ProvisioningSettings settings;
        settings.base = setting.policy;
        settings.clock = clock;
        return settings;
    }

    PassResult settle() { return run(context_, provisioner_.settle()); }

    void sweep()
    {
        swept_at_ = clock_.steady_now();
        provisioner_.start_sweep();
        for (bool more = true; more;)
            more = run(context_, provisioner_.sweep());
    }

    boost::asio::io_context context_{1};
    ManualClock& clock_;
    vendor::Vendor& vendor_;
    std::string path_;
    std::unique_ptr<Store> store_;
    Tenure tenure_;
    SessionMaker maker_;
    Provisioner provisioner_;
    std::optional<std::int64_t> schema_;
    bool sweep_wanted_ = false;
    bool hindered_ = false;
    std::chrono::steady_clock::time_point swept_at_ = clock_.steady_now();
};

struct OptionSet {
    char const* columns; ///< For an UPDATE.
    char const* text;    ///< In `session.options`.
};

constexpr OptionSet option_sets[] = {
    {"media_mode = 'routed', archive_mode = 'manual', archive_name = NULL, location = NULL",
     "media=routed archive=manual e2ee=0"},
    {"media_mode = 'relayed', archive_mode = 'manual', archive_name = NULL, location = NULL",
     "media=relayed archive=manual e2ee=0"},
    {"media_mode = 'routed', archive_mode = 'always', archive_name = 'rec', location = NULL",
     "media=routed archive=always e2ee=0 name=rec"},
    {"media_mode = 'routed', archive_mode = 'manual', archive_name = NULL, location = '10.0.0.1'",
     "media=routed archive=manual e2ee=0 location=10.0.0.1"},
};

class Walk {
public:
    static constexpr sys_seconds start{1'800'000'000s};

    explicit Walk(std::uint64_t seed) : dice_{seed}
    {
        setting_.policy.retention = std::chrono::days{10};
        create_database(path_, FileAccess::group);
        platform_ = connect(path_, clock_);
        if (one_in(4))
            excursion(); // the very first start
        start_daemon();
    }

    void step()
    {
        const int kind = below(100);
        if (kind < 64)
            edit();
        else if (kind < 76)
            pass_time(seconds{some({1, 20, 61, 600, 3600, 5 * 3600, 86400, 3 * 86400})});
        else
            happen(below(18));
        if (daemon_ && one_in(2))
            work();
        if (sound_)
            check();
    }

    /// Whatever went on, once the clock is right, the vendor well and all settled, everything is as the rows say.
    void judge()
    {
        random_.before_next = nullptr;
        return_clock();
        recover();
        if (!daemon_)
            start_daemon();
        work();
        pass_time(61s); // what was lost a second time within a minute is put back now
        if (was_ill_) {
            sql("INSERT INTO request (action, project) VALUES ('retry', '*')");
            pass_time(3h);
        }
        was_ill_ = false;
        if (daemon_->is_damaged())
            report("the schema is damaged still");
        check();
        compare_sessions();
        compare_with_twin();
        excursed_ = false;
    }

    std::string const& trace() const { return trace_; }

private:
    // The dice.
    int below(int bound) { return static_cast<int>(dice_() % static_cast<std::uint64_t>(bound)); }
    bool one_in(int count) { return below(count) == 0; }
    template <class T>
    T some(std::initializer_list<T> values)
    {
        return *(values.begin() + below(static_cast<int>(values.size())));
    }
    std::string some_meeting() { return "m" + std::to_string(below(6)); }
    std::string some_person() { return "p" + std::to_string(below(4)); }
    std::string some_role()
    {
        return some<char const*>({"'subscriber'", "'publisher'", "'publisheronly'", "'moderator'"});
    }
    std::string some_data()
    {
        return some<char const*>({"NULL", "''", "'{\"name\":\"Ann\"}'", "'data'", "CAST(x'ff' AS TEXT)"});
    }
    std::string some_layout() { return some<char const*>({"NULL", "'focus'", "'focus full'"}); }
    std::string some_session()
    {
        SessionOrder order{{}, start, {1, 2, 3}, static_cast<std::uint64_t>(below(2))};
        switch (below(4)) {
        case 0: return "'" + sandbox_session_id("654321", order) + "'"; // of the second project
        case 1: return "'" + sandbox_session_id("123456", order) + "'"; // of the default one
        case 2: return "'room-1'";
        default: return "NULL";
        }
    }

    void note(std::string const& line)
    {
        trace_ += std::to_string(unix_seconds(true_now()) - unix_seconds(start)) + "  " + line + "\n";
    }
    void report(std::string const& what)
    {
        note("FAILED " + what);
        ADD_FAILURE() << what;
    }
    void sql(std::string const& statement)
    {
        note(statement);
        platform_->exec(statement);
        look_at_rows();
    }

    sys_seconds true_now() const { return clock_.now() - offset_; }

    void edit()
    {
        const std::string meeting = some_meeting();
        const std::string person = some_person();
        const std::string where = " WHERE id = '" + meeting + "'";
        const std::string whom = " WHERE meeting_id = '" + meeting + "' AND participant_id = '" + person + "'";
        const std::int64_t now = unix_seconds(true_now());
        const std::string begins =
            std::to_string(now + some({-7200, 0, 600, 3000, 3 * 3600, 86400, 9 * 86400}) + below(1800));
        const std::string lasts = std::to_string(some({1800, 7200, 30 * 3600, 4 * 86400}));
        const std::string by = std::to_string(some({-86400, -3600, -600, 600, 3600, 86400, 9 * 86400}));
        switch (below(34)) {
        case 0:
        case 1:
        case 2:
            sql(std::string{"INSERT OR "} + some<char const*>({"REPLACE", "IGNORE"}) +
                " INTO meeting (id, starts_at, ends_at) VALUES ('" + meeting + "', " + begins + ", " + begins + " + " +
                lasts + ")");
            break;
        case 3: sql("UPDATE meeting SET starts_at = starts_at + " + by + ", ends_at = ends_at + " + by + where); break;
        case 4:
            sql("UPDATE meeting SET starts_at = " + begins + ", ends_at = " + begins + " + " + lasts + where);
            break;
        case 5:
        case 6: sql("UPDATE meeting SET ends_at = max(starts_at + 60, ends_at + " + by + ")" + where); break;
        case 7: sql("UPDATE meeting SET status = 'cancelled'" + where); break;
        case 8:
        case 9: sql("UPDATE meeting SET status = 'scheduled'" + where); break;
        case 10: sql("DELETE FROM meeting" + where); break;
        case 11: {
            const std::string table = some<char const*>({"meeting", "participant", "block"});
            sql("BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM " + table + "; DELETE FROM " + table +
                "; INSERT INTO " + table + " SELECT * FROM kept; DROP TABLE kept; COMMIT");
            break;
        }
        case 12:
        case 13:
        case 14:
        case 15:
            sql("INSERT OR REPLACE INTO participant (meeting_id, participant_id, role, connection_data) VALUES ('" +
                meeting + "', '" + person + "', " + some_role() + ", " + some_data() + ")");
            break;
        case 16: sql("DELETE FROM participant" + whom); break;
        case 17: sql("UPDATE participant SET role = " + some_role() + whom); break;
        case 18: sql("UPDATE participant SET connection_data = " + some_data() + whom); break;
        case 19: sql("UPDATE participant SET layout_classes = " + some_layout() + whom); break;
        case 20: sql("UPDATE OR REPLACE participant SET meeting_id = '" + some_meeting() + "'" + whom); break;
        case 21:
            sql("INSERT OR REPLACE INTO participant (id, meeting_id, participant_id, role) SELECT id, '" + meeting +
                "', '" + person + "', " + some_role() + " FROM participant ORDER BY id LIMIT 1");
            break;
        case 22: sql("UPDATE OR REPLACE meeting SET id = '" + some_meeting() + "'" + where); break;
        case 23: sql(std::string{"UPDATE meeting SET "} + option_sets[below(4)].columns + where); break;
        case 24:
            sql("UPDATE meeting SET project = '" + some<std::string>({"default", "second", "spare", "unknown"}) + "'" +
                where);
            break;
        case 25: sql("UPDATE meeting SET session_id = " + some_session() + where); break;
        case 26:
            sql("UPDATE meeting SET early_join = " + some<std::string>({"NULL", "0", "300", "7200", "604800"}) + where);
            break;
        case 27:
            sql("UPDATE meeting SET grace = " + some<std::string>({"NULL", "0", "300", "7200", "604800"}) + where);
            break;
        case 28:
            sql("INSERT OR IGNORE INTO block (meeting_id, participant_id) VALUES ('" + meeting + "', '" + person + "')"
            );
            break;
        case 29:
        case 30: sql("DELETE FROM block" + (one_in(2) ? whom : std::string{})); break;
        case 31: {
            const std::string action = some<char const*>({"rotate", "replace_session", "retry"});
            const std::string scope = one_in(2) ? "meeting_id) VALUES ('" + action + "', '" + meeting + "')"
                                                : "project) VALUES ('" + action + "', '" +
                                                      some<std::string>({"*", "default", "second"}) + "')";
            if (action == "replace_session")
                free_all();
            sql("INSERT INTO request (action, " + scope);
            break;
        }
        case 32: sql("DELETE FROM request WHERE id % 2 = " + std::to_string(below(2))); break;
        default:
            sql("UPDATE meeting SET title = 'x' || title" + where + "; UPDATE participant SET display_name = 'y'" + whom
            );
        }
    }

    /// What befalls a daemon.
    void happen(int kind)
    {
        switch (kind) {
        case 0:
            note("stop");
            daemon_.reset();
            break;
        case 1:
        case 2:
            if (!daemon_)
                start_daemon();
            break;
        case 3: take_over(); break;
        case 4:
        case 5:
        case 6: excursion(); break;
        case 7:
        case 8: return_clock(); break;
        case 9:
        case 10:
            note("back up");
            backup_ = std::make_unique<SQLite::Database>(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
            copy(*platform_, *backup_);
            backup_ill_ = was_ill_;
            break;
        case 11: restore(); break;
        case 12:
        case 13: drop(); break;
        case 14: reconfigure(); break;
        case 15: fall_ill(); break;
        case 16:
            note("recover");
            recover();
            break;
        default: // in the middle of the next pass that signs or creates anything
            random_.before_next = [this] {
                note("meanwhile");
                edit();
            };
        }
    }

    void start_daemon()
    {
        note("start");
        daemon_ = std::make_unique<Daemon>(
            path_, clock_, random_, *vendor_, setting_, "daemon " + std::to_string(++daemons_)
        );
        work();
    }

    void take_over()
    {
        if (!daemon_ || restored_)
            return;
        const std::unique_ptr<Daemon> fenced = std::move(daemon_);
        start_daemon();
        edit();
        const auto rows = [this] {
            std::string text;
            for (const std::string table : {"agenda", "session", "token", "session_attempt"})
                for (auto const& row : rows_of(*platform_, "SELECT * FROM " + table))
                    text += joined(row) + "\n";
            return text;
        };
        const std::string before = rows();
        try {
            random_.before_next = nullptr;
            fenced->work();
            report("a daemon that was taken over from is not told so");
        } catch (Fenced const&) {
            // as it must be
        }
        if (rows() != before)
            report("a daemon that was taken over from has written");
    }

    void excursion()
    {
        int by = some({1, 7, 60, 3600, 5 * 3600, 86400, 8 * 86400, 40 * 86400}) * some({-1, 1});
        // No clock is wrong by the same twice: a restored backup would say that it has been so ever since.
        if (std::abs(by) >= 3600)
            by += 3 * ++large_excursions_;
        note("the clock shows " + std::to_string(by) + " s too much");
        set_clock(seconds{by});
        excursed_ = true;
    }

    void return_clock()
    {
        if (offset_ == 0s)
            return;
        note("the clock is right");
        set_clock(0s);
    }

    void set_clock(seconds offset)
    {
        if (std::chrono::abs(offset - offset_) > 2s)
            set_at_ = clock_.steady_now();
        clock_.set(true_now() + offset);
        offset_ = offset;
        vendor_->behaviour.clock_offset = -offset; // it has a clock of its own
        was_ill_ = was_ill_ || offset != 0s;
        sound_ = false;
        if (daemon_) {
            daemon_->clock_was_set();
            if (one_in(2))
                work();
        }
    }

    void restore()
    {
        if (!backup_)
            return;
        note("restore");
        copy(*backup_, *platform_);
        sound_ = false;
        restored_ = true;
        was_ill_ = was_ill_ || backup_ill_;
        free_all();
        look_at_rows();
    }

    static void copy(SQLite::Database& from, SQLite::Database& to)
    {
        sqlite3_backup* const backup = sqlite3_backup_init(to.getHandle(), "main", from.getHandle(), "main");
        if (backup == nullptr || sqlite3_backup_step(backup, -1) != SQLITE_DONE)
            throw std::runtime_error{std::string{"cannot copy: "} + sqlite3_errmsg(to.getHandle())};
        sqlite3_backup_finish(backup);
    }

    void drop()
    {
        const auto all = rows_of(
            *platform_, "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') "
                        "OR (type = 'index' AND sql LIKE 'CREATE INDEX%') ORDER BY type, name"
        );
        if (all.empty())
            return; // dropped all, and nobody put it back
        for (int count = some({1, 1, 3, 40}); count > 0; --count) {
            auto const& one = all[std::size_t(below(static_cast<int>(all.size())))];
            note("DROP " + joined(one));
            platform_->exec("DROP " + one[0] + " IF EXISTS " + one[1]);
        }
        sound_ = false;
        for (int edits = below(4); edits > 0; --edits)
            edit();
    }

    void reconfigure()
    {
        Policy& policy = setting_.policy;
        switch (below(10)) {
        case 0: policy.token_lead = some<seconds>({5min, 1h, 20h}); break;
        case 1: policy.session_lead = some<seconds>({1h, 24h, 120h}); break;
        case 2: policy.grace = some<seconds>({0s, 15min, 5h}); break;
        case 3: policy.early_join.set(Role::moderator, some<seconds>({0s, 30min, 5h})); break;
        case 4: policy.visible_at_opens = !policy.visible_at_opens; break;
        case 5: policy.max_token_life = some<seconds>({24h, 48h, 25 * 24h}); break;
        case 6: policy.rotation_margin = some<seconds>({1h, 8h}); break;
        case 7: policy.replace_on_removal = !policy.replace_on_removal; break;
        case 8:
            setting_.spare = !setting_.spare;
            free_all();
            break;
        default:
            setting_.second_key = one_in(2) ? "654321" : "654322";
            setting_.second_secret = one_in(2) ? "secret" : "other";
            free_all();
        }
        note("reload");
        sound_ = false;
        look_at_rows();
        if (daemon_)
            daemon_->reload(setting_);
    }

    void fall_ill()
    {
        note("the vendor falls ill");
        was_ill_ = true;
        vendor::Behaviour& vendor = vendor_->behaviour;
        if (one_in(2)) {
            vendor.outage = some({vendor::Outage::unavailable, vendor::Outage::refused});
            return;
        }
        vendor.chance = 0.5;
        vendor.by_chance.clear();
        for (const auto kind :
             {vendor::FaultKind::too_many, vendor::FaultKind::server_error, vendor::FaultKind::bad_gateway,
              vendor::FaultKind::reset_before, vendor::FaultKind::reset_after, vendor::FaultKind::half_body,
              vendor::FaultKind::xml, vendor::FaultKind::empty_array, vendor::FaultKind::missing_id})
            vendor.by_chance.push_back(vendor::fault_of(kind));
    }

    void recover()
    {
        vendor_->behaviour.outage = vendor::Outage::none;
        vendor_->behaviour.chance = 0;
    }

    void work()
    {
        daemon_->work();
        restored_ = false;
        sound_ = offset_ == 0s && !daemon_->is_hindered() && !daemon_->is_damaged();
    }

    void pass_time(seconds span)
    {
        const bool slow = vendor_->behaviour.outage != vendor::Outage::none || offset_ != 0s;
        span = slow ? std::min<seconds>(span, 30min) : span; // calls are repeated meanwhile
        note("wait " + std::to_string(span.count()));
        const sys_seconds end = clock_.now() + span;
        for (;;) {
            seconds wait = span;
            if (daemon_) {
                wait = std::chrono::ceil<seconds>(daemon_->work());
                sound_ = offset_ == 0s && !daemon_->is_hindered() && !daemon_->is_damaged();
                if (sound_ && one_in(4))
                    check();
            }
            look_at_rows();
            if (clock_.now() >= end)
                return;
            sys_seconds next = std::min(end, clock_.now() + std::max(wait, seconds{1}));
            if (const auto due = daemon_ ? daemon_->next_due() : std::nullopt)
                next = std::min(next, *due);
            clock_.advance(std::max(next - clock_.now(), seconds{1}));
        }
    }

    void check()
    {
        if (!daemon_)
            return;
        for (Violation const& violation : daemon_->violations(true_now()))
            report(violation.promise + " " + violation.meeting_id + ": " + violation.what);
    }

    // Whether a session may be another one than when it was last judged. Followed from the rows, after each edit.
    struct Memory {
        std::string session{};    ///< When last judged.
        std::string inputs{};     ///< What a session is made from.
        bool free = true;         ///< It may be another one.
        bool edited_live = false; ///< It is kept though it is not what the row asks for.
        std::optional<sys_seconds> gone_at{};
        std::set<std::string> people{};
        bool removed_early = false; ///< Somebody left, or may have, before it started.
    };

    void free_all()
    {
        for (auto& [id, memory] : memories_)
            memory.free = true;
    }

    void look_at_rows()
    {
        // A clock that has been wrong for an hour is believed, and what it says is over is purged.
        const bool is_believed = clock_.steady_now() - set_at_ >= clock_believed_after;
        if (is_believed && offset_ > 0s)
            free_all();
        const sys_seconds now = true_now();
        look_at_people(now);
        std::set<std::string> present;
        const std::string early = std::to_string(setting_.policy.early_join.longest().count());
        const std::string grace = std::to_string(setting_.policy.grace.count());
        for (auto const& row : rows_of(
                 *platform_, "SELECT id, status, starts_at - COALESCE(early_join, " + early +
                                 "), ends_at + COALESCE(grace, " + grace +
                                 "), ends_at, project || ' ' || media_mode || ' ' || archive_mode || ' ' || "
                                 "COALESCE(location, '') || ' ' || COALESCE(session_id, '') FROM meeting"
             )) {
            Memory& memory = memories_[row[0]];
            const auto at = [&](std::size_t column) { return from_unix(std::stoll(row[column])); };
            const bool is_live = at(2) <= now && now < at(3);
            if (row[1] == "cancelled" || at(4) + setting_.policy.retention <= now)
                memory.free = true;
            if (memory.inputs != row[5]) {
                memory.edited_live = true;
                // The platform says which session; that holds at any time.
                if (row[5].back() != ' ')
                    memory.free = true;
            }
            if (memory.edited_live && !is_live)
                memory.free = true;
            memory.inputs = row[5];
            memory.gone_at.reset();
            present.insert(row[0]);
        }
        for (auto& [id, memory] : memories_) {
            if (present.contains(id))
                continue;
            memory.gone_at = memory.gone_at.value_or(now);
            if (is_believed) // one that is behind says that the row was deleted long ago
                memory.gone_at = std::min(*memory.gone_at, clock_.now());
            if (*memory.gone_at + setting_.policy.retention <= now)
                memory.free = true;
        }
    }

    void look_at_people(sys_seconds now)
    {
        std::map<std::string, std::set<std::string>> people;
        for (auto const& row : rows_of(*platform_, "SELECT meeting_id, participant_id FROM participant"))
            people[row[0]].insert(row[1]);
        std::set<std::string> started;
        for (auto const& row :
             rows_of(*platform_, "SELECT id FROM meeting WHERE starts_at <= " + std::to_string(unix_seconds(now))))
            started.insert(row[0]);
        for (auto& [id, memory] : memories_) {
            std::set<std::string> const& present = people[id];
            const bool anybody_left =
                !std::includes(present.begin(), present.end(), memory.people.begin(), memory.people.end());
            if (anybody_left && (!started.contains(id) || offset_ != 0s))
                memory.removed_early = true;
            if (memory.removed_early && setting_.policy.replace_on_removal)
                memory.free = true;
            memory.people = present;
        }
    }

    void compare_sessions()
    {
        for (auto const& row : rows_of(
                 *platform_, "SELECT a.meeting_id, s.session_id, s.project <> m.project "
                             "OR s.adopted <> (m.session_id IS NOT NULL) OR s.session_id <> m.session_id "
                             "OR (s.adopted = 0 AND s.options <> "
                             "'media=' || m.media_mode || ' archive=' || m.archive_mode || ' e2ee=0' || "
                             "COALESCE(' location=' || m.location, '') || COALESCE(' name=' || m.archive_name, '')) "
                             "FROM agenda a JOIN meeting m ON m.id = a.meeting_id "
                             "LEFT JOIN session s ON s.session_no = a.session_no"
             )) {
            Memory& memory = memories_[row[0]];
            const bool same = memory.session == row[1];
            const bool known = !memory.session.empty() && memory.session != "NULL";
            if (known && !same && !memory.free && !(memory.edited_live && excursed_))
                report("the session of " + row[0] + " is another one for no reason");
            memory.edited_live = row[2] == "1";
            memory.removed_early = memory.removed_early && same;
            memory.session = row[1];
            memory.free = false;
        }
    }

    /// A second usher that sees the last rows only, and of each meeting that is on what its session was made from: that
    /// is what rows remember.
    void compare_with_twin()
    {
        const TempDir folder;
        const std::string path = folder.file("twin.db");
        create_database(path, FileAccess::group);
        const auto twin = connect(path, clock_);
        twin->exec("ATTACH '" + path_ + "' AS walk");
        for (const std::string table : {"meeting", "participant", "block"})
            twin->exec("INSERT INTO " + table + " SELECT * FROM walk." + table);
        twin->exec("DETACH walk");
        std::string held;
        for (auto const& row : rows_of(
                 *platform_, "SELECT m.id, s.project, s.options, s.adopted, s.session_id FROM meeting m "
                             "JOIN agenda a ON a.meeting_id = m.id JOIN session s ON s.session_no = a.session_no "
                             "WHERE m.status = 'scheduled' AND (m.session_id IS NULL OR (s.adopted = 1 AND "
                             "s.session_id = m.session_id)) AND a.opens <= " +
                                 std::to_string(unix_seconds(clock_.now()))
             )) {
            held += "UPDATE meeting SET project = '" + row[1] + "'";
            if (row[3] == "1") {
                held += ", session_id = '" + row[4] + "'";
            } else {
                for (OptionSet const& set : option_sets)
                    if (set.text == row[2])
                        held += std::string{", "} + set.columns;
            }
            held += " WHERE id = '" + row[0] + "';";
        }
        twin->exec("CREATE TEMP TABLE last AS SELECT * FROM meeting;" + held);
        auto vendor = make_vendor();
        CountingRandom random;
        Daemon daemon{path, clock_, random, *vendor, setting_, "twin"};
        daemon.work();
        twin->exec("INSERT OR REPLACE INTO meeting SELECT * FROM last");
        daemon.work();

        const std::set<std::string> walked = outcome(*platform_);
        const std::set<std::string> wanted = outcome(*twin);
        for (std::string const& line : wanted)
            if (!walked.contains(line))
                report("the rows lead to\n    " + line);
        for (std::string const& line : walked)
            if (!wanted.contains(line))
                report("the walk led to\n    " + line);
        const std::set<std::string> to_the_end = served_to_the_end(*twin);
        for (std::string const& who : served_to_the_end(*platform_))
            if (!to_the_end.contains(who) && walked == wanted)
                report("a token of the twin ends before its meeting: " + who);
    }

    std::mt19937_64 dice_;
    TempDir folder_;
    std::string path_ = folder_.file("usher.db");
    ManualClock clock_{start};
    seconds offset_{0}; ///< By which the clock is wrong.
    int large_excursions_ = 0;
    std::chrono::steady_clock::time_point set_at_{}; ///< When the clock was.
    CountingRandom random_;
    std::unique_ptr<vendor::Vendor> vendor_ = make_vendor();
    Setting setting_;
    std::unique_ptr<SQLite::Database> platform_;
    std::unique_ptr<SQLite::Database> backup_;
    std::unique_ptr<Daemon> daemon_;
    int daemons_ = 0;
    bool sound_ = false; ///< The clock has been right and the schema whole since the daemon's last work.
    /// A daemon that has not noticed a restore yet has an epoch beyond the file's, which it takes back by its next
    /// write: nobody can take over from it before.
    bool restored_ = false;
    bool was_ill_ = false;    ///< The vendor was, or it was asked by a wrong clock.
    bool backup_ill_ = false; ///< And when the backup was made.
    bool excursed_ = false;   ///< Since it was last judged.
    std::map<std::string, Memory> memories_;
    std::string trace_;
};

struct Scope {
    std::uint64_t first = 1;
    std::uint64_t seeds = 20;
    int edits = 300;
};

/// USHER_WALK="FIRST SEEDS EDITS" walks others.
Scope scope()
{
    Scope result;
    if (char const* const text = std::getenv("USHER_WALK"))
        std::istringstream{text} >> result.first >> result.seeds >> result.edits;
    return result;
}

/// In memory where that can be: a file all the same, but one that no walk waits for.
class WalkOf : public testing::TestWithParam<std::uint64_t> {
protected:
    WalkOf()
    {
        if (::access("/dev/shm", W_OK) == 0)
            ::setenv("TMPDIR", "/dev/shm", 0);
    }
};

TEST_P(WalkOf, EndsWhereItsLastRowsLead)
{
    const std::uint64_t seed = GetParam();
    SCOPED_TRACE("USHER_WALK=\"" + std::to_string(seed) + " 1 " + std::to_string(scope().edits) + "\"");
    Walk walk{seed};
    try {
        for (int edits = 0; edits < scope().edits && !HasFailure(); ++edits) {
            walk.step();
            if (edits % 25 == 24 && !HasFailure())
                walk.judge();
        }
        if (!HasFailure())
            walk.judge();
    } catch (std::exception const& error) {
        ADD_FAILURE() << error.what();
    }
    if (HasFailure())
        std::cout << walk.trace();
}

INSTANTIATE_TEST_SUITE_P(Seeds, WalkOf, testing::Range<std::uint64_t>(scope().first, scope().first + scope().seeds));

} // namespace
} // namespace usher::test
