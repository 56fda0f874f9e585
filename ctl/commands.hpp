// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <usher/config/config.hpp>
#include <usher/config/load.hpp>
#include <usher/core/exit_status.hpp>
#include <usher/core/time.hpp>

#include "command_shape.hpp"
#include "page.hpp"
#include "printer.hpp"

namespace CLI {
class App;
}

namespace usher::ctl {

/// Ends the program with `exit_usage`.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Likewise; each line names its file and place.
struct BadConfiguration : UsageError {
    using UsageError::UsageError;
};

/// Where usherctl's answers go, and what the time is there.
struct Screen {
    std::size_t width = 0; ///< In columns; 0: it is no terminal.
    bool colour = false;
    std::optional<sys_seconds> now{}; ///< Of a test; else the clock's.
};

/// What all commands share.
struct Context {
    Context(std::istream& input, std::ostream& output, std::ostream& errors, Screen screen)
        : in{input}, out{output}, err{errors}, screen_{screen}
    {}

    std::istream& in;
    Printer out;
    Printer err;
    std::string config_path;   ///< Empty when the option was not given.
    std::string database_path; ///< Likewise.
    bool json = false;
    bool local = false; ///< Times in this machine's zone.
    bool tells_warnings =
        false; ///< The command itself tells those of the configuration; else they are printed at once.
    std::function<int()> action; ///< Set by the chosen command, once all of the command line has been read.

    /// The path of the configuration.
    std::string config_file() const;
    /// The configuration that the options name, without its secrets; loaded at first use. Throws UsageError.
    Config const& config();
    /// Likewise with them, for who signs or checks signatures.
    Config const& config_with_keys();
    /// The path in it. Errors: DatabaseError where the file has other names.
    std::string const& database();

    /// The instant that is "now" for the whole command.
    sys_seconds now();
    Page page() { return {out, screen_.width, screen_.colour}; }

private:
    Config load(Secrets secrets);

    std::optional<Config> config_;
    std::optional<Config> config_with_keys_;
    Screen screen_;
};

/// Runs usherctl and returns its exit status.
int run(int argc, char const* const* argv, std::istream& in, std::ostream& out, std::ostream& err, Screen screen = {});

/// What may follow the name of a command. CLI11 is behind it and stays in commands.cpp: it takes longer to compile than
/// all the commands together. What the words are stored in must live as long as the command's action.
class Command {
public:
    /// Has `--json` and `--local`; its help ends with `example`.
    Command(
        CLI::App& app, Context& context, std::string const& name, std::string const& summary, std::string const& example
    );

    /// A command of its own below this one: `requests abort`.
    Command add_below(std::string const& name, std::string const& summary, std::string const& example);

    /// A word that must be there. `type` stands for it in the help.
    void needs(std::string const& name, std::string const& type, std::string& value, std::string const& about);

    /// A word that may be there; after `name`, if that begins with two dashes.
    void takes(std::string const& name, std::string const& type, std::string& value, std::string const& about);
    void takes(
        std::string const& name, std::string const& type, std::optional<std::string>& value, std::string const& about
    );
    void takes(std::string const& name, bool& flag, std::string const& about);

    /// Words that the help does not show.
    void takes_in_secret(std::string const& name, std::vector<std::string>& values);

    /// The options of these names exclude each other.
    void excludes(std::string const& name, std::string const& other);

    /// The help is the list of options between these two.
    void help(std::string before, std::string after = {});

    /// What the command does, unless one below it was chosen; the result is the exit status.
    void action(std::function<int()> action);

private:
    Command(CLI::App* app, Context& context) : app_{app}, context_{context} {}

    CLI::App* app_;
    Context& context_;
};

void add_backup(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context, std::function<CommandShape()> shape);
void add_config(CLI::App& app, Context& context);
void add_init(CLI::App& app, Context& context);
void add_import(CLI::App& app, Context& context);
void add_export(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_credentials(CLI::App& app, Context& context);
void add_decode(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_forget(CLI::App& app, Context& context);
void add_reload(CLI::App& app, Context& context);
void add_plan(CLI::App& app, Context& context);
void add_forecast(CLI::App& app, Context& context);
void add_list(CLI::App& app, Context& context);
void add_history(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_check_config(CLI::App& app, Context& context);
void add_requests(CLI::App& app, Context& context);

} // namespace usher::ctl
