// SPDX-License-Identifier: Apache-2.0
// Copies of the database: taken, and put in its place.
#include <memory>
#include <string>

#include <unistd.h>

#include <usher/store/backup.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

struct BackupArguments {
    std::string file;
    bool yes = false;
};

/// `u.db, u.db.key`.
std::string file_list(std::vector<std::string> const& words)
{
    std::string list;
    for (std::string const& word : words)
        list += (list.empty() ? "" : ", ") + word;
    return list;
}

void expect_name(BackupArguments const& arguments)
{
    if (arguments.file.empty()) // a variable of the shell that is not set
        throw UsageError{"FILE: is empty"};
}

int backup(Context& context, BackupArguments const& arguments)
{
    expect_name(arguments);
    const std::string database = context.database();
    const bool there = ::access(arguments.file.c_str(), F_OK) == 0;
    if (there && !arguments.yes && !agreed(context, "backup", arguments.file + " is there already and is replaced."))
        return exit_could_not;
    const std::vector<std::string> files =
        back_up(database, arguments.file, "usherctl backup, pid " + std::to_string(::getpid()));
    if (context.json)
        print(context.out, Json{{"version", 1}, {"command", "backup"}, {"files", files}});
    else
        context.out << "Done, checked: " << file_list(files) << ". Keep them secret.\n";
    return exit_done;
}

int restore(Context& context, BackupArguments const& arguments)
{
    expect_name(arguments);
    const std::string database = context.database();
    const std::string who = "usherctl restore, pid " + std::to_string(::getpid());
    std::optional<Restore> copy;
    try {
        copy.emplace(database, arguments.file, who);
    } catch (AlreadyAtWork const& error) {
        return already_at_work(context, "restore", error);
    }
    const std::string lost =
        "What was written since " + Times{context.now(), context.local}.relative(copy->taken_at()) + " is lost.";
    if (!arguments.yes && !agreed(context, "restore", lost))
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
                {"still_open", result.still_open}}
        );
        return exit_done;
    }
    context.out << "Done, checked" << (result.replaced.empty() ? std::string{} : "; the old file is " + result.replaced)
                << ".\n";
    if (result.still_open)
        context.out << "note       somebody has the old file open, and goes on with it\n"
                       "  do: restart the platforms\n";
    context.out << "do: systemctl start usher\n";
    return exit_done;
}

void add_copy_command(
    CLI::App& app, Context& context, std::string const& name, std::string const& summary, std::string const& example,
    std::string const& yes, int (*run)(Context&, BackupArguments const&)
)
{
    Command command{app, context, name, summary, example};
    const auto arguments = std::make_shared<BackupArguments>();
    command.needs("file", "FILE", arguments->file, "The copy");
    command.takes("--yes", arguments->yes, yes);
    command.action([&context, arguments, run] { return run(context, *arguments); });
}

} // namespace

void add_backup(CLI::App& app, Context& context)
{
    add_copy_command(
        app, context, "backup", "Copy the database, while usherd and platforms work on it", "usherctl backup u.db",
        "Replace a file that is there already, without asking", backup
    );
    add_copy_command(
        app, context, "restore", "Put a copy in the database's place, while usherd is stopped", "usherctl restore u.db",
        "Do not ask", restore
    );
}

} // namespace usher::ctl
