// SPDX-License-Identifier: Apache-2.0
#include "simulation/platform.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include <sqlite3.h>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr Duration hour = 1h;
constexpr Duration day = 24h;
constexpr auto busy_pause = 7ms;
constexpr int crowd_max = 3000;

std::string sql_text(std::string const& text)
{
    return "'" + text + "'";
}

enum class Edit : std::uint8_t {
    sign_up,
    role,
    details,
    layout,
    removal,
    move,
    length,
    cancel,
    block,
    unblock,
    replace,
    sync,
    deletion,
    options,
    project,
    doors,
    adoption,
    request,
    title,
    save_by_key,
};

struct EditKind {
    Edit edit;
    char const* name; ///< As in --without.
    int percent;
};

constexpr std::array edit_kinds{
    EditKind{Edit::sign_up, "sign-up", 32}, EditKind{Edit::role, "role", 10},
    EditKind{Edit::details, "details", 5},  EditKind{Edit::layout, "layout", 2},
    EditKind{Edit::removal, "removal", 6},  EditKind{Edit::move, "move", 7},
    EditKind{Edit::length, "length", 4},    EditKind{Edit::cancel, "cancel", 4},
    EditKind{Edit::block, "block", 4},      EditKind{Edit::unblock, "unblock", 3},
    EditKind{Edit::replace, "replace", 3},  EditKind{Edit::sync, "sync", 4},
    EditKind{Edit::deletion, "delete", 2},  EditKind{Edit::options, "options", 3},
    EditKind{Edit::project, "project", 1},  EditKind{Edit::doors, "doors", 3},
    EditKind{Edit::adoption, "adopt", 2},   EditKind{Edit::request, "request", 3},
    EditKind{Edit::title, "title", 1},      EditKind{Edit::save_by_key, "save-by-key", 1},
};

EditKind const& some_edit(Dice& dice)
{
    std::int64_t place = dice.below(100);
    for (EditKind const& kind : edit_kinds)
        if ((place -= kind.percent) < 0)
            return kind;
    return edit_kinds.front();
}

} // namespace

struct Platform::Life {
    std::string id;
    Duration created; ///< All are counted from the start of the run.
    Duration starts;
    Duration ends;
    int people;

    std::string where() const { return " WHERE id = " + sql_text(id); }
};

Platform::Platform(
    Events& events, VirtualClock& clock, MemoryVfs& vfs, Story& story, Dice dice, std::string database,
    std::string name, Committed committed
)
    : events_{events},
      clock_{clock},
      vfs_{vfs},
      story_{story},
      dice_{dice},
      database_{std::move(database)},
      name_{std::move(name)},
      committed_{std::move(committed)}
{}

void Platform::open(ProcessId process)
{
    process_ = process;
    const As as{vfs_, process_};
    connection_ = std::make_unique<SQLite::Database>(database_, SQLite::OPEN_READWRITE);
    ++connections_;
    in_transaction_ = false;
    woken_ = false;
    if (!queue_.empty())
        try_again(1ms);
}

void Platform::close()
{
    const As as{vfs_, process_};
    statements_.clear();
    connection_.reset();
    ++connections_;
}

std::optional<Instant> Platform::edited_at(std::string const& meeting) const
{
    const auto found = edited_.find(meeting);
    return found == edited_.end() ? std::nullopt : std::optional{found->second};
}

void Platform::at(Duration when, std::function<void()> what)
{
    events_.about(std::max(Instant{} + when, clock_.steady_now()), std::move(what));
}

void Platform::edit(std::string const& meeting, std::vector<std::string> statements)
{
    Transaction transaction{meeting, std::move(statements)};
    if (dice_.percent(4))
        transaction.held = Duration{dice_.below(Duration{dice_.one_in(8) ? 4s : 300ms}.count())};
    add(std::move(transaction));
}

void Platform::hold(std::string const& meeting, std::vector<std::string> statements, Duration held)
{
    add({meeting, std::move(statements), held});
}

void Platform::add(Transaction transaction)
{
    queue_.push_back(std::move(transaction));
    if (connection_ && queue_.size() == 1)
        go_on();
}

void Platform::try_again(Duration delay)
{
    if (std::exchange(woken_, true))
        return;
    events_.after(delay, [this, connection = connections_] {
        if (connection != connections_)
            return;
        woken_ = false;
        go_on();
    });
}

