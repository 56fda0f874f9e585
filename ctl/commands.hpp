// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <stdexcept>
#include <string>

#include <CLI/CLI.hpp>

#include <usher/config/config.hpp>
#include <usher/core/time.hpp>

#include "printer.hpp"

namespace usher::ctl {

enum ExitStatus : int {
    exit_done = 0,
    exit_could_not = 1,
    exit_usage = 2, ///< Or bad configuration.
};

/// Ends the program with `exit_usage`.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Likewise; each line names its file and place.
struct BadConfiguration : UsageError {
    using UsageError::UsageError;
};

/// What all commands share.
struct Context {
    Context(std::istream& input, std::ostream& output, std::ostream& errors) : in{input}, out{output}, err{errors} {}

    std::istream& in;
    Printer out;
    Printer err;
    std::string config_path;   ///< Empty when the option was not given.
    std::string database_path; ///< Likewise.
    bool json = false;
    std::function<int()> action; ///< Set by the chosen command, once all of the command line has been read.

    /// The configuration that the options name, loaded at first use. Throws UsageError.
    Config const& config();
    /// The path in it.
    std::string const& database() { return config().database; }

private:
    std::optional<Config> config_;
};

/// Runs usherctl and returns its exit status.
int run(int argc, char const* const* argv, std::istream& in, std::ostream& out, std::ostream& err);

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
