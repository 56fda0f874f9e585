// SPDX-License-Identifier: Apache-2.0
#include <istream>
#include <memory>

#include <usher/core/token.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace usher::ctl {
namespace {

constexpr std::size_t longest_input = 1024 * 1024;

enum class Signature { valid, invalid, not_checked };

struct Verdict {
    Signature signature;
    std::string sentence;
};

std::string read_token(std::istream& in)
{
    std::string text(longest_input, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    constexpr auto space = " \t\r\n";
    const auto begin = text.find_first_not_of(space);
    return begin == std::string::npos ? std::string{} : text.substr(begin, text.find_last_not_of(space) + 1 - begin);
}

Verdict check(Config const& config, DecodedToken const& decoded, std::string const& token)
{
    Verdict verdict{
        Signature::not_checked, "not checked: no configured project has the key " + printable(decoded.project_key)};
    for (ProjectConfig const& project : config.projects) {
        if (project.project_key != decoded.project_key)
            continue;
        const auto signer = project.signer(decoded.format);
        if (!signer) {
            verdict.sentence = "not checked: project " + printable(project.name) + ": " + signer.error().message;
            continue;
        }
        const auto verified = signer->verify(token);
        if (verified)
            return {Signature::valid, "valid, by the key of project " + printable(project.name)};
        verdict = {
            Signature::invalid, "not valid for project " + printable(project.name) + ": " + verified.error().message};
    }
    return verdict;
}

/// Without a configuration a token can still be read.
Verdict check(Context& context, DecodedToken const& decoded, std::string const& token)
{
    if (!context.config_path.empty() || !context.database_path.empty())
        return check(context.config(), decoded, token);
    try {
        return check(context.config(), decoded, token);
    } catch (UsageError const&) {
        return {Signature::not_checked, "not checked: there is no configuration to take a key from; use --config FILE"};
    }
}

std::string_view to_text(Signature signature)
{
    return signature == Signature::valid ? "valid" : signature == Signature::invalid ? "invalid" : "not_checked";
}

std::optional<sys_seconds> instant(std::optional<std::int64_t> value)
{
    constexpr std::int64_t year_5138 = 100000000000; // beyond it, a time is not in seconds
    return value && *value >= 0 && *value < year_5138 ? std::optional{from_unix(*value)} : std::nullopt;
}

void print_decoded(Printer& out, DecodedToken const& decoded, Verdict const& verdict, sys_seconds now)
{
    out << "format: " << (decoded.format == TokenFormat::t1 ? "t1" : "jwt") << ", " << printable(decoded.algorithm)
        << "\nsignature: " << verdict.sentence << "\nproject key: " << printable(decoded.project_key)
        << "\nsession: " << printable(decoded.session_id) << "\nrole: " << printable(decoded.role) << '\n';
    const auto time = [&](char const* name, std::optional<std::int64_t> value) {
        if (const auto at = instant(value))
            out << name << ": " << at_and_relative(*at, now) << '\n';
        else if (value)
            out << name << ": " << *value << '\n';
    };
    time("issued", decoded.issued_at);
    time("expires", decoded.expires_at);
    if (!decoded.connection_data.empty())
        out << "connection data: " << decoded.connection_data << '\n';
    if (!decoded.layout_classes.empty())
        out << "layout classes: " << decoded.layout_classes << '\n';
    out << "fields:\n";
    for (auto const& [name, value] : decoded.fields)
        out << "  " << name << " = " << value << '\n';
    for (std::string const& note : decoded.notes)
        out << "note: " << printable(note) << '\n';
}

Json json_of_decoded(DecodedToken const& decoded, Verdict const& verdict)
{
    Json document = Json::object();
    document["format"] = decoded.format == TokenFormat::t1 ? "t1" : "jwt";
    document["algorithm"] = decoded.algorithm;
    document["signature"] = to_text(verdict.signature);
    document["signature_detail"] = verdict.sentence;
    document["project_key"] = decoded.project_key;
    document["session_id"] = decoded.session_id;
    document["role"] = decoded.role;
    document["issued_at"] = json_of(instant(decoded.issued_at));
    document["expires_at"] = json_of(instant(decoded.expires_at));
    document["connection_data"] = decoded.connection_data;
    document["layout_classes"] = decoded.layout_classes;
    document["fields"] = Json::array(); // a name may come twice
    for (auto const& [name, value] : decoded.fields) {
        Json field = Json::object();
        field["name"] = name;
        field["value"] = value;
        document["fields"].push_back(std::move(field));
    }
    document["notes"] = decoded.notes;
    return document;
}

int decode(Context& context, std::vector<std::string> const& arguments)
{
    if (!arguments.empty())
        throw UsageError{"decode reads the token from standard input: an argument would show in the process list"};
    const std::string token = read_token(context.in);
    if (token.empty())
        throw UsageError{"decode found no token on standard input"};
    const auto decoded = decode_token(token);
    if (!decoded) {
        context.err << "usherctl: " << printable(decoded.error().message) << '\n';
        return exit_could_not;
    }
    const Verdict verdict = check(context, *decoded, token);
    if (context.json)
        print(context.out, json_of_decoded(*decoded, verdict));
    else
        print_decoded(context.out, *decoded, verdict, current_time());
    return verdict.signature == Signature::invalid ? exit_could_not : exit_done;
}

} // namespace

void add_decode(CLI::App& app, Context& context)
{
    CLI::App* command = add_command(
        app, context, "decode", "Show what a token from standard input says, and check its signature",
        "usherctl decode < token.txt"
    );
    auto arguments = std::make_shared<std::vector<std::string>>();
    command->add_option("token", *arguments)->group(""); // hidden: taken only to be refused with the reason
    command->callback([&context, arguments] {
        context.action = [&context, arguments] { return decode(context, *arguments); };
    });
}

} // namespace usher::ctl