/// Compiling a statement, and the triggers that it sets off, takes longer than to run it: the values are bound.
SQLite::Statement& Platform::prepared(std::string const& statement)
{
    std::string text;
    std::vector<std::string> texts;
    for (std::size_t at = 0; at < statement.size();) {
        if (statement[at] != '\'') {
            const bool is_number = statement[at] >= '0' && statement[at] <= '9' && !text.empty() &&
                                   (text.back() == ' ' || text.back() == '-');
            if (!is_number) {
                text += statement[at++];
                continue;
            }
            const std::size_t end = std::min(statement.find_first_not_of("0123456789", at), statement.size());
            text += "CAST(? AS INTEGER)";
            texts.push_back(statement.substr(at, end - at));
            at = end;
            continue;
        }
        const std::size_t end = statement.find('\'', at + 1);
        text += '?';
        texts.push_back(statement.substr(at + 1, end - at - 1));
        at = end + 1;
    }
    std::unique_ptr<SQLite::Statement>& found = statements_[text];
    if (!found)
        found = std::make_unique<SQLite::Statement>(*connection_, text);
    int number = 0;
    for (std::string const& value : texts)
        found->bind(++number, value);
    return *found;
}

bool Platform::run(std::string const& statement)
{
    if (statement.starts_with("INSERT ") || statement.starts_with("UPDATE ") || statement.starts_with("DELETE ")) {
        SQLite::Statement& query = prepared(statement);
        const int code = query.tryExecuteStep();
        const std::string what = code == SQLITE_DONE ? std::string{} : connection_->getErrorMsg();
        query.tryReset();
        was_refused_ = expects_refusals_ && code == SQLITE_CONSTRAINT;
        if (code != SQLITE_DONE && code != SQLITE_BUSY && code != SQLITE_LOCKED && !was_refused_)
            throw std::runtime_error{"the platform's " + statement + " fails: " + what};
        return code == SQLITE_DONE;
    }
    char* message = nullptr;
    const int code = sqlite3_exec(connection_->getHandle(), statement.c_str(), nullptr, nullptr, &message);
    if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        sqlite3_free(message);
        return code == SQLITE_OK;
    }
    const std::string what = message != nullptr ? message : "";
    sqlite3_free(message);
    throw std::runtime_error{"the platform's " + statement + " fails: " + what};
}

void Platform::go_on()
{
    const As as{vfs_, process_};
    while (!queue_.empty() && !in_transaction_) {
        if (!run("BEGIN IMMEDIATE"))
            return try_again(busy_pause);
        std::vector<std::string> const& statements = queue_.front().statements;
        was_refused_ = false;
        if (!std::all_of(statements.begin(), statements.end(), [this](auto const& one) { return run(one); })) {
            const bool was_refused = was_refused_;
            run("ROLLBACK");
            if (!was_refused)
                return try_again(busy_pause);
            story_.tell("is refused: " + statements.front().substr(0, 100), queue_.front().meeting);
            queue_.pop_front();
            continue;
        }
        in_transaction_ = true;
        const Duration held = queue_.front().held;
        if (held > Duration::zero()) {
            story_.tell("holds the lock", queue_.front().meeting);
            events_.after(held, [this, connection = connections_] {
                if (connection != connections_)
                    return;
                const As again{vfs_, process_};
                commit();
                go_on();
            });
            return;
        }
        commit();
    }
}

void Platform::commit()
{
    if (!run("COMMIT"))
        throw std::runtime_error{"the platform cannot commit"};
    in_transaction_ = false;
    const Transaction done = std::move(queue_.front());
    queue_.pop_front();
    edits_ += static_cast<std::int64_t>(done.statements.size());
    for (std::string const& statement : done.statements)
        story_.tell(statement.substr(0, 300), done.meeting);
    edited_[done.meeting] = clock_.steady_now();
    committed_(done.meeting, done.statements);
}

std::string Platform::role(Dice& dice)
{
    return dice.some<char const*>({"'publisher'", "'publisher'", "'subscriber'", "'moderator'", "'publisheronly'"});
}

std::string Platform::person(Life const& life, Dice& dice)
{
    return sql_text("p" + std::to_string(dice.below(life.people)));
}

std::vector<std::string> Platform::edit_names()
{
    std::vector<std::string> names;
    for (EditKind const& kind : edit_kinds)
        names.emplace_back(kind.name);
    return names;
}

void Platform::plan(PlatformSetting setting, Duration span)
{
    setting_ = setting;
    const Duration from = clock_.steady_now() - Instant{};
    for (int i = 0; i < setting_.meetings; ++i)
        plan_meeting(from, span, dice_.fork());
}

