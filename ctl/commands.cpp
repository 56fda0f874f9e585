// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <ostream>
#include <span>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include <CLI/CLI.hpp>

#include <usher/config/load.hpp>
#include <usher/core/nearest.hpp>
#include <usher/core/printable.hpp>
#include <usher/provider/kinds.hpp>
#include <usher/store/database.hpp>

#include "output.hpp"

namespace usher::ctl {
namespace {

constexpr char const* default_config_path = "/etc/usher/usher.yaml";

struct CommandGroup {
    std::string_view name;
    std::string_view commands;
};

constexpr std::array<CommandGroup, 4> groups{{
    {"look   ", "status list explain history credentials plan forecast"},
    {"act    ", "rotate replace-session retry requests forget reload"},
    {"data   ", "init import export backup restore copy"},
    {"check  ", "doctor check-config config decode completion"},
}};

std::vector<std::string> command_names(CLI::App& app)
{
    std::vector<std::string> names;
    for (CLI::App const* const command : app.get_subcommands([](CLI::App*) { return true; }))
        names.push_back(command->get_name());
    return names;
}

/// Those that the program has.
std::string overview(CLI::App& app)
{
    const std::vector<std::string> names = command_names(app);
    std::string text = "Usage: usherctl [--config FILE | --db FILE] COMMAND [--json] [--local]\n";
    for (CommandGroup const& group : groups) {
        std::string line{group.name};
        std::istringstream words{std::string{group.commands}};
        for (std::string name; words >> name;)
            if (std::find(names.begin(), names.end(), name) != names.end())
                line += (line.size() == group.name.size() ? "" : " ") + name;
        text += line + "\n";
    }
    return text +
           "Start: usherctl status. Exit 0 well, 1 not well, 2 usage.\n"
           "One of them: usherctl COMMAND --help. Configuration: " +
           default_config_path + " if none is named.\n";
}

std::string nearest_text(std::string_view word, std::vector<std::string> const& known)
{
    const std::vector<std::string_view> views{known.begin(), known.end()};
    const auto found = nearest(word, views);
    return found ? "; nearest: " + std::string{*found} : std::string{};
}

/// Whether a word stands behind `--` alone, where all words are taken as they are.
bool is_behind_dashes(std::span<char const* const> words, std::string_view word)
{
    const auto dashes = std::find(words.begin(), words.end(), std::string_view{"--"});
    return std::find(dashes, words.end(), word) != words.end() && std::find(words.begin(), dashes, word) == dashes;
}

/// Why a command line cannot be understood: names the word, and what was probably meant.
std::string complaint(CLI::App& app, CLI::ParseError const& error, std::span<char const* const> line)
{
    const auto chosen = app.get_subcommands();
    CLI::App& command = chosen.empty() ? app : *chosen.front();
    const std::string in = chosen.empty() ? "" : command.get_name() + ": ";
    const std::string help = "; see usherctl " + (chosen.empty() ? "" : command.get_name() + " ") + "--help";
    if (dynamic_cast<CLI::ExtrasError const*>(&error) == nullptr)
        return in + error.what() + help;
    const std::vector<std::string> words = app.remaining(true);
    std::string const& word = words.front();
    if (word.starts_with('-') && is_behind_dashes(line, word))
        return in + "does not take " + in_quotes(word) + " behind --; options stand before it" + help;
    if (word.starts_with('-')) {
        std::vector<std::string> names;
        for (CLI::App* const owner : {&app, &command})
            for (CLI::Option const* const option : owner->get_options())
                for (std::string const& name : option->get_lnames())
                    names.push_back("--" + name);
        return in + "there is no option " + printable(word, 64) + nearest_text(word.substr(0, word.find('=')), names);
    }
    if (!chosen.empty())
        return in + "does not take " + in_quotes(word) + help;
    return "there is no command " + printable(word, 64) + nearest_text(word, command_names(app));
}

/// What a variable of the shell leaves that is not set is no name of a file, and no wish for what is usual either.
void refuse_empty_values(CLI::App& app)
{
    for (CLI::App* const owner : {&app, app.get_subcommands().empty() ? &app : app.get_subcommands().front()})
        for (CLI::Option const* const option : owner->get_options())
            if (!option->get_lnames().empty() && option->count() > 0 && option->results().front().empty())
                throw UsageError{"--" + option->get_lnames().front() + ": is empty"};
}

/// Before the words are understood, since it also tells how to say that they are not.
bool wants_json(int argc, char const* const* argv)
{
    const std::span words{argv, static_cast<std::size_t>(argc)};
    const auto end = std::find(words.begin(), words.end(), std::string_view{"--"});
    return std::any_of(words.begin(), end, [](std::string_view word) {
        return word == "--json" || word.starts_with("--json=");
    });
}

ArgumentShape shape_of(CLI::Option const& option)
{
    ArgumentShape shape;
    for (std::string const& name : option.get_snames())
        shape.names.push_back("-" + name);
    for (std::string const& name : option.get_lnames())
        shape.names.push_back("--" + name);
    if (shape.names.empty())
        shape.names.push_back(option.get_name());
    if (option.get_items_expected_max() > 0)
        shape.value = option.get_type_name();
    shape.about = option.get_description();
    shape.required = option.get_required();
    return shape;
}

CommandShape shape_of(CLI::App& app)
{
    CommandShape shape{app.get_name(), app.get_description(), {}, {}, {}};
    for (CLI::Option const* const option : app.get_options())
        if (!option->get_group().empty())
            (option->nonpositional() ? shape.options : shape.words).push_back(shape_of(*option));
    for (CLI::App* const below : app.get_subcommands([](CLI::App*) { return true; }))
        shape.below.push_back(shape_of(*below));
    return shape;
}

int report(Context& context, std::string_view code, std::string const& message, int status)
{
    if (!context.json) {
        context.err << "usherctl: " << message << '\n';
        return status;
    }
    Json document = Json::object();
    document["version"] = 1;
    document["error"] = {{"code", code}, {"message", message}, {"do", nullptr}};
    print(context.out, document);
    return status;
}

} // namespace

std::string Context::config_file() const
{
    return config_path.empty() ? default_config_path : config_path;
}

Config Context::load(Secrets secrets)
{
    if (!database_path.empty())
        return default_config(database_path, declarations_of());
    if (config_path.empty() && ::access(default_config_path, F_OK) != 0 && errno == ENOENT)
        throw UsageError{
            std::string{default_config_path} +
            " does not exist; name a configuration with --config FILE, or a database with --db FILE"};
    auto loaded = load_config(config_file(), declarations_of(), secrets);
    if (!loaded) {
        std::string lines;
        for (ConfigError const& error : loaded.error())
            lines += (lines.empty() ? "" : "\n") + error.text();
        throw BadConfiguration{lines};
    }
    if (!tells_warnings)
        for (std::string const& warning : loaded->warnings)
            err << "warning: " << warning << '\n';
    return std::move(*loaded);
}

std::string const& Context::database()
{
    std::string const& path = config().database;
    expect_one_name(path);
    return path;
}

Config const& Context::config()
{
    if (!config_)
        config_ = load(Secrets::leave);
    return *config_;
}

Config const& Context::config_with_keys()
{
    if (!config_with_keys_)
        config_with_keys_ = load(Secrets::read);
    return *config_with_keys_;
}

sys_seconds Context::now()
{
    if (!screen_.now)
        screen_.now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
    return *screen_.now;
}

Command::Command(
    CLI::App& app, Context& context, std::string const& name, std::string const& summary, std::string const& example
)
    : app_{app.add_subcommand(name, summary)}, context_{context}
{
    app_->fallthrough(); // --config and --db also after the command
    app_->add_flag("--json", context.json, "Print JSON");
    app_->add_flag("--local", context.local, "Times in this machine's zone");
    app_->footer("Example:\n  " + example);
}

Command Command::add_below(std::string const& name, std::string const& summary, std::string const& example)
{
    CLI::App* const below = app_->add_subcommand(name, summary);
    below->fallthrough();
    below->footer("Example:\n  " + example);
    return {below, context_};
}

void Command::needs(std::string const& name, std::string const& type, std::string& value, std::string const& about)
{
    app_->add_option(name, value, about)->type_name(type)->required();
}

void Command::takes(std::string const& name, std::string const& type, std::string& value, std::string const& about)
{
    app_->add_option(name, value, about)->type_name(type);
}

void Command::takes(
    std::string const& name, std::string const& type, std::optional<std::string>& value, std::string const& about
)
{
    app_->add_option(name, value, about)->type_name(type);
}

void Command::takes(std::string const& name, bool& flag, std::string const& about)
{
    app_->add_flag(name, flag, about);
}

void Command::takes_in_secret(std::string const& name, std::vector<std::string>& values)
{
    app_->add_option(name, values)->group("");
}

void Command::excludes(std::string const& name, std::string const& other)
{
    app_->get_option(name)->excludes(app_->get_option(other));
}

void Command::help(std::string before, std::string after)
{
    app_->formatter_fn([before, after](CLI::App const* shown, std::string const&, CLI::AppFormatMode mode) {
        return before + CLI::Formatter{}.make_groups(shown, mode) + after;
    });
}

void Command::action(std::function<int()> action)
{
    app_->callback([app = app_, &context = context_, action = std::move(action)] {
        if (app->get_subcommands().empty())
            context.action = action;
    });
}

int run(int argc, char const* const* argv, std::istream& in, std::ostream& out, std::ostream& err, Screen screen)
{
    Context context{in, out, err, screen};
    CLI::App app{"", "usherctl"};
    app.set_version_flag("--version", "usherctl " USHER_VERSION ", schema " + std::to_string(schema_version_known()));
    app.require_subcommand(0, 1);
    app.add_flag("--json", context.json, "Print JSON");
    app.add_flag("--local", context.local, "Times in this machine's zone");
    auto* config = app.add_option(
        "--config", context.config_path, "Configuration; " + std::string{default_config_path} + " if none is named"
    );
    config->type_name("FILE");
    app.add_option("--db", context.database_path, "Database, with one sandbox project and defaults for all else")
        ->type_name("FILE")
        ->excludes(config);
    add_backup(app, context);
    add_config(app, context);
    add_init(app, context);
    add_import(app, context);
    add_export(app, context);
    add_status(app, context);
    add_credentials(app, context);
    add_decode(app, context);
    add_explain(app, context);
    add_reload(app, context);
    add_plan(app, context);
    add_forecast(app, context);
    add_list(app, context);
    add_history(app, context);
    add_doctor(app, context);
    add_check_config(app, context);
    add_requests(app, context);
    add_completion(app, context, [&app] { return shape_of(app); });
    add_forget(app, context);
    context.json = wants_json(argc, argv);
    try {
        app.parse(argc, argv);
        refuse_empty_values(app);
        if (!context.action) {
            if (context.json)
                return report(context, "usage", "name a command; see usherctl --help", exit_usage);
            context.err.lines(overview(app));
            return exit_usage;
        }
        return context.action();
    } catch (CLI::CallForHelp const& error) {
        std::ostringstream help;
        app.exit(error, help, help);
        context.out.lines(app.get_subcommands().empty() ? overview(app) : help.str());
        return exit_done;
    } catch (CLI::Success const& error) { // --version
        std::ostringstream text;
        app.exit(error, text, text);
        context.out.lines(text.str());
        return exit_done;
    } catch (CLI::ParseError const& error) {
        return report(context, "usage", complaint(app, error, {argv, static_cast<std::size_t>(argc)}), exit_usage);
    } catch (BadConfiguration const& error) {
        if (context.json)
            return report(context, "configuration", error.what(), exit_usage);
        context.err.lines(error.what());
        return exit_usage;
    } catch (UsageError const& error) {
        return report(context, "usage", error.what(), exit_usage);
    } catch (DatabaseReadOnly const& error) {
        return report(context, "read_only", error.what(), exit_usage);
    } catch (std::exception const& error) {
        return report(context, "failed", error.what(), exit_could_not);
    }
}

} // namespace usher::ctl
