// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <new>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <boost/system/system_error.hpp>

#include <usher/config/load.hpp>
#include <usher/core/exit_status.hpp>
#include <usher/provider/kinds.hpp>
#include <usher/store/database.hpp>
#include <usher/store/process.hpp>

#include "app.hpp"
#include "early_signals.hpp"
#include "line_writer.hpp"
#include "log_setup.hpp"
#include "print_line.hpp"
#include "words.hpp"

namespace {

int print_failure(std::string const& reason, usher::ExitStatus exit_status = usher::exit_could_not)
{
    usher::say_why_it_ends(reason);
    return exit_status;
}

/// What was asked for is printed whole, however slowly it is read, or that is said.
int printed(int exit_status = usher::exit_done)
{
    const bool read = usher::standard_output().finish();
    return !read || usher::standard_output().failed() ? print_failure("standard output cannot be written")
                                                      : exit_status;
}

using Patience = std::optional<std::chrono::milliseconds>;

/// `patience` is for how long its last lines on standard error may wait for their reader.
int run_program(int argc, char** argv, Patience& patience)
{
    CLI::App options{"Provisions video sessions and tokens for the meetings of a database."};
    options.footer("Example: usherd --db /var/lib/usher/usher.db --once");
    std::string config_path;
    std::string database;
    bool once = false;
    bool check = false;
    bool words = false;
    auto* const config_option = options.add_option("--config", config_path, "Configuration (/etc/usher/usher.yaml)");
    options.add_option("--db", database, "This database with one sandbox project and defaults")
        ->excludes(config_option);
    options.add_flag("--once", once, "Work until nothing is due; exit 1 if a meeting that should be ready is not");
    options.add_flag("--check-config", check, "Check the configuration and exit");
    options.add_flag(
        "--words", words, "Print the words with a fixed meaning, such as the names of log events, and exit"
    );
    options.set_version_flag(
        "--version", "usherd " USHER_VERSION ", schema " + std::to_string(usher::schema_version_known())
    );
    try {
        options.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        std::ostringstream help;
        if (options.exit(error, help, help) == 0) {
            usher::print_lines(stdout, help.str());
            return printed();
        }
        usher::print_line(stderr, std::string{"usherd: "} + error.what() + "; see usherd --help"); // names arguments
        return usher::exit_usage;
    }

    for (char const* const option : {"--config", "--db"})
        if (options.count(option) > 0 && options[option]->as<std::string>().empty())
            return print_failure(std::string{option} + ": is empty", usher::exit_usage);
    if (words) {
        usher::print_words();
        return printed();
    }
    if (once || check)
        patience.reset(); // what is said there is the answer
    try {
        usher::Config config;
        if (!database.empty()) {
            config = usher::default_config(database, usher::declarations_of());
        } else {
            if (config_path.empty())
                config_path = "/etc/usher/usher.yaml";
            auto loaded = usher::load_config(config_path, usher::declarations_of());
            if (!loaded) {
                for (usher::ConfigError const& error : loaded.error())
                    usher::print_line(stderr, error.text());
                return usher::exit_usage;
            }
            config = std::move(*loaded);
        }
        for (std::string const& warning : config.warnings)
            usher::print_line(stderr, "warning: " + warning, usher::LogSeverity::warning);
        if (check) {
            usher::print_line(stdout, "the configuration is good");
            return printed();
        }
        usher::set_up_log(config.log);
        if (once) {
            usher::set_early_exit_status(usher::exit_could_not);
            const int exit_status = usher::run_once(std::move(config));
            usher::be_ended_by_signals();
            return printed(exit_status);
        }
        return usher::run_daemon(
            std::move(config),
            [&]() -> tl::expected<usher::Config, std::vector<usher::ConfigError>> {
                if (!database.empty())
                    return usher::default_config(database, usher::declarations_of());
                return usher::load_config(config_path, usher::declarations_of());
            }
        );
    } catch (usher::DatabaseReadOnly const& error) {
        return print_failure(error.what(), usher::exit_usage); // no restart repairs it
    } catch (std::system_error const& error) {
        return print_failure(error.what() + usher::way_out_of(error.code().value()));
    } catch (boost::system::system_error const& error) {
        return print_failure(error.what() + usher::way_out_of(error.code().value()));
    } catch (std::bad_alloc const&) {
        return print_failure(usher::describe_errno(ENOMEM));
    } catch (std::exception const& error) {
        return print_failure(error.what());
    }
}

} // namespace

int main(int argc, char** argv)
{
    // A core dump would hold the keys. This also keeps the account's other programs from reading this one's memory.
    ::prctl(PR_SET_DUMPABLE, 0);
    usher::prepare_process();
    usher::set_up_early_signals();
    Patience patience = usher::reader_patience;
    const int exit_status = run_program(argc, argv, patience);
    usher::end_log(patience);
    return exit_status;
}
