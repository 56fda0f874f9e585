// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <set>
#include <vector>

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/store/contract.hpp>
#include <usher/store/database.hpp>
#include <usher/store/report.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace usher::ctl {
namespace {

constexpr std::size_t listed_max = 20;

/// `0660 usher:usher-platforms`.
std::string rights_of(std::string const& path)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
        return "gone";
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o", status.st_mode & 07777U);
    passwd const* user = ::getpwuid(status.st_uid);
    group const* members = ::getgrgid(status.st_gid);
    return std::string{mode.data()} + " " + (user != nullptr ? user->pw_name : std::to_string(status.st_uid)) + ":" +
           (members != nullptr ? members->gr_name : std::to_string(status.st_gid));
}

Json json_of_damages(std::vector<Damage> const& damages)
{
    Json items = Json::array();
    for (Damage const& damage : damages)
        items.push_back({{"object", damage.object}, {"sentence", damage.sentence}, {"do", damage.way_out}});
    return items;
}

Json init_answer(std::string const& path, std::string const& result)
{
    return {
        {"version", 1},
        {"command", "init"},
        {"database", path},
        {"result", result},
        {"schema", schema_version_known()}};
}

/// One line each, but not for ever.
template <class Items, class Line>
void print_some(Printer& out, Items const& items, std::size_t total, Line line)
{
    for (std::size_t i = 0; i < items.size() && i < listed_max; ++i)
        out << line(items[i]) << '\n';
    if (const std::size_t shown = std::min(items.size(), listed_max); total > shown)
        out << total - shown << " more\n";
}

int report_damage(Context& context, std::string const& path, std::vector<Damage> const& damages)
{
    if (context.json) {
        Json result = init_answer(path, "damaged");
        result["damage"] = json_of_damages(damages);
        print(context.out, result);
        return exit_could_not;
    }
    context.out << "Failing: the contract is damaged: " << damages.front().sentence << ".\n";
    print_some(
        context.out, std::vector<Damage>(damages.begin() + 1, damages.end()), damages.size() - 1,
        [](Damage const& damage) { return "damage     " + damage.sentence; }
    );
    std::set<std::string> ways;
    for (Damage const& damage : damages)
        if (ways.insert(damage.way_out).second)
            context.out << "do: " << damage.way_out << '\n';
    return exit_could_not;
}

int init(Context& context, bool public_read)
{
    const std::string path = context.database();
    const Created created = create_database(path, public_read ? FileAccess::group_and_read : FileAccess::group);
    if (const std::vector<Damage> damages = (Report{path, context.now()}.damages()); !damages.empty())
        return report_damage(context, path, damages);
    const std::string result = created == Created::created    ? "created"
                               : created == Created::migrated ? "migrated"
                                                              : "unchanged";
    if (context.json) {
        print(context.out, init_answer(path, result));
        return exit_done;
    }
    context.out << static_cast<char>(result[0] - 'a' + 'A') << result.substr(1) << ": " << path;
    if (created == Created::created)
        context.out << " (" << rights_of(path) << ")";
    context.out << ", schema " << schema_version_known() << ".\n";
    if (created == Created::created)
        context.out << "do: systemctl start usher\n";
    return exit_done;
}

/// The key of the sessions was lost: all that are there are usher's own from now on.
int adopt(Context& context)
{
    const std::string path = context.database();
    std::int64_t sessions = 0;
    try {
        sessions = adopt_sessions(path, "usherctl init, pid " + std::to_string(::getpid()));
    } catch (AlreadyAtWork const& error) {
        return already_at_work(context, "init", error);
    }
    if (context.json) {
        Json result = init_answer(path, "adopted");
        result["sessions"] = sessions;
        print(context.out, result);
        return exit_done;
    }
    context.out << "Done: " << counted(sessions, "session") << (sessions == 1 ? " is" : " are")
                << " taken for usher's own.\ndo: systemctl start usher\n";
    return exit_done;
}

/// What was lost is back, what was changed is as it was.
std::string mended(std::vector<Damage> const& damages)
{
    std::string const& sentence = damages.front().sentence;
    if (damages.size() > 1)
        return counted(static_cast<std::int64_t>(damages.size()), "fault") + " of the contract are mended";
    if (const auto lost = sentence.find(" lost "); lost != std::string::npos)
        return sentence.substr(lost + 6) + " is back";
    return "mended: " + sentence;
}

std::string duration_text(std::chrono::steady_clock::duration time)
{
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    if (milliseconds < 1000)
        return std::to_string(milliseconds) + "ms";
    return std::to_string(milliseconds / 1000) + "." + std::to_string(milliseconds / 100 % 10) + "s";
}

int repair(Context& context)
{
    const std::string path = context.database();
    const auto started = std::chrono::steady_clock::now();
    const Repair result = repair_database(path, [&](std::string const& sentence) { context.err << sentence << "\n"; });
    const auto time = std::chrono::steady_clock::now() - started;
    if (context.json) {
        Json document = init_answer(
            path, result.refused_in_all > 0 ? "refused"
                  : result.mended.empty()   ? "unchanged"
                                            : "repaired"
        );
        document["damage"] = json_of_damages(result.mended);
        document["rows"] = result.rows;
        document["refused"] = {{"total", result.refused_in_all}, {"items", result.refused}};
        print(context.out, document);
    } else if (result.refused_in_all > 0) {
        print_some(
            context.err, result.refused, static_cast<std::size_t>(result.refused_in_all),
            [](std::string const& line) { return line; }
        );
        context.err << "usherctl: init: " << counted(result.refused_in_all, "row")
                    << (result.refused_in_all == 1 ? " breaks" : " break") << " the contract. Nothing was done.\n"
                    << "do: correct " << (result.refused_in_all == 1 ? "it" : "them")
                    << ", then: usherctl init --repair\n";
    } else if (result.mended.empty()) {
        context.out << "Unchanged: " << path << ", schema " << schema_version_known() << ".\n";
    } else {
        context.out << "Done in " << duration_text(time) << ": " << mended(result.mended);
        if (result.rows > 0)
            context.out
                << (result.rows == 1 ? "; its row satisfies it" : "; all " + counted(result.rows, "row") + " satisfy it"
                   );
        context.out << ".\n";
        if (result.mended.size() > 1)
            print_some(context.out, result.mended, result.mended.size(), [](Damage const& damage) {
                return "mended     " + damage.sentence;
            });
    }
    return result.refused_in_all > 0 ? exit_could_not : exit_done;
}

} // namespace

void add_init(CLI::App& app, Context& context)
{
    Command command{
        app, context, "init", "Create the database, migrate an older one, or repair a damaged one",
        "usherctl --db /var/lib/usher/usher.db init"};
    const auto public_read = std::make_shared<bool>(false);
    const auto repairs = std::make_shared<bool>(false);
    const auto adopts = std::make_shared<bool>(false);
    command.takes("--public-read", *public_read, "Let everybody on this machine read it, tokens included");
    command.takes("--repair", *repairs, "Mend what others took from usher's schema or changed in it; rows are kept");
    command.takes(
        "--adopt-sessions", *adopts,
        "Accept all sessions that are there as usher's own, after DATABASE.key was lost; usherd must not run"
    );
    command.excludes("--repair", "--public-read");
    command.excludes("--adopt-sessions", "--public-read");
    command.action([&context, public_read, repairs, adopts] {
        if (*adopts)
            return adopt(context);
        return *repairs ? repair(context) : init(context, *public_read);
    });
}

} // namespace usher::ctl
