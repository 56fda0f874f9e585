// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <stdexcept>
#include <string>

#include <CLI/CLI.hpp>

#include <usher/config/config.hpp>
#include <usher/config/load.hpp>
#include <usher/core/exit_status.hpp>
#include <usher/core/time.hpp>

#include "page.hpp"
#include "printer.hpp"

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
    bool local = false;          ///< Times in this machine's zone.
    std::function<int()> action; ///< Set by the chosen command, once all of the command line has been read.

    /// The configuration that the options name, without its secrets; loaded at first use. Throws UsageError.
    Config const& config();
    /// Likewise with them, for who signs or checks signatures.
    Config const& config_with_keys();
    /// The path in it.
    std::string const& database() { return config().database; }

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

/// A command with `--json`, whose help ends with `example`.
CLI::App* add_command(
    CLI::App& app, Context& context, std::string const& name, std::string const& summary, std::string const& example
);

void add_backup(CLI::App& app, Context& context);
void add_init(CLI::App& app, Context& context);
void add_import(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_credentials(CLI::App& app, Context& context);
void add_decode(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_requests(CLI::App& app, Context& context);

} // namespace usher::ctl
