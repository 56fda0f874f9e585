// SPDX-License-Identifier: Apache-2.0
// Copies of the database: taken, and put in its place.
#include <memory>
#include <optional>
#include <string>

#include <unistd.h>

#include <usher/core/printable.hpp>
#include <usher/store/backup.hpp>
#include <usher/store/database.hpp>

#include "commands.hpp"
#include "interrupt.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

struct BackupArguments {
    std::string file;
    bool yes = false;
};

struct RestoreArguments {
    std::optional<std::string> file;
    bool yes = false;
    bool noticed = false;
};

/// `u.db, u.db.key`.
std::string file_list(std::vector<std::string> const& words)
{
    std::string list;
    for (std::string const& word : words)
        list += (list.empty() ? "" : ", ") + word;
    return list;
}

void expect_name(std::string const& file)
{
    if (file.empty()) // a variable of the shell that is not set
        throw UsageError{"FILE: is empty"};
}

/// Shows how far a copy is.
CopyProgress shown(Context& context, std::string const& doing)
{
    const auto progress = std::make_shared<Progress>(context.err, progress_on_standard_error(!context.json), doing);
    return [progress](std::size_t pages, std::size_t total) {
        Interruptible::check();
        progress->set_total(total);
        progress->add(pages);
    };
}

int backup(Context& context, BackupArguments const& arguments)
{
    expect_name(arguments.file);
    const Interruptible interruptible;
    const std::string database = context.database();
    const std::vector<std::string> there = files_replaced_by_backup(database, arguments.file);
    if (!there.empty() && !arguments.yes &&
        !agreed(
            context, "backup",
            file_list(there) +
                (there.size() == 1 ? " is there already and is replaced." : " are there already and are replaced.")
        ))
        return exit_could_not;
    const std::vector<std::string> files = back_up(
        database, arguments.file, "usherctl backup, pid " + std::to_string(::getpid()), shown(context, "copying")
    );
    if (context.json)
        print(context.out, Json{{"version", 1}, {"command", "backup"}, {"files", files}});
    else
        context.out << "Done, checked: " << file_list(files) << ". Keep them secret.\n";
    return exit_done;
}

int note_snapshot(Context& context, std::string const& who)
{
    std::int64_t restores = 0;
    try {
        restores = note_restore(context.database(), who);
    } catch (AlreadyAtWork const& error) {
        return already_at_work(context, "restore", error);
    }
    if (context.json) {
        print(
            context.out,
            Json{{"version", 1}, {"command", "restore"}, {"database", context.database()}, {"restores", restores}}
        );
        return exit_done;
    }
    context.out << "Noted: restores is " << restores << ", so that who follows changes starts anew.\n"
                << "do: systemctl start usher\n";
    return exit_done;
}

int restore(Context& context, RestoreArguments const& arguments)
{
    const std::string who = "usherctl restore, pid " + std::to_string(::getpid());
    if (arguments.noticed && arguments.file)
        throw UsageError{"--noticed is for rows that are in place already; a FILE is noticed by itself"};
    if (arguments.noticed)
        return note_snapshot(context, who);
    if (!arguments.file)
        throw UsageError{"restore needs FILE, or --noticed"};
    expect_name(*arguments.file);
    const Interruptible interruptible;
    const std::string database = context.database();
    std::optional<Restore> copy;
    try {
        copy.emplace(database, *arguments.file, who, shown(context, "copying"));
    } catch (AlreadyAtWork const& error) {
        return already_at_work(context, "restore", error);
    }
    const std::string lost =
        "What was written since " + Times{context.now(), context.local}.relative(copy->taken_at()) + " is lost.";
    const bool lacks_key = copy->lacks_key();
    const std::string key_missing =
        "there is no key: usherd starts only where systemd gives it the one of these sessions, as usher.db.key";
    if (!arguments.yes && !agreed(context, "restore", lost + (lacks_key ? " Then " + key_missing + "." : "")))
        return exit_could_not;
    const Restore::Replaced result = copy->commit();
    if (context.json) {
        print(
            context.out,
            Json{
                {"version", 1},
                {"command", "restore"},
                {"database", database},
                {"taken_at", to_iso8601(copy->taken_at())},
                {"replaced", result.replaced.empty() ? Json(nullptr) : Json(result.replaced)},
                {"still_open", result.still_open},
                {"lacks_key", lacks_key}}
        );
        return exit_done;
    }
    context.out << "Done, checked" << (result.replaced.empty() ? std::string{} : "; the old file is " + result.replaced)
                << ".\n"
                << lost << "\n";
    if (result.still_open)
        context.out << "note       somebody has the old file open, and goes on with it\n"
                       "  do: restart the platforms\n";
    if (lacks_key)
        context.out << "note       " << key_missing << "\n  do: put the key of the copy there as "
                    << real_path(database) << ".key"
                    << ", or: usherctl --db " << shell_word(database) << " init --adopt-sessions\n";
    context.out << "do: systemctl start usher\n";
    return exit_done;
}

} // namespace

void add_backup(CLI::App& app, Context& context)
{
    Command backup_command{
        app, context, "backup", "Copy the database, while usherd and platforms work on it", "usherctl backup u.db"};
    const auto to = std::make_shared<BackupArguments>();
    backup_command.needs("file", "FILE", to->file, "The copy");
    backup_command.takes("--yes", to->yes, "Replace files that are there already, without asking");
    backup_command.action([&context, to] { return backup(context, *to); });

    Command restore_command{
        app, context, "restore", "Put a copy in the database's place, while usherd is stopped",
        "usherctl restore u.db"};
    const auto from = std::make_shared<RestoreArguments>();
    restore_command.takes("file", "FILE", from->file, "The copy");
    restore_command.takes("--yes", from->yes, "Do not ask");
    restore_command.takes(
        "--noticed", from->noticed,
        "Take none: a snapshot of the whole machine came back; who follows changes is to start anew"
    );
    restore_command.action([&context, from] { return restore(context, *from); });
}

} // namespace usher::ctl