/// What is left out of the story changes nothing of the rest: each meeting and each edit has dice of its own.
void Platform::plan_meeting(Duration from, Duration span, Dice dice)
{
    Life life;
    life.id = name_ + std::to_string(++meetings_);
    ids_.push_back(life.id);
    if (!setting_.only.empty() && !setting_.only.contains(life.id))
        return;
    // Meetings begin at the full hour or the half, by day more than by night.
    const Duration some_day = from + dice.below(span / day) * day;
    const Duration clock_time = (dice.percent(85) ? dice.between(8, 18) : dice.between(0, 23)) * hour;
    life.starts = some_day + clock_time + (dice.percent(70) ? Duration{} : Duration{30min});
    const Duration ahead = dice.percent(80)   ? dice.between(1, 14 * 24 * 60) * Duration{1min}
                           : dice.percent(50) ? dice.between(1, 90) * Duration{1min}
                                              : -dice.between(1, 20) * Duration{1min};
    life.created =
        std::max(from + dice.below(60) * Duration{1s}, life.starts - ahead) + Duration{dice.below(60'000'000'000)};
    life.ends = life.starts + dice.some<Duration>({30min, 45min, 1h, 1h, 90min, 2h, 3h, 10h});
    if (dice.one_in(100))
        life.ends = life.starts + 40 * day;
    life.people = static_cast<int>(dice.between(2, 9));
    const bool is_crowded = !setting_.calm && dice.one_in(400);

    const std::int64_t zero =
        unix_seconds(clock_.true_now()) - std::chrono::floor<seconds>(clock_.steady_now() - Instant{}).count();
    const auto instant = [zero](Duration when) {
        return std::to_string(zero + std::chrono::floor<seconds>(when).count());
    };
    std::string project = "default";
    if (!setting_.calm && dice.percent(18))
        project = dice.some<char const*>({"second", "second", "spare", "mobile", "mobile", "unknown"});
    const std::string insert = "INSERT INTO meeting (id, title, starts_at, ends_at, project) VALUES (" +
                               sql_text(life.id) + ", 'm', " + instant(life.starts) + ", " + instant(life.ends) + ", " +
                               sql_text(project) + ")";
    std::vector<std::string> people;
    for (int i = 0; i < life.people; ++i)
        if (dice.percent(60))
            people.push_back(
                "INSERT OR IGNORE INTO participant (meeting_id, participant_id, display_name, role) VALUES (" +
                sql_text(life.id) + ", 'p" + std::to_string(i) + "', 'Ann', " + role(dice) + ")"
            );
    if (is_crowded)
        people.push_back(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
            std::to_string(dice.between(crowd_max / 10, crowd_max)) +
            ") INSERT OR IGNORE INTO participant (meeting_id, participant_id, role) SELECT " + sql_text(life.id) +
            ", 'c' || i, 'subscriber' FROM n"
        );
    const std::string id = life.id;
    if (dice.percent(12) && !people.empty()) { // its people first
        at(life.created - 30s, [this, id, people] { edit(id, people); });
        at(life.created, [this, id, insert] { edit(id, {insert}); });
    } else {
        people.insert(people.begin(), insert);
        at(life.created, [this, id, people] { edit(id, people); });
    }
    if (!setting_.others.empty() && dice.one_in(3)) // from now on it writes into another's
        life.id =
            setting_.others[static_cast<std::size_t>(dice.below(static_cast<std::int64_t>(setting_.others.size())))];
    const std::int64_t edits = setting_.calm ? 3 : dice.between(1, 10);
    for (std::int64_t i = 0; i < edits; ++i) {
        const Duration before = std::max<Duration>(life.starts - life.created, 1min);
        Duration when = life.created + Duration{dice.below(before.count())};
        if (dice.percent(25)) // around its start, when everybody comes
            when = life.starts + Duration{dice.between(-std::int64_t{900'000'000'000}, 900'000'000'000)};
        else if (dice.percent(15))
            when = life.starts + Duration{dice.below((life.ends - life.starts).count())};
        else if (dice.percent(6))
            when = life.ends + Duration{dice.below(Duration{2h}.count())};
        plan_edit(life, std::max(when, life.created + 1s), dice.fork());
    }
}

void Platform::plan_edit(Life const& life, Duration when, Dice dice)
{
    EditKind const& kind = setting_.calm ? edit_kinds.front() : some_edit(dice);
    if (setting_.without.contains(kind.name))
        return;
    at(when, [this, life, edit_kind = kind.edit, dice]() mutable {
        const std::string id = sql_text(life.id);
        const std::string who = person(life, dice);
        const std::string whom = " WHERE meeting_id = " + id + " AND participant_id = " + who;
        const auto change = [&](std::vector<std::string> statements) { edit(life.id, std::move(statements)); };
        const auto set = [&](std::string const& what) { change({"UPDATE meeting SET " + what + life.where()}); };
        const std::string by = std::to_string(dice.some({-7200, -3600, -900, 900, 1800, 3600, 86400, 3 * 86400}));
        switch (edit_kind) {
        case Edit::sign_up:
            return change(
                {"INSERT OR REPLACE INTO participant (meeting_id, participant_id, role) VALUES (" + id + ", " + who +
                 ", " + role(dice) + ")"}
            );
        case Edit::role: return change({"UPDATE participant SET role = " + role(dice) + whom});
        case Edit::details:
            return change(
                {"UPDATE participant SET connection_data = '{\"n\":" + std::to_string(dice.below(50)) + "}'" + whom}
            );
        case Edit::layout: return change({"UPDATE participant SET layout_classes = 'focus'" + whom});
        case Edit::removal: return change({"DELETE FROM participant" + whom});
        case Edit::move: return set("starts_at = starts_at + " + by + ", ends_at = ends_at + " + by);
        case Edit::length: return set("ends_at = max(starts_at + 60, ends_at + " + by + ")");
        case Edit::cancel:
            set("status = 'cancelled'");
            if (dice.percent(40))
                events_.after(Duration{dice.below(Duration{3h}.count())}, [this, life] {
                    edit(life.id, {"UPDATE meeting SET status = 'scheduled'" + life.where()});
                });
            return;
        case Edit::block:
            return change({"INSERT OR IGNORE INTO block (meeting_id, participant_id) VALUES (" + id + ", " + who + ")"}
            );
        case Edit::unblock: return change({"DELETE FROM block" + whom});
        case Edit::replace: return change({"INSERT OR REPLACE INTO meeting SELECT * FROM meeting" + life.where()});
        case Edit::sync: return sync(life, dice);
        case Edit::deletion: return change({"DELETE FROM meeting" + life.where()});
        case Edit::options:
            return set("media_mode = " + std::string{dice.some<char const*>({"'routed'", "'relayed'"})});
        case Edit::project:
            return set(
                "project = " + std::string{dice.some<char const*>({"'default'", "'second'", "'mobile'", "'unknown'"})}
            );
        case Edit::doors: {
            const std::string early = dice.some<char const*>({"NULL", "0", "3600"});
            return set("early_join = " + early + ", grace = " + dice.some<char const*>({"NULL", "0", "3600"}));
        }
        case Edit::adoption: return set("session_id = " + std::string{dice.some<char const*>({"NULL", "'room-1'"})});
        case Edit::request:
            if (dice.one_in(3)) { // nothing can be signed then, until somebody mends it
                set("project = 'unknown'");
                events_.after(20min + Duration{dice.below(Duration{1h}.count())}, [this, life] {
                    edit(life.id, {"UPDATE meeting SET project = 'default'" + life.where()});
                });
            }
            return change(
                {"INSERT INTO request (action, meeting_id) VALUES (" +
                 std::string{dice.some<char const*>({"'rotate'", "'rotate'", "'retry'", "'replace_session'"})} + ", " +
                 id + ")"}
            );
        case Edit::title: return set("title = 'x' || title");
        case Edit::save_by_key:
            return change(
                {"INSERT OR REPLACE INTO participant (id, meeting_id, participant_id, role) SELECT id, " + id + ", " +
                 who + ", " + role(dice) + " FROM participant WHERE meeting_id = " + id + " ORDER BY id LIMIT 1"}
            );
        }
    });
}

/// A calendar's: all people are deleted, and those that it knows written again.
void Platform::sync(Life const& life, Dice& dice)
{
    const std::string id = sql_text(life.id);
    const std::string table = dice.some<char const*>({"participant", "participant", "block"});
    const std::string columns = table == "block" ? "meeting_id, participant_id" : "meeting_id, participant_id, role";
    const std::string keep =
        "CREATE TEMP TABLE IF NOT EXISTS kept_" + table + " AS SELECT * FROM " + table + " LIMIT 0";
    const std::string empty = "DELETE FROM temp.kept_" + table;
    const std::string fill =
        "INSERT INTO temp.kept_" + table + " SELECT * FROM main." + table + " WHERE meeting_id = " + id;
    const std::string drop = "DELETE FROM main." + table + " WHERE meeting_id = " + id;
    const std::string put = "INSERT OR IGNORE INTO main." + table + " (" + columns + ") SELECT " + columns +
                            " FROM temp.kept_" + table + " WHERE meeting_id = " + id;
    if (dice.one_in(2))
        return edit(life.id, {keep, empty, fill, drop, put});
    edit(life.id, {keep, empty, fill, drop});
    edit(life.id, {keep, put}); // after a loss of power it knows nobody any more
}

} // namespace usher::simulation
