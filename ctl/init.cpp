// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include <usher/store/database.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace usher::ctl {
namespace {

int init(Context& context, bool public_read)
{
    const std::string path = context.database();
    const Created created = create_database(path, public_read ? FileAccess::group_and_read : FileAccess::group);
    const std::string result = created == Created::created    ? "created"
                               : created == Created::migrated ? "migrated"
                                                              : "unchanged";
    if (context.json)
        print(context.out, Json{{"database", path}, {"result", result}});
    else
        context.out << path << ": " << result << '\n';
    return exit_done;
}

} // namespace

void add_init(CLI::App& app, Context& context)
{
    CLI::App* command = add_command(
        app, context, "init", "Create the database, or migrate an older one",
        "usherctl --db /var/lib/usher/usher.db init"
    );
    auto public_read = std::make_shared<bool>(false);
    command->add_flag("--public-read", *public_read, "Let everybody on this machine read it, tokens included");
    command->callback([&context, public_read] {
        context.action = [&context, public_read] { return init(context, *public_read); };
    });
}

} // namespace usher::ctl
