// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include <usher/store/forget.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "progress.hpp"

namespace usher::ctl {
namespace {

struct ForgetArguments {
    std::string person;
    bool dry_run = false;
    bool yes = false;
};

Json json_of_rows(PersonRows const& rows)
{
    Json result = Json::object();
    result["past_tokens"] = rows.past_tokens;
    result["left_tokens"] = rows.left_tokens;
    result["problems"] = rows.problems;
    result["removals"] = rows.removals;
    return result;
}

/// `3 rows of participant and 1 of block`.
std::string platform_rows(PersonRows const& rows)
{
    std::string text;
    if (rows.participants > 0)
        text = counted(rows.participants, "row") + " of participant";
    if (rows.blocks > 0)
        text += rows.participants > 0 ? " and " + grouped(rows.blocks) + " of block"
                                      : counted(rows.blocks, "row") + " of block";
    return text;
}

std::string listed(Listing<std::string> const& meetings)
{
    std::string text;
    for (std::string const& meeting : meetings.items)
        text += (text.empty() ? "" : ", ") + whole(meeting);
    if (meetings.total > meetings.items.size())
        text += ", " + grouped(static_cast<std::int64_t>(meetings.total - meetings.items.size())) + " more";
    return text;
}

/// What the rows that stay say, and what to do about them.
void tell_what_stays(Page& page, ForgetArguments const& arguments, PersonRows const& rows)
{
    if (rows.of_the_platform() > 0) {
        page.line("stays", platform_rows(rows) + ", which the platform writes: " + listed(rows.meetings));
        page.indented("do: the platform deletes them; then: usherctl forget " + argument(arguments.person));
    }
    if (rows.kept_tokens > 0)
        page.line("stays", counted(rows.kept_tokens, "token") + " of these meetings");
    page.line("note", "backups, files of export and logs are not touched");
}

std::string sentence_of(ForgetArguments const& arguments, std::int64_t erased, PersonRows const& rows)
{
    const std::string person = whole(arguments.person);
    if (erased == 0 && rows.of_the_platform() == 0)
        return "Nothing to do: no row of usher's own, and none of the platform's, names " + person + ".";
    if (arguments.dry_run)
        return "Would take " + person + " out of " + counted(erased, "row") + " of usher's own.";
    return (rows.of_the_platform() > 0 ? "In part: " : "Done: ") + person + " is out of " + counted(erased, "row") +
           " of usher's own" + (rows.of_the_platform() > 0 ? "; the platform's name it still." : ".");
}

int forget(Context& context, ForgetArguments const& arguments)
{
    if (arguments.person.empty())
        throw UsageError{"PERSON: is empty"};
    if (arguments.person == forgotten_person)
        throw UsageError{"PERSON: " + arguments.person + " stands for all who are forgotten already"};
    PersonEraser eraser{context.database()};
    PersonRows rows = eraser.look(arguments.person);
    const PersonRows before = rows;
    std::int64_t erased = rows.of_usher();
    if (erased > 0 && !arguments.dry_run) {
        const std::string warning = unbound(whole(arguments.person)) + " is taken out of " + counted(erased, "row") +
                                    " of usher's own, which cannot be undone.";
        if (!arguments.yes && !agreed(context, "forget", warning))
            return exit_could_not;
        Progress progress{
            context.err, progress_on_standard_error(!context.json), "forgetting", static_cast<std::size_t>(erased)};
        erased = eraser.erase(arguments.person, context.now(), [&](std::size_t count) { progress.add(count); });
        rows = eraser.look(arguments.person);
    }
    const bool all_gone = arguments.dry_run || (rows.of_usher() == 0 && rows.of_the_platform() == 0);
    const std::string sentence = sentence_of(arguments, erased, rows);
    const int status = all_gone ? exit_done : exit_could_not;
    if (context.json) {
        Json document = answer("forget", context.now());
        document["sentence"] = unbound(sentence);
        document["dry_run"] = arguments.dry_run;
        document["erased"] = json_of_rows(before);
        document["stays"] = {
            {"participants", rows.participants},
            {"blocks", rows.blocks},
            {"tokens", rows.kept_tokens},
            {"meetings", {{"total", rows.meetings.total}, {"items", json_of_texts(rows.meetings.items)}}}};
        print(context.out, document);
        return status;
    }
    Page page = context.page();
    page.sentence(sentence);
    if (erased > 0 || rows.of_the_platform() > 0)
        tell_what_stays(page, arguments, rows);
    return status;
}

} // namespace

void add_forget(CLI::App& app, Context& context)
{
    Command command{
        app, context, "forget",
        "Take a person out of usher's own rows, over all meetings. The history keeps that somebody had the tokens, and "
        "not who. usherd and platforms may be at work.",
        "usherctl forget speaker-1"};
    const auto arguments = std::make_shared<ForgetArguments>();
    command.needs("person", "PERSON", arguments->person, "The participant_id");
    command.takes("--dry-run", arguments->dry_run, "Erase nothing; tell what would be");
    command.takes("--yes", arguments->yes, "Do not ask");
    command.action([&context, arguments] { return forget(context, *arguments); });
}

} // namespace usher::ctl
