// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace usher::ctl {

/// An option, or a word that follows a command.
struct ArgumentShape {
    std::vector<std::string> names; ///< `-h` and `--help`; of a word, the one name that stands for it.
    std::string value;              ///< What follows the option: `FILE`, or choices as in `bash|zsh`; empty: a flag.
    std::string about;
    bool required = false;
};

/// What may be said on the command line, as it was declared.
struct CommandShape {
    std::string name;
    std::string about;
    std::vector<ArgumentShape> options;
    std::vector<ArgumentShape> words;
    std::vector<CommandShape> below;
};

/// What the shells load, made from the program's own command line.
std::string bash_completion(CommandShape const& program);
std::string zsh_completion(CommandShape const& program);
std::string fish_completion(CommandShape const& program);

/// The parts of usherctl(1) under OPTIONS and COMMANDS, in the language of man(7). Options that all commands have stand
/// under OPTIONS alone.
std::string options_page(CommandShape const& program);
std::string commands_page(CommandShape const& program);

} // namespace usher::ctl
