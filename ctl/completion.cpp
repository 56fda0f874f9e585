// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <memory>
#include <sstream>
#include <string_view>

#include "command_shape.hpp"
#include "commands.hpp"

namespace usher::ctl {
namespace {

constexpr std::string_view file_value = "FILE";

std::string joined(std::vector<std::string> const& words, std::string_view separator)
{
    std::string text;
    for (std::string const& word : words)
        text += (text.empty() ? "" : std::string{separator}) + word;
    return text;
}

std::string replaced(std::string text, std::string_view from, std::string_view to)
{
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

/// The first sentence: a shell shows one line.
std::string brief(std::string const& about)
{
    std::string text = about.substr(0, about.find(". "));
    if (text.ends_with('.'))
        text.pop_back();
    return text;
}

/// `bash|zsh|fish`; none where the value is any word.
std::vector<std::string> choices(ArgumentShape const& argument)
{
    std::vector<std::string> all;
    if (argument.value.find('|') == std::string::npos)
        return all;
    std::istringstream words{argument.value};
    for (std::string word; std::getline(words, word, '|');)
        all.push_back(word);
    return all;
}

std::vector<std::string> names_of(std::vector<ArgumentShape> const& options)
{
    std::vector<std::string> names;
    for (ArgumentShape const& option : options)
        names.insert(names.end(), option.names.begin(), option.names.end());
    return names;
}

std::vector<std::string> names_of(std::vector<CommandShape> const& commands)
{
    std::vector<std::string> names;
    for (CommandShape const& command : commands)
        names.push_back(command.name);
    return names;
}

/// The program's own options are understood after the name of a command, too.
std::vector<ArgumentShape> options_within(CommandShape const& program, CommandShape const& command)
{
    std::vector<ArgumentShape> all = command.options;
    for (ArgumentShape const& option : program.options) {
        const bool has =
            std::any_of(all.begin(), all.end(), [&](ArgumentShape const& own) { return own.names == option.names; });
        if (!has && option.names != std::vector<std::string>{"--version"})
            all.push_back(option);
    }
    return all;
}

/// Calls `visit` with each command and the words that lead to it: `requests abort`.
void each_command(
    CommandShape const& parent, std::string const& path,
    std::function<void(CommandShape const&, std::string const&)> const& visit
)
{
    for (CommandShape const& command : parent.below) {
        const std::string words = path.empty() ? command.name : path + " " + command.name;
        visit(command, words);
        each_command(command, words, visit);
    }
}

std::string in_single_quotes(std::string const& text)
{
    return "'" + replaced(text, "'", "'\\''") + "'";
}

/// Within a specification of zsh's _arguments.
std::string zsh_text(std::string text)
{
    text = replaced(std::move(text), "\\", "\\\\");
    for (char const* const special : {":", "[", "]"})
        text = replaced(std::move(text), special, std::string{"\\"} + special);
    return text;
}

std::string zsh_action(ArgumentShape const& argument)
{
    if (argument.value == file_value)
        return "_files";
    const std::vector<std::string> all = choices(argument);
    return all.empty() ? " " : "(" + joined(all, " ") + ")";
}

std::string fish_text(std::string text)
{
    return "'" + replaced(replaced(std::move(text), "\\", "\\\\"), "'", "\\'") + "'";
}

/// Text in a manual page: a hyphen of an option is typed as it is.
std::string page_text(std::string text)
{
    text = replaced(replaced(std::move(text), "\\", "\\e"), "-", "\\-");
    if (text.starts_with('.') || text.starts_with('\''))
        text.insert(0, "\\&");
    return text;
}

std::string page_of(ArgumentShape const& argument)
{
    std::vector<std::string> names;
    for (std::string const& name : argument.names)
        names.push_back("\\fB" + page_text(name) + "\\fR");
    std::string text = ".TP\n" + joined(names, ", ");
    if (!argument.value.empty())
        text += " \\fI" + page_text(argument.value) + "\\fR";
    return text + "\n" + page_text(argument.about) + ".\n";
}

/// `requests abort N`, `credentials MEETING [PARTICIPANT]`
std::string page_title(CommandShape const& command, std::string const& path)
{
    std::string text = page_text(path);
    for (ArgumentShape const& word : command.words)
        text += word.required ? " " + word.value : " [" + word.value + "]";
    return text;
}

} // namespace

std::string bash_completion(CommandShape const& program)
{
    std::vector<std::string> files;
    std::vector<std::string> values;
    std::string commands;
    std::string known;
    const auto take_options = [&](std::vector<ArgumentShape> const& options) {
        for (ArgumentShape const& option : options)
            for (std::string const& name : option.names)
                if (std::vector<std::string>& list = option.value == file_value ? files : values;
                    !option.value.empty() && std::find(list.begin(), list.end(), name) == list.end())
                    list.push_back(name);
    };
    take_options(program.options);
    each_command(program, "", [&](CommandShape const& command, std::string const& path) {
        take_options(command.options);
        std::vector<std::string> words = names_of(command.below);
        std::string more;
        for (ArgumentShape const& word : command.words) {
            const std::vector<std::string> all = choices(word);
            words.insert(words.end(), all.begin(), all.end());
            if (word.value == file_value)
                more = " files=yes";
        }
        known += (known.empty() ? "" : " | ") + in_single_quotes(path);
        commands += "    " + in_single_quotes(path) + ") words=" + in_single_quotes(joined(words, " ")) +
                    " options=" + in_single_quotes(joined(names_of(options_within(program, command)), " ")) + more +
                    " ;;\n";
    });
    std::string const& name = program.name;
    return "# Completion of " + name + " for bash; made by '" + name +
           " completion bash'.\n" //
           "_" +
           name +
           "()\n"
           "{\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
           "    local command='' words='' options='' files='' i\n"
           "    if [[ $word == '=' ]]; then\n"
           "        word=''\n"
           "    elif [[ $previous == '=' ]]; then\n"
           "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
           "    fi\n"
           "    for ((i = 1; i < COMP_CWORD; ++i)); do\n"
           "        case \"${command:+$command }${COMP_WORDS[i]}\" in\n"
           "        " +
           known +
           ") command=${command:+$command }${COMP_WORDS[i]} ;;\n"
           "        esac\n"
           "    done\n"
           "    case $previous in\n"
           "    " +
           joined(files, " | ") + ") files=only ;;\n" +
           (values.empty() ? "" : "    " + joined(values, " | ") + ") COMPREPLY=(); return ;;\n") +
           "    esac\n"
           "    case $command in\n"
           "    '') words=" +
           in_single_quotes(joined(names_of(program.below), " ")) +
           " options=" + in_single_quotes(joined(names_of(program.options), " ")) + " ;;\n" + //
           commands +
           "    esac\n"
           "    if [[ -n $files && $word != -* || $files == only ]]; then\n"
           "        compopt -o filenames 2>/dev/null\n"
           "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
           "    elif [[ $word == -* ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
           "    else\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
           "    fi\n"
           "}\n"
           "complete -F _" +
           name + " " + name + "\n";
}

namespace {

void zsh_function(
    CommandShape const& program, CommandShape const& command, std::string const& function, std::string& text
)
{
    const bool top = &program == &command;
    std::string body =
        "    local curcontext=\"$curcontext\" state line\n    typeset -A opt_args\n    _arguments -C -s -S";
    for (ArgumentShape const& option : top ? program.options : options_within(program, command))
        for (std::string const& name : option.names) {
            std::string spec = name + "[" + zsh_text(brief(option.about)) + "]";
            if (!option.value.empty())
                spec += ":" + zsh_text(option.value) + ":" + zsh_action(option);
            body += " \\\n        " + in_single_quotes(spec);
        }
    std::size_t place = 0;
    for (ArgumentShape const& word : command.words) {
        const std::string spec =
            std::to_string(++place) + (word.required ? ":" : "::") + zsh_text(word.value) + ":" + zsh_action(word);
        body += " \\\n        " + in_single_quotes(spec);
    }
    if (command.below.empty()) {
        text += function + "() {\n" + body + "\n}\n\n";
        return;
    }
    body += " \\\n        '1:command:->command' \\\n        '*::argument:->argument'\n"
            "    case $state in\n"
            "    command)\n"
            "        local -a commands=(\n";
    std::string cases;
    for (CommandShape const& below : command.below) {
        const std::string inner = function + "_" + replaced(below.name, "-", "_");
        zsh_function(program, below, inner, text);
        body += "            " + in_single_quotes(replaced(below.name + ":" + brief(below.about), "\\", "\\\\")) + "\n";
        cases += "        " + below.name + ") " + inner + " ;;\n";
    }
    text += function + "() {\n" + body +
            "        )\n"
            "        _describe command commands\n"
            "        ;;\n"
            "    argument)\n"
            "        case $line[1] in\n" +
            cases + "        esac\n        ;;\n    esac\n}\n\n";
}

} // namespace

std::string zsh_completion(CommandShape const& program)
{
    std::string functions;
    zsh_function(program, program, "_" + program.name, functions);
    return "#compdef " + program.name + "\n# Completion of " + program.name + " for zsh; made by '" + program.name +
           " completion zsh'.\n\n" + functions + "_" + program.name + " \"$@\"\n";
}

namespace {

std::string fish_option(ArgumentShape const& option)
{
    std::string text;
    for (std::string const& name : option.names)
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (option.value == file_value)
        text += " -r -F";
    else if (const std::vector<std::string> all = choices(option); !all.empty())
        text += " -x -a " + fish_text(joined(all, " "));
    else if (!option.value.empty())
        text += " -x";
    return text + " -d " + fish_text(brief(option.about));
}

} // namespace

std::string fish_completion(CommandShape const& program)
{
    const std::string start = "complete -c " + program.name;
    std::string text = "# Completion of " + program.name + " for fish; made by '" + program.name +
                       " completion fish'.\n" + start + " -f\n";
    for (ArgumentShape const& option : program.options) {
        const bool first = option.names == std::vector<std::string>{"--version"};
        text += start + (first ? " -n __fish_use_subcommand" : "") + fish_option(option) + "\n";
    }
    for (CommandShape const& command : program.below)
        text +=
            start + " -n __fish_use_subcommand -a " + command.name + " -d " + fish_text(brief(command.about)) + "\n";
    each_command(program, "", [&](CommandShape const& command, std::string const& path) {
        std::string condition =
            "__fish_seen_subcommand_from " + replaced(path, " ", "; and __fish_seen_subcommand_from ");
        for (ArgumentShape const& option : command.options) {
            const bool everywhere =
                std::any_of(program.options.begin(), program.options.end(), [&](ArgumentShape const& common) {
                    return common.names == option.names;
                });
            if (!everywhere)
                text += start + " -n " + fish_text(condition) + fish_option(option) + "\n";
        }
        for (ArgumentShape const& word : command.words)
            if (word.value == file_value)
                text += start + " -n " + fish_text(condition) + " -F\n";
            else if (const std::vector<std::string> all = choices(word); !all.empty())
                text += start + " -n " + fish_text(condition) + " -a " + fish_text(joined(all, " ")) + "\n";
        for (CommandShape const& below : command.below)
            text +=
                start + " -n " +
                fish_text(condition + "; and not __fish_seen_subcommand_from " + joined(names_of(command.below), " ")) +
                " -a " + below.name + " -d " + fish_text(brief(below.about)) + "\n";
    });
    return text;
}

std::string options_page(CommandShape const& program)
{
    std::string text;
    for (ArgumentShape const& option : program.options)
        text += page_of(option);
    return text;
}

std::string commands_page(CommandShape const& program)
{
    std::string text;
    each_command(program, "", [&](CommandShape const& command, std::string const& path) {
        text += ".SS \"" + page_title(command, path) + "\"\n" + page_text(command.about);
        text += command.about.ends_with('.') ? "\n" : ".\n";
        for (ArgumentShape const& option : command.options) {
            const bool everywhere =
                std::any_of(program.options.begin(), program.options.end(), [&](ArgumentShape const& common) {
                    return common.names == option.names;
                });
            if (!everywhere)
                text += page_of(option);
        }
    });
    return text;
}

void add_completion(CLI::App& app, Context& context, std::function<CommandShape()> shape)
{
    Command command{
        app, context, "completion", "Print what a shell needs to complete commands and options",
        "usherctl completion bash > /usr/share/bash-completion/completions/usherctl"};
    const auto shell = std::make_shared<std::string>();
    command.needs("shell", "bash|zsh|fish", *shell, "The shell");
    command.action([&context, shape = std::move(shape), shell] {
        struct Output {
            std::string_view name;
            std::string (*make)(CommandShape const&);
        };
        // The last two are for the build, which makes the manual page of them.
        for (Output const& output :
             {Output{"bash", bash_completion}, Output{"zsh", zsh_completion}, Output{"fish", fish_completion},
              Output{"man-options", options_page}, Output{"man-commands", commands_page}})
            if (output.name == *shell) {
                context.out.lines(output.make(shape()));
                return static_cast<int>(exit_done);
            }
        throw UsageError{"completion: there is no shell " + printable(*shell, 64) + "; bash, zsh or fish"};
    });
}

} // namespace usher::ctl
