// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <cerrno>
#include <chrono>
#include <exception>
#include <ostream>
#include <sstream>
#include <utility>

#include <unistd.h>

namespace usher::ctl {
namespace {

constexpr char const* default_config_path = "/etc/usher/usher.yaml";

} // namespace

Config Context::load(Secrets secrets)
{
    if (!database_path.empty())
        return default_config(database_path);
    if (config_path.empty() && ::access(default_config_path, F_OK) != 0 && errno == ENOENT)
        throw UsageError{
            std::string{default_config_path} +
            " does not exist; name a configuration with --config FILE, or a database with --db FILE"};
    auto loaded = load_config(config_path.empty() ? default_config_path : config_path, secrets);
    if (!loaded) {
        std::string lines;
        for (ConfigError const& error : loaded.error())
            lines += (lines.empty() ? "" : "\n") + error.text();
        throw UsageError{lines};
    }
    for (std::string const& warning : loaded->warnings)
        err << "warning: " << warning << '\n';
    return std::move(*loaded);
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

CLI::App* add_command(
    CLI::App& app, Context& context, std::string const& name, std::string const& summary, std::string const& example
)
{
    CLI::App* command = app.add_subcommand(name, summary);
    command->fallthrough(); // --config and --db also after the command
    command->add_flag("--json", context.json, "Print JSON");
    command->add_flag("--local", context.local, "Times in this machine's zone");
    command->footer("Example:\n  " + example);
    return command;
}

int run(int argc, char const* const* argv, std::istream& in, std::ostream& out, std::ostream& err, Screen screen)
{
    Context context{in, out, err, screen};
    CLI::App app{
        "Looks after a database of usher: loads schedules, shows what is ready, asks for new tokens.", "usherctl"};
    app.footer("Exit status: 0 done, 1 could not, 2 usage or bad configuration.\n"
               "Example:\n  usherctl --config /etc/usher/usher.yaml status");
    app.require_subcommand(1);
    auto* config = app.add_option(
        "--config", context.config_path, "Configuration; " + std::string{default_config_path} + " if none is named"
    );
    config->type_name("FILE");
    app.add_option("--db", context.database_path, "Database, with one sandbox project and defaults for all else")
        ->type_name("FILE")
        ->excludes(config);
    add_init(app, context);
    add_import(app, context);
    add_status(app, context);
    add_credentials(app, context);
    add_decode(app, context);
    add_explain(app, context);
    add_requests(app, context);
    try {
        app.parse(argc, argv);
        return context.action();
    } catch (CLI::ParseError const& error) {
        std::ostringstream help;
        if (app.exit(error, help, help) == 0) {
            context.out.lines(help.str());
            return exit_done;
        }
        context.err << "usherctl: " << error.what() << "; see usherctl --help\n"; // names arguments
        return exit_usage;
    } catch (UsageError const& error) {
        context.err.lines(error.what());
        return exit_usage;
    } catch (std::exception const& error) {
        context.err << "usherctl: " << error.what() << '\n';
        return exit_could_not;
    }
}

} // namespace usher::ctl
